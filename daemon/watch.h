/*
 * watch: an own inotify descriptor for one folder tree. (libuv's watcher never subscribes to
 * IN_CLOSE_WRITE and drops IN_Q_OVERFLOW.)
 * Owns: the descriptor, its uv_poll_t, the path behind every watch.
 * Threads: loop thread, except pm_watch_ask().
 * Memory: one path a watched directory; freed in the close callback.
 * Errors: PM_EIO when there is no descriptor to be had (EMFILE, ENOSYS): poll instead.
 */
#ifndef PM_DAEMON_WATCH_H
#define PM_DAEMON_WATCH_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "common/err.h"

struct pm_watch;

enum pm_watch_kind {
    PM_WATCH_FILE,     /* something happened to this file, its removal included */
    PM_WATCH_DIR_NEW,  /* a folder appeared; walk it, files may already be in it */
    PM_WATCH_DIR_AWAY, /* a folder was moved away with all that is in it; nothing below is told */
    PM_WATCH_LOST      /* events were lost (overflow) or the root went away: look at everything */
};

struct pm_watch_opts {
    uv_loop_t *loop;
    /* path is below the root, valid during the call; "" for PM_WATCH_LOST. */
    void (*event)(void *ctx, enum pm_watch_kind kind, const char *path);
    void *ctx;
};

enum pm_code pm_watch_open(
    struct pm_watch **out, const struct pm_watch_opts *opts, struct pm_err *err);
void pm_watch_close(struct pm_watch *watch); /* NULL is fine; no event comes afterwards */

/* Asks the kernel to watch an open directory. May block on the disk, so it is for a pool thread:
 * gives a number for pm_watch_keep(), or -errno; -ENOSYS without /proc, the only way to name to
 * inotify what is open. */
int pm_watch_ask(const struct pm_watch *watch, int dir_fd);
/* Remembers which directory a number of pm_watch_ask() stands for; rel is below the root. */
enum pm_code pm_watch_keep(struct pm_watch *watch, int number, const char *rel, struct pm_err *err);

size_t pm_watch_count(const struct pm_watch *watch);   /* directories watched */
long pm_watch_overflows(const struct pm_watch *watch); /* IN_Q_OVERFLOW records seen */

#endif
