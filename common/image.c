#include "common/image.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/bufpool.h"

#define ROW_ALIGN 64 /* a cache line, and the widest vector */

static const struct {
    const char *name;
    size_t bytes;
    double full_scale;
} samples[] = {
    [PM_U8] = {"u8", 1, 255.0},
    [PM_U16] = {"u16", 2, 65535.0},
    [PM_F16] = {"f16", 2, 1.0},
    [PM_F32] = {"f32", 4, 1.0},
};

size_t pm_sample_bytes(enum pm_sample sample)
{
    return samples[sample].bytes;
}

double pm_sample_full_scale(enum pm_sample sample)
{
    return samples[sample].full_scale;
}

const char *pm_sample_name(enum pm_sample sample)
{
    return samples[sample].name;
}

static size_t stride_of(int w, int channels, enum pm_sample sample)
{
    size_t row = (size_t)w * (size_t)channels * pm_sample_bytes(sample);
    return (row + ROW_ALIGN - 1) / ROW_ALIGN * ROW_ALIGN;
}

/* Cannot overflow for sizes that passed pm_limits_check(). */
size_t pm_image_bytes(int w, int h, int channels, enum pm_sample sample)
{
    return stride_of(w, channels, sample) * (size_t)h;
}

enum pm_code pm_image_new(struct pm_image **out, int w, int h, int channels, enum pm_sample sample,
    struct pm_bufpool *pool, struct pm_err *err)
{
    struct pm_image *image;

    assert(w > 0 && h > 0 && (channels == 1 || channels == 3));
    image = calloc(1, sizeof *image);
    if (image != NULL) {
        *image = (struct pm_image){
            .w = w,
            .h = h,
            .channels = channels,
            .sample = sample,
            .stride = stride_of(w, channels, sample),
            .bytes = pm_image_bytes(w, h, channels, sample),
            .pool = pool,
        };
        image->data = pm_bufpool_get(pool, image->bytes);
    }
    if (image == NULL || image->data == NULL) {
        free(image);
        return pm_err_set(err, PM_ENOMEM, "no memory for a %dx%d %s image of %d channel%s", w, h,
            pm_sample_name(sample), channels, channels == 1 ? "" : "s");
    }
    *out = image;
    return PM_OK;
}

void pm_image_free(struct pm_image *image)
{
    if (image == NULL) {
        return;
    }
    pm_bufpool_put(image->pool, image->data, image->bytes);
    free(image);
}

float pm_half_to_float(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000) << 16;
    uint32_t exponent = (half >> 10) & 0x1f;
    uint32_t mantissa = half & 0x3ff;
    uint32_t bits;
    float value;

    if (exponent == 0) { /* zero or subnormal: mantissa * 2^-24 */
        value = ldexpf((float)mantissa, -24);
        return sign != 0 ? -value : value;
    }
    if (exponent == 0x1f) { /* infinite or NaN, payload kept */
        bits = sign | 0x7f800000 | mantissa << 13;
    } else { /* the biases are 15 and 127 */
        bits = sign | (exponent + 112) << 23 | mantissa << 13;
    }
    memcpy(&value, &bits, sizeof value);
    return value;
}
