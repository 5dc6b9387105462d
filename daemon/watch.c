#include "daemon/watch.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* What may change a file's place or bytes. Reading (also ours) tells nothing. */
#define MASK                                                                                       \
    (IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_MODIFY |            \
        IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

#define READ_BYTES 65536
#define READS_AT_ONCE 4 /* then the loop gets its turn; poll calls again while there is more */

/* One watched directory. The kernel's numbers only ever grow, so the list stays sorted by
 * appending; path is NULL once the watch has ended, until the list is compacted. */
struct dir {
    int number;
    char *path; /* below the root; "" is the root */
};

struct pm_watch {
    struct pm_watch_opts opts;
    uv_poll_t poll;
    int fd;
    struct dir *dirs;
    size_t count, size, ended; /* used, allocated, with path NULL */
    long overflows;
    bool closing;
};

/* --- the list of directories --- */

static struct dir *find(struct pm_watch *watch, int number)
{
    size_t low = 0;
    size_t high = watch->count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (watch->dirs[mid].number < number) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low < watch->count && watch->dirs[low].number == number ? &watch->dirs[low] : NULL;
}

static void compact(struct pm_watch *watch)
{
    size_t kept = 0;
    for (size_t i = 0; i < watch->count; i++) {
        if (watch->dirs[i].path != NULL) {
            watch->dirs[kept++] = watch->dirs[i];
        }
    }
    watch->count = kept;
    watch->ended = 0;
}

static void end_dir(struct pm_watch *watch, struct dir *dir)
{
    if (dir->path != NULL) {
        free(dir->path);
        dir->path = NULL;
        watch->ended++;
    }
}

static bool reserve(struct pm_watch *watch)
{
    struct dir *bigger;
    size_t size = watch->size == 0 ? 16 : watch->size * 2;
    if (watch->ended > watch->count / 2) {
        compact(watch);
    }
    if (watch->count < watch->size) {
        return true;
    }
    bigger = realloc(watch->dirs, size * sizeof *bigger);
    if (bigger == NULL) {
        return false;
    }
    watch->dirs = bigger;
    watch->size = size;
    return true;
}

/* Ends the watches of a directory and of all below it: their paths are no longer true. */
static void drop_below(struct pm_watch *watch, const char *path)
{
    size_t n = strlen(path);
    for (size_t i = 0; i < watch->count; i++) {
        struct dir *dir = &watch->dirs[i];
        if (dir->path != NULL && strncmp(dir->path, path, n) == 0 &&
            (n == 0 || dir->path[n] == '\0' || dir->path[n] == '/')) {
            inotify_rm_watch(watch->fd, dir->number);
            end_dir(watch, dir);
        }
    }
}

/* By descriptor, not by path: a path may lead to another folder by now. */
int pm_watch_ask(const struct pm_watch *watch, int dir_fd)
{
    char path[64];
    int number;
    snprintf(path, sizeof path, "/proc/self/fd/%d", dir_fd);
    number = inotify_add_watch(watch->fd, path, MASK);
    if (number >= 0) {
        return number;
    }
    return errno == ENOENT ? -ENOSYS : -errno; /* what is open does not go away */
}

enum pm_code pm_watch_keep(struct pm_watch *watch, int number, const char *rel, struct pm_err *err)
{
    struct dir *dir = find(watch, number);
    char *path = strdup(rel);
    size_t at;

    if (path == NULL || (dir == NULL && !reserve(watch))) {
        free(path);
        return pm_err_set(err, PM_ENOMEM, "no memory to watch \"%s\"", rel);
    }
    if (dir != NULL) { /* watched already, perhaps under another name */
        end_dir(watch, dir);
        watch->ended--;
        dir->path = path;
        return PM_OK;
    }
    for (at = watch->count; at > 0 && watch->dirs[at - 1].number > number; at--) {
        watch->dirs[at] = watch->dirs[at - 1]; /* answers may overtake each other by a few */
    }
    watch->dirs[at] = (struct dir){number, path};
    watch->count++;
    return PM_OK;
}

size_t pm_watch_count(const struct pm_watch *watch)
{
    return watch->count - watch->ended;
}

long pm_watch_overflows(const struct pm_watch *watch)
{
    return watch->overflows;
}

/* --- events --- */

static void tell(struct pm_watch *watch, enum pm_watch_kind kind, const char *path)
{
    if (!watch->closing) {
        watch->opts.event(watch->opts.ctx, kind, path);
    }
}

/* Something in a watched directory. */
static void on_entry(struct pm_watch *watch, const char *path, uint32_t mask)
{
    if ((mask & IN_ISDIR) == 0) {
        tell(watch, PM_WATCH_FILE, path);
    } else if (mask & (IN_CREATE | IN_MOVED_TO)) {
        tell(watch, PM_WATCH_DIR_NEW, path);
    } else if (mask & IN_MOVED_FROM) {
        drop_below(watch, path);
        tell(watch, PM_WATCH_DIR_AWAY, path);
    }
    /* A deleted folder was empty: its files have been told one by one. */
}

static void on_event(struct pm_watch *watch, const struct inotify_event *event)
{
    struct dir *dir = find(watch, event->wd);
    char path[PATH_MAX + NAME_MAX + 2];

    if (event->mask & IN_Q_OVERFLOW) {
        watch->overflows++;
        tell(watch, PM_WATCH_LOST, "");
        return;
    }
    if (dir == NULL || dir->path == NULL) {
        return; /* a watch that has ended */
    }
    if (event->len > 0) {
        int n = snprintf(
            path, sizeof path, "%s%s%s", dir->path, dir->path[0] == '\0' ? "" : "/", event->name);
        if (n > 0 && (size_t)n < sizeof path) {
            on_entry(watch, path, event->mask);
        }
    } else if (dir->path[0] == '\0' &&
               (event->mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT | IN_IGNORED))) {
        drop_below(watch, "");
        tell(watch, PM_WATCH_LOST, "");
    } else if (event->mask & (IN_IGNORED | IN_UNMOUNT)) {
        end_dir(watch, dir);
    }
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct pm_watch *watch = poll->data;
    _Alignas(struct inotify_event) char buffer[READ_BYTES];
    (void)status;
    (void)events;

    for (int i = 0; i < READS_AT_ONCE && !watch->closing; i++) {
        ssize_t n = read(watch->fd, buffer, sizeof buffer);
        for (ssize_t at = 0; at < n && !watch->closing;) {
            const struct inotify_event *event = (const struct inotify_event *)(buffer + at);
            on_event(watch, event);
            at += (ssize_t)(sizeof *event + event->len);
        }
        if (n < (ssize_t)sizeof buffer / 2) {
            return; /* the queue is empty, or nearly */
        }
    }
}

/* --- the module --- */

enum pm_code pm_watch_open(
    struct pm_watch **out, const struct pm_watch_opts *opts, struct pm_err *err)
{
    struct pm_watch *watch = calloc(1, sizeof *watch);
    int rc;

    *out = NULL;
    if (watch == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to watch a folder");
    }
    watch->opts = *opts;
    watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (watch->fd < 0) {
        pm_err_errno(err, errno, "inotify_init1 (see fs.inotify.max_user_instances, ulimit -n)");
        free(watch);
        return PM_EIO;
    }
    rc = uv_poll_init(opts->loop, &watch->poll, watch->fd);
    if (rc != 0) {
        close(watch->fd);
        free(watch);
        return pm_err_set(err, PM_EIO, "cannot poll inotify: %s", uv_strerror(rc));
    }
    watch->poll.data = watch;
    uv_poll_start(&watch->poll, UV_READABLE, on_readable);
    *out = watch;
    return PM_OK;
}

static void on_closed(uv_handle_t *handle)
{
    struct pm_watch *watch = handle->data;
    close(watch->fd);
    for (size_t i = 0; i < watch->count; i++) {
        free(watch->dirs[i].path);
    }
    free(watch->dirs);
    free(watch);
}

void pm_watch_close(struct pm_watch *watch)
{
    if (watch != NULL && !watch->closing) {
        watch->closing = true;
        uv_close((uv_handle_t *)&watch->poll, on_closed);
    }
}
