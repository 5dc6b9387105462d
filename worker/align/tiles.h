/*
 * tiles: the scene in tiles, at a shift already found: how well each agrees, where each would
 * rather lie, and how bright it is; and from that what a single translation cannot explain. Owns:
 * one record per tile, reused. Threads: one at a time. Memory: ~100 bytes per tile, a few hundred
 * tiles. Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_TILES_H
#define PM_WORKER_ALIGN_TILES_H

#include "worker/align/levelsearch.h"

#define PM_TILE 64 /* level px a side: 256 px of the image at factor 4 */

struct pm_tiles;

struct pm_tile {
    double y, x;   /* centre in gt, px of the image, from the image's centre */
    double dy, dx; /* px; where this tile lies best, relative to base_dy, base_dx of the fit */
    double weight; /* 0: nothing in it that decides */
    double ratio;  /* mean of gt / mean of (gain * target); NaN: too dark to say */
};

struct pm_tile_fit {
    int tiles;               /* with a weight */
    double tile_px;          /* side of a tile, px of the image */
    double base_dy, base_dx; /* px; the whole, in whole steps of the level */
    double dy, dx;           /* px; medians of where the tiles lie; NaN: none says */
    double rotation_deg;     /* of gt against target, counterclockwise on a screen */
    double scale;            /* size of gt's scene over that of target's; 1: none */
    double slope_error;      /* standard error of scale, and of rotation in radians */
    double corner_px;        /* what rotation and scale move the corners by */
    double corner_error_px;  /* its standard error */
    double spread_px;        /* median distance of tiles from the fit: parallax, movement, noise */
    double outer_px;         /* nine tiles in ten are nearer to the fit than this */
    double agreement;    /* correlation of the two scenes inside tiles with white noise taken out: 1
                            the    same, 0 unrelated */
    double structure;    /* standard deviation inside tiles that is scene, full scale 1 */
    double significance; /* standard errors by which gt's tiles are more than white noise */
    double drift;       /* how much the brightness ratio changes over the frame by a linear trend */
    double drift_error; /* its standard error */
    double gain_ratio;  /* mean(gt) / mean(gain * target) of the overlap */
};

enum pm_code pm_tiles_new(struct pm_tiles **out, struct pm_err *err);
void pm_tiles_free(struct pm_tiles *tiles); /* NULL is fine */

/* search: begun with the pair; dy, dx: px of the image; factor: the level's. */
enum pm_code pm_tiles_measure(struct pm_tiles *tiles, const struct pm_levelsearch *search, int dy,
    int dx, int factor, struct pm_tile_fit *fit, struct pm_err *err);
/* The tiles of the last measurement. */
const struct pm_tile *pm_tiles_map(const struct pm_tiles *tiles, int *rows, int *columns);

#endif
