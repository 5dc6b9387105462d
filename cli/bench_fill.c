#include "cli/bench_fill.h"

#include <stdio.h>
#include <string.h>

_Static_assert(PM_FILL_JOBS == PM_FILL_GTS * PM_FILL_TARGETS, "the jobs of a scene");

#define CROPS 4 /* windows of a result */
#define WORKERS 8
#define CLAIM 8 /* jobs a worker takes at once */

static enum pm_code sight_scene(struct pm_store *store, struct pm_seen *seen, int64_t source,
    int scene, int64_t now_us, struct pm_err *err)
{
    struct pm_sighting sightings[PM_FILL_GTS + PM_FILL_TARGETS];
    char names[PM_FILL_GTS + PM_FILL_TARGETS][64];

    for (int i = 0; i < PM_FILL_GTS + PM_FILL_TARGETS; i++) {
        if (i < PM_FILL_GTS) {
            snprintf(names[i], sizeof names[i], "scene%06d/gt/clean_%02d.tif", scene, i);
        } else {
            snprintf(names[i], sizeof names[i], "scene%06d/noisy_%02d.tif", scene, i);
        }
        sightings[i] = (struct pm_sighting){.kind = PM_SEEN,
            .path = names[i],
            .stamp = {.size = 144000000 + i, .mtime_ns = now_us * 1000, .inode = i}};
    }
    return pm_queue_sight(
        store, seen, source, sightings, PM_FILL_GTS + PM_FILL_TARGETS, now_us, err);
}

/* Ends the transaction that was begun: commits it, or takes it back when rc is an error. */
static enum pm_code end(struct pm_store *store, enum pm_code rc, struct pm_err *err)
{
    if (rc == PM_OK) {
        rc = pm_store_commit(store, err);
    }
    if (rc != PM_OK) {
        pm_store_rollback(store);
    }
    return rc;
}

enum pm_code pm_fill_scenes(struct pm_store *store, struct pm_seen *seen, int first, int count,
    int64_t now_us, struct pm_err *err)
{
    int64_t source = 0;
    enum pm_code rc = pm_store_begin(store, err);

    if (rc != PM_OK) {
        return rc;
    }
    rc = pm_queue_source_id(store, PM_FILL_SOURCE, &source, err);
    for (int scene = first; scene < first + count && rc == PM_OK; scene++) {
        rc = sight_scene(store, seen, source, scene, now_us, err);
    }
    return end(store, rc, err);
}

/* A result whose values differ from job to job but not from run to run. */
static void make_result(
    struct pm_result *result, int64_t id, const char *recipe, struct pm_crop crops[CROPS])
{
    static char output[] = "/output/scene/clean.tif--noisy.tif";

    for (int i = 0; i < CROPS; i++) {
        crops[i] = (struct pm_crop){
            .rect = {i * 512, 0, 512, 512}, .valid = 0.99, .written = i < CROPS - 1};
    }
    *result = (struct pm_result){.job_id = id,
        .shift = {.dy = (int)(id % 101) - 50,
            .dx = (int)(id % 71) - 35,
            .loss = 0.01 + (double)(id % 1000) * 1e-6,
            .gain = 1.5,
            .method = id % 3 == 0 ? PM_METHOD_FFT : PM_METHOD_HIERARCHICAL,
            .backend = "plain",
            .confidence = 0.9,
            .elapsed_ms = 30 + (double)(id % 997) / 10},
        .overlap = {.w = 5900, .h = 3900},
        .mask_mean = 0.98,
        .crops = crops,
        .crop_count = CROPS,
        .crops_written = CROPS - 1,
        .output_dir = output,
        .gt_hash = "00112233445566aa",
        .target_hash = "ffeeddccbbaa9988",
        .started_us = id,
        .finished_us = id};
    result->shift.map =
        (struct pm_tile_map){.rows = 7, .columns = 11, .x0 = 256, .y0 = 256, .pitch_px = 512};
    for (int i = 0; i < 77; i++) { /* as 24 megapixels have them */
        result->shift.map.dy[i] = (float)(id % 101) - 49.63f;
        result->shift.map.dx[i] = (float)(id % 71) - 34.58f;
        result->shift.map.weight[i] = 0.37f;
    }
    memcpy(result->recipe, recipe, sizeof result->recipe);
    for (int i = 0; i < PM_STEP_COUNT; i++) {
        result->timing[i] =
            (struct pm_timing){.wall_us = 1000 + (id * 7919 + i * INT64_C(104729)) % 100000,
                .cpu_us = 1000,
                .bytes = 144000000,
                .ran = true};
    }
    if (id % 100 == 0) {
        result->code = PM_EFORMAT;
        result->step = PM_STEP_DECODE;
        snprintf(result->message, sizeof result->message, "not a valid TIFF file");
    }
}

struct claimed {
    int64_t id;
    int worker;
};

static enum pm_code claim(struct pm_store *store, struct claimed claimed[WORKERS * CLAIM], int *n,
    int64_t now_us, struct pm_err *err)
{
    struct pm_job jobs[CLAIM];
    enum pm_code rc = pm_store_begin(store, err);

    *n = 0;
    if (rc != PM_OK) {
        return rc;
    }
    for (int worker = 0; worker < WORKERS && rc == PM_OK; worker++) {
        size_t count = 0;
        rc = pm_queue_claim(store, worker, now_us, jobs, CLAIM, &count, err);
        for (size_t i = 0; i < count; i++) {
            claimed[(*n)++] = (struct claimed){jobs[i].id, worker};
            pm_job_clear(&jobs[i]);
        }
    }
    return end(store, rc, err);
}

static enum pm_code finish(struct pm_store *store, const char *recipe,
    const struct claimed *claimed, int n, int64_t now_us, struct pm_err *err)
{
    enum pm_code rc = pm_store_begin(store, err);

    if (rc != PM_OK) {
        return rc;
    }
    for (int i = 0; i < n && rc == PM_OK; i++) {
        struct pm_crop crops[CROPS];
        struct pm_result result;
        make_result(&result, claimed[i].id, recipe, crops);
        result.worker = claimed[i].worker;
        rc = pm_queue_finish(store, &result, 3, 0.5, now_us, err);
    }
    if (rc == PM_OK) {
        rc = pm_queue_rate(store, now_us, n, 0, 1000, err);
    }
    return end(store, rc, err);
}

enum pm_code pm_fill_round(
    struct pm_store *store, const char *recipe, int64_t now_us, int *n, struct pm_err *err)
{
    struct claimed claimed[WORKERS * CLAIM];
    enum pm_code rc = claim(store, claimed, n, now_us, err);

    return rc == PM_OK ? finish(store, recipe, claimed, *n, now_us, err) : rc;
}
