/*
 * signals: SIGTERM, SIGINT and SIGHUP as calls on the loop; SIGHUP ends the process at no time,
 * since whoever asks for a reload cannot know whether we are still starting or already ending.
 * Owns: three handles of the loop between open and close; what the process does with SIGHUP,
 * SIGPIPE and SIGXFSZ. Threads: the loop's. No other thread may take a signal: start each between deaf and
 * hear. Memory: none. Errors: PM_ENOMEM, PM_EIO.
 */
#ifndef PM_DAEMON_SIGNALS_H
#define PM_DAEMON_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

#include <uv.h>

#include "common/err.h"

struct pm_signals { /* zeroed is closed; stays until the loop has run after close */
    uv_signal_t handle[3];
    void (*stop)(void *ctx, int number); /* SIGTERM or SIGINT */
    void (*hangup)(void *ctx);
    void *ctx;
    bool opened;
};

/* First of all: ignores SIGHUP until open(), SIGPIPE and SIGXFSZ for good, and starts libuv's pool, whose
 * threads would take signals. */
enum pm_code pm_signals_prepare(uv_loop_t *loop, struct pm_err *err);
/* Calls stop and hangup from now on. Also after an error close() is to be called. */
enum pm_code pm_signals_open(struct pm_signals *signals, uv_loop_t *loop,
    void (*stop)(void *ctx, int number), void (*hangup)(void *ctx), void *ctx, struct pm_err *err);
/* SIGHUP is ignored again, the other two have their default. */
void pm_signals_close(struct pm_signals *signals);

/* A thread started between the two takes no signals. */
void pm_signals_deaf(sigset_t *before);
void pm_signals_hear(const sigset_t *before);

#endif
