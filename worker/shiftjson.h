/*
 * shiftjson: an alignment's answer as JSON members, the same in `align --json` and in pair.json.
 * Owns: nothing. Threads: any. Memory: the writer's. Errors: the writer's.
 */
#ifndef PM_WORKER_SHIFTJSON_H
#define PM_WORKER_SHIFTJSON_H

#include <stdbool.h>

#include "common/json.h"
#include "common/result.h"

/* Writes dy, dx, loss, gain, method, backend, confidence, sub_dy, sub_dx, flags, elapsed_ms,
 * loss_ms, evaluations (DESIGN.md 2.1) and fallback (null, or why the asked method did not run)
 * into the object that is open, and after them what is recorded beyond: sub_dy_error, sub_dx_error,
 * second_peak, channel_gain (array), rotation_deg, rotation_error_deg, scale, scale_error,
 * parallax_px, parallax_error_px, tiles, tile_map (common/tilemap.h; null: no tile fits), all as in
 * struct pm_shift. times false: without elapsed_ms and loss_ms, so that equal inputs
 * give equal text. Values that were not measured are null. */
void pm_shift_json(struct pm_json *json, const struct pm_shift *shift, bool times);

#endif
