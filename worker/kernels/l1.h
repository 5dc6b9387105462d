/*
 * l1: sums of absolute differences along one row, the innermost loop of every alignment method.
 * Owns: nothing; a const table of functions per SIMD variant. Threads: any. Memory: none.
 * Errors: none. No alignment of pointers is asked for and nothing outside [0, n) is touched.
 *
 * Fast rows hold int16 ("staged" samples: gain and scale already folded in, see align/stage.h) or
 * float; exact rows hold the file's own samples and give the same double in every variant, bit for
 * bit, so that final comparisons do not depend on the machine.
 */
#ifndef PM_WORKER_KERNELS_L1_H
#define PM_WORKER_KERNELS_L1_H

#include <stddef.h>
#include <stdint.h>

#include "common/image.h"
#include "worker/kernels/cpu.h"

struct pm_l1_sum {
    double sum;    /* of |gt - gain * target| in the samples' own units (u16: 0..65535) */
    int64_t count; /* samples that were finite in both */
};

/* Sums over a stretch of two level rows, from which means and covariances follow. */
struct pm_l1_moments {
    int64_t n, a, b;  /* count, sums */
    int64_t ab;       /* sum of a[i] * b[i] */
    int64_t aa;       /* sum of a[i] * a[i] */
    int64_t aa1, bb1; /* sums of a[i] * a[i + 1], b[i] * b[i + 1]: free of white noise */
};

struct pm_l1_ops {
    /* Sum of |a[i] - b[i]|. Every difference must fit int16 (staged values are within +-16383 or
     * all >= 0); n < 2^31. */
    uint64_t (*row_i16)(const int16_t *a, const int16_t *b, size_t n);
    /* Three shifts at once: adds to sum[k] the sum of |a[i] - b[i + k * step]|, k = 0, 1, 2; reads
     * b[0 .. n + 2 * step). */
    void (*row3_i16)(const int16_t *a, const int16_t *b, size_t step, size_t n, uint64_t sum[3]);
    /* The same for float rows (all finite). Float sums over blocks, double over the row: good to
     * ~1e-6 relative, and not the same bits in every variant. */
    double (*row_f32)(const float *a, const float *b, size_t n);
    void (*row3_f32)(const float *a, const float *b, size_t step, size_t n, double sum[3]);
    /* |gt - gain * target| in double, samples not finite in either row left out; by enum pm_sample.
     * Bit-equal in all variants. */
    struct pm_l1_sum (*exact[4])(const void *gt, const void *target, size_t n, double gain);
    /* Staging: out = ((in << up) * mul) >> 16 for u16 (in << up must fit 16 bits, mul <= 32767);
     * out = (in * mul) >> 8 for u8 (mul <= 32767, so that out <= 32639). */
    void (*stage_u16)(const uint16_t *in, size_t n, int up, uint16_t mul, int16_t *out);
    void (*stage_u8)(const uint8_t *in, size_t n, uint16_t mul, int16_t *out);
    /* Levels: out = (in * mul + 2^14) >> 15; mul >= 0. */
    void (*stage_i16)(const int16_t *in, size_t n, int16_t mul, int16_t *out);
    /* Adds to sums; reads n + 1 of each; values within -16384..16383. */
    void (*moments)(const int16_t *a, const int16_t *b, size_t n, struct pm_l1_moments *sums);
    /* out = in * mul, halves widened exactly first. */
    void (*stage_f16)(const uint16_t *in, size_t n, float mul, float *out);
    void (*stage_f32)(const float *in, size_t n, float mul, float *out);
};

/* The table of a variant; a level this machine or build lacks gives the next lower one. */
const struct pm_l1_ops *pm_l1_ops_of(enum pm_cpu level);
/* The one this process uses: pm_l1_ops_of(pm_cpu_level()). */
const struct pm_l1_ops *pm_l1(void);

#endif
