/*
 * source: one input folder: its walks, its watch, what settles in it, its handover.
 * Owns: those four, and the stats of files whose quiet time has ended.
 * Threads: loop thread.
 * Memory: at most PM_SOURCE_UNSETTLED files wait at once (then the walk is held back); freed by
 * pm_source_free() once pm_source_stopped().
 * Errors: PM_ENOMEM at open. Folders that cannot be read are logged (once a minute at most),
 * nothing in them is declared gone, and the next walk tries again.
 *
 * A full walk tells everything that is there. When everything it saw has settled and was handed
 * over, the ledger is told that the walk is complete, which makes files it did not see `gone`.
 */
#ifndef PM_DAEMON_SOURCE_H
#define PM_DAEMON_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "common/clock.h"
#include "common/err.h"
#include "daemon/ledger.h"

#define PM_SOURCE_UNSETTLED 262144

struct pm_source;

struct pm_source_opts {
    uv_loop_t *loop;
    struct pm_ledger *ledger;
    const struct pm_clock *clock;
    const char *name, *input; /* copied */
    const char *const *skip;  /* absolute folders inside input that are not input; copied */
    size_t skip_count;
    bool watch; /* use inotify */
    bool once;  /* one full walk, no watching, no rescans */
    int64_t settle_us;
    int64_t rescan_us; /* between full walks when every folder is watched; 0: never */
    int64_t poll_us;   /* the same when not */
    /* Something is to be done soon: call pm_source_tick(). On the loop. */
    void (*stirred)(void *ctx);
    /* The ledger has answered; from its thread. */
    void (*wake)(void *ctx);
    void *ctx;
};

enum pm_code pm_source_open(
    struct pm_source **out, const struct pm_source_opts *opts, struct pm_err *err);
/* Starts what is due: walks, stats, the next batch. Gives the (monotonic) time of the next tick. */
int64_t pm_source_tick(struct pm_source *source);
/* Walk everything again as soon as possible. */
void pm_source_rescan(struct pm_source *source);

/* Whether opts could be had by retime, without opening a new source. */
bool pm_source_same(const struct pm_source *source, const struct pm_source_opts *opts);
void pm_source_retime(struct pm_source *source, const struct pm_source_opts *opts);

/* Cancels the walk, ends the watch, tells the ledger nothing more. */
void pm_source_stop(struct pm_source *source);
/* After stop: nothing of libuv is under way. (The ledger's answer may be: pm_source_unanswered.) */
bool pm_source_stopped(const struct pm_source *source);
bool pm_source_unanswered(const struct pm_source *source);
void pm_source_free(struct pm_source *source); /* NULL is fine */

/* Walked completely once, nothing settling, everything committed. */
bool pm_source_idle(const struct pm_source *source);

struct pm_source_stats {
    int64_t settling;
    int64_t ignored;   /* at the last full walk */
    int64_t overflows; /* since open */
    int64_t walks;     /* full walks ended */
    bool watching;     /* every folder of the last full walk is watched */
    bool unreadable;   /* the input could not be listed at the last try */
};
void pm_source_stats(const struct pm_source *source, struct pm_source_stats *stats);
const char *pm_source_name(const struct pm_source *source);

#endif
