/*
 * pool: the worker threads, and what they share.
 * Owns: the threads, one pm_worker each (made and freed on its own thread), cache, budget, buffers.
 * Threads: every call from the loop thread, except pm_pool_sample(); ended() comes from a worker's.
 * Memory: what pixels take is admitted by the budget of memory_max.
 * Worker 0 has the GPU when the settings allow one and it works; it opens, uses and closes it on
 * its own thread, and gives its memory back after gpu_idle_s without a pair for it. Errors:
 * PM_ENOMEM, PM_EIO (no thread) at open; what goes wrong later is a job's result.
 *
 * The end: pm_ledger_stop_claims(), pm_pool_stop(), wait for pm_pool_busy() == 0 (ended() tells);
 * past the deadline pm_pool_abandon(); then pm_pool_close().
 */
#ifndef PM_DAEMON_POOL_H
#define PM_DAEMON_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/err.h"
#include "daemon/ledger.h"

struct pm_pool;

struct pm_pool_opts {
    struct pm_ledger *ledger;
    struct pm_conf *conf; /* checked: no automatic values left; a reference is taken */
    const struct pm_clock *clock;
    const char *wisdom_path;  /* copied; may be NULL */
    void (*ended)(void *ctx); /* a thread has ended; may be NULL */
    /* What became of the GPU, on its worker's thread: at the start, when pairs did not fit, and
     * when it is given up, which is `lost` when it had worked. May be NULL. */
    void (*gpu)(void *ctx, const char *state, bool lost);
    void *ctx;
};

enum pm_code pm_pool_open(
    struct pm_pool **out, const struct pm_pool_opts *opts, struct pm_err *err);
/* The next job of each worker uses conf. The number of threads and memory_max stay as they are. */
void pm_pool_reload(struct pm_pool *pool, struct pm_conf *conf);
/* Jobs claimed but not started go back to the queue; running ones go on. */
void pm_pool_stop(struct pm_pool *pool);
/* Running jobs are given up at their next step and go back to the queue. Implies stop. */
void pm_pool_abandon(struct pm_pool *pool);
/* Threads that have not ended. */
int pm_pool_busy(const struct pm_pool *pool);
/* Joins the threads and frees everything. When some have not ended (stuck in one step after an
 * abandon) they are cut off: they never touch the ledger again, what they hold stays allocated
 * until the process exits, and false is returned. The ledger may be closed afterwards. NULL is
 * fine. */
bool pm_pool_close(struct pm_pool *pool);

/* From any thread, one call at a time; may wait for the disk for a moment. Looks at every worker:
 * beats for those that make progress, cache counters for the views. False when a worker hangs: in
 * one step for stall_us without using any CPU time, though nothing it could be waiting for is going
 * on, or in one step for PM_POOL_STEP_MAX_US. For the watchdog; call a few times a second, never
 * after pm_pool_close(). stall_us 0: nothing counts as hanging. */
bool pm_pool_sample(struct pm_pool *pool, int64_t stall_us);

/* Nothing legitimate takes this long for one step of one pair. */
#define PM_POOL_STEP_MAX_US ((int64_t)6 * 3600 * 1000000)
/* Jobs of one gt claimed together, at most. */
#define PM_POOL_CLAIM 8

#endif
