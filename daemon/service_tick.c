/* What the service does a few times a second: counts, watching, telling, and whether all is done.
 */
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "common/log.h"
#include "daemon/notify.h"
#include "daemon/service_parts.h"

#define SHOW_US 240000 /* how often opts->tick is called, at most */
#define STATUS_US 2000000
#define WARN_US 60000000
#define HANG_US 30000000 /* a worker without progress hangs; with a watchdog: half its time */
/* `run` waits for a retry that is due within this; a later one is left to the next run. */
#define RETRY_WAIT_US 60000000
/* How long nothing may move before a paused queue counts as all there is to do. */
#define PAUSED_QUIET_US 2000000

void pm_service_status(void *ctx, char *json, size_t size)
{
    static const char *const names[] = {"working", "draining", "abandoning", "over"};
    struct pm_service *self = ctx;
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

void pm_service_take_counts(struct pm_service *self)
{
    struct pm_counts counts = {0};
    pm_ledger_counts(self->ledger, &counts);
    if (counts.done != self->counts.done || counts.running != self->counts.running ||
        counts.queued != self->counts.queued || counts.total != self->counts.total) {
        self->moved_us = pm_service_now(self);
    }
    self->counts = counts;
    pm_pace_note(&self->pace, pm_service_now(self), counts.done + counts.failed);
}

/* `run` ends when all files are known and no pair can be started any more: none is queued, or those
 * that are wait for a later retry, or the queue is paused. */
static bool nothing_left(const struct pm_service *self)
{
    const struct pm_counts *counts = &self->counts;
    bool later =
        counts->next_due_us == 0 || counts->next_due_us > pm_wall_us(self->clock) + RETRY_WAIT_US;
    bool still = pm_service_now(self) - self->moved_us >= PAUSED_QUIET_US;

    if (!pm_ingest_idle(self->ingest) || counts->running > 0) {
        return false;
    }
    return counts->queued == 0 || (counts->ready == 0 && later) || (counts->paused && still);
}

static void tell_systemd(struct pm_service *self, bool sound)
{
    int64_t now = pm_service_now(self);
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
    struct pm_service *self = work->data;
    self->sample_sound =
        pm_pool_sample(self->pool, self->watchdog_us > 0 ? self->watchdog_us / 2 : HANG_US);
}

static void on_sampled(uv_work_t *work, int status)
{
    struct pm_service *self = work->data;
    (void)status;
    self->sampling = false;
    self->workers_sound = self->sample_sound;
    self->sampled_us = pm_service_now(self);
}

/* The loop is alive when this runs at all. A look at the workers that does not come back is as bad
 * as a worker that hangs. */
static bool check_sound(struct pm_service *self)
{
    int64_t now = pm_service_now(self);
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
static void check_ledger(struct pm_service *self)
{
    struct pm_err why;
    if (self->state == PM_SERVICE_WORKING && pm_ledger_broken(self->ledger, &why)) {
        pm_service_drain(self);
        self->deadline_us = pm_service_now(self);
    }
}

void pm_service_tick(uv_timer_t *timer)
{
    struct pm_service *self = timer->data;
    check_ledger(self);
    pm_service_take_counts(self);
    tell_systemd(self, check_sound(self));
    if (self->opts->tick != NULL && pm_service_now(self) >= self->show_at_us) {
        self->show_at_us = pm_service_now(self) + SHOW_US;
        self->opts->tick(self->opts->tick_ctx, &self->counts, false);
    }
    if (self->opts->once && self->state == PM_SERVICE_WORKING && nothing_left(self)) {
        pm_service_drain(self);
    }
    pm_service_check_drained(self);
}
