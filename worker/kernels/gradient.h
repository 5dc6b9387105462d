/*
 * gradient: what two patches of one scene say about the fraction of a pixel between them.
 * Owns: nothing; a const table of functions per SIMD variant. Threads: any. Memory: the stack.
 * Errors: none. Every variant gives the same bits: sums run per column, then over the columns.
 *
 * Both patches are low-passed by a Gaussian of 1 px, gt's taken half the fraction further on and
 * target's half back, so that both are filtered alike and nothing is interpolated but what the
 * Gaussian leaves (gain below 0.01 at the highest frequency). With a, b the two, A and B their
 * gradients, a remaining shift e satisfies b - a = (A + B) / 2 * e + what differs in brightness.
 */
#ifndef PM_WORKER_KERNELS_GRADIENT_H
#define PM_WORKER_KERNELS_GRADIENT_H

#include <stddef.h>

#include "common/image.h"
#include "worker/kernels/cpu.h"

#define PM_GRADIENT_HALO 4  /* px of a patch around what is summed */
#define PM_GRADIENT_SIDE 64 /* the widest patch, without halo */
#define PM_GRADIENT_TAPS (2 * PM_GRADIENT_HALO + 1)

/* Filters for one fraction, per image: [0] smooths, [1] differentiates. */
struct pm_gradient_taps {
    float gt_y[2][PM_GRADIENT_TAPS], gt_x[2][PM_GRADIENT_TAPS];
    float target_y[2][PM_GRADIENT_TAPS], target_x[2][PM_GRADIENT_TAPS];
};
/* dy, dx: within -1..1: gt[y + dy, x + dx] = target[y, x]. */
void pm_gradient_taps(double dy, double dx, struct pm_gradient_taps *taps);

struct pm_gradient_sums {
    double yy, yx, xx; /* of A_y B_y, (A_y B_x + A_x B_y) / 2, A_x B_x: white noise, which is not
                          the same in both images, does not enter their means */
    double y, x;       /* of (A + B) / 2 * (b - a) */
    double mean_y, mean_x, mean; /* of (A + B) / 2 and of b - a, before they are taken away */
    double energy;               /* of (A_y^2 + A_x^2 + B_y^2 + B_x^2) / 2, noise included */
};

struct pm_gradient_ops {
    /* The mean of the channels, times scale, of h rows of w px (row_bytes apart; halo included, up
     * to SIDE + 2 HALO wide); returns their mean, which is not finite when a sample is not. */
    float (*cut)(enum pm_sample sample, const void *samples, size_t row_bytes, int w, int h,
        int channels, float scale, float *out, size_t stride);
    /* Sums over w x h px, every row_step-th row, b - a and (A + B) / 2 less their means, so that
     * stray light does not matter; the patches have HALO px more on each side and
     * begin with them. w, h <= SIDE. */
    void (*sum)(const float *gt, const float *target, size_t stride, int w, int h, int row_step,
        const struct pm_gradient_taps *taps, struct pm_gradient_sums *sums);
};

const struct pm_gradient_ops *pm_gradient_ops_of(enum pm_cpu level);
const struct pm_gradient_ops *pm_gradient(void);

#endif
