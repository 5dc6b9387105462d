/*
 * mask_exact: one pixel's loss of RAWNIND.md 2.6 in double, step by step as numpy computes it:
 * sum over the channels, in order, of |g(gt / full) - g(k * (target / full))|, g(v) = v^(1/2.2) for
 * v > 0 and v otherwise. Slow; the mask asks only where mask_scan's bounds cannot decide.
 * Owns: plain values. Threads: one. Memory: none. Errors: none.
 */
#ifndef PM_WORKER_MASK_EXACT_H
#define PM_WORKER_MASK_EXACT_H

#include <stdbool.h>

#include "common/image.h"

struct pm_mask_exact {
    enum pm_sample sample;
    int channels;
    double gain;         /* k */
    double gt_root[256]; /* u8 only: g of every sample value, so that even massive ties stay fast */
    double target_root[256];
    double seen[6], root[6]; /* otherwise: the last value and its root, by image and channel */
};

void pm_mask_exact_init(
    struct pm_mask_exact *exact, enum pm_sample sample, int channels, double gain);
/* Rows point to the samples of pixel 0. NaN when the loss is not finite. */
double pm_mask_exact_px(
    struct pm_mask_exact *exact, const void *gt_row, const void *target_row, int x);

#endif
