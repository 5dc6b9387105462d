/*
 * image: decoded pixels in the file's own sample type; never a float copy of a whole image.
 * Owns: its pixel buffer, taken from a pm_bufpool when one is given.
 * Threads: an image is filled by one thread; from then on read-only and shareable.
 * Memory: one buffer, 64-byte aligned; rows start 64-byte aligned too. Free with pm_image_free().
 * Errors: PM_ENOMEM only.
 */
#ifndef PM_COMMON_IMAGE_H
#define PM_COMMON_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct pm_bufpool;

enum pm_sample {
    PM_U8,  /* full scale 255 */
    PM_U16, /* full scale 65535 */
    PM_F16, /* IEEE half, full scale 1.0; stored as its 16 bits */
    PM_F32, /* full scale 1.0 */
};

struct pm_image {
    int w, h;                /* px, orientation tag already applied */
    int channels;            /* 1 (grey) or 3 (RGB), interleaved */
    enum pm_sample sample;   /* samples are linear light: no gamma is assumed or removed */
    int alpha_dropped;       /* 1 when the file had an alpha channel that was left out */
    size_t stride;           /* bytes from row to row, a multiple of 64 */
    size_t bytes;            /* size of the buffer: h * stride */
    unsigned char *data;     /* [y][x][c] */
    struct pm_bufpool *pool; /* where data came from; NULL: the heap */
};

/* Bytes of one sample; the value that means 1.0; "u16". */
size_t pm_sample_bytes(enum pm_sample sample);
double pm_sample_full_scale(enum pm_sample sample);
const char *pm_sample_name(enum pm_sample sample);

/* Bytes an image of this shape takes; for sizes that passed pm_limits_check() (reader.h). */
size_t pm_image_bytes(int w, int h, int channels, enum pm_sample sample);
/* Pixels are uninitialised. pool may be NULL. */
enum pm_code pm_image_new(struct pm_image **out, int w, int h, int channels, enum pm_sample sample,
    struct pm_bufpool *pool, struct pm_err *err);
void pm_image_free(struct pm_image *image); /* NULL is fine */

static inline const void *pm_image_row(const struct pm_image *image, int y)
{
    return image->data + (size_t)y * image->stride;
}

/* Half to single, exact (IEEE 754-2008 binary16), subnormals, inf and NaN included. */
float pm_half_to_float(uint16_t half);

#endif
