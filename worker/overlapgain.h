/*
 * overlapgain: mean(gt') / mean(target') over the overlap, the k of RAWNIND.md 2.6.
 * Owns: nothing. Threads: any. Memory: none.
 * Errors: PM_EGAIN when a mean is zero, negative or not finite, or the ratio is absurd.
 */
#ifndef PM_WORKER_OVERLAPGAIN_H
#define PM_WORKER_OVERLAPGAIN_H

#include "common/err.h"
#include "common/image.h"
#include "common/rect.h"
#include "worker/align/prep.h"

/* Mean of the finite samples of all channels in rect, full scale 1; NaN when there are none. Exact
 * up to the last rounding for integer samples. prep is the whole image's: the sum of a large rect
 * is the whole sum less that of the strips around it, so that pixels are not all read again. */
double pm_rect_mean(const struct pm_image *image, const struct pm_prep *prep, struct pm_rect rect);

enum pm_code pm_overlap_gain(const struct pm_image *gt, const struct pm_prep *gt_prep,
    const struct pm_image *target, const struct pm_prep *target_prep, struct pm_overlap overlap,
    double *gain, struct pm_err *err);

#endif
