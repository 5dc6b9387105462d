#include "worker/topk.h"

#include <assert.h>
#include <string.h>

#include "common/bufpool.h"

/* Room beyond k, so that compacting, which costs O(n), comes rarely. */
static size_t cap_of(size_t k)
{
    return k + k / 2 + 1024;
}

size_t pm_topk_bytes(size_t k)
{
    return cap_of(k) * sizeof(float);
}

enum pm_code pm_topk_init(
    struct pm_topk *top, size_t k, struct pm_bufpool *pool, struct pm_err *err)
{
    assert(k > 0);
    float *values = pm_bufpool_get(pool, pm_topk_bytes(k));
    if (values == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for the %zu largest values", k);
    }
    *top = (struct pm_topk){
        .k = k, .cap = cap_of(k), .cut = -INFINITY, .values = values, .pool = pool};
    return PM_OK;
}

void pm_topk_fini(struct pm_topk *top)
{
    pm_bufpool_put(top->pool, top->values, top->cap * sizeof(float));
    *top = (struct pm_topk){0};
}

static void swap(float *a, float *b)
{
    float t = *a;
    *a = *b;
    *b = t;
}

/* Hoare's selection: afterwards v[rank - 1] is the rank-th largest, nothing before it is smaller.
 * The middle element as pivot and the two-sided scan keep sorted and equal inputs linear. */
static float select_largest(float *v, size_t n, size_t rank)
{
    ptrdiff_t lo = 0, hi = (ptrdiff_t)n - 1, at = (ptrdiff_t)rank - 1;
    while (lo < hi) {
        float pivot = v[lo + (hi - lo) / 2];
        ptrdiff_t i = lo - 1, j = hi + 1;
        for (;;) {
            do {
                i++;
            } while (v[i] > pivot);
            do {
                j--;
            } while (v[j] < pivot);
            if (i >= j) {
                break;
            }
            swap(&v[i], &v[j]);
        }
        /* v[lo..j] >= pivot >= v[j+1..hi], and j < hi */
        if (at <= j) {
            hi = j;
        } else {
            lo = j + 1;
        }
    }
    return v[at];
}

void pm_topk_compact(struct pm_topk *top)
{
    if (top->n > top->k) {
        top->cut = select_largest(top->values, top->n, top->k);
        top->n = top->k;
    }
}

float pm_topk_largest(struct pm_topk *top, size_t rank)
{
    assert(rank >= 1 && rank <= top->k);
    return rank <= top->n ? select_largest(top->values, top->n, rank) : NAN;
}
