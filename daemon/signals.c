#include "daemon/signals.h"

#include <pthread.h>

static void no_work(uv_work_t *work)
{
    (void)work;
}

enum pm_code pm_signals_prepare(uv_loop_t *loop, struct pm_err *err)
{
    uv_work_t first; /* libuv starts its pool with the first piece of work */
    sigset_t before;
    int rc;

    signal(SIGPIPE, SIG_IGN); /* a reader that left is an error of write(), not our end */
    signal(SIGHUP, SIG_IGN);  /* the settings have just been read */
    signal(SIGXFSZ, SIG_IGN); /* a file beyond `ulimit -f` is an error of write() too */
    pm_signals_deaf(&before);
    rc = uv_queue_work(loop, &first, no_work, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    pm_signals_hear(&before);
    return rc == 0
               ? PM_OK
               : pm_err_set(err, PM_ENOMEM, "cannot start libuv's threads: %s", uv_strerror(rc));
}

static void on_stop(uv_signal_t *handle, int number)
{
    struct pm_signals *signals = handle->data;
    signals->stop(signals->ctx, number);
}

static void on_hangup(uv_signal_t *handle, int number)
{
    struct pm_signals *signals = handle->data;
    (void)number;
    signals->hangup(signals->ctx);
}

enum pm_code pm_signals_open(struct pm_signals *signals, uv_loop_t *loop,
    void (*stop)(void *ctx, int number), void (*hangup)(void *ctx), void *ctx, struct pm_err *err)
{
    static const struct {
        int number;
        uv_signal_cb cb;
    } wanted[3] = {{SIGTERM, on_stop}, {SIGINT, on_stop}, {SIGHUP, on_hangup}};
    int rc = 0;

    *signals = (struct pm_signals){.stop = stop, .hangup = hangup, .ctx = ctx, .opened = true};
    for (int i = 0; i < 3; i++) {
        uv_signal_init(loop, &signals->handle[i]);
        signals->handle[i].data = signals;
    }
    for (int i = 0; i < 3 && rc == 0; i++) {
        rc = uv_signal_start(&signals->handle[i], wanted[i].cb, wanted[i].number);
    }
    return rc == 0 ? PM_OK
                   : pm_err_set(err, PM_EIO, "cannot listen for signals: %s", uv_strerror(rc));
}

void pm_signals_close(struct pm_signals *signals)
{
    sigset_t before;

    if (!signals->opened) {
        return;
    }
    signals->opened = false;
    pm_signals_deaf(&before); /* closing gives SIGHUP its default back, which is death */
    for (int i = 0; i < 3; i++) {
        uv_close((uv_handle_t *)&signals->handle[i], NULL);
    }
    signal(SIGHUP, SIG_IGN);
    pm_signals_hear(&before);
}

void pm_signals_deaf(sigset_t *before)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, before);
}

void pm_signals_hear(const sigset_t *before)
{
    pthread_sigmask(SIG_SETMASK, before, NULL);
}
