/* A worker's thread: claims, runs and reports jobs until there are none. */
#include <stdio.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/crashnote.h"
#include "daemon/pool_parts.h"
#include "worker/gpu/gputest.h"

/* Cut off while it worked: the process is about to exit, and nothing here may be freed by a thread
 * that cannot know what else is still there. */
static _Noreturn void sleep_for_good(void)
{
    for (;;) {
        pause();
    }
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
static enum pm_code turn(struct pm_pool_thread *self, struct pm_result *result, struct pm_job *jobs,
    bool only_tell, int64_t wait_us, size_t *count, struct pm_err *err)
{
    struct pm_pool *pool = self->pool;
    enum pm_code rc;

    *count = 0;
    if (!pm_pool_ledger_begin(pool)) {
        sleep_for_good();
    }
    rc = pm_ledger_turn_within(pool->opts.ledger, self->index, result, result->job_id != 0, jobs,
        only_tell ? 0 : claim_size(pool), wait_us, count, err);
    pm_pool_ledger_end(pool);
    *result = (struct pm_result){0};
    return rc;
}

/* At once, not with the next sample: a pair that kills the process does so within milliseconds. */
static void at_step(void *ctx, enum pm_step step)
{
    struct pm_pool_thread *self = ctx;
    if (pm_pool_ledger_begin(self->pool)) {
        pm_ledger_beat(self->pool->opts.ledger, self->index, atomic_load(&self->job_id), (int)step);
        pm_pool_ledger_end(self->pool);
    }
}

static void run_job(struct pm_pool_thread *self, struct pm_worker *worker, const struct pm_job *job,
    struct pm_result *result)
{
    struct pm_pool *pool = self->pool;
    if (!atomic_load(&pool->stop)) {
        struct pm_conf *conf = pm_pool_conf(pool);
        if (pm_pool_ledger_begin(pool)) {
            /* When the pair kills the process, this is how the next one knows which it was. */
            pm_ledger_start(pool->opts.ledger, self->index, job->id);
            pm_pool_ledger_end(pool);
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
static void work(struct pm_pool_thread *self, struct pm_worker *worker)
{
    struct pm_job jobs[PM_POOL_CLAIM];
    struct pm_result result = {0};
    struct pm_err err = {.text = ""};

    for (;;) {
        size_t count;
        enum pm_code rc =
            turn(self, &result, jobs, false, pm_pool_gpu_look_after(self), &count, &err);
        if (rc == PM_ECANCELED) { /* nothing came, and the GPU is to be looked after */
            continue;
        }
        if (rc != PM_OK) {
            pm_log(PM_LOG_WARN, "worker=%d event=turn code=%s message=\"%s\"", self->index,
                pm_code_name(err.code), err.text);
            if (atomic_load(&self->pool->stop)) {
                return;
            }
            pm_pool_pause(self->pool);
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

static void end_thread(struct pm_pool_thread *self)
{
    struct pm_pool *pool = self->pool;
    if (!pm_pool_ledger_begin(pool)) {
        sleep_for_good();
    }
    atomic_store(&self->ended, true);
    atomic_fetch_sub(&pool->busy, 1);
    if (pool->opts.ended != NULL) {
        pool->opts.ended(pool->opts.ctx);
    }
    pm_pool_ledger_end(pool);
}

void *pm_pool_thread_main(void *arg)
{
    struct pm_pool_thread *self = arg;
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
    pm_pool_gpu_open(self);
    env.gpu = self->gpu;
    env.gpu_pool = self->gpu_pool;
    while (pm_worker_new(&worker, self->index, &env, &err) != PM_OK && !atomic_load(&pool->stop)) {
        pm_log(PM_LOG_ERR, "worker=%d event=start message=\"%s\"", self->index, err.text);
        pm_pool_pause(pool);
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
