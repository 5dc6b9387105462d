/*
 * tilerecord: what a measurement of tiles leaves in the record of a pair: the map, coarse enough to
 * be kept by the million, and rotation, scale and parallax where there are tiles enough to tell.
 * Owns: nothing. Threads: any. Memory: none. Errors: none.
 */
#ifndef PM_WORKER_ALIGN_TILERECORD_H
#define PM_WORKER_ALIGN_TILERECORD_H

#include "common/result.h"
#include "worker/align/tiles.h"

/* tiles, fit: of one measurement, at an image of w x h px. Fills shift->warp and shift->map.
 * Tiles are taken together by k x k, the least k for which the map holds them, as weighted means;
 * their weight is the mean over the k * k. */
void pm_tilerecord_fill(const struct pm_tiles *tiles, const struct pm_tile_fit *fit, int w, int h,
    struct pm_shift *shift);

#endif
