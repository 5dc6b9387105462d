#include "daemon/service.h"

#include <assert.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "common/clock.h"
#include "common/log.h"
#include "daemon/control.h"
#include "daemon/ingest.h"
#include "daemon/notify.h"
#include "daemon/outputs.h"
#include "daemon/pace.h"
#include "daemon/pool.h"
#include "daemon/reload.h"
#include "daemon/signals.h"
#include "daemon/space.h"

#define TICK_MS 250
#define TICK_ONCE_MS 50 /* `run`: a person waits for the end */
#define SHOW_US 240000  /* how often opts->tick is called, at most */
#define STATUS_US 2000000
#define WARN_US 60000000
#define EXTEND_US 10000000 /* how often a long start asks systemd for more time */
#define HANG_US 30000000   /* a worker without progress hangs; with a watchdog: half its time */
/* After an abandon: a step may still take a moment to notice. Then its thread is cut off. */
#define GRACE_US 3000000
/* And then the ledger has this to write down what it can, should somebody hold the database. */
#define LAST_US 2000000
/* `run` waits for a retry that is due within this; a later one is left to the next run. */
#define RETRY_WAIT_US 60000000
/* How long nothing may move before a paused queue counts as all there is to do. */
#define PAUSED_QUIET_US 2000000

/*
 * WORKING ── signal, or everything done (once) ──> DRAINING ── all workers ended ──> OVER
 *                                                   │  drain_timeout or second signal
 *                                                   └──> ABANDONED ── ended, or GRACE_US ──> OVER
 */
enum state { WORKING, DRAINING, ABANDONED, OVER };

struct service {
    const struct pm_service_opts *opts;
    const struct pm_clock *clock;
    struct pm_conf *conf;
    uv_loop_t loop;
    struct pm_ledger *ledger;
    struct pm_ingest *ingest;
    struct pm_pool *pool;
    struct pm_control *control;
    struct pm_space *space;
    struct pm_outputs *outputs;
    struct pm_reload reload;
    struct pm_signals signals;
    uv_timer_t timer;
    uv_async_t worker_ended;
    bool gpu_restarts;    /* a lost GPU ends the service; fixed at the start */
    atomic_bool gpu_lost; /* it was */
    uv_work_t sample; /* looks at the workers on a pool thread: a trace of it goes to the disk */
    bool sampling;    /* sample is under way */
    bool sample_sound, workers_sound;
    bool handles; /* timer and worker_ended are open */
    bool control_open;
    enum state state;
    bool interrupted;
    int64_t deadline_us; /* DRAINING, ABANDONED */
    int64_t moved_us;    /* counts last changed */
    int64_t watchdog_us, watchdog_at_us, status_at_us, unsound_at_us, show_at_us, sampled_us,
        extend_at_us;
    struct pm_counts found, counts; /* at the start, and now */
    struct pm_pace pace;
};

static int64_t now_us(const struct service *self)
{
    return pm_mono_us(self->clock);
}

/* --- the end --- */

static void over(struct service *self)
{
    self->state = OVER;
    uv_stop(&self->loop);
}

static void check_drained(struct service *self)
{
    if (self->state == WORKING || self->state == OVER) {
        return;
    }
    bool late = now_us(self) >= self->deadline_us;
    if (pm_pool_busy(self->pool) == 0 || (late && self->state == ABANDONED)) {
        over(self);
    } else if (late) {
        pm_log(PM_LOG_WARN, "event=abandon workers=%d message=\"drain_timeout is over\"",
            pm_pool_busy(self->pool));
        self->state = ABANDONED;
        self->deadline_us = now_us(self) + GRACE_US;
        pm_pool_abandon(self->pool);
    }
}

/* No more claims; what runs may finish until the deadline. */
static void drain(struct service *self)
{
    if (self->state != WORKING) {
        return;
    }
    self->state = DRAINING;
    self->deadline_us = now_us(self) + (int64_t)self->conf->drain_timeout_s * 1000000;
    pm_ledger_end_by(self->ledger, self->deadline_us + GRACE_US + LAST_US);
    pm_ledger_stop_claims(self->ledger);
    pm_pool_stop(self->pool);
    pm_ingest_stop(self->ingest);
    pm_notify_stopping();
    check_drained(self);
}

static void on_worker_ended(uv_async_t *async)
{
    struct service *self = async->data;
    if (atomic_load(&self->gpu_lost)) {
        drain(self);
    }
    check_drained(self);
}

/* On its worker's thread. A GPU that was lost may come back with a new process only. */
static void gpu_told(void *ctx, const char *state, bool lost)
{
    struct service *self = ctx;
    pm_ledger_gpu(self->ledger, state);
    if (lost && self->gpu_restarts) {
        atomic_store(&self->gpu_lost, true);
        uv_async_send(&self->worker_ended);
    }
}

/* On a worker's thread. */
static void worker_ended(void *ctx)
{
    struct service *self = ctx;
    uv_async_send(&self->worker_ended);
}

/* --- signals --- */

static void on_stop_signal(void *ctx, int number)
{
    struct service *self = ctx;
    pm_log(PM_LOG_INFO, "event=signal name=%s state=%s", number == SIGINT ? "SIGINT" : "SIGTERM",
        self->state == WORKING ? "drain" : "abandon");
    self->interrupted = true;
    if (self->state == WORKING) {
        drain(self);
    } else if (self->state == DRAINING) {
        self->deadline_us = now_us(self);
        pm_ledger_end_by(self->ledger, self->deadline_us + GRACE_US + LAST_US);
        check_drained(self);
    }
}

static void on_reloaded(void *ctx, struct pm_conf *conf, const struct pm_err *err)
{
    struct service *self = ctx;
    if (conf == NULL) {
        pm_log(PM_LOG_ERR, "event=reload message=\"settings kept as they were: %s\"", err->text);
    } else if (self->state == WORKING) {
        pm_ledger_reload(self->ledger, conf);
        pm_ingest_reload(self->ingest, conf);
        pm_pool_reload(self->pool, conf);
        pm_space_reload(self->space, conf);
        pm_conf_unref(self->conf);
        self->conf = pm_conf_ref(conf);
        pm_log_set_level((enum pm_log_level)conf->log_level);
        pm_log(PM_LOG_INFO, "event=reload sources=%d", conf->source_count);
    }
    pm_conf_unref(conf);
    if (self->state == WORKING) {
        pm_notify_ready();
    }
}

static void on_hangup(void *ctx)
{
    struct service *self = ctx;
    if (self->opts->config_path == NULL || self->state != WORKING) {
        return;
    }
    pm_notify_reloading();
    pm_reload_start(
        &self->reload, &self->loop, self->opts->config_path, self->conf->db, on_reloaded, self);
}

/* --- steering --- */

static void on_rescan(void *ctx)
{
    struct service *self = ctx;
    if (self->state == WORKING) {
        pm_ingest_rescan(self->ingest);
    }
}

static void on_status(void *ctx, char *json, size_t size)
{
    static const char *const names[] = {"working", "draining", "abandoning", "over"};
    struct service *self = ctx;
    struct pm_ingest_stats in;
    struct pm_counts c;

    pm_ingest_stats(self->ingest, &in);
    pm_ledger_counts(self->ledger, &c);
    snprintf(json, size,
        "{\"pid\":%ld,\"version\":\"" PM_VERSION "\",\"state\":\"%s\",\"paused\":%s,"
        "\"space_low\":%s,\"waiting\":%" PRId64 ",\"settling\":%" PRId64 ",\"queued\":%" PRId64
        ",\"running\":%" PRId64 ",\"done\":%" PRId64 ",\"failed\":%" PRId64
        ",\"quarantined\":%" PRId64 ",\"missing\":%" PRId64 ",\"total\":%" PRId64
        ",\"ready\":%" PRId64 ",\"next_due_us\":%" PRId64 ",\"pairs_per_min\":%.2f,"
        "\"sources\":%d,\"watched\":%d,\"unreadable\":%d,\"ignored\":%" PRId64
        ",\"overflows\":%" PRId64 ",\"walks\":%" PRId64 ",\"loop_lag_max_us\":%" PRId64 "}",
        (long)getpid(), names[self->state], c.paused ? "true" : "false",
        pm_space_low(self->space) ? "true" : "false", c.waiting, in.settling, c.queued, c.running,
        c.done, c.failed, c.quarantined, c.missing, c.total, c.ready, c.next_due_us,
        pm_pace_per_min(&self->pace), in.sources, in.watched, in.unreadable, in.ignored,
        in.overflows, in.walks, in.loop_lag_max_us);
}

/* --- a few times a second --- */

static void take_counts(struct service *self)
{
    struct pm_counts counts = {0};
    pm_ledger_counts(self->ledger, &counts);
    if (counts.done != self->counts.done || counts.running != self->counts.running ||
        counts.queued != self->counts.queued || counts.total != self->counts.total) {
        self->moved_us = now_us(self);
    }
    self->counts = counts;
    pm_pace_note(&self->pace, now_us(self), counts.done + counts.failed);
}

/* `run` ends when all files are known and no pair can be started any more: none is queued, or those
 * that are wait for a later retry, or the queue is paused. */
static bool nothing_left(const struct service *self)
{
    const struct pm_counts *counts = &self->counts;
    bool later =
        counts->next_due_us == 0 || counts->next_due_us > pm_wall_us(self->clock) + RETRY_WAIT_US;
    bool still = now_us(self) - self->moved_us >= PAUSED_QUIET_US;

    if (!pm_ingest_idle(self->ingest) || counts->running > 0) {
        return false;
    }
    return counts->queued == 0 || (counts->ready == 0 && later) || (counts->paused && still);
}

static void tell_systemd(struct service *self, bool sound)
{
    int64_t now = now_us(self);
    if (self->watchdog_us > 0 && sound && now >= self->watchdog_at_us) {
        self->watchdog_at_us = now + self->watchdog_us / 3;
        pm_notify_watchdog();
    }
    if (now >= self->status_at_us) {
        self->status_at_us = now + STATUS_US;
        pm_notify_status("%" PRId64 " queued, %" PRId64 " running, %" PRId64 " done, %" PRId64
                         " failed; %.1f pairs/min%s",
            self->counts.queued, self->counts.running, self->counts.done, self->counts.failed,
            pm_pace_per_min(&self->pace), self->counts.paused ? "; paused" : "");
    }
}

static void on_sample(uv_work_t *work)
{
    struct service *self = work->data;
    self->sample_sound =
        pm_pool_sample(self->pool, self->watchdog_us > 0 ? self->watchdog_us / 2 : HANG_US);
}

static void on_sampled(uv_work_t *work, int status)
{
    struct service *self = work->data;
    (void)status;
    self->sampling = false;
    self->workers_sound = self->sample_sound;
    self->sampled_us = now_us(self);
}

/* The loop is alive when this runs at all. A look at the workers that does not come back is as bad
 * as a worker that hangs. */
static bool check_sound(struct service *self)
{
    int64_t now = now_us(self);
    bool workers = self->workers_sound &&
                   (self->watchdog_us == 0 || now - self->sampled_us < self->watchdog_us / 2);
    bool ledger = pm_ledger_alive(self->ledger);

    if (!self->sampling) {
        self->sample.data = self;
        self->sampling = uv_queue_work(&self->loop, &self->sample, on_sample, on_sampled) == 0;
    }
    if (!(workers && ledger) && now >= self->unsound_at_us) {
        self->unsound_at_us = now + WARN_US;
        pm_log(PM_LOG_ERR, "event=hangs message=\"%s makes no progress\"",
            workers ? "the ledger" : "a worker");
    }
    return workers && ledger;
}

/* Nothing that still runs could be written down. */
static void check_ledger(struct service *self)
{
    struct pm_err why;
    if (self->state == WORKING && pm_ledger_broken(self->ledger, &why)) {
        drain(self);
        self->deadline_us = now_us(self);
    }
}

static void on_tick(uv_timer_t *timer)
{
    struct service *self = timer->data;
    check_ledger(self);
    take_counts(self);
    tell_systemd(self, check_sound(self));
    if (self->opts->tick != NULL && now_us(self) >= self->show_at_us) {
        self->show_at_us = now_us(self) + SHOW_US;
        self->opts->tick(self->opts->tick_ctx, &self->counts, false);
    }
    if (self->opts->once && self->state == WORKING && nothing_left(self)) {
        drain(self);
    }
    check_drained(self);
}

/* --- building --- */

/* Not too often: an old database being changed makes progress many times a second. */
static void on_starting(void *ctx)
{
    struct service *self = ctx;
    int64_t now = now_us(self);
    if (now >= self->extend_at_us) {
        self->extend_at_us = now + EXTEND_US;
        pm_notify_extend();
    }
}

static enum pm_code open_ledger(struct service *self, struct pm_err *err)
{
    sigset_t before;
    enum pm_code rc;
    pm_signals_deaf(&before);
    rc = pm_ledger_open_telling(&self->ledger, self->conf, self->clock, on_starting, self, err);
    pm_signals_hear(&before);
    if (rc == PM_OK && self->opts->overwrite) {
        rc = pm_ledger_redo_all_wait(self->ledger, err);
    }
    if (rc == PM_OK) {
        pm_ledger_counts(self->ledger, &self->found);
    }
    return rc;
}

static enum pm_code open_outputs(struct service *self, struct pm_err *err)
{
    enum pm_code rc = pm_outputs_new(&self->outputs, err);
    self->reload.outputs = self->outputs;
    return rc == PM_OK ? pm_outputs_take(self->outputs, self->conf, on_starting, self, err) : rc;
}

static enum pm_code open_handles(struct service *self, struct pm_err *err)
{
    int rc = uv_async_init(&self->loop, &self->worker_ended, on_worker_ended);

    if (rc != 0) {
        return pm_err_set(err, PM_EIO, "cannot start the loop: %s", uv_strerror(rc));
    }
    self->handles = true;
    self->worker_ended.data = self;
    uv_timer_init(&self->loop, &self->timer);
    self->timer.data = self;
    return pm_signals_open(&self->signals, &self->loop, on_stop_signal, on_hangup, self, err);
}

static enum pm_code open_pool(struct service *self, struct pm_err *err)
{
    size_t size = strlen(self->conf->db) + sizeof ".fftw";
    char *wisdom = malloc(size);
    struct pm_pool_opts opts = {.ledger = self->ledger,
        .conf = self->conf,
        .clock = self->clock,
        .wisdom_path = wisdom,
        .ended = worker_ended,
        .gpu = gpu_told,
        .ctx = self};
    enum pm_code rc;

    if (wisdom == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for the workers");
    }
    snprintf(wisdom, size, "%s.fftw", self->conf->db);
    rc = pm_pool_open(&self->pool, &opts, err);
    free(wisdom);
    return rc;
}

static void on_control_closed(void *ctx)
{
    struct service *self = ctx;
    self->control_open = false;
}

/* A file system without sockets costs the remote control, not the service. */
static void open_control(struct service *self)
{
    struct pm_control_opts opts = {.loop = &self->loop,
        .ledger = self->ledger,
        .db = self->conf->db,
        .rescan = on_rescan,
        .status = on_status,
        .closed = on_control_closed,
        .ctx = self};
    struct pm_err err;
    self->control_open = pm_control_open(&self->control, &opts, &err) == PM_OK;
    if (!self->control_open) {
        pm_log(PM_LOG_WARN, "event=no_control message=\"%s\"", err.text);
    }
}

/* Everything in the order it needs each other; close_all() undoes as much as was done. */
static enum pm_code open_all(struct service *self, struct pm_err *err)
{
    struct pm_ingest_opts ingest = {
        .loop = &self->loop, .conf = self->conf, .clock = self->clock, .once = self->opts->once};
    enum pm_code rc = pm_signals_prepare(&self->loop, err);
    if (rc == PM_OK) {
        rc = open_ledger(self, err);
    }
    if (rc == PM_OK) {
        rc = open_outputs(self, err);
    }
    if (rc == PM_OK) {
        rc = open_handles(self, err);
    }
    if (rc == PM_OK) {
        rc = pm_space_open(&self->space, &self->loop, self->ledger, self->conf, err);
    }
    if (rc == PM_OK) {
        ingest.ledger = self->ledger;
        rc = pm_ingest_open(&self->ingest, &ingest, err);
    }
    if (rc == PM_OK) {
        rc = open_pool(self, err);
    }
    if (rc == PM_OK) {
        open_control(self);
    }
    return rc;
}

/* Workers first, while the ledger still takes results; then requests that wait for the ledger; then
 * the ledger, whose last answers go to handles that are still open; then those. */
static bool close_all(struct service *self)
{
    bool ended;

    self->state = OVER; /* a signal that still comes finds nothing to do */
    if (self->ledger != NULL) {
        pm_ledger_stop_claims(self->ledger);
    }
    if (self->ingest != NULL) {
        pm_ingest_stop(self->ingest);
    }
    if (self->handles) {
        uv_timer_stop(&self->timer);
    }
    while (self->sampling) {
        uv_run(&self->loop, UV_RUN_ONCE);
    }
    ended = pm_pool_close(self->pool);
    pm_control_close(self->control);
    pm_space_close(self->space);
    while (self->control_open) {
        uv_run(&self->loop, UV_RUN_ONCE);
    }
    pm_ledger_close(self->ledger);
    pm_ingest_close(self->ingest);
    if (self->handles) {
        uv_close((uv_handle_t *)&self->timer, NULL);
        uv_close((uv_handle_t *)&self->worker_ended, NULL);
    }
    pm_signals_close(&self->signals);
    uv_run(&self->loop, UV_RUN_DEFAULT);
    pm_outputs_free(self->outputs); /* after the last reload */
    return ended;
}

/* Counts as they are once the ledger has put back what was cut off. */
static void last_counts(struct service *self, struct pm_service_end *end)
{
    take_counts(self);
    self->counts.queued += self->counts.running;
    self->counts.running = 0;
    end->counts = self->counts;
    end->interrupted = self->interrupted;
    if (self->opts->tick != NULL) {
        self->opts->tick(self->opts->tick_ctx, &self->counts, true);
    }
    pm_log(PM_LOG_INFO,
        "event=stop done=%" PRId64 " failed=%" PRId64 " queued=%" PRId64 " interrupted=%d",
        self->counts.done, self->counts.failed, self->counts.queued, self->interrupted);
}

enum pm_code pm_service_run(struct pm_conf *conf, const struct pm_service_opts *opts,
    struct pm_service_end *end, struct pm_err *err)
{
    struct service *self = calloc(1, sizeof *self);
    enum pm_code rc;
    int status;

    *end = (struct pm_service_end){0};
    status = self == NULL ? UV_ENOMEM : uv_loop_init(&self->loop);
    if (status != 0) {
        free(self);
        return pm_err_set(err, PM_ENOMEM, "cannot make a loop: %s", uv_strerror(status));
    }
    self->opts = opts;
    self->clock = pm_clock_real();
    self->conf = pm_conf_ref(conf);
    self->gpu_restarts = !opts->once && conf->gpu_on_loss == PM_ON_GPU_LOSS_RESTART;
    self->watchdog_us = pm_notify_watchdog_us();
    rc = open_all(self, err);
    if (rc == PM_OK) {
        pm_log(PM_LOG_INFO, "event=start version=" PM_VERSION " workers=%d sources=%d db=\"%s\"",
            conf->workers, conf->source_count, conf->db);
        pm_notify_ready();
        end->found = self->found;
        self->workers_sound = true;
        self->sampled_us = now_us(self);
        uv_timer_start(&self->timer, on_tick, 0, opts->once ? TICK_ONCE_MS : TICK_MS);
        uv_run(&self->loop, UV_RUN_DEFAULT);
        last_counts(self, end);
        if (pm_ledger_broken(self->ledger, err)) {
            rc = err->code;
        } else if (atomic_load(&self->gpu_lost)) {
            rc = pm_err_set(err, PM_EIO,
                "the GPU was lost: stopped in order, to be started afresh (gpu_on_loss = restart)");
        }
    }
    if (close_all(self)) {
        status = uv_loop_close(&self->loop);
        assert(status == 0); /* every handle was closed */
        pm_conf_unref(self->conf);
        free(self);
    } /* else a thread cut off may still look at it; the process is about to end */
    return rc;
}
