/*
 * topk: the k largest of a stream of floats, in memory for little more than k.
 * Owns: its buffer. Threads: one. Memory: pm_topk_bytes(k), from a pm_bufpool when one is given;
 * pm_topk_fini(). Errors: PM_ENOMEM only.
 */
#ifndef PM_WORKER_TOPK_H
#define PM_WORKER_TOPK_H

#include <math.h>
#include <stddef.h>

#include "common/err.h"

struct pm_bufpool;

struct pm_topk {
    size_t k, n, cap;
    float cut; /* values not above it cannot matter any more; -INFINITY at first */
    float *values;
    struct pm_bufpool *pool;
};

size_t pm_topk_bytes(size_t k);
enum pm_code pm_topk_init(
    struct pm_topk *top, size_t k, struct pm_bufpool *pool, struct pm_err *err);
void pm_topk_fini(struct pm_topk *top); /* zeroed is fine */
/* Throws all but the k largest away and raises cut; pm_topk_push calls it. */
void pm_topk_compact(struct pm_topk *top);
/* The rank-th largest of all pushed values, rank 1..k; NaN when there were fewer. */
float pm_topk_largest(struct pm_topk *top, size_t rank);

/* NaN is ignored. */
static inline void pm_topk_push(struct pm_topk *top, float value)
{
    if (value > top->cut) {
        top->values[top->n++] = value;
        if (top->n == top->cap) {
            pm_topk_compact(top);
        }
    }
}

#endif
