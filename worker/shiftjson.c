#include "worker/shiftjson.h"

#include "common/tilemap.h"

static void put_map(struct pm_json *json, const struct pm_tile_map *map)
{
    struct pm_json text;

    pm_json_init(&text, false); /* one line, also among lines */
    pm_tilemap_json(&text, map);
    if (map->rows * map->columns == 0) {
        pm_json_null(json, "tile_map");
    } else if (pm_json_text(&text) != NULL) {
        pm_json_raw(json, "tile_map", pm_json_text(&text));
    } else {
        json->failed = true;
    }
    pm_json_fini(&text);
}

/* What was recorded beyond the promised members. */
static void put_more(struct pm_json *json, const struct pm_shift *shift)
{
    const struct pm_warp *warp = &shift->warp;

    pm_json_double(json, "sub_dy_error", shift->sub_dy_error);
    pm_json_double(json, "sub_dx_error", shift->sub_dx_error);
    pm_json_double(json, "second_peak", shift->second_peak);
    pm_json_begin_array(json, "channel_gain");
    for (int c = 0; c < shift->channels; c++) {
        pm_json_double(json, NULL, shift->channel_gain[c]);
    }
    pm_json_end_array(json);
    pm_json_double(json, "rotation_deg", warp->rotation_deg);
    pm_json_double(json, "rotation_error_deg", warp->rotation_error_deg);
    pm_json_double(json, "scale", warp->scale);
    pm_json_double(json, "scale_error", warp->scale_error);
    pm_json_double(json, "parallax_px", warp->parallax_px);
    pm_json_double(json, "parallax_error_px", warp->parallax_error_px);
    pm_json_int(json, "tiles", warp->tiles);
    put_map(json, &shift->map);
}

void pm_shift_json(struct pm_json *json, const struct pm_shift *shift, bool times)
{
    pm_json_int(json, "dy", shift->dy);
    pm_json_int(json, "dx", shift->dx);
    pm_json_double(json, "loss", shift->loss);
    pm_json_double(json, "gain", shift->gain);
    pm_json_string(json, "method", pm_method_name(shift->method));
    pm_json_string(json, "backend", shift->backend);
    pm_json_double(json, "confidence", shift->confidence);
    pm_json_double(json, "sub_dy", shift->sub_dy);
    pm_json_double(json, "sub_dx", shift->sub_dx);
    pm_json_begin_array(json, "flags");
    for (int bit = 0; bit < PM_FLAG_COUNT; bit++) {
        if (shift->flags & 1u << bit) {
            pm_json_string(json, NULL, pm_flag_name(bit));
        }
    }
    pm_json_end_array(json);
    if (times) {
        pm_json_double(json, "elapsed_ms", shift->elapsed_ms);
        pm_json_double(json, "loss_ms", shift->loss_ms);
    }
    pm_json_int(json, "evaluations", shift->evaluations);
    pm_json_string(json, "fallback", shift->fallback);
    put_more(json, shift);
}
