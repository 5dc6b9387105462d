/*
 * prep_levels: the inside of a prep that the alignment methods work on.
 * A level is a low-passed luma: each value the mean of a factor x factor block of all channels
 * (incomplete blocks at the right and bottom are left out). Samples that are not finite count as
 * the mean of the rest of their block.
 * Owns, threads, memory: as prep.h; a level lives as long as its prep. Errors: none.
 */
#ifndef PM_WORKER_ALIGN_PREP_LEVELS_H
#define PM_WORKER_ALIGN_PREP_LEVELS_H

#include "worker/align/prep.h"

struct pm_bufpool;

/* luma (full scale 1) = data * unit. Values lie within -16383..16383, so that differences fit. */
struct pm_level {
    int w, h;            /* image size / factor, rounded down */
    int factor;          /* 4 */
    size_t stride;       /* elements from row to row */
    const int16_t *data; /* [y][x] */
    double unit;
};

/* The stored level (factor 4). */
const struct pm_level *pm_prep_level(const struct pm_prep *prep);

/* Luma as float, full scale 1, at factor 1, 2 (from image), 4 or 8 (from the level): h / factor
 * rows of w / factor values, rounded down, stride in elements. image is the one prep was made of;
 * non-finite samples at factor 1 and 2 count as the image's mean. */
void pm_prep_luma(const struct pm_prep *prep, const struct pm_image *image, int factor, float *out,
    size_t stride);

/* As pm_prep_new, with the level's memory taken from and given back to pool (may be NULL). */
enum pm_code pm_prep_new_from(struct pm_prep **out, int w, int h, int channels,
    enum pm_sample sample, struct pm_bufpool *pool, struct pm_err *err);

/* Largest sample in the samples' own units (u8: 255 without looking; floats: NaN). */
double pm_prep_max(const struct pm_prep *prep);

#endif
