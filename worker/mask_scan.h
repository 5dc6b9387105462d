/*
 * mask_scan: the passes over an overlap that find which pixels lose too much (RAWNIND.md 2.6).
 * Pass 1 bounds every pixel's loss in float, keeps each 64-pixel word's largest bound and the few
 * largest lower bounds, tests for overexposure and sums the reported loss. The quantile is then
 * settled in exact doubles among the pixels whose bounds reach it; pass 2 looks again only at words
 * whose bound reaches the threshold. So memory is 3/16 byte a pixel, and nearly every pixel is seen
 * once.
 * Owns: nothing. Threads: one. Memory: pm_mask_scan_bytes(), given back before it returns.
 * Errors: PM_ENOMEM only.
 */
#ifndef PM_WORKER_MASK_SCAN_H
#define PM_WORKER_MASK_SCAN_H

#include "common/clock.h"
#include "common/image.h"
#include "common/rect.h"
#include "worker/bitmap.h"

struct pm_mask_scan {
    /* in */
    const struct pm_image *gt, *target; /* same size, channels and sample type */
    const struct pm_image *gt_source;   /* the file's own samples, for the exposure test */
    struct pm_overlap overlap;          /* not empty */
    struct pm_overlap trimmed;          /* RAWNIND.md 2.5, inside overlap; may be empty */
    double overlap_gain;                /* k of the mask */
    double pair_gain;                   /* of the reported loss */
    double loss_threshold, loss_quantile, overexposure;
    struct pm_bufpool *pool;
    const struct pm_clock *clock; /* for loss_us */
    /* out */
    double threshold; /* the one used */
    double loss;      /* reported loss; NaN when no sample pair was finite */
    int64_t loss_us;  /* spent on the reported loss */
};

/* Losses at or above the lower of the two order statistics that quantile q of n lies between:
 * RAWNIND.md 2.6, rank q * (n - 1), linear interpolation. */
size_t pm_quantile_reach(double n, double q);
/* numpy's lerp, whose two forms make it exact at both ends. */
double pm_quantile_lerp(double a, double b, double t);

/* Scratch at most. */
size_t pm_mask_scan_bytes(int w, int h, double loss_quantile);
/* keep: set where the loss is below the threshold; a pixel whose loss is not finite is never kept
 * and does not count for the quantile. ok: set where no gt channel is overexposed. Both come zeroed
 * and have the overlap's size. */
enum pm_code pm_mask_scan_run(
    struct pm_mask_scan *scan, struct pm_bitmap *keep, struct pm_bitmap *ok, struct pm_err *err);

#endif
