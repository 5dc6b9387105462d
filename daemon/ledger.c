#include "daemon/ledger_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/schema.h"

#define PATIENCE_US INT64_C(30000000) /* of an end nobody has set a time for */
#define OPEN_TRIES 6                  /* of 10 s: somebody may hold a write lock while we start */

/* --- requests --- */

void pm_request_push(struct pm_request_list *list, struct pm_request *request)
{
    request->next = NULL;
    if (list->last != NULL) {
        list->last->next = request;
    } else {
        list->first = request;
    }
    list->last = request;
}

struct pm_request *pm_request_pop(struct pm_request_list *list)
{
    struct pm_request *request = list->first;
    if (request != NULL) {
        list->first = request->next;
        if (list->first == NULL) {
            list->last = NULL;
        }
        request->next = NULL;
    }
    return request;
}

void pm_request_remove(struct pm_request_list *list, struct pm_request *request)
{
    struct pm_request *before = NULL;
    for (struct pm_request *at = list->first; at != request; at = at->next) {
        before = at;
    }
    if (before != NULL) {
        before->next = request->next;
    } else {
        list->first = request->next;
    }
    if (list->last == request) {
        list->last = before;
    }
    request->next = NULL;
}

void pm_request_free(struct pm_request *request)
{
    if (request == NULL) {
        return;
    }
    for (size_t i = 0; i < request->result_count; i++) {
        pm_result_clear(&request->results[i]);
    }
    pm_conf_unref(request->conf);
    free(request->results);
    free(request->sightings);
    free(request->source_name);
    free(request);
}

void pm_ledger_refuse_late(struct pm_ledger *ledger, struct pm_request *request)
{
    if (!pm_ledger_broken(ledger, &request->err)) {
        pm_err_set(&request->err, PM_EDB, "the database could not be written");
    }
    request->rc = request->err.code;
    for (size_t i = 0; i < request->result_count; i++) {
        pm_result_clear(&request->results[i]); /* consumed, whatever happens */
    }
}

/* lock is held. False: the thread has ended. */
static bool put(struct pm_ledger *ledger, struct pm_request *request)
{
    if (ledger->ended) {
        pm_ledger_refuse_late(ledger, request);
        return false;
    }
    pm_request_push(&ledger->inbox, request);
    pthread_cond_signal(&ledger->wake);
    return true;
}

static void send(struct pm_ledger *ledger, struct pm_request *request)
{
    pthread_mutex_lock(&ledger->lock);
    bool taken = put(ledger, request);
    pthread_mutex_unlock(&ledger->lock);
    if (!taken) {
        pm_ledger_answer(ledger, request);
    }
}

static enum pm_code ask(struct pm_ledger *ledger, struct pm_request *request, struct pm_err *err)
{
    request->waits = true;
    pthread_mutex_lock(&ledger->lock);
    request->answered = !put(ledger, request);
    while (!request->answered) {
        pthread_cond_wait(&ledger->answer, &ledger->lock);
    }
    pthread_mutex_unlock(&ledger->lock);
    if (request->rc != PM_OK && err != NULL) {
        *err = request->err;
    }
    return request->rc;
}

/* --- open and close --- */

/* Whom to tell that the start gets on; starting may be NULL. */
struct telling {
    void (*starting)(void *ctx);
    void *ctx;
};

static enum pm_code open_store(
    struct pm_ledger *ledger, const struct telling *telling, struct pm_err *err)
{
    struct pm_err busy = {0};
    enum pm_code rc = PM_EDB;
    for (int i = 0; i < OPEN_TRIES; i++) {
        rc = pm_store_open_ticking(
            &ledger->store, ledger->conf->db, telling->starting, telling->ctx, &busy);
        if (rc != PM_EDB || busy.sys_errno != EBUSY) {
            break;
        }
        pm_log(PM_LOG_WARN, "%s; waiting for it", busy.text);
    }
    if (rc != PM_OK && err != NULL) {
        *err = busy;
    }
    return rc;
}

static enum pm_code begin_life(
    struct pm_ledger *ledger, const struct telling *telling, struct pm_err *err)
{
    struct pm_err busy = {0};
    enum pm_code rc = PM_EDB;
    pm_store_on_progress(ledger->store, telling->starting, telling->ctx);
    pm_store_tick(ledger->store);
    for (int i = 0; i < OPEN_TRIES; i++) {
        rc = pm_ledger_begin_life(ledger, &busy);
        if (rc != PM_EDB || busy.sys_errno != EBUSY) {
            break;
        }
    }
    if (rc != PM_OK && err != NULL) {
        *err = busy;
    }
    return rc;
}

static enum pm_code init_locks(struct pm_ledger *ledger, struct pm_err *err)
{
    pthread_condattr_t attr;
    int rc = pthread_condattr_init(&attr);
    if (rc == 0) {
        pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
        rc = pthread_cond_init(&ledger->wake, &attr);
        pthread_condattr_destroy(&attr);
    }
    if (rc != 0) {
        return pm_err_errno(err, rc, "ledger");
    }
    pthread_cond_init(&ledger->answer, NULL);
    pthread_mutex_init(&ledger->lock, NULL);
    pthread_mutex_init(&ledger->trace_lock, NULL);
    pthread_mutex_init(&ledger->gauge_lock, NULL);
    return PM_OK;
}

static void free_ledger(struct pm_ledger *ledger)
{
    pm_store_close(ledger->store);
    pm_owner_close(ledger->owner); /* after the database: whoever comes next finds it closed */
    pm_conf_unref(ledger->conf);
    pm_seen_fini(&ledger->seen);
    pm_ledger_gauges_fini(ledger);
    pthread_cond_destroy(&ledger->wake);
    pthread_cond_destroy(&ledger->answer);
    pthread_mutex_destroy(&ledger->lock);
    pthread_mutex_destroy(&ledger->trace_lock);
    pthread_mutex_destroy(&ledger->gauge_lock);
    free(ledger);
}

static enum pm_code open_parts(
    struct pm_ledger *ledger, const struct telling *telling, struct pm_err *err)
{
    enum pm_code rc = pm_owner_open(&ledger->owner, ledger->conf->db, err);
    if (rc == PM_OK) {
        rc = open_store(ledger, telling, err);
    }
    if (rc == PM_OK) {
        rc = begin_life(ledger, telling, err);
    }
    if (rc == PM_OK) {
        int error = pthread_create(&ledger->thread, NULL, pm_ledger_thread, ledger);
        if (error != 0) {
            rc = pm_err_errno(err, error, "start the ledger thread");
        }
    }
    return rc;
}

enum pm_code pm_ledger_open(
    struct pm_ledger **out, struct pm_conf *conf, const struct pm_clock *clock, struct pm_err *err)
{
    return pm_ledger_open_telling(out, conf, clock, NULL, NULL, err);
}

enum pm_code pm_ledger_open_telling(struct pm_ledger **out, struct pm_conf *conf,
    const struct pm_clock *clock, void (*starting)(void *ctx), void *ctx, struct pm_err *err)
{
    const struct telling telling = {starting, ctx};
    struct pm_ledger *ledger = calloc(1, sizeof *ledger);
    if (ledger == NULL) {
        return pm_err_set(err, PM_ENOMEM, "ledger: out of memory");
    }
    enum pm_code rc = init_locks(ledger, err);
    if (rc != PM_OK) {
        free(ledger);
        return rc;
    }
    ledger->clock = clock;
    ledger->conf = pm_conf_ref(conf);
    ledger->maybe_ready = true;
    ledger->random = (uint64_t)pm_wall_us(clock) | 1;
    ledger->beat_us = pm_ledger_real_us();
    rc = open_parts(ledger, &telling, err);
    if (rc != PM_OK) {
        free_ledger(ledger);
        return rc;
    }
    *out = ledger;
    return PM_OK;
}

void pm_ledger_end_by(struct pm_ledger *ledger, int64_t end_by_us)
{
    pthread_mutex_lock(&ledger->lock);
    if (ledger->end_by_us == 0 || end_by_us < ledger->end_by_us) {
        ledger->end_by_us = end_by_us;
    }
    pthread_cond_signal(&ledger->wake);
    pthread_mutex_unlock(&ledger->lock);
}

void pm_ledger_close(struct pm_ledger *ledger)
{
    if (ledger == NULL) {
        return;
    }
    if (ledger->end_by_us == 0) {
        pm_ledger_end_by(ledger, pm_ledger_real_us() + PATIENCE_US);
    }
    pthread_mutex_lock(&ledger->lock);
    ledger->closing = true;
    ledger->stop_claims = true;
    pthread_cond_signal(&ledger->wake);
    pthread_mutex_unlock(&ledger->lock);
    pthread_join(ledger->thread, NULL);
    free_ledger(ledger);
}

/* --- ingest --- */

static struct pm_request *new_request(enum pm_request_kind kind, const char *source_name)
{
    struct pm_request *request = calloc(1, sizeof *request);
    if (request != NULL) {
        request->kind = kind;
        if (source_name != NULL) {
            request->source_name = strdup(source_name);
            if (request->source_name == NULL) {
                pm_request_free(request);
                return NULL;
            }
        }
    }
    return request;
}

/* Records and paths in one piece of memory. */
static struct pm_sighting *copy_sightings(const struct pm_sighting *from, size_t count)
{
    size_t bytes = count * sizeof *from;
    for (size_t i = 0; i < count; i++) {
        bytes += strlen(from[i].path) + 1;
    }
    struct pm_sighting *copy = malloc(bytes > 0 ? bytes : 1);
    if (copy == NULL) {
        return NULL;
    }
    char *paths = (char *)(copy + count);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(from[i].path) + 1;
        copy[i] = from[i];
        copy[i].path = memcpy(paths, from[i].path, size);
        paths += size;
    }
    return copy;
}

enum pm_code pm_ledger_sight(struct pm_ledger *ledger, const char *source_name,
    const struct pm_sighting *sightings, size_t count, void (*done)(void *ctx), void *ctx,
    struct pm_err *err)
{
    struct pm_request *request = new_request(PM_REQUEST_SIGHT, source_name);
    struct pm_sighting *copy = copy_sightings(sightings, count);
    if (request == NULL || copy == NULL) {
        pm_request_free(request);
        free(copy);
        return pm_err_set(err, PM_ENOMEM, "%zu files: out of memory", count);
    }
    request->sightings = copy;
    request->count = count;
    request->done = done;
    request->ctx = ctx;
    send(ledger, request);
    return PM_OK;
}

enum pm_code pm_ledger_walked(struct pm_ledger *ledger, const char *source_name, int64_t since_us,
    void (*done)(void *ctx), void *ctx, struct pm_err *err)
{
    struct pm_request *request = new_request(PM_REQUEST_WALKED, source_name);
    if (request == NULL) {
        return pm_err_set(err, PM_ENOMEM, "walk of %s: out of memory", source_name);
    }
    request->since_us = since_us;
    request->done = done;
    request->ctx = ctx;
    send(ledger, request);
    return PM_OK;
}

void pm_ledger_reload(struct pm_ledger *ledger, struct pm_conf *conf)
{
    struct pm_request *request = new_request(PM_REQUEST_RELOAD, NULL);
    if (request == NULL) {
        pm_log(PM_LOG_ERR, "reload: out of memory, the database keeps the old sources");
        return;
    }
    request->conf = pm_conf_ref(conf);
    send(ledger, request);
}

/* --- workers --- */

/* Hands results over without waiting. False: the asker has to wait, too many are under way already
 * or there is no memory to keep them in. */
static bool post_results(
    struct pm_ledger *ledger, int worker, struct pm_result *results, size_t count)
{
    struct pm_request *request = new_request(PM_REQUEST_TURN, NULL);
    struct pm_result *copy = calloc(count > 0 ? count : 1, sizeof *copy);
    bool room = request != NULL && copy != NULL;
    if (room) {
        pthread_mutex_lock(&ledger->lock);
        room = ledger->queued_results + count <= PM_LEDGER_QUEUED_RESULTS;
        ledger->queued_results += room ? count : 0;
        pthread_mutex_unlock(&ledger->lock);
    }
    if (!room) {
        pm_request_free(request);
        free(copy);
        return false;
    }
    memcpy(copy, results, count * sizeof *copy);
    memset(results, 0, count * sizeof *results);
    request->worker = worker;
    request->results = copy;
    request->result_count = count;
    send(ledger, request);
    return true;
}

enum pm_code pm_ledger_turn(struct pm_ledger *ledger, int worker, struct pm_result *results,
    size_t result_count, struct pm_job *jobs, size_t max, size_t *count, struct pm_err *err)
{
    return pm_ledger_turn_within(ledger, worker, results, result_count, jobs, max, 0, count, err);
}

enum pm_code pm_ledger_turn_within(struct pm_ledger *ledger, int worker, struct pm_result *results,
    size_t result_count, struct pm_job *jobs, size_t max, int64_t wait_us, size_t *count,
    struct pm_err *err)
{
    *count = 0;
    if (max == 0 && (result_count == 0 || post_results(ledger, worker, results, result_count))) {
        return PM_OK;
    }
    struct pm_request request = {.kind = PM_REQUEST_TURN,
        .worker = worker,
        .results = results,
        .result_count = result_count,
        .jobs = jobs,
        .max = max,
        .until_us = wait_us > 0 ? pm_ledger_real_us() + wait_us : 0};
    enum pm_code rc = ask(ledger, &request, err);
    *count = request.got;
    return rc;
}

void pm_ledger_stop_claims(struct pm_ledger *ledger)
{
    pthread_mutex_lock(&ledger->lock);
    ledger->stop_claims = true;
    pthread_cond_signal(&ledger->wake);
    pthread_mutex_unlock(&ledger->lock);
}

/* --- looking and steering --- */

void pm_ledger_counts(struct pm_ledger *ledger, struct pm_counts *counts)
{
    pthread_mutex_lock(&ledger->lock);
    *counts = ledger->counts;
    pthread_mutex_unlock(&ledger->lock);
}

void pm_ledger_hold_claims(struct pm_ledger *ledger, bool hold)
{
    pthread_mutex_lock(&ledger->lock);
    bool changed = ledger->hold != hold;
    ledger->poked |= changed;
    ledger->hold = hold;
    pthread_cond_signal(&ledger->wake);
    pthread_mutex_unlock(&ledger->lock);
    if (changed) {
        pm_ledger_note_hold(ledger, hold);
    }
}

bool pm_ledger_alive(struct pm_ledger *ledger)
{
    return pm_ledger_real_us() - ledger->beat_us < PM_LEDGER_ALIVE_US;
}

bool pm_ledger_broken(struct pm_ledger *ledger, struct pm_err *err)
{
    if (!ledger->broken) {
        return false;
    }
    *err = ledger->fault;
    return true;
}

enum pm_code pm_ledger_pause_wait(
    struct pm_ledger *ledger, const char *source_name, bool paused, struct pm_err *err)
{
    char *name = source_name != NULL ? strdup(source_name) : NULL;
    if (source_name != NULL && name == NULL) {
        return pm_err_set(err, PM_ENOMEM, "pause: out of memory");
    }
    struct pm_request request = {.kind = PM_REQUEST_PAUSE, .source_name = name, .paused = paused};
    enum pm_code rc = ask(ledger, &request, err);
    free(name);
    return rc;
}

enum pm_code pm_ledger_retry_wait(struct pm_ledger *ledger, const struct pm_retry_filter *filter,
    int64_t *released, struct pm_err *err)
{
    struct pm_request request = {.kind = PM_REQUEST_RETRY, .filter = *filter};
    enum pm_code rc = ask(ledger, &request, err);
    *released = request.released;
    return rc;
}

enum pm_code pm_ledger_redo_all_wait(struct pm_ledger *ledger, struct pm_err *err)
{
    const struct pm_retry_filter everything = {
        .failed = true, .quarantined = true, .missing = true, .stale = true, .done = true};
    int64_t released;
    return pm_ledger_retry_wait(ledger, &everything, &released, err);
}
