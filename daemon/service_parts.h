/*
 * service_parts: what service.c, service_end.c and service_tick.c share; nobody else includes it.
 * Threads: the loop's, but for what the fields say.
 */
#ifndef PM_DAEMON_SERVICE_PARTS_H
#define PM_DAEMON_SERVICE_PARTS_H

#include <stdatomic.h>

#include <uv.h>

#include "common/clock.h"
#include "daemon/control.h"
#include "daemon/ingest.h"
#include "daemon/outputs.h"
#include "daemon/pace.h"
#include "daemon/pool.h"
#include "daemon/reload.h"
#include "daemon/service.h"
#include "daemon/signals.h"
#include "daemon/space.h"

/*
 * WORKING ── signal, or everything done (once) ──> DRAINING ── all workers ended ──> OVER
 *                                                   │  drain_timeout or second signal
 *                                                   └──> ABANDONED ── ended, or GRACE_US ──> OVER
 */
enum pm_service_state {
    PM_SERVICE_WORKING,
    PM_SERVICE_DRAINING,
    PM_SERVICE_ABANDONED,
    PM_SERVICE_OVER
};

struct pm_service {
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
    enum pm_service_state state;
    bool interrupted;
    int64_t deadline_us; /* PM_SERVICE_DRAINING, PM_SERVICE_ABANDONED */
    int64_t moved_us;    /* counts last changed */
    int64_t watchdog_us, watchdog_at_us, status_at_us, unsound_at_us, show_at_us, sampled_us,
        extend_at_us;
    struct pm_counts found, counts; /* at the start, and now */
    struct pm_pace pace;
};

static inline int64_t pm_service_now(const struct pm_service *self)
{
    return pm_mono_us(self->clock);
}

/* No more claims; what runs may finish until the deadline. */
void pm_service_drain(struct pm_service *self);
/* Goes on to the next state when all workers have ended or the deadline is over. */
void pm_service_check_drained(struct pm_service *self);
/* SIGTERM or SIGINT: the first drains, the second abandons. */
void pm_service_stop_signal(void *ctx, int number);
void pm_service_worker_ended(uv_async_t *async);

/* A few times a second. */
void pm_service_tick(uv_timer_t *timer);
void pm_service_take_counts(struct pm_service *self);
/* What the control socket answers to "status": a JSON object. */
void pm_service_status(void *ctx, char *json, size_t size);

#endif
