#include "worker/shiftjson.h"

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
}
