#include "worker/pairjson.h"

#include "worker/outname.h"
#include "worker/shiftjson.h"
#include "worker/task.h"

#define RECIPE_BYTES 4096 /* the settings' canonical text is well below 1 KiB */

static void put_source(
    struct pm_json *json, const char *key, const char *path, const struct pm_loaded *loaded)
{
    pm_json_begin_object(json, key);
    pm_json_name(json, "file", pm_base_name(path));
    pm_json_int(json, "bytes", loaded->file_bytes);
    pm_json_string(json, "xxh3", loaded->hash);
    pm_json_int(json, "width", loaded->image->w);
    pm_json_int(json, "height", loaded->image->h);
    pm_json_int(json, "channels", loaded->image->channels);
    pm_json_string(json, "sample", pm_sample_name(loaded->image->sample));
    pm_json_end_object(json);
}

static void put_overlap(struct pm_json *json, const struct pm_overlap *overlap)
{
    pm_json_begin_object(json, "overlap");
    pm_json_int(json, "gt_x", overlap->gt_x);
    pm_json_int(json, "gt_y", overlap->gt_y);
    pm_json_int(json, "target_x", overlap->target_x);
    pm_json_int(json, "target_y", overlap->target_y);
    pm_json_int(json, "width", overlap->w);
    pm_json_int(json, "height", overlap->h);
    pm_json_end_object(json);
}

static void put_crops(struct pm_json *json, const struct pm_result *result)
{
    pm_json_begin_array(json, "crops");
    for (size_t i = 0; i < result->crop_count; i++) {
        const struct pm_crop *crop = &result->crops[i];
        pm_json_begin_object(json, NULL);
        pm_json_int(json, "x", crop->rect.x);
        pm_json_int(json, "y", crop->rect.y);
        pm_json_int(json, "w", crop->rect.w);
        pm_json_int(json, "h", crop->rect.h);
        pm_json_double(json, "valid", crop->valid);
        pm_json_bool(json, "written", crop->written);
        pm_json_end_object(json);
    }
    pm_json_end_array(json);
}

static void put_files(struct pm_json *json, const struct pm_partial *partial)
{
    pm_json_begin_array(json, "files");
    for (size_t i = 0; i < partial->file_count; i++) {
        pm_json_begin_object(json, NULL);
        pm_json_string(json, "name", partial->files[i].name);
        pm_json_int(json, "bytes", partial->files[i].size);
        pm_json_string(json, "xxh3", partial->files[i].hash);
        pm_json_end_object(json);
    }
    pm_json_end_array(json);
}

void pm_pair_json(struct pm_json *json, const struct pm_task *task)
{
    const struct pm_job *job = task->job;
    char hex[17], recipe[RECIPE_BYTES];

    pm_conf_recipe(task->conf, hex, recipe, sizeof recipe);
    pm_json_begin_object(json, NULL);
    pm_json_string(json, "pairmill", PM_VERSION);
    pm_json_name(json, "scene", job->scene);
    pm_json_name(json, "gt", pm_base_name(job->gt_path));
    pm_json_name(json, "target", pm_base_name(job->target_path));
    pm_json_bool(json, "target_is_gt", pm_target_is_gt(job->gt_path, job->target_path));
    pm_shift_json(json, &task->result->shift, false);
    put_overlap(json, &task->result->overlap);
    pm_json_double(json, "mask_mean", task->result->mask_mean);
    pm_json_double(json, "mask_threshold", task->mask_threshold);
    pm_json_double(json, "mask_gain", task->mask_gain);
    pm_json_begin_object(json, "inputs");
    put_source(json, "gt", job->gt_path, task->gt);
    put_source(json, "target", job->target_path, task->target);
    pm_json_end_object(json);
    pm_json_string(json, "recipe_xxh3", hex);
    pm_json_raw(json, "recipe", recipe);
    put_crops(json, task->result);
    put_files(json, &task->partial);
    pm_json_end_object(json);
}
