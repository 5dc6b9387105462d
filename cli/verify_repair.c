#include "cli/verify_repair.h"

#include "common/clock.h"
#include "daemon/control.h"
#include "daemon/ledger.h"

/* Whoever takes the request. */
struct door {
    struct pm_conf *conf;
    struct pm_ledger *ledger; /* NULL: the owner's socket, as long as somebody listens there */
};

static enum pm_code ask(struct door *door, int64_t job_id, int64_t *released, struct pm_err *err)
{
    const struct pm_retry_filter filter = {.id = job_id, .done = true};
    enum pm_code rc = PM_ENOENT;

    if (door->ledger == NULL) {
        rc = pm_control_retry(door->conf->db, &filter, released, err);
        if (rc != PM_ENOENT) {
            return rc;
        }
        rc = pm_ledger_open(&door->ledger, door->conf, pm_clock_real(), err);
    }
    return door->ledger == NULL ? rc : pm_ledger_retry_wait(door->ledger, &filter, released, err);
}

static const char *reason_to_keep(const struct pm_verify_entry *entry)
{
    if (entry->guests) {
        return "files of others lie in its folder and would go with it; move them out first";
    }
    if (!entry->active) {
        return "its source is not in the configuration any more";
    }
    return NULL;
}

enum pm_code pm_verify_repair(struct pm_verify_list *list, struct pm_conf *conf, int64_t *requeued,
    struct pm_findings *kept, struct pm_err *err)
{
    struct door door = {.conf = conf};
    enum pm_code rc = PM_OK;

    *requeued = 0;
    for (size_t i = 0; rc == PM_OK && i < list->count; i++) {
        const struct pm_verify_entry *entry = &list->entries[i];
        const char *why = reason_to_keep(entry);
        int64_t released = 0;
        if (!entry->broken) {
            continue;
        }
        if (why == NULL) {
            rc = ask(&door, entry->job_id, &released, err);
            *requeued += released;
            why = rc == PM_OK && released == 0 ? "an input of it is gone, or it is queued already"
                                               : NULL;
        }
        if (why != NULL) {
            rc = pm_findings_add(kept, PM_FINDING_MISSING, entry->job_id,
                entry->folder != NULL ? entry->folder : "", why, err);
        }
    }
    pm_ledger_close(door.ledger);
    return rc;
}
