#include "common/convert.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static bool is_float(enum pm_sample sample)
{
    return sample == PM_F16 || sample == PM_F32;
}

enum pm_sample pm_sample_common(enum pm_sample a, enum pm_sample b)
{
    if (a == b) {
        return a;
    }
    return is_float(a) || is_float(b) ? PM_F32 : PM_U16;
}

static void widen_row(const uint8_t *in, size_t n, uint16_t *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (uint16_t)(in[i] * 257); /* 255 -> 65535: v/255 stays v/255 */
    }
}

static void float_row(enum pm_sample from, const void *in, size_t n, float *out)
{
    const uint8_t *u8 = in;
    const uint16_t *u16 = in;
    for (size_t i = 0; i < n; i++) {
        out[i] = from == PM_U8    ? (float)u8[i] / 255.0f
                 : from == PM_U16 ? (float)u16[i] / 65535.0f
                                  : pm_half_to_float(u16[i]);
    }
}

enum pm_code pm_convert(const struct pm_image *image, enum pm_sample to, struct pm_bufpool *pool,
    struct pm_image **out, struct pm_err *err)
{
    struct pm_image *made = NULL;
    size_t n = (size_t)image->w * (size_t)image->channels;
    enum pm_code rc = pm_image_new(&made, image->w, image->h, image->channels, to, pool, err);
    if (rc != PM_OK) {
        return rc;
    }
    assert(to == pm_sample_common(image->sample, to));
    made->alpha_dropped = image->alpha_dropped;
    for (int y = 0; y < image->h; y++) {
        const void *in = pm_image_row(image, y);
        void *row = made->data + (size_t)y * made->stride;
        if (to == image->sample) {
            memcpy(row, in, n * pm_sample_bytes(to));
        } else if (to == PM_U16) {
            widen_row(in, n, row);
        } else {
            float_row(image->sample, in, n, row);
        }
    }
    *out = made;
    return PM_OK;
}
