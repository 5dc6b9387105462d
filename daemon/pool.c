#include "daemon/pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/budget.h"
#include "common/bufpool.h"
#include "common/cache.h"
#include "common/log.h"
#include "daemon/crashnote.h"
#include "daemon/signals.h"
#include "worker/gpu/gputest.h"
#include "worker/worker.h"

#define DB_PAUSE_S 1    /* after a turn that failed */
#define TELL_US 1000000 /* how often a worker that stays where it is says so */

/* What is remembered of a worker between two samples. */
struct look {
    int64_t job_id, cpu_us;
    int step;
    int64_t job_since_us;  /* when this job was first seen */
    int64_t step_since_us; /* when this step was first seen */
    int64_t moved_us;      /* when the step or the CPU time last changed */
    int64_t told_us;       /* when the ledger last heard of it */
    bool hung;             /* at the last sample */
};

struct thread {
    struct pm_pool *pool;
    pthread_t id;
    bool started;
    int index;
    atomic_int step;        /* enum pm_step; -1 idle */
    _Atomic int64_t job_id; /* 0: none */
    atomic_bool ended;
    struct pm_gpu *gpu;          /* worker 0, on its thread only; NULL: none wanted */
    struct pm_bufpool *gpu_pool; /* the gpu's; NULL: there is none */
    bool gpu_lost;               /* told */
    int64_t gpu_unfit;           /* pairs that did not fit, as told */
    int64_t gpu_pairs;           /* it had been asked for at gpu_used_us */
    int64_t gpu_used_us;
    struct look look; /* pm_pool_sample() only */
};

/* Life: running -> stopping (claimed jobs not started go back) -> abandoned (running ones, too) ->
 * all ended, joined, freed; or cut off: threads that never end keep the pool alive for good. */
struct pm_pool {
    struct pm_pool_opts opts;
    char *wisdom_path;
    struct pm_cache *cache;
    struct pm_budget *budget;
    struct pm_bufpool *buffers;
    size_t keep_bytes; /* of them, between two pairs */
    struct thread *threads;
    int count;             /* threads there are */
    int planned;           /* threads there should be; fixed before the first starts */
    int64_t cache_told_us; /* pm_pool_sample() only */
    atomic_int busy;
    atomic_bool stop, abandon;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct pm_conf *conf;
    bool cut_off;  /* nobody may touch the ledger or ended() any more */
    int in_ledger; /* threads that are using the ledger or ended() right now */
};

/* --- a worker's thread --- */

static struct pm_conf *conf_now(struct pm_pool *pool)
{
    struct pm_conf *conf;
    pthread_mutex_lock(&pool->lock);
    conf = pm_conf_ref(pool->conf);
    pthread_mutex_unlock(&pool->lock);
    return conf;
}

/* Between these two the ledger exists. False: cut off. */
static bool ledger_begin(struct pm_pool *pool)
{
    bool may;
    pthread_mutex_lock(&pool->lock);
    may = !pool->cut_off;
    pool->in_ledger += may;
    pthread_mutex_unlock(&pool->lock);
    return may;
}

static void ledger_end(struct pm_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->in_ledger--;
    pthread_cond_broadcast(&pool->changed);
    pthread_mutex_unlock(&pool->lock);
}

/* Cut off while it worked: the process is about to exit, and nothing here may be freed by a thread
 * that cannot know what else is still there. */
static _Noreturn void sleep_for_good(void)
{
    for (;;) {
        pause();
    }
}

static void pause_or_stop(struct pm_pool *pool)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += DB_PAUSE_S;
    pthread_mutex_lock(&pool->lock);
    if (!atomic_load(&pool->stop)) {
        pthread_cond_timedwait(&pool->changed, &pool->lock, &until);
    }
    pthread_mutex_unlock(&pool->lock);
}

static void tell_gpu(struct thread *self, bool lost)
{
    struct pm_pool *pool = self->pool;
    if (pool->opts.gpu != NULL && ledger_begin(pool)) {
        pool->opts.gpu(pool->opts.ctx, pm_gpu_state(self->gpu), lost);
        ledger_end(pool);
    }
}

/* Half of the buffers kept for the next pair are pinned ones from now on. */
static enum pm_code open_gpu_pool(struct thread *self, struct pm_err *err)
{
    struct pm_pool *pool = self->pool;
    size_t half = pool->keep_bytes / 2;
    enum pm_code rc = pm_gpu_pool(self->gpu, half, pool->buffers, &self->gpu_pool, err);
    if (rc == PM_OK) {
        pm_bufpool_set_keep(pool->buffers, pool->keep_bytes - half);
    }
    return rc;
}

/* Without one, or when it does not work, this is a worker like the others. */
static void open_gpu(struct thread *self)
{
    struct pm_conf *conf = conf_now(self->pool);
    struct pm_err err;
    enum pm_code rc = self->index == 0 ? pm_gpu_of_conf(&self->gpu, conf, &err) : PM_OK;
    if (rc == PM_OK && pm_gpu_alive(self->gpu)) {
        rc = open_gpu_pool(self, &err);
    }
    if (rc != PM_OK) {
        pm_log(PM_LOG_WARN, "worker=%d event=gpu message=\"%s\"", self->index, err.text);
    }
    pm_conf_unref(conf);
    if (self->gpu != NULL) {
        self->gpu_lost = pm_gpu_lost(self->gpu);
        tell_gpu(self, false); /* one that fails at once would fail again */
    }
}

/* How long it may go on holding memory without a pair, us; 0 or less: no longer. */
static int64_t gpu_idle_left_us(struct thread *self)
{
    struct pm_conf *conf = conf_now(self->pool);
    struct pm_gpu_counts counts = pm_gpu_counts(self->gpu);
    int64_t asked = counts.pairs + counts.refused + counts.failures;
    int64_t now_us = pm_mono_us(self->pool->opts.clock);
    int64_t idle_us = (int64_t)conf->gpu_idle_s * 1000000;

    if (asked != self->gpu_pairs) {
        self->gpu_pairs = asked;
        self->gpu_used_us = now_us;
    }
    pm_conf_unref(conf);
    return self->gpu_used_us + idle_us - now_us;
}

static void tell_news(struct thread *self)
{
    int64_t unfit = pm_gpu_counts(self->gpu).unfit;
    bool lost = pm_gpu_lost(self->gpu) && !self->gpu_lost;
    if (lost || unfit != self->gpu_unfit) {
        self->gpu_lost = self->gpu_lost || lost;
        self->gpu_unfit = unfit;
        tell_gpu(self, lost);
    }
}

/* Between jobs: its end is told, and memory it has not needed for long is given back. How long to
 * wait for jobs until the next look, us; 0: for ever. */
static int64_t look_after_gpu(struct thread *self)
{
    int64_t left_us;
    if (self->gpu == NULL) {
        return 0;
    }
    tell_news(self);
    if (!pm_gpu_holds(self->gpu)) {
        return 0;
    }
    left_us = gpu_idle_left_us(self);
    if (left_us <= 0) {
        pm_gpu_trim(self->gpu);
        tell_news(self); /* it may have been lost in its sleep */
        pm_log(PM_LOG_DEBUG, "worker=%d event=gpu_idle", self->index);
    }
    return left_us > 0 ? left_us : 0;
}

/* All workers get something while the queue is short; long queues go out in whole gts. */
static size_t claim_size(struct pm_pool *pool)
{
    struct pm_counts counts = {0};
    int64_t share;
    pm_ledger_counts(pool->opts.ledger, &counts);
    share = counts.ready / pool->planned / 2;
    return share < 1 ? 1 : share > PM_POOL_CLAIM ? PM_POOL_CLAIM : (size_t)share;
}

/* Hands result over (job_id 0: there is none yet) and, unless `only_tell`, takes the next jobs, for
 * which it waits wait_us (0: for ever). */
static enum pm_code turn(struct thread *self, struct pm_result *result, struct pm_job *jobs,
    bool only_tell, int64_t wait_us, size_t *count, struct pm_err *err)
{
    struct pm_pool *pool = self->pool;
    enum pm_code rc;

    *count = 0;
    if (!ledger_begin(pool)) {
        sleep_for_good();
    }
    rc = pm_ledger_turn_within(pool->opts.ledger, self->index, result, result->job_id != 0, jobs,
        only_tell ? 0 : claim_size(pool), wait_us, count, err);
    ledger_end(pool);
    *result = (struct pm_result){0};
    return rc;
}

/* At once, not with the next sample: a pair that kills the process does so within milliseconds. */
static void at_step(void *ctx, enum pm_step step)
{
    struct thread *self = ctx;
    if (ledger_begin(self->pool)) {
        pm_ledger_beat(self->pool->opts.ledger, self->index, atomic_load(&self->job_id), (int)step);
        ledger_end(self->pool);
    }
}

static void run_job(struct thread *self, struct pm_worker *worker, const struct pm_job *job,
    struct pm_result *result)
{
    struct pm_pool *pool = self->pool;
    if (!atomic_load(&pool->stop)) {
        struct pm_conf *conf = conf_now(pool);
        if (ledger_begin(pool)) {
            /* When the pair kills the process, this is how the next one knows which it was. */
            pm_ledger_start(pool->opts.ledger, self->index, job->id);
            ledger_end(pool);
        }
        atomic_store(&self->job_id, job->id);
        pm_worker_run(worker, conf, job, result);
        atomic_store(&self->step, -1);
        atomic_store(&self->job_id, 0);
        pm_conf_unref(conf);
    } else {
        result->code = PM_ECANCELED;
        snprintf(result->message, sizeof result->message, "stopped before it was started");
    }
    result->job_id = job->id;
    result->worker = self->index;
}

/* Each result is told as soon as it is there, the last of a claim together with the next claim. */
static void work(struct thread *self, struct pm_worker *worker)
{
    struct pm_job jobs[PM_POOL_CLAIM];
    struct pm_result result = {0};
    struct pm_err err = {.text = ""};

    for (;;) {
        size_t count;
        enum pm_code rc = turn(self, &result, jobs, false, look_after_gpu(self), &count, &err);
        if (rc == PM_ECANCELED) { /* nothing came, and the GPU is to be looked after */
            continue;
        }
        if (rc != PM_OK) {
            pm_log(PM_LOG_WARN, "worker=%d event=turn code=%s message=\"%s\"", self->index,
                pm_code_name(err.code), err.text);
            if (atomic_load(&self->pool->stop)) {
                return;
            }
            pause_or_stop(self->pool);
            continue;
        }
        if (count == 0) {
            return;
        }
        for (size_t i = 0; i < count; i++) {
            size_t none;
            if (i + 1 < count) {
                /* The gt is shared: in the cache. */
                pm_worker_prefetch(jobs[i + 1].target_path, jobs[i + 1].root_bytes);
            }
            run_job(self, worker, &jobs[i], &result);
            pm_job_clear(&jobs[i]);
            if (i + 1 < count && turn(self, &result, NULL, true, 0, &none, &err) != PM_OK) {
                pm_log(PM_LOG_WARN, "worker=%d event=result code=%s message=\"%s\"", self->index,
                    pm_code_name(err.code), err.text);
            }
        }
    }
}

static void end_thread(struct thread *self)
{
    struct pm_pool *pool = self->pool;
    if (!ledger_begin(pool)) {
        sleep_for_good();
    }
    atomic_store(&self->ended, true);
    atomic_fetch_sub(&pool->busy, 1);
    if (pool->opts.ended != NULL) {
        pool->opts.ended(pool->opts.ctx);
    }
    ledger_end(pool);
}

static void *thread_main(void *arg)
{
    struct thread *self = arg;
    struct pm_pool *pool = self->pool;
    struct pm_worker_env env = {
        .cache = pool->cache,
        .budget = pool->budget,
        .pool = pool->buffers,
        .clock = pool->opts.clock,
        .wisdom_path = pool->wisdom_path,
        .abandon = &pool->abandon,
        .step = &self->step,
        .at_step = at_step,
        .ctx = self,
    };
    struct pm_worker *worker = NULL;
    struct pm_err err;
    char name[16];

    snprintf(name, sizeof name, "pm-worker-%d", self->index % 1000);
    pthread_setname_np(pthread_self(), name);
    pm_crashnote_thread(self->index, &self->job_id, &self->step);
    open_gpu(self);
    env.gpu = self->gpu;
    env.gpu_pool = self->gpu_pool;
    while (pm_worker_new(&worker, self->index, &env, &err) != PM_OK && !atomic_load(&pool->stop)) {
        pm_log(PM_LOG_ERR, "worker=%d event=start message=\"%s\"", self->index, err.text);
        pause_or_stop(pool);
    }
    if (worker != NULL) {
        work(self, worker);
        pm_worker_free(worker);
    }
    pm_gpu_close(self->gpu);
    self->gpu = NULL;
    pm_crashnote_thread_end();
    end_thread(self);
    return NULL;
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
    struct thread *thread = &pool->threads[index];
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
    rc = pthread_create(&thread->id, NULL, thread_main, thread);
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
        struct thread *thread = &pool->threads[i];
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

/* --- watching over them --- */

static int64_t cpu_us(const struct thread *thread)
{
    clockid_t id;
    struct timespec ts = {0};
    /* The id of a thread that has ended but was not joined is still valid. */
    if (pthread_getcpuclockid(thread->id, &id) != 0 || clock_gettime(id, &ts) != 0) {
        return 0;
    }
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

/* True when the worker is somewhere else than at the last look. */
static bool look_at(struct thread *thread, int64_t now_us)
{
    struct look *look = &thread->look;
    struct look seen = {.job_id = atomic_load(&thread->job_id),
        .step = atomic_load(&thread->step),
        .cpu_us = cpu_us(thread),
        .told_us = look->told_us,
        .hung = look->hung};
    bool new_job = seen.job_id != look->job_id;
    bool new_step = new_job || seen.step != look->step;

    seen.job_since_us = new_job ? now_us : look->job_since_us;
    seen.step_since_us = new_step ? now_us : look->step_since_us;
    seen.moved_us = new_step || seen.cpu_us != look->cpu_us ? now_us : look->moved_us;
    *look = seen;
    return new_step;
}

static bool stalled(const struct thread *thread, int64_t now_us, int64_t stall_us)
{
    return thread->look.job_id != 0 && now_us - thread->look.moved_us >= stall_us;
}

/* A worker may rightly wait for what another holds: memory of the budget, a gt being decoded. Then
 * that other one is still in a job it began before the waiting did. */
static bool hangs(const struct pm_pool *pool, int index, int64_t now_us, int64_t stall_us)
{
    const struct look *look = &pool->threads[index].look;
    if (look->job_id != 0 && now_us - look->step_since_us >= PM_POOL_STEP_MAX_US) {
        return true;
    }
    if (!stalled(&pool->threads[index], now_us, stall_us)) {
        return false;
    }
    for (int i = 0; i < pool->count; i++) {
        const struct look *other = &pool->threads[i].look;
        if (i != index && other->job_id != 0 && other->job_since_us <= look->moved_us &&
            !stalled(&pool->threads[i], now_us, stall_us)) {
            return false;
        }
    }
    return true;
}

/* Once when it begins, once when it is over. */
static void tell_hang(struct pm_pool *pool, int index, int64_t now_us, bool hung)
{
    struct look *look = &pool->threads[index].look;
    const char *step = look->step < 0 ? "none" : pm_step_name((enum pm_step)look->step);
    if (look->hung == hung) {
        return;
    }
    look->hung = hung;
    pm_ledger_hangs(pool->opts.ledger, index, hung);
    if (hung) {
        pm_log(PM_LOG_ERR,
            "worker=%d job=%lld step=%s event=hangs message=\"no progress for %lld s\"", index,
            (long long)look->job_id, step, (long long)(now_us - look->moved_us) / 1000000);
    } else {
        pm_log(PM_LOG_WARN, "worker=%d job=%lld step=%s event=goes_on", index,
            (long long)look->job_id, step);
    }
}

/* Beats where something is new, and once a second for every worker that does not hang. */
static bool sample_thread(struct pm_pool *pool, int index, int64_t now_us, int64_t stall_us)
{
    struct thread *thread = &pool->threads[index];
    bool sound = stall_us <= 0 || !hangs(pool, index, now_us, stall_us);
    tell_hang(pool, index, now_us, !sound);
    if (sound && !atomic_load(&thread->ended) && now_us - thread->look.told_us >= TELL_US) {
        pm_ledger_beat(pool->opts.ledger, index, thread->look.job_id, thread->look.step);
        thread->look.told_us = now_us;
    }
    return sound;
}

bool pm_pool_sample(struct pm_pool *pool, int64_t stall_us)
{
    int64_t now_us = pm_mono_us(pool->opts.clock);
    bool sound = true;

    for (int i = 0; i < pool->count; i++) {
        if (look_at(&pool->threads[i], now_us)) {
            pool->threads[i].look.told_us = now_us - TELL_US;
        }
    }
    for (int i = 0; i < pool->count; i++) {
        sound = sample_thread(pool, i, now_us, stall_us) && sound;
    }
    if (now_us - pool->cache_told_us >= TELL_US) {
        struct pm_cache_stats stats;
        pm_cache_stats(pool->cache, &stats);
        pm_ledger_cache(pool->opts.ledger, "gt", &stats);
        pool->cache_told_us = now_us;
    }
    return sound;
}
