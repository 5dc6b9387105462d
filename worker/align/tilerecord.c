#include "worker/align/tilerecord.h"

#include <math.h>

#define FEW_TILES 8   /* fewer say nothing about rotation and scale, */
#define MANY_TILES 16 /* and fewer than this nothing about parallax */

/* The least k for which the tiles, k x k together, fit into a map. */
static int group_of(int rows, int columns)
{
    int k = 1;

    while ((rows / k) * (columns / k) > PM_MAP_TILES) {
        k++;
    }
    return k;
}

/* Tile (row, column) of the map: the weighted mean of k x k measured ones. */
static void put_tile(const struct pm_tile *first, int stride, int k, const struct pm_tile_fit *fit,
    struct pm_tile_map *map, int at)
{
    double weight = 0, dy = 0, dx = 0;

    for (int i = 0; i < k * k; i++) {
        const struct pm_tile *t = &first[i / k * stride + i % k];
        if (t->weight > 0) {
            weight += t->weight;
            dy += t->weight * t->dy;
            dx += t->weight * t->dx;
        }
    }
    if (!(weight > 0)) {
        map->dy[at] = map->dx[at] = map->weight[at] = NAN;
        return;
    }
    map->dy[at] = (float)(fit->base_dy + dy / weight);
    map->dx[at] = (float)(fit->base_dx + dx / weight);
    map->weight[at] = (float)(weight / (k * k));
}

static void put_map(const struct pm_tiles *tiles, const struct pm_tile_fit *fit, int w, int h,
    struct pm_tile_map *map)
{
    int rows, columns;
    const struct pm_tile *measured = pm_tiles_map(tiles, &rows, &columns);
    int k = group_of(rows, columns);

    map->rows = rows / k;
    map->columns = columns / k;
    if (map->rows == 0 || map->columns == 0 || fit->tiles == 0) {
        map->rows = map->columns = 0;
        return;
    }
    map->pitch_px = fit->tile_px * k;
    map->y0 = h / 2.0 + measured[0].y + fit->tile_px * (k - 1) / 2.0;
    map->x0 = w / 2.0 + measured[0].x + fit->tile_px * (k - 1) / 2.0;
    for (int i = 0; i < map->rows * map->columns; i++) {
        size_t row = (size_t)(i / map->columns), column = (size_t)(i % map->columns);
        const struct pm_tile *first = measured + (row * (size_t)columns + column) * (size_t)k;
        put_tile(first, columns, k, fit, map, i);
    }
}

void pm_tilerecord_fill(const struct pm_tiles *tiles, const struct pm_tile_fit *fit, int w, int h,
    struct pm_shift *shift)
{
    struct pm_warp *warp = &shift->warp;

    warp->tiles = fit->tiles;
    if (fit->tiles >= FEW_TILES && isfinite(fit->slope_error)) {
        warp->rotation_deg = fit->rotation_deg;
        warp->rotation_error_deg = fit->slope_error * 180 / acos(-1);
        warp->scale = fit->scale;
        warp->scale_error = fit->slope_error;
    }
    if (fit->tiles >= MANY_TILES) {
        warp->parallax_px = fit->outer_px;
        /* Of the 90th percentile of n distances in the plane, when they are normal per axis. */
        warp->parallax_error_px = 0.65 * fit->outer_px / sqrt(fit->tiles);
    }
    put_map(tiles, fit, w, h, &shift->map);
}
