/*
 * correlate_body: the loops as plain C, inlined once into each variant so that the compiler makes
 * vectors of that variant's width; included by correlate*.c only.
 * Owns: nothing. Threads: any. Memory: the stack. Errors: none.
 */
#ifndef PM_WORKER_KERNELS_CORRELATE_BODY_H
#define PM_WORKER_KERNELS_CORRELATE_BODY_H

#include <stddef.h>
#include <string.h>

#include "worker/kernels/correlate.h"
#include "worker/kernels/inline.h"

#define PM_LANES 16
#define PM_ROW (2 * (size_t)PM_BINS) /* floats of a row of a block */
/* Rows whose products are summed in registers: these sums, in float, stay short, and gt's and
 * target's rows of a stretch stay in the first cache for all shifts. */
#define PM_STRETCH 64

/* Lanes in one fixed order: what makes the variants bit-equal. */
PM_INLINE struct pm_row_sums pm_sum(const float *v, size_t n)
{
    double ones[PM_LANES] = {0}, squares[PM_LANES] = {0};
    struct pm_row_sums sums = {0, 0};
    size_t i = 0;

    for (; i + PM_LANES <= n; i += PM_LANES) {
        for (size_t k = 0; k < PM_LANES; k++) {
            ones[k] += (double)v[i + k];
            squares[k] += (double)v[i + k] * (double)v[i + k];
        }
    }
    for (; i < n; i++) {
        ones[i % PM_LANES] += (double)v[i];
        squares[i % PM_LANES] += (double)v[i] * (double)v[i];
    }
    for (size_t k = 0; k < PM_LANES; k++) {
        sums.sum += ones[k];
        sums.squares += squares[k];
    }
    return sums;
}

PM_INLINE void pm_take(float *restrict gt, float *restrict target, size_t n, const float mean[2],
    struct pm_columns columns, float (*restrict line)[2])
{
    const float mean_gt = mean[0], mean_target = mean[1];
    double *restrict g1 = columns.gt, *restrict g2 = columns.gt2;
    double *restrict t1 = columns.target, *restrict t2 = columns.target2;

    for (size_t x = 0; x < n; x++) {
        float g = gt[x] - mean_gt, t = target[x] - mean_target;
        gt[x] = g;
        target[x] = t;
        g1[x] += (double)g;
        g2[x] += (double)g * (double)g;
        t1[x] += (double)t;
        t2[x] += (double)t * (double)t;
    }
    for (size_t x = 0; x < n; x++) {
        line[x][0] = gt[x];
        line[x][1] = target[x];
    }
}

/* z is the transform of g + i t, both real: 2 G(k) = z(k) + conj z(n - k), and 2 T(k) the same of
 * -i z. n bins of one block; from: where the first is in a line; back: where its mirror image is.
 * In three steps, which compilers make vectors of. */
PM_INLINE void pm_split_block(const float (*from)[2], const float (*back)[2], size_t n,
    float *restrict gt, float *restrict target)
{
    const float(*mirror)[2] = back + 1 - n;
    float a[PM_BINS], b[PM_BINS], c[PM_BINS], d[PM_BINS];

    for (size_t k = 0; k < n; k++) {
        a[k] = from[k][0];
        b[k] = from[k][1];
    }
    for (size_t k = 0; k < n; k++) {
        c[k] = mirror[k][0];
        d[k] = mirror[k][1];
    }
    for (size_t k = 0; k < n; k++) {
        gt[k] = a[k] + c[n - 1 - k];
        gt[PM_BINS + k] = b[k] - d[n - 1 - k];
        target[k] = b[k] + d[n - 1 - k];
        target[PM_BINS + k] = c[n - 1 - k] - a[k];
    }
}

/* Block by block, since each lies in pages of its own; a row's part of one is two cache lines. */
PM_INLINE void pm_split(
    const float (*lines)[2], int rows, size_t n, float *gt, float *target, size_t step)
{
    const size_t bins = n / 2 + 1;

    for (size_t from = 0; from < bins; from += PM_BINS, gt += step, target += step) {
        size_t count = bins - from < PM_BINS ? bins - from : PM_BINS;
        for (int y = 0; y < rows; y++) {
            const float(*line)[2] = lines + (size_t)y * n;
            float *g = gt + (size_t)y * PM_ROW, *t = target + (size_t)y * PM_ROW;
            if (count == PM_BINS && from > 0) {
                pm_split_block(line + from, line + n - from, PM_BINS, g, t);
                continue;
            }
            memset(g, 0, PM_ROW * sizeof *g);
            memset(t, 0, PM_ROW * sizeof *t);
            if (from == 0) { /* bin 0 is its own mirror image */
                pm_split_block(line, line, 1, g, t);
                pm_split_block(line + 1, line + n - 1, count - 1, g + 1, t + 1);
            } else {
                pm_split_block(line + from, line + n - from, count, g, t);
            }
        }
    }
}

/* The rows y of target in a stretch from y0 on that meet rows of gt (or the zeros beside them) at
 * PM_SHIFTS shifts from `shift` on. */
PM_INLINE void pm_meeting(int h, int y0, int shift, int *first, int *end)
{
    int low = -shift - (PM_SHIFTS - 1), high = h - shift;

    *first = y0 > low ? y0 : low;
    *end = y0 + PM_STRETCH < h ? y0 + PM_STRETCH : h;
    *end = *end < high ? *end : high;
}

#endif
