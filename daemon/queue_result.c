#include "daemon/queue.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/tilemap.h"

static int64_t us_of_ms(double ms)
{
    return isfinite(ms) && ms > 0 ? (int64_t)(ms * 1000.0 + 0.5) : 0;
}

int pm_queue_bucket(int64_t us)
{
    int octave = 0;
    if (us < 0) {
        us = 0;
    }
    while (us >> octave >= 32) {
        octave++;
    }
    return 16 * octave + (int)(us >> octave);
}

/* "ambiguous,gain_drift" */
static void name_flags(unsigned flags, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int bit = 0; bit < PM_FLAG_COUNT; bit++) {
        if (flags & 1u << bit) {
            used += (size_t)snprintf(
                text + used, size - used, "%s%s", used > 0 ? "," : "", pm_flag_name(bit));
        }
    }
}

/* A recipe the result names without our knowing it (settings changed while it ran) gets a row. */
static enum pm_code recipe_id(
    struct pm_store *store, const struct pm_result *result, int64_t *id, struct pm_err *err)
{
    *id = 0;
    if (result->recipe[0] == '\0') {
        return PM_OK;
    }
    struct pm_query *query = pm_query_start(store, "recipe_id");
    pm_query_text(query, ":hash", result->recipe);
    enum pm_code rc = pm_query_value(query, id, err);
    if (rc == PM_OK && *id == 0) {
        query = pm_query_start(store, "recipe_put");
        pm_query_text(query, ":hash", result->recipe);
        pm_query_int(query, ":current", 0);
        pm_query_int(query, ":now", result->finished_us);
        rc = pm_query_run(query, err);
        *id = pm_store_last_id(store);
    }
    return rc;
}

static void bind_shift(struct pm_query *query, const struct pm_shift *shift)
{
    char flags[256];
    name_flags(shift->flags, flags, sizeof flags);
    pm_query_int(query, ":dy", shift->dy);
    pm_query_int(query, ":dx", shift->dx);
    pm_query_text(query, ":method", pm_method_name(shift->method));
    pm_query_text(query, ":backend", shift->backend);
    pm_query_text(query, ":fallback", shift->fallback);
    pm_query_real(query, ":loss", shift->loss);
    pm_query_real(query, ":gain", shift->gain);
    pm_query_real(query, ":sub_dy", shift->sub_dy);
    pm_query_real(query, ":sub_dx", shift->sub_dx);
    pm_query_real(query, ":confidence", shift->confidence);
    pm_query_text(query, ":flags", flags);
    pm_query_int(query, ":evaluations", shift->evaluations);
    pm_query_int(query, ":search_us", us_of_ms(shift->elapsed_ms));
    pm_query_int(query, ":loss_us", us_of_ms(shift->loss_ms));
}

static void bind_records(struct pm_query *query, const struct pm_shift *shift)
{
    const struct pm_warp *warp = &shift->warp;
    bool colour = shift->channels == 3; /* of one channel, gain says it */
    pm_query_real(query, ":sub_dy_error", shift->sub_dy_error);
    pm_query_real(query, ":sub_dx_error", shift->sub_dx_error);
    pm_query_real(query, ":second_peak", shift->second_peak);
    pm_query_real(query, ":gain_r", colour ? shift->channel_gain[0] : (double)NAN);
    pm_query_real(query, ":gain_g", colour ? shift->channel_gain[1] : (double)NAN);
    pm_query_real(query, ":gain_b", colour ? shift->channel_gain[2] : (double)NAN);
    pm_query_real(query, ":rotation_deg", warp->rotation_deg);
    pm_query_real(query, ":rotation_error_deg", warp->rotation_error_deg);
    pm_query_real(query, ":scale", warp->scale);
    pm_query_real(query, ":scale_error", warp->scale_error);
    pm_query_real(query, ":parallax_px", warp->parallax_px);
    pm_query_real(query, ":parallax_error_px", warp->parallax_error_px);
    pm_query_int(query, ":tiles", warp->tiles);
}

static void bind_overlap(struct pm_query *query, const struct pm_overlap *overlap)
{
    pm_query_int(query, ":gt_x", overlap->gt_x);
    pm_query_int(query, ":gt_y", overlap->gt_y);
    pm_query_int(query, ":target_x", overlap->target_x);
    pm_query_int(query, ":target_y", overlap->target_y);
    pm_query_int(query, ":width", overlap->w);
    pm_query_int(query, ":height", overlap->h);
}

static int64_t total_us(const struct pm_result *result)
{
    int64_t sum = 0;
    for (int i = 0; i < PM_STEP_COUNT; i++) {
        sum += result->timing[i].ran ? result->timing[i].wall_us : 0;
    }
    return sum;
}

static const char *text_or_null(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static enum pm_code put_result(struct pm_store *store, const struct pm_result *result, bool held,
    int64_t recipe, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "result_put");
    pm_query_int(query, ":job", result->job_id);
    pm_query_int(query, ":held", held);
    bind_shift(query, &result->shift);
    bind_records(query, &result->shift);
    pm_query_real(query, ":mask_mean", result->mask_mean);
    pm_query_int(query, ":crops", (int64_t)result->crops_written);
    pm_query_int(query, ":windows", (int64_t)result->crop_count);
    pm_query_int(query, ":total_us", total_us(result));
    bind_overlap(query, &result->overlap);
    pm_query_text(query, ":output_dir", result->output_dir);
    pm_query_text(query, ":gt_hash", text_or_null(result->gt_hash));
    pm_query_text(query, ":target_hash", text_or_null(result->target_hash));
    if (recipe != 0) {
        pm_query_int(query, ":recipe", recipe);
    }
    pm_query_text(query, ":version", PM_VERSION);
    pm_query_int(query, ":worker", result->worker);
    pm_query_int(query, ":gt_cached", result->gt_cached);
    pm_query_int(query, ":started_us", result->started_us);
    pm_query_int(query, ":finished_us", result->finished_us);
    return pm_query_run(query, err);
}

static enum pm_code put_crops(
    struct pm_store *store, const struct pm_result *result, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    for (size_t i = 0; rc == PM_OK && i < result->crop_count; i++) {
        const struct pm_crop *crop = &result->crops[i];
        struct pm_query *query = pm_query_start(store, "crop_put");
        pm_query_int(query, ":job", result->job_id);
        pm_query_int(query, ":x", crop->rect.x);
        pm_query_int(query, ":y", crop->rect.y);
        pm_query_int(query, ":width", crop->rect.w);
        pm_query_int(query, ":height", crop->rect.h);
        pm_query_real(query, ":valid", crop->valid);
        pm_query_int(query, ":written", crop->written);
        rc = pm_query_run(query, err);
    }
    return rc;
}

static enum pm_code put_map(
    struct pm_store *store, const struct pm_result *result, struct pm_err *err)
{
    const struct pm_tile_map *map = &result->shift.map;
    struct pm_json json;
    enum pm_code rc = PM_OK;
    if (map->rows * map->columns == 0) {
        return PM_OK;
    }
    pm_json_init(&json, false);
    pm_tilemap_json(&json, map);
    if (pm_json_text(&json) != NULL) {
        struct pm_query *query = pm_query_start(store, "tile_map_put");
        pm_query_int(query, ":job", result->job_id);
        pm_query_text(query, ":map", pm_json_text(&json));
        rc = pm_query_run(query, err);
    } else {
        rc = pm_err_set(err, PM_ENOMEM, "map of tiles: out of memory");
    }
    pm_json_fini(&json);
    return rc;
}

static enum pm_code put_record(
    struct pm_store *store, const struct pm_result *result, struct pm_err *err)
{
    if (result->record[0] == '\0') {
        return PM_OK;
    }
    struct pm_query *query = pm_query_start(store, "record_put");
    pm_query_int(query, ":job", result->job_id);
    pm_query_text(query, ":hash", result->record);
    return pm_query_run(query, err);
}

static enum pm_code add_method(
    struct pm_store *store, const struct pm_shift *shift, struct pm_err *err)
{
    const char *backend = shift->backend != NULL ? shift->backend : "";
    int64_t search_us = us_of_ms(shift->elapsed_ms);
    struct pm_query *query = pm_query_start(store, "method_add");
    pm_query_text(query, ":method", pm_method_name(shift->method));
    pm_query_text(query, ":backend", backend);
    pm_query_int(query, ":search_us", search_us);
    pm_query_real(query, ":loss", shift->loss);
    pm_query_int(query, ":fallback", shift->fallback != NULL);
    enum pm_code rc = pm_query_run(query, err);
    if (rc == PM_OK) {
        query = pm_query_start(store, "method_bucket_add");
        pm_query_text(query, ":method", pm_method_name(shift->method));
        pm_query_text(query, ":backend", backend);
        pm_query_int(query, ":bucket", pm_queue_bucket(search_us));
        rc = pm_query_run(query, err);
    }
    return rc;
}

enum pm_code pm_queue_result(
    struct pm_store *store, const struct pm_result *result, bool held, struct pm_err *err)
{
    int64_t recipe;
    enum pm_code rc = recipe_id(store, result, &recipe, err);
    if (rc == PM_OK) {
        rc = put_result(store, result, held, recipe, err);
    }
    if (rc == PM_OK) {
        rc = put_crops(store, result, err);
    }
    if (rc == PM_OK) {
        rc = put_map(store, result, err);
    }
    if (rc == PM_OK) {
        rc = put_record(store, result, err);
    }
    if (rc == PM_OK) {
        rc = add_method(store, &result->shift, err);
    }
    return rc;
}

/* --- timings --- */

static enum pm_code put_timing(struct pm_store *store, int64_t job_id, int step,
    const struct pm_timing *timing, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "timing_put");
    pm_query_int(query, ":job", job_id);
    pm_query_text(query, ":stage", pm_step_name((enum pm_step)step));
    pm_query_int(query, ":wall_us", timing->wall_us);
    pm_query_int(query, ":cpu_us", timing->cpu_us);
    pm_query_int(query, ":bytes", timing->bytes);
    return pm_query_run(query, err);
}

static enum pm_code add_stage(
    struct pm_store *store, int step, const struct pm_timing *timing, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "stage_add");
    pm_query_text(query, ":stage", pm_step_name((enum pm_step)step));
    pm_query_int(query, ":position", step);
    pm_query_int(query, ":wall_us", timing->wall_us);
    pm_query_int(query, ":bytes", timing->bytes);
    enum pm_code rc = pm_query_run(query, err);
    if (rc == PM_OK) {
        query = pm_query_start(store, "stage_bucket_add");
        pm_query_text(query, ":stage", pm_step_name((enum pm_step)step));
        pm_query_int(query, ":bucket", pm_queue_bucket(timing->wall_us));
        rc = pm_query_run(query, err);
    }
    return rc;
}

enum pm_code pm_queue_timings(
    struct pm_store *store, const struct pm_result *result, bool counted, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "timing_clear");
    pm_query_int(query, ":job", result->job_id);
    enum pm_code rc = pm_query_run(query, err);
    for (int step = 0; rc == PM_OK && step < PM_STEP_COUNT; step++) {
        const struct pm_timing *timing = &result->timing[step];
        if (!timing->ran) {
            continue;
        }
        rc = put_timing(store, result->job_id, step, timing, err);
        if (rc == PM_OK && counted) {
            rc = add_stage(store, step, timing, err);
        }
    }
    return rc;
}
