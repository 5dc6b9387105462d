/*
 * check: looks at files whose quiet time has ended, with stats on threads of libuv's pool.
 * Owns: its stats under way, at most PM_CHECK_AT_ONCE.
 * Threads: loop thread.
 * Memory: freed by pm_check_free() when nothing is under way.
 * Errors: PM_ENOMEM at new; a file that cannot be looked at goes to lost().
 */
#ifndef PM_DAEMON_CHECK_H
#define PM_DAEMON_CHECK_H

#include <stdbool.h>

#include <uv.h>

#include "common/clock.h"
#include "common/err.h"
#include "common/result.h"
#include "daemon/settle.h"

#define PM_CHECK_AT_ONCE 32 /* more would only queue in libuv's pool */

struct pm_check;

struct pm_check_opts {
    uv_loop_t *loop;
    const struct pm_clock *clock;
    struct pm_settle *settle; /* outlives the check */
    const char *root;         /* absolute; outlives the check */
    bool (*full)(void *ctx);  /* true: no more files now, please */
    void (*settled)(void *ctx, const char *path, const struct pm_stamp *stamp);
    void (*gone)(void *ctx, const char *path); /* no regular file (any more) */
    void (*lost)(void *ctx, const struct pm_err *err);
    void *ctx;
};

enum pm_code pm_check_new(
    struct pm_check **out, const struct pm_check_opts *opts, struct pm_err *err);
void pm_check_free(struct pm_check *check); /* NULL is fine */
/* Starts the stats that are due; their answers start the next ones. */
void pm_check_some(struct pm_check *check);
int pm_check_busy(const struct pm_check *check); /* stats under way */
/* Answers that still come are dropped. */
void pm_check_stop(struct pm_check *check);

#endif
