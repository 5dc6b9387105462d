#include "daemon/ledger_parts.h"

#include <unistd.h>

#include "common/log.h"
#include "common/schema.h"

static enum pm_code state_facts(struct pm_ledger *self, int64_t now_us, struct pm_err *err)
{
    struct pm_store *store = self->store;
    enum pm_code rc = pm_queue_fact_text(store, "program_version", PM_VERSION, err);
    if (rc == PM_OK) {
        rc = pm_queue_fact_text(store, "sqlite_version", pm_store_sqlite_version(), err);
    }
    if (rc == PM_OK) {
        rc = pm_queue_fact(store, "schema_version", pm_schema_newest(), err);
    }
    if (rc == PM_OK) {
        rc = pm_queue_fact(store, "owner_pid", getpid(), err);
    }
    if (rc == PM_OK) {
        rc = pm_queue_fact(store, "started_us", now_us, err);
    }
    return rc;
}

enum pm_code pm_ledger_begin_life(struct pm_ledger *self, struct pm_err *err)
{
    int64_t now_us = pm_wall_us(self->clock);
    int64_t left = 0;
    enum pm_code rc = pm_store_begin(self->store, err);
    if (rc == PM_OK) {
        rc = pm_queue_configure(self->store, self->conf, now_us, err);
    }
    if (rc == PM_OK) {
        rc = pm_queue_recover(
            self->store, self->owner, self->conf->max_attempts, now_us, &left, err);
    }
    if (rc == PM_OK) {
        rc = pm_queue_gauges_reset(self->store, err);
    }
    if (rc == PM_OK) {
        rc = state_facts(self, now_us, err);
    }
    if (rc == PM_OK) {
        rc = pm_queue_counts(self->store, &self->counts, err);
    }
    if (rc == PM_OK) {
        rc = pm_store_commit(self->store, err);
    }
    pm_store_rollback(self->store);
    if (rc == PM_OK) {
        pm_owner_forget_former(self->owner);
    }
    if (rc == PM_OK && left > 0) {
        pm_log(PM_LOG_WARN, "%lld pairs were left running by a process that died; put back",
            (long long)left);
    }
    self->busy_mark_us = pm_mono_us(self->clock);
    return rc;
}

enum pm_code pm_ledger_end_life(struct pm_ledger *self, struct pm_err *err)
{
    enum pm_code rc = pm_store_begin(self->store, err);
    if (rc == PM_OK) {
        rc = pm_queue_release(self->store, err);
    }
    if (rc == PM_OK) {
        rc = pm_ledger_store_gauges(self, err);
    }
    if (rc == PM_OK) {
        rc = pm_queue_gauges_end(self->store, err);
    }
    if (rc == PM_OK) {
        rc = pm_store_commit(self->store, err);
    }
    pm_store_rollback(self->store);
    return rc;
}
