/*
 * residual: the fraction of a pixel that a whole shift leaves over, and how well it is known.
 *
 * Up to PM_RESIDUAL_PATCHES small patches are taken from all over the overlap at full resolution,
 * the channels summed. In each, kernels/gradient.h gives A (2x2) and b; e = (sum w A)^-1 (sum w b)
 * is Newton's step from the fraction looked at (least squares after equal low-pass of both images,
 * noise cancelled from A by taking the product of the two images' gradients); a few steps end where
 * sum w b = 0. A patch that pulls elsewhere than most (what moved, or lies at another depth) has
 * its weight w reduced as 1 / (1 + (pull / usual pull)^2), Cauchy's.
 *
 * The errors are those of the jackknife over patches, to first order (a sandwich of clusters, CR3):
 *     V = (n - 1) / n * sum v v',  v = A^-1 w b / (1 - h),  A = sum w A_i,  h = w tr A_i / tr A;
 * times 1.4, as counted in photographs; they need no model of the noise, and hold what differs from
 * patch to patch: noise, movement, parallax, aliasing. What pulls all patches alike (a pattern of
 * the sensor) is not in them.
 *
 * Owns: nothing. Threads: any. Memory: the stack, < 50 KB. Errors: none.
 */
#ifndef PM_WORKER_ALIGN_RESIDUAL_H
#define PM_WORKER_ALIGN_RESIDUAL_H

#include <stdbool.h>

#include "common/image.h"

#define PM_RESIDUAL_PATCHES 120 /* 15 x 8 */

struct pm_residual {
    double dy, dx;             /* px, beyond the whole shift; within -1..1 */
    double dy_error, dx_error; /* px, standard errors */
};

/* At the whole shift (dy, dx). NaN on an axis where the error would be above 1 / sqrt(12) px, which
 * is no more than that the fraction is within half a pixel. False: too small for patches enough. */
bool pm_residual_measure(const struct pm_image *gt, const struct pm_image *target, double gain,
    int dy, int dx, struct pm_residual *out);

#endif
