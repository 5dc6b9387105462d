#include "daemon/ledger_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#define FLUSH_US 1000000 /* stored at most so often */

/* --- told by others --- */

static struct pm_source_gauge *source_gauge(struct pm_ledger *ledger, const char *name)
{
    for (size_t i = 0; i < ledger->source_count; i++) {
        if (strcmp(ledger->sources[i].name, name) == 0) {
            return &ledger->sources[i];
        }
    }
    struct pm_source_gauge *grown =
        realloc(ledger->sources, (ledger->source_count + 1) * sizeof *grown);
    if (grown == NULL) {
        return NULL;
    }
    ledger->sources = grown;
    struct pm_source_gauge *source = &grown[ledger->source_count];
    *source = (struct pm_source_gauge){.name = strdup(name), .free_bytes = -1};
    if (source->name == NULL) {
        return NULL;
    }
    ledger->source_count++;
    return source;
}

static bool same(const struct pm_gauges *a, const struct pm_gauges *b)
{
    return a->settling == b->settling && a->ignored == b->ignored && a->overflows == b->overflows &&
           a->loop_lag_max_us == b->loop_lag_max_us && a->watching == b->watching;
}

void pm_ledger_gauges(
    struct pm_ledger *ledger, const char *source_name, const struct pm_gauges *gauges)
{
    pthread_mutex_lock(&ledger->gauge_lock);
    struct pm_source_gauge *source = source_gauge(ledger, source_name);
    if (source != NULL && !same(&source->gauges, gauges)) {
        source->gauges = *gauges;
        source->dirty = true;
        ledger->overflows = gauges->overflows;
        ledger->loop_lag_max_us = gauges->loop_lag_max_us;
        ledger->gauges_dirty = true;
    }
    pthread_mutex_unlock(&ledger->gauge_lock);
}

void pm_ledger_free_space(struct pm_ledger *ledger, const char *source_name, int64_t bytes)
{
    pthread_mutex_lock(&ledger->gauge_lock);
    struct pm_source_gauge *source = source_gauge(ledger, source_name);
    if (source != NULL && source->free_bytes != bytes) {
        source->free_bytes = bytes;
        source->dirty = true;
        ledger->gauges_dirty = true;
    }
    pthread_mutex_unlock(&ledger->gauge_lock);
}

void pm_ledger_note_hold(struct pm_ledger *ledger, bool hold)
{
    pthread_mutex_lock(&ledger->gauge_lock);
    ledger->space_low = hold;
    ledger->gauges_dirty = true;
    pthread_mutex_unlock(&ledger->gauge_lock);
}

void pm_ledger_cache(
    struct pm_ledger *ledger, const char *cache_name, const struct pm_cache_stats *stats)
{
    pthread_mutex_lock(&ledger->gauge_lock);
    for (size_t i = 0; i < PM_LEDGER_CACHES; i++) {
        struct pm_cache_gauge *cache = &ledger->caches[i];
        bool unused = cache->name[0] == '\0';
        if (!unused && strcmp(cache->name, cache_name) != 0) {
            continue;
        }
        if (unused || memcmp(&cache->stats, stats, sizeof *stats) != 0) {
            snprintf(cache->name, sizeof cache->name, "%s", cache_name);
            cache->stats = *stats;
            cache->dirty = true;
            ledger->gauges_dirty = true;
        }
        break;
    }
    pthread_mutex_unlock(&ledger->gauge_lock);
}

void pm_ledger_gpu(struct pm_ledger *ledger, const char *state)
{
    pthread_mutex_lock(&ledger->gauge_lock);
    snprintf(ledger->gpu, sizeof ledger->gpu, "%s", state);
    ledger->gauges_dirty = true;
    pthread_mutex_unlock(&ledger->gauge_lock);
}

/* gauge_lock is held. True: it is news. */
static bool set_worker(
    struct pm_ledger *ledger, struct pm_worker_slot *slot, int64_t job_id, int step)
{
    bool news =
        slot->gauge.job_id != job_id || slot->gauge.step != step || slot->gauge.since_us == 0;
    if (news) {
        slot->gauge.job_id = job_id;
        slot->gauge.step = step;
        slot->gauge.since_us = pm_wall_us(ledger->clock);
        slot->dirty = true;
        ledger->gauges_dirty = true;
    }
    return news;
}

/* Leaves a trace of where the worker is, under a lock of its own: a disk that stalls must not make
 * the loop wait, which takes gauge_lock. What is newest when it is written is written last. */
static void trace(struct pm_ledger *ledger, int worker)
{
    pthread_mutex_lock(&ledger->trace_lock);
    pthread_mutex_lock(&ledger->gauge_lock);
    struct pm_worker_gauge gauge = ledger->workers[worker].gauge;
    pthread_mutex_unlock(&ledger->gauge_lock);
    pm_owner_beat(ledger->owner, worker, gauge.job_id, gauge.step);
    pthread_mutex_unlock(&ledger->trace_lock);
}

void pm_ledger_start(struct pm_ledger *ledger, int worker, int64_t job_id)
{
    if (worker < 0 || worker >= PM_OWNER_WORKERS) {
        return;
    }
    pthread_mutex_lock(&ledger->gauge_lock);
    ledger->workers[worker].told = true;
    bool news = set_worker(ledger, &ledger->workers[worker], job_id, -1);
    pthread_mutex_unlock(&ledger->gauge_lock);
    if (news) {
        trace(ledger, worker);
    }
}

void pm_ledger_beat(struct pm_ledger *ledger, int worker, int64_t job_id, int step)
{
    if (worker < 0 || worker >= PM_OWNER_WORKERS) {
        return;
    }
    pthread_mutex_lock(&ledger->gauge_lock);
    struct pm_worker_slot *slot = &ledger->workers[worker];
    bool news =
        (!slot->told || slot->gauge.job_id == job_id) && set_worker(ledger, slot, job_id, step);
    pthread_mutex_unlock(&ledger->gauge_lock);
    if (news) {
        trace(ledger, worker);
    }
}

void pm_ledger_hangs(struct pm_ledger *ledger, int worker, bool hangs)
{
    if (worker < 0 || worker >= PM_OWNER_WORKERS) {
        return;
    }
    pthread_mutex_lock(&ledger->gauge_lock);
    struct pm_worker_slot *slot = &ledger->workers[worker];
    if (slot->gauge.hangs != hangs) {
        slot->gauge.hangs = hangs;
        slot->dirty = true;
        ledger->gauges_dirty = true;
    }
    pthread_mutex_unlock(&ledger->gauge_lock);
}

void pm_ledger_note_lease(struct pm_ledger *ledger, int worker, int64_t job_id)
{
    if (worker < 0 || worker >= PM_OWNER_WORKERS) {
        return;
    }
    pthread_mutex_lock(&ledger->gauge_lock);
    bool news = set_worker(ledger, &ledger->workers[worker], job_id, -1);
    pthread_mutex_unlock(&ledger->gauge_lock);
    if (news) {
        trace(ledger, worker);
    }
}

void pm_ledger_note_results(struct pm_ledger *ledger, const struct pm_request *turn)
{
    if (turn->worker < 0 || turn->worker >= PM_OWNER_WORKERS) {
        return;
    }
    pthread_mutex_lock(&ledger->gauge_lock);
    struct pm_worker_slot *slot = &ledger->workers[turn->worker];
    for (size_t i = 0; i < turn->result_count; i++) {
        enum pm_code code = turn->results[i].code;
        slot->gauge.done += code == PM_OK;
        slot->gauge.failed += code != PM_OK && pm_code_fate(code) != PM_FATE_REQUEUE;
    }
    slot->dirty = true;
    ledger->gauges_dirty = true;
    pthread_mutex_unlock(&ledger->gauge_lock);
}

void pm_ledger_gauges_fini(struct pm_ledger *ledger)
{
    for (size_t i = 0; i < ledger->source_count; i++) {
        free(ledger->sources[i].name);
    }
    free(ledger->sources);
}

/* --- stored for the views --- */

bool pm_ledger_gauges_due(struct pm_ledger *ledger)
{
    pthread_mutex_lock(&ledger->gauge_lock);
    bool dirty = ledger->gauges_dirty;
    pthread_mutex_unlock(&ledger->gauge_lock);
    return dirty && pm_ledger_real_us() - ledger->flushed_us >= FLUSH_US;
}

static enum pm_code store_source(
    struct pm_ledger *ledger, const struct pm_source_gauge *source, struct pm_err *err)
{
    char name[300]; /* of a fact; sources have short names (conf_source.c) */
    enum pm_code rc = pm_queue_gauge(ledger->store, source->name, &source->gauges, err);
    if (rc == PM_OK && source->free_bytes >= 0) {
        snprintf(name, sizeof name, "output_free/%s", source->name);
        rc = pm_queue_fact(ledger->store, name, source->free_bytes, err);
    }
    return rc;
}

/* Each is copied under the lock and stored without it: the loop must not wait for the database. */
static enum pm_code store_sources(struct pm_ledger *ledger, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    for (size_t i = 0; rc == PM_OK; i++) {
        struct pm_source_gauge copy = {0};
        pthread_mutex_lock(&ledger->gauge_lock);
        bool end = i >= ledger->source_count;
        if (!end) {
            copy = ledger->sources[i]; /* the name stays where it is until the end */
            ledger->sources[i].dirty = false;
        }
        pthread_mutex_unlock(&ledger->gauge_lock);
        if (end) {
            break;
        }
        if (copy.dirty) {
            rc = store_source(ledger, &copy, err);
        }
    }
    return rc;
}

static enum pm_code store_caches(struct pm_ledger *ledger, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    for (size_t i = 0; rc == PM_OK && i < PM_LEDGER_CACHES; i++) {
        pthread_mutex_lock(&ledger->gauge_lock);
        struct pm_cache_gauge copy = ledger->caches[i];
        ledger->caches[i].dirty = false;
        pthread_mutex_unlock(&ledger->gauge_lock);
        if (copy.dirty) {
            rc = pm_queue_cache(ledger->store, copy.name, &copy.stats, err);
        }
    }
    return rc;
}

static enum pm_code store_workers(struct pm_ledger *ledger, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    for (int i = 0; rc == PM_OK && i < PM_OWNER_WORKERS; i++) {
        pthread_mutex_lock(&ledger->gauge_lock);
        struct pm_worker_slot copy = ledger->workers[i];
        ledger->workers[i].dirty = false;
        pthread_mutex_unlock(&ledger->gauge_lock);
        if (copy.dirty) {
            rc = pm_queue_worker(ledger->store, i, &copy.gauge, err);
        }
    }
    return rc;
}

static int64_t file_bytes(const char *path, const char *suffix)
{
    char name[4096];
    struct stat st;
    snprintf(name, sizeof name, "%s%s", path, suffix);
    return stat(name, &st) == 0 ? (int64_t)st.st_size : 0;
}

static enum pm_code store_facts(struct pm_ledger *ledger, struct pm_err *err)
{
    const char *path = pm_store_path(ledger->store);
    struct statvfs disk;
    pthread_mutex_lock(&ledger->gauge_lock);
    int64_t overflows = ledger->overflows;
    int64_t loop_lag_max_us = ledger->loop_lag_max_us;
    bool space_low = ledger->space_low;
    char gpu[sizeof ledger->gpu];
    memcpy(gpu, ledger->gpu, sizeof gpu);
    pthread_mutex_unlock(&ledger->gauge_lock);
    int64_t wal_bytes = file_bytes(path, "-wal");
    int64_t free_bytes =
        statvfs(path, &disk) == 0 ? (int64_t)disk.f_bavail * (int64_t)disk.f_frsize : 0;
    const struct {
        const char *name;
        int64_t value;
    } facts[] = {{"overflows", overflows}, {"loop_lag_max_us", loop_lag_max_us},
        {"commits", ledger->commits}, {"busy_waits", ledger->busy_waits}, {"wal_bytes", wal_bytes},
        {"db_bytes", file_bytes(path, "")}, {"free_bytes", free_bytes},
        {"checkpoint_us", ledger->checkpoint_us}, {"space_low", space_low}};
    enum pm_code rc = pm_queue_fact_text(ledger->store, "gpu", gpu, err);
    ledger->told_wal_bytes = wal_bytes;
    for (size_t i = 0; rc == PM_OK && i < sizeof facts / sizeof facts[0]; i++) {
        rc = pm_queue_fact(ledger->store, facts[i].name, facts[i].value, err);
    }
    return rc;
}

enum pm_code pm_ledger_store_gauges(struct pm_ledger *ledger, struct pm_err *err)
{
    pthread_mutex_lock(&ledger->gauge_lock);
    ledger->gauges_dirty = false;
    pthread_mutex_unlock(&ledger->gauge_lock);
    enum pm_code rc = store_sources(ledger, err);
    if (rc == PM_OK) {
        rc = store_caches(ledger, err);
    }
    if (rc == PM_OK) {
        rc = store_workers(ledger, err);
    }
    return rc == PM_OK ? store_facts(ledger, err) : rc;
}

/* Telling makes the log grow again: by a few pages, which is no news. */
#define NEWS_BYTES (1 << 20)

void pm_ledger_log_emptied(struct pm_ledger *ledger)
{
    if (ledger->told_wal_bytes < NEWS_BYTES) {
        return;
    }
    pthread_mutex_lock(&ledger->gauge_lock);
    ledger->gauges_dirty = true;
    pthread_mutex_unlock(&ledger->gauge_lock);
}

void pm_ledger_gauges_again(struct pm_ledger *ledger)
{
    pthread_mutex_lock(&ledger->gauge_lock);
    for (size_t i = 0; i < ledger->source_count; i++) {
        ledger->sources[i].dirty = true;
    }
    for (size_t i = 0; i < PM_LEDGER_CACHES; i++) {
        ledger->caches[i].dirty = ledger->caches[i].name[0] != '\0';
    }
    for (size_t i = 0; i < PM_OWNER_WORKERS; i++) {
        ledger->workers[i].dirty = ledger->workers[i].gauge.since_us != 0;
    }
    ledger->gauges_dirty = true;
    pthread_mutex_unlock(&ledger->gauge_lock);
}
