/* topk: the same ranks as sorting everything. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "tests/lib/workerkit.h"
#include "worker/topk.h"

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

/* kind 0: random, 1: few values, 2: rising, 3: falling, 4: all one. */
static float value(int kind, int i, uint64_t *seed)
{
    double random = kit_random(seed);
    switch (kind) {
    case 1:
        return (float)floor(random * 5);
    case 2:
        return (float)i;
    case 3:
        return (float)-i;
    case 4:
        return 1;
    default:
        return (float)random - 0.5f;
    }
}

static void ranks_are_those_of_a_sorted_stream(void **state)
{
    static const size_t ks[] = {1, 2, 3, 100, 1500, 20000};
    enum { N = 20000 };
    float *all = malloc(N * sizeof *all);
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        for (size_t j = 0; j < sizeof ks / sizeof ks[0]; j++) {
            struct pm_topk top;
            struct pm_err err;
            uint64_t seed = 5;
            assert_int_equal(pm_topk_init(&top, ks[j], NULL, &err), PM_OK);
            for (int i = 0; i < N; i++) {
                all[i] = value(kind, i, &seed);
                pm_topk_push(&top, all[i]);
                pm_topk_push(&top, NAN);
            }
            qsort(all, N, sizeof *all, descending);
            for (size_t rank = 1; rank <= ks[j]; rank += 1 + ks[j] / 7) {
                assert_true(pm_topk_largest(&top, rank) == all[rank - 1]);
            }
            assert_true(pm_topk_largest(&top, ks[j]) == all[ks[j] - 1]);
            pm_topk_fini(&top);
        }
    }
    free(all);
}

static void a_short_stream_has_no_more_ranks_than_values(void **state)
{
    struct pm_topk top;
    struct pm_err err;
    (void)state;
    assert_int_equal(pm_topk_init(&top, 10, NULL, &err), PM_OK);
    assert_true(isnan(pm_topk_largest(&top, 1)));
    pm_topk_push(&top, 3);
    pm_topk_push(&top, 4);
    assert_true(pm_topk_largest(&top, 2) == 3);
    assert_true(isnan(pm_topk_largest(&top, 3)));
    pm_topk_fini(&top);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_are_those_of_a_sorted_stream),
        cmocka_unit_test(a_short_stream_has_no_more_ranks_than_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
