#include "common/tilemap.h"

#include <assert.h>
#include <math.h>

/* Hundredths: finer than what a tile can tell. */
static double rounded(double v)
{
    return round(v * 100) / 100 + 0.0; /* no -0 */
}

static void put_centres(
    struct pm_json *json, const char *key, double first_px, double pitch_px, int n)
{
    pm_json_begin_array(json, key);
    for (int i = 0; i < n; i++) {
        pm_json_double(json, NULL, rounded(first_px + i * pitch_px));
    }
    pm_json_end_array(json);
}

static void put_tiles(struct pm_json *json, const char *key, const float *values, int n)
{
    pm_json_begin_array(json, key);
    for (int i = 0; i < n; i++) {
        pm_json_double(json, NULL, rounded((double)values[i]));
    }
    pm_json_end_array(json);
}

void pm_tilemap_json(struct pm_json *json, const struct pm_tile_map *map)
{
    int n = map->rows * map->columns;

    assert(n >= 0 && n <= PM_MAP_TILES);
    if (n == 0) {
        return;
    }
    pm_json_begin_object(json, NULL);
    put_centres(json, "x", map->x0, map->pitch_px, map->columns);
    put_centres(json, "y", map->y0, map->pitch_px, map->rows);
    put_tiles(json, "dy", map->dy, n);
    put_tiles(json, "dx", map->dx, n);
    put_tiles(json, "weight", map->weight, n);
    pm_json_end_object(json);
}
