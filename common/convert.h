/*
 * convert: images in another sample type without loss of order or value, so that a pair of two
 * kinds of files can be compared. Owns: nothing. Threads: any. Memory: a new image the caller
 * frees. Errors: PM_ENOMEM.
 *
 * u8 -> u16 is exact (x257); u8, u16 -> f32 divides by the full scale (one rounding); f16 -> f32 is
 * exact. Nothing is ever narrowed.
 */
#ifndef PM_COMMON_CONVERT_H
#define PM_COMMON_CONVERT_H

#include "common/image.h"

/* The type both can be converted to: the wider of two integers or of two floats, f32 for one of
 * each. */
enum pm_sample pm_sample_common(enum pm_sample a, enum pm_sample b);

/* to: image's own type (a plain copy) or one pm_sample_common() can answer for it. pool may be
 * NULL. */
enum pm_code pm_convert(const struct pm_image *image, enum pm_sample to, struct pm_bufpool *pool,
    struct pm_image **out, struct pm_err *err);

#endif
