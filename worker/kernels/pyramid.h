/*
 * pyramid: one pass over four rows of an image: sums of 4x4 blocks and of each channel.
 * Owns: nothing; a const table of functions per SIMD variant. Threads: any. Memory: none.
 * Errors: none. Integer results are the same in every variant; float block sums differ in the last
 * bits only.
 */
#ifndef PM_WORKER_KERNELS_PYRAMID_H
#define PM_WORKER_KERNELS_PYRAMID_H

#include <stddef.h>
#include <stdint.h>

#include "worker/kernels/cpu.h"

struct pm_pyramid_ops {
    /* rows: 4 pointers to w px of `channels` (1 or 3) interleaved samples; w < 2^20. out[x], x <
     * w / 4, becomes the sum over the 4x4 block and all channels; channel_sum[c] grows by the sums
     * of all w columns; *max becomes the largest sample if that is larger. */
    void (*quad_u16)(const uint16_t *const rows[4], int w, int channels, uint32_t *out,
        uint64_t channel_sum[3], uint32_t *max);
    void (*quad_u8)(const uint8_t *const rows[4], int w, int channels, uint32_t *out,
        uint64_t channel_sum[3], uint32_t *max);
    /* out[x] is the mean of the block's finite samples, NaN when it has none; bad[c] grows by the
     * samples that are not finite. */
    void (*quad_f32)(const float *const rows[4], int w, int channels, float *out,
        double channel_sum[3], int64_t bad[3]);
    /* out = sums >> shift, cut to 16 bits; returns all of sums or-ed together, whose highest bit
     * says whether they fitted. */
    uint32_t (*narrow)(const uint32_t *sums, size_t n, int shift, int16_t *out);
    /* out[i] = scale * the sum of 2x2 level values. */
    void (*halve)(const int16_t *r0, const int16_t *r1, size_t n, float scale, float *out);
    /* out[i] = scale * in[i]. */
    void (*widen)(const int16_t *in, size_t n, float scale, float *out);
};

const struct pm_pyramid_ops *pm_pyramid_ops_of(enum pm_cpu level);
const struct pm_pyramid_ops *pm_pyramid(void);

#endif
