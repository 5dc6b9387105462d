/*
 * pyramid_body: the pass as plain C, inlined once into each variant so that the compiler makes
 * vectors of that variant's width; included by pyramid*.c only.
 * Owns: nothing. Threads: any. Memory: the stack. Errors: none.
 */
#ifndef PM_WORKER_KERNELS_PYRAMID_BODY_H
#define PM_WORKER_KERNELS_PYRAMID_BODY_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "worker/kernels/inline.h"

/* Samples taken at a time: 64 px of RGB, a whole number of blocks for grey (16 * 12) too. */
#define PM_CHUNK 192
/* Bytes of each row fetched ahead: rows lie in four streams the hardware follows only in part. */
#define PM_AHEAD 1536

/* out[b] = sum of the 4 * channels columns of block b. */
PM_INLINE void pm_fold_blocks(const uint32_t *columns, int channels, uint32_t *out)
{
    const int per = 4 * channels;

    for (int b = 0; b < PM_CHUNK / per; b++) {
        uint32_t sum = 0;
        for (int i = 0; i < per; i++) {
            sum += columns[b * per + i];
        }
        out[b] = sum;
    }
}

PM_INLINE void pm_add_channels(const uint32_t *columns, int n, int channels, uint64_t sum[3])
{
    for (int i = 0; i < n; i++) {
        sum[i % channels] += columns[i];
    }
}

/* out = sums >> shift, as far as that fits; returns the bits of all of sums together. */
PM_INLINE uint32_t pm_narrow(const uint32_t *sums, size_t n, int shift, int16_t *out)
{
    uint32_t bits = 0;

    for (size_t i = 0; i < n; i++) {
        bits |= sums[i];
        out[i] = (int16_t)(sums[i] >> shift);
    }
    return bits;
}

PM_INLINE void pm_halve(const int16_t *r0, const int16_t *r1, size_t n, float scale, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)(r0[2 * i] + r0[2 * i + 1] + r1[2 * i] + r1[2 * i + 1]) * scale;
    }
}

PM_INLINE void pm_widen(const int16_t *in, size_t n, float scale, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (float)in[i] * scale;
    }
}

/* One body for u8 and u16; the chunk loops have constant trip counts, the rest is scalar. */
#define PM_QUAD_INT(name, type)                                                                    \
    PM_INLINE void name(const type *const rows[4], int w, int channels, uint32_t *out,             \
        uint64_t channel_sum[3], uint32_t *max)                                                    \
    {                                                                                              \
        const size_t n = (size_t)w * (size_t)channels;                                             \
        const size_t blocks = n / (4 * (size_t)channels);                                          \
        const type *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3];                     \
        uint32_t total[PM_CHUNK] = {0};                                                            \
        uint32_t columns[PM_CHUNK];                                                                \
        type high[PM_CHUNK] = {0};                                                                 \
        size_t i = 0;                                                                              \
        for (; i + PM_CHUNK <= n; i += PM_CHUNK) {                                                 \
            for (size_t k = 0; k < PM_CHUNK * sizeof(type); k += 64) {                             \
                __builtin_prefetch((const void *)((uintptr_t)(r0 + i) + PM_AHEAD + k));            \
                __builtin_prefetch((const void *)((uintptr_t)(r1 + i) + PM_AHEAD + k));            \
                __builtin_prefetch((const void *)((uintptr_t)(r2 + i) + PM_AHEAD + k));            \
                __builtin_prefetch((const void *)((uintptr_t)(r3 + i) + PM_AHEAD + k));            \
            }                                                                                      \
            for (size_t k = 0; k < PM_CHUNK; k++) {                                                \
                type m01 = r0[i + k] > r1[i + k] ? r0[i + k] : r1[i + k];                          \
                type m23 = r2[i + k] > r3[i + k] ? r2[i + k] : r3[i + k];                          \
                type m = m01 > m23 ? m01 : m23;                                                    \
                high[k] = high[k] > m ? high[k] : m;                                               \
            }                                                                                      \
            for (size_t k = 0; k < PM_CHUNK; k++) {                                                \
                columns[k] = (uint32_t)r0[i + k] + r1[i + k] + r2[i + k] + r3[i + k];              \
                total[k] += columns[k];                                                            \
            }                                                                                      \
            pm_fold_blocks(columns, channels, out + i / (4 * (size_t)channels));                   \
        }                                                                                          \
        pm_add_channels(total, PM_CHUNK, channels, channel_sum);                                   \
        memset(columns, 0, sizeof columns);                                                        \
        for (size_t k = 0; i + k < n; k++) {                                                       \
            type m01 = r0[i + k] > r1[i + k] ? r0[i + k] : r1[i + k];                              \
            type m23 = r2[i + k] > r3[i + k] ? r2[i + k] : r3[i + k];                              \
            type m = m01 > m23 ? m01 : m23;                                                        \
            high[k] = high[k] > m ? high[k] : m;                                                   \
            columns[k] = (uint32_t)r0[i + k] + r1[i + k] + r2[i + k] + r3[i + k];                  \
        }                                                                                          \
        pm_add_channels(columns, PM_CHUNK, channels, channel_sum);                                 \
        for (size_t b = i / (4 * (size_t)channels), k = 0; b < blocks; b++) {                      \
            uint32_t sum = 0;                                                                      \
            for (size_t end = k + 4 * (size_t)channels; k < end; k++) {                            \
                sum += columns[k];                                                                 \
            }                                                                                      \
            out[b] = sum;                                                                          \
        }                                                                                          \
        for (size_t k = 0; k < PM_CHUNK; k++) {                                                    \
            *max = high[k] > *max ? high[k] : *max;                                                \
        }                                                                                          \
    }

PM_QUAD_INT(pm_quad_u8, uint8_t)
PM_QUAD_INT(pm_quad_u16, uint16_t)

/* Samples [i, i + n) of the four rows, one by one: where something is not finite, and at the end.
 */
static inline void pm_quad_slow(const float *const rows[4], size_t i, size_t n, int channels,
    float *out, size_t blocks, double channel_sum[3], int64_t bad[3])
{
    const size_t per = 4 * (size_t)channels;
    double sum = 0;
    int count = 0;

    for (size_t k = 0; k < n; k++) {
        for (int r = 0; r < 4; r++) {
            float v = rows[r][i + k];
            if (isfinite(v)) {
                channel_sum[k % (size_t)channels] += (double)v;
                sum += (double)v;
                count++;
            } else {
                bad[k % (size_t)channels]++;
            }
        }
        if ((k + 1) % per == 0) {
            if (k / per < blocks) {
                out[k / per] = count > 0 ? (float)(sum / count) : NAN;
            }
            sum = 0;
            count = 0;
        }
    }
}

PM_INLINE void pm_quad_f32(const float *const rows[4], int w, int channels, float *out,
    double channel_sum[3], int64_t bad[3])
{
    const size_t n = (size_t)w * (size_t)channels;
    const size_t per = 4 * (size_t)channels;
    const float *r0 = rows[0], *r1 = rows[1], *r2 = rows[2], *r3 = rows[3];
    float columns[PM_CHUNK];
    size_t i = 0;

    for (; i + PM_CHUNK <= n; i += PM_CHUNK) {
        float sum[3] = {0};
        for (size_t k = 0; k < PM_CHUNK; k++) {
            columns[k] = (r0[i + k] + r1[i + k]) + (r2[i + k] + r3[i + k]);
        }
        for (size_t k = 0; k < PM_CHUNK; k += (size_t)channels) {
            for (size_t c = 0; c < (size_t)channels; c++) {
                sum[c] += columns[k + c];
            }
        }
        if (!isfinite(sum[0] + sum[1] + sum[2])) {
            pm_quad_slow(
                rows, i, PM_CHUNK, channels, out + i / per, PM_CHUNK / per, channel_sum, bad);
            continue;
        }
        for (size_t b = 0; b < PM_CHUNK / per; b++) {
            float block = 0;
            for (size_t k = 0; k < per; k++) {
                block += columns[b * per + k];
            }
            out[i / per + b] = block / (float)(4 * per);
        }
        for (int c = 0; c < channels; c++) {
            channel_sum[c] += (double)sum[c];
        }
    }
    pm_quad_slow(rows, i, n - i, channels, out + i / per, n / per - i / per, channel_sum, bad);
}

#endif
