/*
 * gradient_body: the sums as plain C, inlined once into each variant so that the compiler makes
 * vectors of that variant's width; included by gradient*.c only.
 * Owns: nothing. Threads: any. Memory: the stack. Errors: none.
 */
#ifndef PM_WORKER_KERNELS_GRADIENT_BODY_H
#define PM_WORKER_KERNELS_GRADIENT_BODY_H

#include <string.h>

#include "worker/kernels/gradient.h"
#include "worker/kernels/inline.h"

#define PM_GRADIENT_WIDE (PM_GRADIENT_SIDE + 2 * PM_GRADIENT_HALO)

/* One row of an image, filtered: itself and its gradient. */
struct pm_gradient_row {
    float value[PM_GRADIENT_SIDE], y[PM_GRADIENT_SIDE], x[PM_GRADIENT_SIDE];
};

/* Two loops, since samples widen fastest side by side and their sums are strided. */
PM_INLINE void pm_gradient_widen(
    enum pm_sample sample, const void *row, int w, int channels, float scale, float *out)
{
    float wide[PM_GRADIENT_WIDE * 3];

    for (int i = 0; i < w * channels; i++) {
        wide[i] = sample == PM_U16   ? (float)((const uint16_t *)row)[i]
                  : sample == PM_U8  ? (float)((const uint8_t *)row)[i]
                  : sample == PM_F16 ? pm_half_to_float(((const uint16_t *)row)[i])
                                     : ((const float *)row)[i];
    }
    /* NOLINTBEGIN(*.uninitialized.Assign): w * channels of them were written above */
    for (int i = 0; i < w; i++) {
        /* cppcheck-suppress uninitvar ; as above */
        float sum = wide[i * channels];
        for (int c = 1; c < channels; c++) {
            sum += wide[i * channels + c];
        }
        out[i] = scale * sum;
    }
    /* NOLINTEND(*.uninitialized.Assign) */
}

PM_INLINE float pm_gradient_cut(enum pm_sample sample, const void *samples, size_t row_bytes, int w,
    int h, int channels, float scale, float *out, size_t stride)
{
    float columns[PM_GRADIENT_WIDE] = {0}, sum = 0;

    for (int r = 0; r < h; r++) {
        const char *row = (const char *)samples + (size_t)r * row_bytes;
        if (channels == 3 && sample == PM_U16) { /* constants, for the commonest */
            pm_gradient_widen(PM_U16, row, w, 3, scale / 3, out + (size_t)r * stride);
        } else if (channels == 3) {
            pm_gradient_widen(sample, row, w, 3, scale / 3, out + (size_t)r * stride);
        } else {
            pm_gradient_widen(
                sample, row, w, channels, scale / (float)channels, out + (size_t)r * stride);
        }
        for (int i = 0; i < w; i++) {
            columns[i] += out[(size_t)r * stride + (size_t)i];
        }
    }
    for (int i = 0; i < w; i++) {
        sum += columns[i];
    }
    return sum / (float)(w * h);
}

/* Rows are always worked out in full width: what lies beyond the patch's is zero. */
PM_INLINE void pm_gradient_filter(const float *patch, size_t stride, int w,
    float taps_y[2][PM_GRADIENT_TAPS], float taps_x[2][PM_GRADIENT_TAPS],
    struct pm_gradient_row *row)
{
    float smooth[PM_GRADIENT_WIDE], slope[PM_GRADIENT_WIDE];
    int wide = w + 2 * PM_GRADIENT_HALO;

    memset(smooth, 0, sizeof smooth);
    memset(slope, 0, sizeof slope);
    for (int i = 0; i < wide; i++) {
        float s = 0, d = 0;
        for (int k = 0; k < PM_GRADIENT_TAPS; k++) {
            s += taps_y[0][k] * patch[(size_t)k * stride + (size_t)i];
            d += taps_y[1][k] * patch[(size_t)k * stride + (size_t)i];
        }
        smooth[i] = s;
        slope[i] = d;
    }
    for (int i = 0; i < PM_GRADIENT_SIDE; i++) {
        float value = 0, y = 0, x = 0;
        for (int k = 0; k < PM_GRADIENT_TAPS; k++) {
            value += taps_x[0][k] * smooth[i + k];
            y += taps_x[0][k] * slope[i + k];
            x += taps_x[1][k] * smooth[i + k];
        }
        row->value[i] = value;
        row->y[i] = y;
        row->x[i] = x;
    }
}

struct pm_gradient_columns {
    float yy[PM_GRADIENT_SIDE], yx[PM_GRADIENT_SIDE], xx[PM_GRADIENT_SIDE];
    float y[PM_GRADIENT_SIDE], x[PM_GRADIENT_SIDE], energy[PM_GRADIENT_SIDE];
    float mean_y[PM_GRADIENT_SIDE], mean_x[PM_GRADIENT_SIDE], mean[PM_GRADIENT_SIDE];
};

PM_INLINE void pm_gradient_add(const struct pm_gradient_row *a, const struct pm_gradient_row *b,
    struct pm_gradient_columns *sums)
{
    for (int i = 0; i < PM_GRADIENT_SIDE; i++) {
        float r = b->value[i] - a->value[i];
        float y = 0.5f * (a->y[i] + b->y[i]), x = 0.5f * (a->x[i] + b->x[i]);
        sums->yy[i] += a->y[i] * b->y[i];
        sums->yx[i] += 0.5f * (a->y[i] * b->x[i] + a->x[i] * b->y[i]);
        sums->xx[i] += a->x[i] * b->x[i];
        sums->y[i] += y * r;
        sums->x[i] += x * r;
        sums->mean_y[i] += y;
        sums->mean_x[i] += x;
        sums->mean[i] += r;
        sums->energy[i] +=
            0.5f * (a->y[i] * a->y[i] + a->x[i] * a->x[i] + b->y[i] * b->y[i] + b->x[i] * b->x[i]);
    }
}

PM_INLINE void pm_gradient_centre(int n, struct pm_gradient_sums *sums)
{
    sums->mean_y /= n;
    sums->mean_x /= n;
    sums->mean /= n;
    sums->yy -= n * sums->mean_y * sums->mean_y;
    sums->yx -= n * sums->mean_y * sums->mean_x;
    sums->xx -= n * sums->mean_x * sums->mean_x;
    sums->y -= n * sums->mean_y * sums->mean;
    sums->x -= n * sums->mean_x * sums->mean;
}

PM_INLINE void pm_gradient_sum(const float *gt, const float *target, size_t stride, int w, int h,
    int row_step, const struct pm_gradient_taps *taps, struct pm_gradient_sums *sums)
{
    struct pm_gradient_taps t = *taps;
    struct pm_gradient_columns columns = {.yy = {0}};
    struct pm_gradient_row a, b;

    for (int row = 0; row < h; row += row_step) {
        pm_gradient_filter(gt + (size_t)row * stride, stride, w, t.gt_y, t.gt_x, &a);
        pm_gradient_filter(target + (size_t)row * stride, stride, w, t.target_y, t.target_x, &b);
        pm_gradient_add(&a, &b, &columns);
    }
    *sums = (struct pm_gradient_sums){.yy = 0};
    for (int i = 0; i < w; i++) {
        sums->yy += (double)columns.yy[i];
        sums->yx += (double)columns.yx[i];
        sums->xx += (double)columns.xx[i];
        sums->y += (double)columns.y[i];
        sums->x += (double)columns.x[i];
        sums->mean_y += (double)columns.mean_y[i];
        sums->mean_x += (double)columns.mean_x[i];
        sums->mean += (double)columns.mean[i];
        sums->energy += (double)columns.energy[i];
    }
    pm_gradient_centre(w * ((h + row_step - 1) / row_step), sums);
}

#endif
