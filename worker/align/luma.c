#include "worker/align/prep_levels.h"

#include <assert.h>
#include <math.h>

#include "worker/kernels/pyramid.h"

#define COLUMNS 256 /* px widened at a time; even, so that 2x2 blocks stay whole */

/* n px from (x, y) as float, full scale 1, non-finite samples replaced by fill. */
static void widen(const struct pm_image *image, int x, int y, int n, float fill, float *out)
{
    size_t count = (size_t)n * (size_t)image->channels;
    size_t first = (size_t)x * (size_t)image->channels;
    const unsigned char *row = pm_image_row(image, y);

    row += first * pm_sample_bytes(image->sample);
    for (size_t i = 0; i < count; i++) {
        float v = 0;
        switch (image->sample) {
        case PM_U8:
            v = (float)row[i] / 255.0f;
            break;
        case PM_U16:
            v = (float)((const uint16_t *)(const void *)row)[i] / 65535.0f;
            break;
        case PM_F16:
            v = pm_half_to_float(((const uint16_t *)(const void *)row)[i]);
            break;
        case PM_F32:
            v = ((const float *)(const void *)row)[i];
            break;
        }
        out[i] = isfinite(v) ? v : fill;
    }
}

/* One luma row of factor 1 or 2 from the image. */
static void row_of_image(const struct pm_image *image, int factor, int y, float fill, float *out)
{
    float wide[COLUMNS * 3];
    const int per = factor * image->channels;
    const int used = image->w / factor * factor;
    const float scale = 1.0f / (float)(per * factor);

    for (int x = 0; x < image->w / factor; x++) {
        out[x] = 0;
    }
    for (int r = 0; r < factor; r++) {
        for (int x = 0; x < used; x += COLUMNS) {
            int n = used - x < COLUMNS ? used - x : COLUMNS;
            widen(image, x, y * factor + r, n, fill, wide);
            for (int b = 0; b < n / factor; b++) {
                float sum = 0;
                for (int i = 0; i < per; i++) {
                    /* widen() filled it */
                    /* NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
                    sum += wide[b * per + i];
                }
                out[x / factor + b] += sum * scale;
            }
        }
    }
}

/* Factor 4 or 8 from the level. */
static void row_of_level(
    const struct pm_pyramid_ops *pyramid, const struct pm_level *level, int step, int y, float *out)
{
    const float scale = (float)(level->unit / (step * step));
    const int16_t *r0 = level->data + (size_t)(y * step) * level->stride;

    if (step == 2) {
        pyramid->halve(r0, r0 + level->stride, (size_t)level->w / 2, scale, out);
    } else {
        pyramid->widen(r0, (size_t)level->w, scale, out);
    }
}

void pm_prep_luma(
    const struct pm_prep *prep, const struct pm_image *image, int factor, float *out, size_t stride)
{
    const struct pm_pyramid_ops *pyramid = pm_pyramid();
    const struct pm_level *level = pm_prep_level(prep);
    float fill = (float)pm_prep_mean(prep);

    assert(factor == 1 || factor == 2 || factor == 4 || factor == 8);
    for (int y = 0; y < image->h / factor; y++) {
        if (factor <= 2) {
            row_of_image(image, factor, y, isfinite(fill) ? fill : 0, out + (size_t)y * stride);
        } else {
            row_of_level(pyramid, level, factor / 4, y, out + (size_t)y * stride);
        }
    }
}
