#include "daemon/queue.h"

#define SECOND_US ((int64_t)1000000)
#define FIRST_DELAY_US (5 * SECOND_US) /* then 20 s, 80 s ... */
#define LAST_DELAY_US (3600 * SECOND_US)
#define DISK_DELAY_US (10 * SECOND_US) /* a full disk does not empty itself at once */

static int64_t backoff_us(int attempts, double jitter)
{
    int64_t delay = FIRST_DELAY_US;
    for (int i = 1; i < attempts && delay < LAST_DELAY_US; i++) {
        delay *= 4;
    }
    if (delay > LAST_DELAY_US) {
        delay = LAST_DELAY_US;
    }
    return delay + (int64_t)((double)delay * (jitter - 0.5) * 0.2);
}

struct pm_verdict pm_queue_fate(enum pm_code code, int attempts, int max_attempts, double jitter)
{
    bool spent = attempts >= max_attempts;
    switch (pm_code_fate(code)) {
    case PM_FATE_NONE:
        return (struct pm_verdict){.state = "done"};
    case PM_FATE_RETRY:
        /* The next start comes right after the crash: no need to wait any longer. */
        if (spent) {
            return (struct pm_verdict){.state = "quarantined"};
        }
        return (struct pm_verdict){
            .state = "queued", .delay_us = code == PM_ECRASH ? 0 : backoff_us(attempts, jitter)};
    case PM_FATE_CHANGED:
        /* The next sighting of the new state queues it afresh before this, as a rule. Should there
         * be none, because the stamp is the same after all, it is tried again, ever more rarely. */
        return (struct pm_verdict){.state = "queued", .delay_us = backoff_us(attempts, jitter)};
    case PM_FATE_REQUEUE:
        return (struct pm_verdict){.state = "queued",
            .attempt_back = true,
            .delay_us = code == PM_ENOSPC ? DISK_DELAY_US : 0};
    case PM_FATE_MISSING:
        /* A file that is there at every walk and never for the worker must not go on for ever. */
        return (struct pm_verdict){.state = spent ? "failed" : "missing"};
    case PM_FATE_FAIL:
    case PM_FATE_HOLD:
        break;
    }
    return (struct pm_verdict){.state = "failed"};
}
