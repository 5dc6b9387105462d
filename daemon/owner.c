#include "daemon/owner.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/folder.h"
#include "common/result.h"
#include "daemon/crashnote.h"

#define LINE PM_CRASHNOTE_LINE /* bytes; each line has its place in the file */

#define UNSAVED "ended in order, database not written"

struct pm_owner {
    int fd;
    bool unsaved;     /* the file is to stay as it is */
    bool was_unsaved; /* the former owner's */
    struct {
        int64_t job_id;         /* 0: none */
        int step;               /* enum pm_step; -1: none yet */
        char signal[12];        /* "SIGSEGV": the process died of it in this worker; "": not so */
    } former[PM_OWNER_WORKERS]; /* what the former owner's workers were doing */
};

/* Writes text as line number index, blanks behind it. What cannot be written is lost: it only helps
 * people to read the file. */
static void put_line(int fd, int index, const char *text)
{
    char line[LINE + 1];
    snprintf(line, sizeof line, "%-*.*s\n", LINE - 1, LINE - 1, text);
    ssize_t written = pwrite(fd, line, LINE, (off_t)index * LINE);
    (void)written;
}

static enum pm_code tell_owner(int fd, const char *db_path, struct pm_err *err)
{
    char line[LINE + 1] = "";
    long pid = 0;
    ssize_t got = pread(fd, line, LINE, 0);
    if (got > 0 && sscanf(line, "pid %ld", &pid) == 1) {
        return pm_err_set(
            err, PM_EOWNED, "database '%s' is in use by pairmill process %ld", db_path, pid);
    }
    return pm_err_set(err, PM_EOWNED, "database '%s' is in use by another pairmill", db_path);
}

static enum pm_step step_named(const char *name)
{
    int step = 0;
    while (step < PM_STEP_COUNT && strcmp(pm_step_name((enum pm_step)step), name) != 0) {
        step++;
    }
    return (enum pm_step)step;
}

static void read_traces(struct pm_owner *owner)
{
    char first[LINE + 1] = "";
    owner->was_unsaved =
        pread(owner->fd, first, LINE, 0) > 0 && strncmp(first, UNSAVED, strlen(UNSAVED)) == 0;
    for (int i = 0; i < PM_OWNER_WORKERS; i++) {
        char line[LINE + 1] = "";
        char step[16] = "";
        long long job = 0;
        int worker;
        if (pread(owner->fd, line, LINE, (off_t)(i + 1) * LINE) <= 0) {
            break;
        }
        if (sscanf(line, "worker %d job %lld step %15s died of %11s", &worker, &job, step,
                owner->former[i].signal) >= 2) {
            enum pm_step known = step_named(step);
            owner->former[i].job_id = job;
            owner->former[i].step = known < PM_STEP_COUNT ? (int)known : -1;
        }
    }
}

#define LOCK_TRIES 25
#define LOCK_PAUSE_NS                                                                              \
    20000000 /* 25 times 20 ms: an owner that was killed a moment ago is still dying               \
                and holds the lock; a living one is told of in half a second */

bool pm_owner_lock_soon(int fd)
{
    const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
    for (int i = 1; flock(fd, LOCK_EX | LOCK_NB) != 0; i++) {
        if (errno != EWOULDBLOCK || i == LOCK_TRIES) {
            return false;
        }
        nanosleep(&pause, NULL);
    }
    return true;
}

static enum pm_code take(struct pm_owner *owner, const char *db_path, struct pm_err *err)
{
    char path[PATH_MAX];
    char pid[LINE];
    int length = snprintf(path, sizeof path, "%s.lock", db_path);
    if (length < 0 || (size_t)length >= sizeof path) {
        return pm_err_set(err, PM_ENAME, "path too long: '%.100s...'", db_path);
    }
    owner->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (owner->fd < 0) {
        return pm_err_errno(err, errno, "open lock '%s'", path);
    }
    if (!pm_owner_lock_soon(owner->fd)) {
        return errno == EWOULDBLOCK ? tell_owner(owner->fd, db_path, err)
                                    : pm_err_errno(err, errno, "lock '%s'", path);
    }
    read_traces(owner);
    snprintf(pid, sizeof pid, "pid %ld", (long)getpid());
    put_line(owner->fd, 0, pid);
    pm_crashnote_open(owner->fd);
    return PM_OK;
}

enum pm_code pm_owner_open(struct pm_owner **out, const char *db_path, struct pm_err *err)
{
    enum pm_code rc = pm_folder_make_for(db_path, 02750, err);
    if (rc != PM_OK) {
        return rc;
    }
    struct pm_owner *owner = calloc(1, sizeof *owner);
    if (owner == NULL) {
        return pm_err_set(err, PM_ENOMEM, "lock of '%s': out of memory", db_path);
    }
    owner->fd = -1;
    rc = take(owner, db_path, err);
    if (rc != PM_OK) {
        if (owner->fd >= 0) {
            close(owner->fd);
        }
        free(owner);
        return rc;
    }
    *out = owner;
    return PM_OK;
}

/* The file stays: removing it would let two processes each lock a file of that name. */
void pm_owner_close(struct pm_owner *owner)
{
    if (owner == NULL) {
        return;
    }
    pm_crashnote_close();
    if (!owner->unsaved && ftruncate(owner->fd, 0) != 0) {
        put_line(owner->fd, 0, "");
    }
    close(owner->fd);
    free(owner);
}

void pm_owner_unsaved(struct pm_owner *owner)
{
    owner->unsaved = true;
    put_line(owner->fd, 0, UNSAVED);
}

bool pm_owner_was_unsaved(const struct pm_owner *owner)
{
    return owner->was_unsaved;
}

void pm_owner_forget_former(struct pm_owner *owner)
{
    memset(owner->former, 0, sizeof owner->former);
    if (ftruncate(owner->fd, LINE) != 0) {
        for (int i = 1; i <= PM_OWNER_WORKERS; i++) {
            put_line(owner->fd, i, "");
        }
    }
}

const char *pm_owner_last_signal(const struct pm_owner *owner, int64_t job_id)
{
    for (int i = 0; i < PM_OWNER_WORKERS; i++) {
        if (job_id != 0 && owner->former[i].job_id == job_id) {
            return owner->former[i].signal[0] != '\0' ? owner->former[i].signal : NULL;
        }
    }
    return NULL;
}

bool pm_owner_last_step(const struct pm_owner *owner, int64_t job_id, int *step)
{
    for (int i = 0; i < PM_OWNER_WORKERS; i++) {
        if (job_id != 0 && owner->former[i].job_id == job_id) {
            *step = owner->former[i].step;
            return true;
        }
    }
    return false;
}

void pm_owner_beat(struct pm_owner *owner, int worker, int64_t job_id, int step)
{
    char line[LINE];
    if (worker < 0 || worker >= PM_OWNER_WORKERS || pm_crashnote_written()) {
        return;
    }
    if (job_id == 0) {
        snprintf(line, sizeof line, "worker %d idle", worker);
    } else {
        snprintf(line, sizeof line, "worker %d job %lld step %s", worker, (long long)job_id,
            step >= 0 ? pm_step_name((enum pm_step)step) : "-");
    }
    put_line(owner->fd, worker + 1, line);
}
