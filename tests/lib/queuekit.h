/*
 * queuekit: a database of jobs in a temporary folder, with a clock the test turns, for tests of the
 * queue and the ledger; questions about it are asked with the stock sqlite3 shell. Holds
 * definitions, because not every test program links the ledger: include it in a test's only file.
 * Owns: the folder, the settings, the store or ledger opened through it.
 * Threads: one; the clock may be turned while the ledger thread reads it.
 * Memory: pm_kit_fini(). Errors: any failure ends the test program (assert).
 */
#ifndef PM_TESTS_LIB_QUEUEKIT_H
#define PM_TESTS_LIB_QUEUEKIT_H

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/result.h"
#include "common/store.h"
#include "daemon/ledger.h"
#include "daemon/queue.h"
#include "tests/lib/shell.h"
#include "tests/lib/tmpdir.h"

struct pm_kit {
    char *dir;
    char *db;
    struct pm_conf *conf; /* one source, "lab", unless more are added */
    struct pm_clock clock;
    _Atomic int64_t now_us; /* wall and monotonic; starts at the real time */
    struct pm_store *store; /* pm_kit_store() */
    struct pm_ledger *ledger;
    struct pm_seen seen;
};

#define pm_kit_expect(kit, answer, sql) assert_string_equal(pm_kit_ask(kit, sql), answer)

static inline struct pm_source_conf *pm_kit_source(struct pm_kit *kit, const char *name);
static inline void pm_kit_close(struct pm_kit *kit);
static inline struct pm_result pm_kit_result(int64_t job_id, int worker);

static inline int64_t kit_now(void *ctx)
{
    return ((struct pm_kit *)ctx)->now_us;
}

static inline void pm_kit_init(struct pm_kit *kit)
{
    *kit = (struct pm_kit){0};
    kit->dir = pm_tmpdir_make();
    kit->db = pm_tmpdir_path(kit->dir, "state/pairmill.db");
    kit->clock = (struct pm_clock){kit_now, kit_now, kit};
    kit->now_us = pm_wall_us(pm_clock_real());
    assert(pm_conf_new(&kit->conf, NULL) == PM_OK);
    assert(pm_conf_set(kit->conf, "db", kit->db, "test", NULL) == PM_OK);
    kit->conf->max_attempts = 3;
    pm_kit_source(kit, "lab");
}

/* One more source; its folders are made. Returns its settings until the next is added. */
static inline struct pm_source_conf *pm_kit_source(struct pm_kit *kit, const char *name)
{
    char input[64];
    char output[64];
    snprintf(input, sizeof input, "in-%s", name);
    snprintf(output, sizeof output, "out-%s", name);
    pm_tmpdir_folder(kit->dir, input);
    char *in = pm_tmpdir_path(kit->dir, input);
    char *out = pm_tmpdir_path(kit->dir, output);
    enum pm_code rc = pm_conf_add_source(kit->conf, name, in, out, NULL);
    assert(rc == PM_OK);
    free(in);
    free(out);
    return &kit->conf->sources[kit->conf->source_count - 1];
}

/* Closes whatever is open, too. */
static inline void pm_kit_fini(struct pm_kit *kit)
{
    pm_kit_close(kit);
    pm_store_close(kit->store);
    pm_seen_fini(&kit->seen);
    pm_conf_unref(kit->conf);
    free(kit->db);
    pm_tmpdir_remove(kit->dir);
}

/* The answer of `sqlite3 -readonly`, without the last newline; the next call overwrites it. */
static inline const char *pm_kit_ask(struct pm_kit *kit, const char *sql)
{
    return pm_shell_ask(kit->db, "-readonly -cmd '.timeout 10000'", sql);
}

/* --- without a thread --- */

static inline void kit_begin(struct pm_kit *kit)
{
    struct pm_err err = {0};
    enum pm_code rc = pm_store_begin(kit->store, &err);
    if (rc != PM_OK) {
        fprintf(stderr, "%s\n", err.text);
    }
    assert(rc == PM_OK);
}

/* rc of what was done in the transaction. */
static inline void kit_commit(struct pm_kit *kit, enum pm_code rc, const struct pm_err *err)
{
    if (rc != PM_OK) {
        fprintf(stderr, "%s\n", err->text);
    }
    assert(rc == PM_OK);
    rc = pm_store_commit(kit->store, NULL);
    assert(rc == PM_OK);
}

/* Opens the store and makes the sources of conf active. */
static inline void pm_kit_store(struct pm_kit *kit)
{
    struct pm_err err = {0};
    enum pm_code rc = pm_store_open(&kit->store, kit->db, &err);
    if (rc != PM_OK) {
        fprintf(stderr, "%s\n", err.text);
    }
    assert(rc == PM_OK);
    kit_begin(kit);
    rc = pm_queue_configure(kit->store, kit->conf, kit->now_us, &err);
    kit_commit(kit, rc, &err);
}

/* A kit of its own for each test of a program, with_store: and the store is open. */
#define with_kit(test) cmocka_unit_test_setup_teardown(test, kit_set_up, kit_tear_down)
#define with_store(test) cmocka_unit_test_setup_teardown(test, kit_set_up_store, kit_tear_down)

static inline int kit_set_up(void **state)
{
    static struct pm_kit kit;
    pm_kit_init(&kit);
    *state = &kit;
    return 0;
}

static inline int kit_set_up_store(void **state)
{
    kit_set_up(state);
    pm_kit_store(*state);
    return 0;
}

static inline int kit_tear_down(void **state)
{
    pm_kit_fini(*state);
    return 0;
}

static inline void kit_sight(
    struct pm_kit *kit, const char *source, const struct pm_sighting *sighting)
{
    struct pm_err err = {0};
    int64_t source_id;
    kit_begin(kit);
    enum pm_code rc = pm_queue_source_id(kit->store, source, &source_id, &err);
    assert(rc == PM_OK && source_id != 0);
    rc = pm_queue_sight(kit->store, &kit->seen, source_id, sighting, 1, kit->now_us, &err);
    kit_commit(kit, rc, &err);
}

static inline struct pm_sighting kit_seen_with(const char *path, int64_t size)
{
    return (struct pm_sighting){.kind = PM_SEEN,
        .path = path,
        .stamp = {.size = size, .mtime_ns = 1000 + size, .inode = 7}};
}

static inline void pm_kit_see_in(
    struct pm_kit *kit, const char *source, const char *path, int64_t size)
{
    struct pm_sighting sighting = kit_seen_with(path, size);
    kit_sight(kit, source, &sighting);
}

/* A file of source lab, settled with that size and mtime 1000 + size. */
static inline void pm_kit_see(struct pm_kit *kit, const char *path, int64_t size)
{
    pm_kit_see_in(kit, "lab", path, size);
}

static inline void pm_kit_gone(struct pm_kit *kit, const char *path)
{
    struct pm_sighting sighting = {.kind = PM_GONE, .path = path};
    kit_sight(kit, "lab", &sighting);
}

static inline void pm_kit_walked(struct pm_kit *kit, int64_t since_us)
{
    struct pm_err err = {0};
    int64_t source_id;
    kit_begin(kit);
    enum pm_code rc = pm_queue_source_id(kit->store, "lab", &source_id, &err);
    assert(rc == PM_OK && source_id != 0);
    rc = pm_queue_walked(kit->store, &kit->seen, source_id, since_us, kit->now_us, &err);
    kit_commit(kit, rc, &err);
}

/* Claims up to max jobs; the caller clears them. */
static inline size_t pm_kit_claim(struct pm_kit *kit, int worker, struct pm_job *jobs, size_t max)
{
    struct pm_err err = {0};
    size_t count;
    kit_begin(kit);
    enum pm_code rc = pm_queue_wake(kit->store, kit->now_us, &err);
    assert(rc == PM_OK);
    rc = pm_queue_claim(kit->store, worker, kit->now_us, jobs, max, &count, &err);
    kit_commit(kit, rc, &err);
    return count;
}

/* Claims one job, which there must be, and returns its id. */
static inline int64_t pm_kit_claim_one(struct pm_kit *kit)
{
    struct pm_job job = {0};
    size_t count = pm_kit_claim(kit, 0, &job, 1);
    int64_t id = job.id;
    assert(count == 1);
    pm_job_clear(&job);
    return id;
}

static inline void pm_kit_finish(struct pm_kit *kit, const struct pm_result *result)
{
    struct pm_err err = {0};
    kit_begin(kit);
    enum pm_code rc =
        pm_queue_finish(kit->store, result, kit->conf->max_attempts, 0.5, kit->now_us, &err);
    kit_commit(kit, rc, &err);
}

/* A job that ended with code. */
static inline void pm_kit_end(struct pm_kit *kit, int64_t job_id, enum pm_code code)
{
    struct pm_result result = pm_kit_result(job_id, 0);
    result.code = code;
    result.step = PM_STEP_DECODE;
    if (code != PM_OK) {
        snprintf(result.message, sizeof result.message, "job ended as told");
    }
    pm_kit_finish(kit, &result);
    pm_result_clear(&result);
}

/* A good result, all of its parts filled in; pm_result_clear() it unless it is handed over. */
static inline struct pm_result pm_kit_result(int64_t job_id, int worker)
{
    struct pm_result result = {.job_id = job_id,
        .worker = worker,
        .shift = {.dy = -3,
            .dx = 5,
            .loss = 0.0125,
            .gain = 1.5,
            .method = PM_METHOD_HIERARCHICAL,
            .backend = "plain",
            .confidence = 0.9,
            .sub_dy = 0.25,
            .sub_dx = -0.125,
            .flags = PM_FLAG_GAIN_DRIFT | PM_FLAG_SHIFT_AT_LIMIT,
            .elapsed_ms = 12.5,
            .loss_ms = 2.0,
            .evaluations = 321,
            .sub_dy_error = 0.0625,
            .sub_dx_error = 0.03125,
            .second_peak = 0.375,
            .channels = 3,
            .channel_gain = {1.25, 1.5, 1.75},
            .warp = {.tiles = 3,
                .rotation_deg = 0.25,
                .rotation_error_deg = 0.125,
                .scale = 1.5,
                .scale_error = 0.5,
                .parallax_px = 2.5,
                .parallax_error_px = 0.75},
            .map = {.rows = 2,
                .columns = 2,
                .x0 = 256,
                .y0 = 128,
                .pitch_px = 512,
                .dy = {-3, -3.5f, (float)NAN, -2.5f},
                .dx = {5, 5.25f, (float)NAN, 4.75f},
                .weight = {1, 0.5f, (float)NAN, 0.25f}}},
        .overlap = {.gt_x = 5, .target_y = 3, .w = 95, .h = 77},
        .mask_mean = 0.75,
        .crop_count = 2,
        .crops_written = 1,
        .output_dir = strdup("/out/scene/pair"),
        .gt_hash = "00112233445566aa",
        .target_hash = "ffeeddccbbaa9988",
        .record = "0f1e2d3c4b5a6978",
        .started_us = 1000000,
        .finished_us = 2000000};
    result.crops = calloc(2, sizeof *result.crops);
    assert(result.output_dir != NULL && result.crops != NULL);
    result.crops[0] = (struct pm_crop){.rect = {0, 0, 64, 64}, .valid = 0.9, .written = true};
    result.crops[1] = (struct pm_crop){.rect = {31, 13, 64, 64}, .valid = 0.1};
    for (int i = 0; i < PM_STEP_COUNT; i++) {
        result.timing[i] = (struct pm_timing){
            .wall_us = 1000 * (i + 1), .cpu_us = 900 * (i + 1), .bytes = 1000000, .ran = true};
    }
    return result;
}

/* --- with its thread --- */

static inline void pm_kit_ledger(struct pm_kit *kit)
{
    struct pm_err err = {0};
    enum pm_code rc = pm_ledger_open(&kit->ledger, kit->conf, &kit->clock, &err);
    if (rc != PM_OK) {
        fprintf(stderr, "%s\n", err.text);
    }
    assert(rc == PM_OK);
}

static inline void pm_kit_close(struct pm_kit *kit)
{
    pm_ledger_close(kit->ledger);
    kit->ledger = NULL;
}

struct kit_gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool open;
};

static inline void kit_open_gate(void *ctx)
{
    struct kit_gate *gate = ctx;
    pthread_mutex_lock(&gate->lock);
    gate->open = true;
    pthread_cond_signal(&gate->opened);
    pthread_mutex_unlock(&gate->lock);
}

static inline void kit_pass_gate(struct kit_gate *gate)
{
    pthread_mutex_lock(&gate->lock);
    while (!gate->open) {
        pthread_cond_wait(&gate->opened, &gate->lock);
    }
    pthread_mutex_unlock(&gate->lock);
}

static inline void kit_sight_and_wait(
    struct pm_kit *kit, const struct pm_sighting *sightings, size_t count)
{
    struct kit_gate gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};
    enum pm_code rc = pm_ledger_sight(
        kit->ledger, kit->conf->sources[0].name, sightings, count, kit_open_gate, &gate, NULL);
    assert(rc == PM_OK);
    kit_pass_gate(&gate);
}

void pm_kit_ledger(struct pm_kit *kit);
void pm_kit_close(struct pm_kit *kit);
/* Sights one file and waits until that is committed. */
static inline void pm_kit_sight(struct pm_kit *kit, const char *path, int64_t size)
{
    struct pm_sighting sighting = kit_seen_with(path, size);
    kit_sight_and_wait(kit, &sighting, 1);
}

/* Waits until everything handed over before is committed. */
static inline void pm_kit_sync(struct pm_kit *kit)
{
    kit_sight_and_wait(kit, NULL, 0);
}

/* A turn that takes one job if there is one, and blocks until then; its id, 0 at the end. */
static inline int64_t pm_kit_turn(struct pm_kit *kit, int worker, struct pm_result *result)
{
    struct pm_job job = {0};
    size_t count;
    enum pm_code rc =
        pm_ledger_turn(kit->ledger, worker, result, result != NULL, &job, 1, &count, NULL);
    assert(rc == PM_OK);
    int64_t id = count > 0 ? job.id : 0;
    pm_job_clear(&job);
    return id;
}

/* Hands a result over and waits until it is committed. */
static inline void pm_kit_hand_over(struct pm_kit *kit, struct pm_result *result)
{
    size_t count;
    enum pm_code rc = pm_ledger_turn(kit->ledger, result->worker, result, 1, NULL, 0, &count, NULL);
    assert(rc == PM_OK && count == 0);
    pm_kit_sync(kit);
}

#endif
