/*
 * crop: where windows lie in an overlap.
 * Owns: nothing. Threads: any. Memory: the caller's. Errors: PM_ENOMEM; PM_ECONF when there would
 * be absurdly many.
 */
#ifndef PM_WORKER_CROP_H
#define PM_WORKER_CROP_H

#include <stddef.h>

#include "common/err.h"
#include "common/result.h"
#include "worker/bitmap.h"

/* Windows of one axis: 0, stride, 2 * stride, ... as long as they fit into n pixels, and a last one
 * snapped to the end when those leave pixels over. One, of n pixels, when n < size. */
int pm_crop_count(int n, int size, int stride);
int pm_crop_origin(int n, int size, int stride, int i);

/* All windows of a mask's overlap, row by row, with their usable share; written is set where that
 * reaches min_valid. The array is the caller's to free. */
enum pm_code pm_crop_plan(const struct pm_bitmap *mask, int size, int stride, double min_valid,
    struct pm_crop **out, size_t *count, struct pm_err *err);

#endif
