/* Watching over the workers: beats for those that make progress, and which hang. */
#include <time.h>

#include "common/log.h"
#include "daemon/pool_parts.h"

#define TELL_US 1000000 /* how often a worker that stays where it is says so */

static int64_t cpu_us(const struct pm_pool_thread *thread)
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
static bool look_at(struct pm_pool_thread *thread, int64_t now_us)
{
    struct pm_pool_look *look = &thread->look;
    struct pm_pool_look seen = {.job_id = atomic_load(&thread->job_id),
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

static bool stalled(const struct pm_pool_thread *thread, int64_t now_us, int64_t stall_us)
{
    return thread->look.job_id != 0 && now_us - thread->look.moved_us >= stall_us;
}

/* A worker may rightly wait for what another holds: memory of the budget, a gt being decoded. Then
 * that other one is still in a job it began before the waiting did. */
static bool hangs(const struct pm_pool *pool, int index, int64_t now_us, int64_t stall_us)
{
    const struct pm_pool_look *look = &pool->threads[index].look;
    if (look->job_id != 0 && now_us - look->step_since_us >= PM_POOL_STEP_MAX_US) {
        return true;
    }
    if (!stalled(&pool->threads[index], now_us, stall_us)) {
        return false;
    }
    for (int i = 0; i < pool->count; i++) {
        const struct pm_pool_look *other = &pool->threads[i].look;
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
    struct pm_pool_look *look = &pool->threads[index].look;
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
    struct pm_pool_thread *thread = &pool->threads[index];
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
