/*
 * lossmap: bounds on the gamma-encoded difference of RAWNIND.md 2.6 for a piece of one row, fast
 * enough to look at every pixel; mask.c takes the exact double only where the bounds cannot decide.
 * Owns: nothing; a const table of functions per SIMD variant. Threads: any. Memory: stack only.
 * Errors: none. Nothing outside the n pixels of either row is touched.
 */
#ifndef PM_WORKER_KERNELS_LOSSMAP_H
#define PM_WORKER_KERNELS_LOSSMAP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/image.h"
#include "worker/kernels/cpu.h"

#define PM_LOSSMAP_WORD 64   /* pixels of one mask word */
#define PM_LOSSMAP_CHUNK 512 /* pixels a call takes at most: its buffers stay in L1 */

struct pm_lossmap {
    /* The exact value of pixel i is in [lower[i], upper[i]] where upper[i] <= FLT_MAX; elsewhere
     * (NaN or above) nothing is known: a sample was not finite, or float overflowed. */
    float lower[PM_LOSSMAP_CHUNK], upper[PM_LOSSMAP_CHUNK];
    /* Largest upper of each word; INFINITY when one of them is unknown. */
    float word_max[PM_LOSSMAP_CHUNK / PM_LOSSMAP_WORD];
    float slack_max; /* largest (upper - lower) / 2 of the known ones */
};

struct pm_lossmap_ops {
    /* n <= PM_LOSSMAP_CHUNK pixels of either image, 1 or 3 interleaved channels. gain multiplies
     * the target, 1e-20..1e20. */
    void (*chunk)(enum pm_sample sample, const void *gt, const void *target, int n, int channels,
        float gain, struct pm_lossmap *out);
    /* Adds the finite ones of n float samples (PM_F16, PM_F32) to *sum and their number to *count.
     * Eight sums side by side, the same in every variant. */
    void (*add_finite)(enum pm_sample sample, const void *row, int n, double *sum, int64_t *count);
    /* True when every one of n samples is below limit (full scale 1; NaN is not below). */
    bool (*all_below)(enum pm_sample sample, const void *row, int n, double limit);
};

/* The table of a variant; a level this machine or build lacks gives the next lower one. */
const struct pm_lossmap_ops *pm_lossmap_ops_of(enum pm_cpu level);
const struct pm_lossmap_ops *pm_lossmap_ops(void); /* of pm_cpu_level() */

/* One sample against the same limit, exactly as all_below does: sample / full_scale < limit in
 * double; NaN is not below. */
bool pm_sample_below(enum pm_sample sample, const void *row, int i, double limit);

#endif
