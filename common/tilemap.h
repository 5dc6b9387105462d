/*
 * tilemap: a map of tiles as the one compact JSON text that pair.json and the database keep:
 *     {"x": [256, 768], "y": [256], "dy": [3.02, null], "dx": [-4.1, null], "weight": [0.9, null]}
 * x: centres of the columns, y: of the rows, px of gt; dy, dx (px) and weight row by row, null
 * where the tile cannot tell. About 20 bytes a tile.
 * Owns: nothing. Threads: any. Memory: the writer's. Errors: the writer's.
 */
#ifndef PM_COMMON_TILEMAP_H
#define PM_COMMON_TILEMAP_H

#include "common/json.h"
#include "common/result.h"

/* Writes the object at the top of json, which is compact and empty; nothing when the map has no
 * tile. */
void pm_tilemap_json(struct pm_json *json, const struct pm_tile_map *map);

#endif
