/* How the service ends: see the drawing in service_parts.h. */
#include <signal.h>

#include "common/log.h"
#include "daemon/notify.h"
#include "daemon/service_parts.h"

/* After an abandon: a step may still take a moment to notice. Then its thread is cut off. */
#define GRACE_US 3000000
/* And then the ledger has this to write down what it can, should somebody hold the database. */
#define LAST_US 2000000

static void over(struct pm_service *self)
{
    self->state = PM_SERVICE_OVER;
    uv_stop(&self->loop);
}

void pm_service_check_drained(struct pm_service *self)
{
    if (self->state == PM_SERVICE_WORKING || self->state == PM_SERVICE_OVER) {
        return;
    }
    bool late = pm_service_now(self) >= self->deadline_us;
    if (pm_pool_busy(self->pool) == 0 || (late && self->state == PM_SERVICE_ABANDONED)) {
        over(self);
    } else if (late) {
        pm_log(PM_LOG_WARN, "event=abandon workers=%d message=\"drain_timeout is over\"",
            pm_pool_busy(self->pool));
        self->state = PM_SERVICE_ABANDONED;
        self->deadline_us = pm_service_now(self) + GRACE_US;
        pm_pool_abandon(self->pool);
    }
}

void pm_service_drain(struct pm_service *self)
{
    if (self->state != PM_SERVICE_WORKING) {
        return;
    }
    self->state = PM_SERVICE_DRAINING;
    self->deadline_us = pm_service_now(self) + (int64_t)self->conf->drain_timeout_s * 1000000;
    pm_ledger_end_by(self->ledger, self->deadline_us + GRACE_US + LAST_US);
    pm_ledger_stop_claims(self->ledger);
    pm_pool_stop(self->pool);
    pm_ingest_stop(self->ingest);
    pm_notify_stopping();
    pm_service_check_drained(self);
}

void pm_service_worker_ended(uv_async_t *async)
{
    struct pm_service *self = async->data;
    if (atomic_load(&self->gpu_lost)) {
        pm_service_drain(self);
    }
    pm_service_check_drained(self);
}

void pm_service_stop_signal(void *ctx, int number)
{
    struct pm_service *self = ctx;
    pm_log(PM_LOG_INFO, "event=signal name=%s state=%s", number == SIGINT ? "SIGINT" : "SIGTERM",
        self->state == PM_SERVICE_WORKING ? "drain" : "abandon");
    self->interrupted = true;
    if (self->state == PM_SERVICE_WORKING) {
        pm_service_drain(self);
    } else if (self->state == PM_SERVICE_DRAINING) {
        self->deadline_us = pm_service_now(self);
        pm_ledger_end_by(self->ledger, self->deadline_us + GRACE_US + LAST_US);
        pm_service_check_drained(self);
    }
}
