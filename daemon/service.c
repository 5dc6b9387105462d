#include "daemon/service.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "daemon/notify.h"
#include "daemon/service_parts.h"

#define TICK_MS 250
#define TICK_ONCE_MS 50    /* `run`: a person waits for the end */
#define EXTEND_US 10000000 /* how often a long start asks systemd for more time */

/* --- from elsewhere --- */

/* On its worker's thread. A GPU that was lost may come back with a new process only. */
static void gpu_told(void *ctx, const char *state, bool lost)
{
    struct pm_service *self = ctx;
    pm_ledger_gpu(self->ledger, state);
    if (lost && self->gpu_restarts) {
        atomic_store(&self->gpu_lost, true);
        uv_async_send(&self->worker_ended);
    }
}

/* On a worker's thread. */
static void worker_ended(void *ctx)
{
    struct pm_service *self = ctx;
    uv_async_send(&self->worker_ended);
}

static void on_reloaded(void *ctx, struct pm_conf *conf, const struct pm_err *err)
{
    struct pm_service *self = ctx;
    if (conf == NULL) {
        pm_log(PM_LOG_ERR, "event=reload message=\"settings kept as they were: %s\"", err->text);
    } else if (self->state == PM_SERVICE_WORKING) {
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
    if (self->state == PM_SERVICE_WORKING) {
        pm_notify_ready();
    }
}

static void on_hangup(void *ctx)
{
    struct pm_service *self = ctx;
    if (self->opts->config_path == NULL || self->state != PM_SERVICE_WORKING) {
        return;
    }
    pm_notify_reloading();
    pm_reload_start(
        &self->reload, &self->loop, self->opts->config_path, self->conf->db, on_reloaded, self);
}

static void on_rescan(void *ctx)
{
    struct pm_service *self = ctx;
    if (self->state == PM_SERVICE_WORKING) {
        pm_ingest_rescan(self->ingest);
    }
}

/* --- building --- */

/* Not too often: an old database being changed makes progress many times a second. */
static void on_starting(void *ctx)
{
    struct pm_service *self = ctx;
    int64_t now = pm_service_now(self);
    if (now >= self->extend_at_us) {
        self->extend_at_us = now + EXTEND_US;
        pm_notify_extend();
    }
}

static enum pm_code open_ledger(struct pm_service *self, struct pm_err *err)
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

static enum pm_code open_outputs(struct pm_service *self, struct pm_err *err)
{
    enum pm_code rc = pm_outputs_new(&self->outputs, err);
    self->reload.outputs = self->outputs;
    return rc == PM_OK ? pm_outputs_take(self->outputs, self->conf, on_starting, self, err) : rc;
}

static enum pm_code open_handles(struct pm_service *self, struct pm_err *err)
{
    int rc = uv_async_init(&self->loop, &self->worker_ended, pm_service_worker_ended);

    if (rc != 0) {
        return pm_err_set(err, PM_EIO, "cannot start the loop: %s", uv_strerror(rc));
    }
    self->handles = true;
    self->worker_ended.data = self;
    uv_timer_init(&self->loop, &self->timer);
    self->timer.data = self;
    return pm_signals_open(
        &self->signals, &self->loop, pm_service_stop_signal, on_hangup, self, err);
}

static enum pm_code open_pool(struct pm_service *self, struct pm_err *err)
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
    struct pm_service *self = ctx;
    self->control_open = false;
}

/* A file system without sockets costs the remote control, not the service. */
static void open_control(struct pm_service *self)
{
    struct pm_control_opts opts = {.loop = &self->loop,
        .ledger = self->ledger,
        .db = self->conf->db,
        .rescan = on_rescan,
        .status = pm_service_status,
        .closed = on_control_closed,
        .ctx = self};
    struct pm_err err;
    self->control_open = pm_control_open(&self->control, &opts, &err) == PM_OK;
    if (!self->control_open) {
        pm_log(PM_LOG_WARN, "event=no_control message=\"%s\"", err.text);
    }
}

/* Everything in the order it needs each other; close_all() undoes as much as was done. */
static enum pm_code open_all(struct pm_service *self, struct pm_err *err)
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
static bool close_all(struct pm_service *self)
{
    bool ended;

    self->state = PM_SERVICE_OVER; /* a signal that still comes finds nothing to do */
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
static void last_counts(struct pm_service *self, struct pm_service_end *end)
{
    pm_service_take_counts(self);
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
    struct pm_service *self = calloc(1, sizeof *self);
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
        self->sampled_us = pm_service_now(self);
        uv_timer_start(&self->timer, pm_service_tick, 0, opts->once ? TICK_ONCE_MS : TICK_MS);
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
