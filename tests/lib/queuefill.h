/*
 * queuefill: many jobs in a hurry: scenes of 2 gts and 50 targets, one transaction a scene or
 * batch; for the queue's bench and the test of the views. Holds definitions: include it in a
 * program's only file. Owns: nothing. Threads: one. Memory: none kept. Errors: assert.
 */
#ifndef PM_TESTS_LIB_QUEUEFILL_H
#define PM_TESTS_LIB_QUEUEFILL_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/queue.h"

#define FILL_GTS 2
#define FILL_TARGETS 50
#define FILL_JOBS (FILL_GTS * FILL_TARGETS) /* of a scene */
#define FILL_CROPS 4

static inline void fill_check(enum pm_code rc, const struct pm_err *err)
{
    if (rc != PM_OK) {
        fprintf(stderr, "%s\n", err->text);
        abort();
    }
}

/* Scenes [first, first + count), one transaction. Files come in the order of a walk. */
static inline void fill_scenes(
    struct pm_store *store, struct pm_seen *seen, int first, int count, int64_t now_us)
{
    struct pm_err err = {0};
    int64_t source;
    fill_check(pm_store_begin(store, &err), &err);
    fill_check(pm_queue_source_id(store, "lab", &source, &err), &err);
    for (int s = first; s < first + count; s++) {
        struct pm_sighting sightings[FILL_GTS + FILL_TARGETS];
        char names[FILL_GTS + FILL_TARGETS][64];
        for (int i = 0; i < FILL_GTS + FILL_TARGETS; i++) {
            snprintf(names[i], sizeof names[i],
                i < FILL_GTS ? "scene%06d/gt/clean_%02d.tif" : "scene%06d/noisy_%02d.tif", s, i);
            sightings[i] = (struct pm_sighting){.kind = PM_SEEN,
                .path = names[i],
                .stamp = {.size = 144000000 + i, .mtime_ns = now_us * 1000, .inode = i}};
        }
        fill_check(
            pm_queue_sight(store, seen, source, sightings, FILL_GTS + FILL_TARGETS, now_us, &err),
            &err);
    }
    fill_check(pm_store_commit(store, &err), &err);
}

static inline void fill_result(struct pm_result *result, int64_t id, const char *recipe)
{
    static struct pm_crop crops[FILL_CROPS];
    static char output[] = "/output/scene/clean.tif--noisy.tif";
    for (int i = 0; i < FILL_CROPS; i++) {
        crops[i] = (struct pm_crop){
            .rect = {i * 512, 0, 512, 512}, .valid = 0.99, .written = i < FILL_CROPS - 1};
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
        .crop_count = FILL_CROPS,
        .crops_written = FILL_CROPS - 1,
        .output_dir = output,
        .gt_hash = "00112233445566aa",
        .target_hash = "ffeeddccbbaa9988",
        .started_us = id,
        .finished_us = id};
    memcpy(result->recipe, recipe, sizeof result->recipe);
    for (int i = 0; i < PM_STEP_COUNT; i++) {
        result->timing[i] = (struct pm_timing){.wall_us = 1000 + (id * 7919 + i * 104729) % 100000,
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

/* Claims 8 jobs for each of 8 workers and ends them, in two transactions, as a busy ledger would;
 * every hundredth fails. How many there were. */
static inline int fill_round(struct pm_store *store, const char *recipe, int64_t now_us)
{
    struct pm_job jobs[8];
    int64_t ids[64];
    int n = 0;
    struct pm_err err = {0};
    fill_check(pm_store_begin(store, &err), &err);
    for (int worker = 0; worker < 8; worker++) {
        size_t count;
        fill_check(pm_queue_claim(store, worker, now_us, jobs, 8, &count, &err), &err);
        for (size_t i = 0; i < count; i++) {
            ids[n++] = jobs[i].id;
            pm_job_clear(&jobs[i]);
        }
    }
    fill_check(pm_store_commit(store, &err), &err);
    fill_check(pm_store_begin(store, &err), &err);
    for (int i = 0; i < n; i++) {
        struct pm_result result;
        fill_result(&result, ids[i], recipe);
        fill_check(pm_queue_finish(store, &result, 3, 0.5, now_us, &err), &err);
    }
    fill_check(pm_queue_rate(store, now_us, n, 0, 1000, &err), &err);
    fill_check(pm_store_commit(store, &err), &err);
    return n;
}

#endif
