#include "worker/align/prep_levels.h"

#include <assert.h>
#include <math.h>

#include "worker/kernels/pyramid.h"

#define COLUMNS 256 /* px or blocks at a time; even, so that 2x2 blocks stay whole */

/* n px from (x, y) as float, full scale 1, non-finite samples replaced by fill. */
static void widen(const struct pm_image *image, int x, int y, int n, float fill, float *out)
{
    size_t count = (size_t)n * (size_t)image->channels;
    size_t first = (size_t)x * (size_t)image->channels;
    const uint16_t *halves = (const uint16_t *)pm_image_row(image, y) + first;
    const float *floats = (const float *)pm_image_row(image, y) + first;

    for (size_t i = 0; i < count; i++) {
        float v = image->sample == PM_F16 ? pm_half_to_float(halves[i]) : floats[i];
        out[i] = isfinite(v) ? v : fill;
    }
}

/* Adds every `per` (1, 2, 3 or 6) neighbours of in; inlined with a constant per. */
#define ADD_ROW(name, type)                                                                        \
    static inline void name(const type *in, int n, int per, uint32_t *sums)                        \
    {                                                                                              \
        for (int b = 0; b < n; b++, in += per) {                                                   \
            uint32_t sum = in[0];                                                                  \
            sum += per > 1 ? in[1] : 0;                                                            \
            sum += per > 2 ? in[2] : 0;                                                            \
            sum += per > 3 ? (uint32_t)in[3] + in[4] + in[5] : 0;                                  \
            sums[b] += sum;                                                                        \
        }                                                                                          \
    }

ADD_ROW(add_u8, uint8_t)
ADD_ROW(add_u16, uint16_t)

/* n blocks from sample `first` of a row on. */
static void add_ints(
    const struct pm_image *image, int y, size_t first, int n, int per, uint32_t *sums)
{
    const uint8_t *in8 = (const uint8_t *)pm_image_row(image, y) + first;
    const uint16_t *in16 = (const uint16_t *)pm_image_row(image, y) + first;
    bool narrow = image->sample == PM_U8;

    switch (per) {
    case 1:
        narrow ? add_u8(in8, n, 1, sums) : add_u16(in16, n, 1, sums);
        break;
    case 2:
        narrow ? add_u8(in8, n, 2, sums) : add_u16(in16, n, 2, sums);
        break;
    case 3:
        narrow ? add_u8(in8, n, 3, sums) : add_u16(in16, n, 3, sums);
        break;
    default: /* 6: factor 2 of RGB */
        narrow ? add_u8(in8, n, 6, sums) : add_u16(in16, n, 6, sums);
        break;
    }
}

/* One luma row of factor 1 or 2 from an image of integers. */
static void row_of_ints(const struct pm_image *image, int factor, int y, float *out)
{
    const int per = factor * image->channels, w = image->w / factor;
    const float scale = 1.0f / ((float)pm_sample_full_scale(image->sample) * (float)(per * factor));

    for (int x = 0; x < w; x += COLUMNS) {
        uint32_t sums[COLUMNS] = {0};
        int n = w - x < COLUMNS ? w - x : COLUMNS;
        for (int r = 0; r < factor; r++) {
            add_ints(image, y * factor + r, (size_t)x * (size_t)per, n, per, sums);
        }
        for (int b = 0; b < n; b++) {
            out[x + b] = (float)sums[b] * scale;
        }
    }
}

/* The same from one of floats. */
static void row_of_floats(const struct pm_image *image, int factor, int y, float fill, float *out)
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
        if (factor <= 2 && (image->sample == PM_U8 || image->sample == PM_U16)) {
            row_of_ints(image, factor, y, out + (size_t)y * stride);
        } else if (factor <= 2) {
            row_of_floats(image, factor, y, isfinite(fill) ? fill : 0, out + (size_t)y * stride);
        } else {
            row_of_level(pyramid, level, factor / 4, y, out + (size_t)y * stride);
        }
    }
}
