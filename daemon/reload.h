/*
 * reload: reads the config file again on a thread of libuv's pool, since that waits for the disk.
 * Owns: the reading under way.
 * Threads: loop thread; the file is read and checked elsewhere.
 * Memory: the new settings are handed over with one reference.
 * Errors: a file that cannot be used is told to done(), nothing else changes.
 */
#ifndef PM_DAEMON_RELOAD_H
#define PM_DAEMON_RELOAD_H

#include <stdbool.h>

#include <uv.h>

#include "common/conf.h"
#include "common/err.h"

struct pm_outputs;

struct pm_reload { /* the caller's, must stay while busy */
    uv_work_t work;
    struct pm_outputs *outputs; /* set before the first start; the rest zeroed */
    const char *path;
    const char *db; /* the database in use: it cannot be changed */
    struct pm_conf *conf;
    struct pm_err err;
    void (*done)(void *ctx, struct pm_conf *conf, const struct pm_err *err);
    void *ctx;
    bool busy, again;
};

/* Calls done(ctx, conf, NULL) with settings that are checked and complete, or done(ctx, NULL, err).
 * path and db must stay. Asked while one is under way: it is done once more afterwards. */
void pm_reload_start(struct pm_reload *reload, uv_loop_t *loop, const char *path, const char *db,
    void (*done)(void *ctx, struct pm_conf *conf, const struct pm_err *err), void *ctx);

#endif
