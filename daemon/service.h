/*
 * service: builds the parts, runs the loop, tears the parts down; pairmilld and `pairmill run` are
 * two ways of calling it.
 * Owns: the uv loop, ledger, ingest, pool, control socket, notify, signals and timers.
 * Threads: pm_service_run() makes the calling thread the loop thread until it returns.
 * Memory: everything it makes is gone when it returns.
 * Errors: PM_EOWNED, PM_EDB, PM_ECONF, PM_EIO at start; afterwards only a dead ledger ends it
 * early.
 */
#ifndef PM_DAEMON_SERVICE_H
#define PM_DAEMON_SERVICE_H

#include <stdbool.h>

#include "common/conf.h"
#include "common/err.h"
#include "daemon/ledger.h"

struct pm_service_opts {
    bool once;               /* end when everything that is there has been done */
    bool overwrite;          /* redo what is done (once only) */
    const char *config_path; /* read again on SIGHUP; NULL: SIGHUP is ignored */
    /* Called on the loop thread about four times a second and once at the end; may be NULL. */
    void (*tick)(void *ctx, const struct pm_counts *counts, bool last);
    void *tick_ctx;
};

struct pm_service_end {
    struct pm_counts found; /* as they were at the start; set before the first tick */
    struct pm_counts counts;
    bool interrupted; /* a signal ended it before it was done */
};

enum pm_code pm_service_run(struct pm_conf *conf, const struct pm_service_opts *opts,
    struct pm_service_end *end, struct pm_err *err);

#endif
