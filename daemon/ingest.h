/*
 * ingest: notices the files of every source and tells the ledger once they have settled.
 * Owns: one pm_source (walk, watch, settle, handover) for each source, the timer that drives them.
 * Threads: loop thread.
 * Memory: grows with the files that have not settled, not with those that have.
 * Errors: none after open: what cannot be read is logged and tried again with the next walk.
 *
 * Closing: pm_ingest_stop(), then end the ledger (its last answers may still come), then
 * pm_ingest_close(), then run the loop until every handle's close callback has run.
 */
#ifndef PM_DAEMON_INGEST_H
#define PM_DAEMON_INGEST_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/err.h"
#include "daemon/ledger.h"

struct pm_ingest;

struct pm_ingest_opts {
    uv_loop_t *loop;
    struct pm_ledger *ledger;
    struct pm_conf *conf; /* a reference is taken */
    const struct pm_clock *clock;
    bool once; /* one walk of each source; no watching, no rescans */
};

enum pm_code pm_ingest_open(
    struct pm_ingest **out, const struct pm_ingest_opts *opts, struct pm_err *err);
/* New settings; sources are matched by name, input and what lies inside. The ledger comes first. */
void pm_ingest_reload(struct pm_ingest *ingest, struct pm_conf *conf);
/* A full walk of every source as soon as possible. */
void pm_ingest_rescan(struct pm_ingest *ingest);
/* Ends walks and watching; nothing new is told to the ledger. */
void pm_ingest_stop(struct pm_ingest *ingest);
/* Closes every handle; the memory goes with the last close callback. NULL is fine. */
void pm_ingest_close(struct pm_ingest *ingest);

/* Every source has been walked completely, nothing is settling, the ledger has committed it all. */
bool pm_ingest_idle(const struct pm_ingest *ingest);

struct pm_ingest_stats {
    int64_t settling, ignored; /* all sources */
    int64_t overflows;         /* since start */
    int64_t loop_lag_max_us;   /* longest the loop was blocked since start */
    int64_t walks;             /* full walks ended since start */
    int sources, watched;
    int unreadable; /* sources whose input could not be listed at the last try */
};
void pm_ingest_stats(const struct pm_ingest *ingest, struct pm_ingest_stats *stats);

#endif
