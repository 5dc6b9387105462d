#include "daemon/pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "daemon/pool_parts.h"
#include "daemon/signals.h"

#define PAUSE_S 1 /* after a turn that failed */

/* --- for the other files --- */

struct pm_conf *pm_pool_conf(struct pm_pool *pool)
{
    struct pm_conf *conf;
    pthread_mutex_lock(&pool->lock);
    conf = pm_conf_ref(pool->conf);
    pthread_mutex_unlock(&pool->lock);
    return conf;
}

bool pm_pool_ledger_begin(struct pm_pool *pool)
{
    bool may;
    pthread_mutex_lock(&pool->lock);
    may = !pool->cut_off;
    pool->in_ledger += may;
    pthread_mutex_unlock(&pool->lock);
    return may;
}

void pm_pool_ledger_end(struct pm_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->in_ledger--;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

void pm_pool_pause(struct pm_pool *pool)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PAUSE_S;
    pthread_mutex_lock(&pool->lock);
    if (!atomic_load(&pool->stop)) {
        pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
    }
    pthread_mutex_unlock(&pool->lock);
}

/* --- building --- */

/* Cached images, buffers kept for the next pair and pairs being worked on share memory_max. */
static enum pm_code open_memory(struct pm_pool *pool, struct pm_err *err)
{
    int64_t total = pool->conf->memory_max;
    int64_t cache = pool->conf->cache_bytes; /* at most half of it */
    int64_t keep = total / 8;
    int64_t budget = total - cache - keep;
    enum pm_code rc = pm_cache_new(&pool->cache, (size_t)cache, err);
    pool->keep_bytes = (size_t)keep;
    if (rc == PM_OK) {
        rc = pm_budget_new(&pool->budget, (size_t)budget, err);
    }
    if (rc == PM_OK) {
        rc = pm_bufpool_new(&pool->buffers, pool->keep_bytes, err);
    }
    return rc;
}

static enum pm_code start_thread(struct pm_pool *pool, int index, struct pm_err *err)
{
    struct pm_pool_thread *thread = &pool->threads[index];
    sigset_t before;
    int rc;

    assert(pool->threads != NULL);
    thread->pool = pool;
    thread->index = index;
    atomic_init(&thread->step, -1);
    atomic_init(&thread->job_id, 0);
    atomic_init(&thread->ended, false);
    thread->look.step = -1;
    pm_signals_deaf(&before);
    atomic_fetch_add(&pool->busy, 1);
    rc = pthread_create(&thread->id, NULL, pm_pool_thread_main, thread);
    pm_signals_hear(&before);
    if (rc != 0) {
        atomic_fetch_sub(&pool->busy, 1);
        return pm_err_errno(err, rc, "cannot start worker %d of %d", index + 1, pool->planned);
    }
    thread->started = true;
    return PM_OK;
}

static void free_pool(struct pm_pool *pool)
{
    pm_cache_free(pool->cache);
    pm_bufpool_free(pool->buffers);
    pm_budget_free(pool->budget);
    pm_conf_unref(pool->conf);
    pthread_cond_destroy(&pool->changed);
    pthread_mutex_destroy(&pool->lock);
    free(pool->wisdom_path);
    free(pool->threads);
    free(pool);
}

enum pm_code pm_pool_open(struct pm_pool **out, const struct pm_pool_opts *opts, struct pm_err *err)
{
    struct pm_pool *pool = calloc(1, sizeof *pool);
    enum pm_code rc;

    *out = NULL;
    if (pool == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for the workers");
    }
    assert(opts->conf->workers > 0 && opts->conf->cache_bytes <= opts->conf->memory_max / 2);
    pool->opts = *opts;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->changed, NULL);
    pool->conf = pm_conf_ref(opts->conf);
    pool->count = pool->planned = opts->conf->workers;
    pool->threads = calloc((size_t)pool->count, sizeof *pool->threads);
    pool->wisdom_path = opts->wisdom_path == NULL ? NULL : strdup(opts->wisdom_path);
    rc = open_memory(pool, err);
    if (rc == PM_OK &&
        (pool->threads == NULL || (opts->wisdom_path != NULL && pool->wisdom_path == NULL))) {
        rc = pm_err_set(err, PM_ENOMEM, "no memory for the workers");
    }
    if (rc != PM_OK) {
        free_pool(pool);
        return rc;
    }
    for (int i = 0; rc == PM_OK && i < pool->count; i++) {
        rc = start_thread(pool, i, err);
        if (rc != PM_OK && i > 0) { /* fewer than wanted, but some */
            pm_log(PM_LOG_ERR, "event=workers count=%d message=\"%s\"", i, err->text);
            pool->count = i;
            rc = PM_OK;
        }
    }
    if (rc != PM_OK) {
        free_pool(pool);
        return rc;
    }
    *out = pool;
    return PM_OK;
}

void pm_pool_reload(struct pm_pool *pool, struct pm_conf *conf)
{
    struct pm_conf *old;

    pthread_mutex_lock(&pool->lock);
    old = pool->conf;
    pool->conf = pm_conf_ref(conf);
    pthread_mutex_unlock(&pool->lock);
    if (conf->workers != old->workers || conf->memory_max != old->memory_max) {
        pm_log(PM_LOG_WARN, "event=reload message=\"workers and memory_max change at a restart\"");
    } else if (conf->cache_bytes != old->cache_bytes) {
        pm_cache_set_budget(pool->cache, (size_t)conf->cache_bytes);
    }
    pm_conf_unref(old);
}

/* --- the end --- */

void pm_pool_stop(struct pm_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    atomic_store(&pool->stop, true);
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

void pm_pool_abandon(struct pm_pool *pool)
{
    pm_pool_stop(pool);
    atomic_store(&pool->abandon, true);
    pm_budget_cancel(pool->budget);
}

int pm_pool_busy(const struct pm_pool *pool)
{
    return atomic_load(&pool->busy);
}

bool pm_pool_close(struct pm_pool *pool)
{
    bool all = true;
    if (pool == NULL) {
        return true;
    }
    pm_pool_stop(pool);
    pthread_mutex_lock(&pool->lock);
    for (int i = 0; i < pool->count; i++) {
        all = all && atomic_load(&pool->threads[i].ended);
    }
    pool->cut_off = !all;
    while (!all && pool->in_ledger > 0) {
        pthread_cond_wait(&pool->changed, &pool->lock); /* turns return once claims are stopped */
    }
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->count; i++) {
        struct pm_pool_thread *thread = &pool->threads[i];
        if (atomic_load(&thread->ended)) {
            pthread_join(thread->id, NULL);
        } else {
            pm_log(PM_LOG_WARN, "worker=%d job=%lld step=%s event=cut_off", i,
                (long long)atomic_load(&thread->job_id),
                atomic_load(&thread->step) < 0
                    ? "none"
                    : pm_step_name((enum pm_step)atomic_load(&thread->step)));
            pthread_detach(thread->id);
        }
    }
    if (all) {
        free_pool(pool);
    }
    return all;
}
