/* The GPU of worker 0: opened, looked after and told of on that worker's thread. */
#include "common/log.h"
#include "daemon/pool_parts.h"
#include "worker/gpu/gputest.h"

static void tell_gpu(struct pm_pool_thread *self, bool lost)
{
    struct pm_pool *pool = self->pool;
    if (pool->opts.gpu != NULL && pm_pool_ledger_begin(pool)) {
        pool->opts.gpu(pool->opts.ctx, pm_gpu_state(self->gpu), lost);
        pm_pool_ledger_end(pool);
    }
}

/* Half of the buffers kept for the next pair are pinned ones from now on. */
static enum pm_code open_gpu_pool(struct pm_pool_thread *self, struct pm_err *err)
{
    struct pm_pool *pool = self->pool;
    size_t half = pool->keep_bytes / 2;
    enum pm_code rc = pm_gpu_pool(self->gpu, half, pool->buffers, &self->gpu_pool, err);
    if (rc == PM_OK) {
        pm_bufpool_set_keep(pool->buffers, pool->keep_bytes - half);
    }
    return rc;
}

void pm_pool_gpu_open(struct pm_pool_thread *self)
{
    struct pm_conf *conf = pm_pool_conf(self->pool);
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
static int64_t gpu_idle_left_us(struct pm_pool_thread *self)
{
    struct pm_conf *conf = pm_pool_conf(self->pool);
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

static void tell_news(struct pm_pool_thread *self)
{
    int64_t unfit = pm_gpu_counts(self->gpu).unfit;
    bool lost = pm_gpu_lost(self->gpu) && !self->gpu_lost;
    if (lost || unfit != self->gpu_unfit) {
        self->gpu_lost = self->gpu_lost || lost;
        self->gpu_unfit = unfit;
        tell_gpu(self, lost);
    }
}

int64_t pm_pool_gpu_look_after(struct pm_pool_thread *self)
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
