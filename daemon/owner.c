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
    bool former_died; /* it did not end in order */
    int deaths;       /* pm_owner_deaths() */
    struct {
        int64_t job_id;         /* 0: none */
        int step;               /* enum pm_step; -1: none yet */
        char signal[12];        /* "SIGSEGV": the process died of it in this worker; "": not so */
        int kills;              /* pm_owner_kills() */
    } former[PM_OWNER_WORKERS]; /* what the former owner's workers were doing */
    /* Jobs the last owner that was killed was at, until one comes through. */
    struct {
        int64_t job_id;
        _Atomic int kills; /* 0: it came through, or there is none */
    } suspects[PM_OWNER_WORKERS];
    int64_t at_work[PM_OWNER_WORKERS]; /* each worker's job; its own beats only; 0: none */
};

/* Behind the workers' lines, one for each suspect. */
#define KILLS_AT (PM_OWNER_WORKERS + 1)
#define KILLS "killed job %lld times %d"
#define DIED_OF "died of"
#define PID "pid %ld killed before %d"

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

static void read_suspects(struct pm_owner *owner)
{
    for (int i = 0; i < PM_OWNER_WORKERS; i++) {
        char line[LINE + 1] = "";
        long long job = 0;
        int times = 0;
        if (pread(owner->fd, line, LINE, (off_t)(KILLS_AT + i) * LINE) <= 0) {
            break;
        }
        if (sscanf(line, KILLS, &job, &times) == 2) {
            owner->suspects[i].job_id = job;
            owner->suspects[i].kills = times;
        }
    }
}

static int suspect_of(const struct pm_owner *owner, int64_t job_id)
{
    int i = 0;
    while (i < PM_OWNER_WORKERS &&
           (owner->suspects[i].kills == 0 || owner->suspects[i].job_id != job_id)) {
        i++;
    }
    return i;
}

/* An owner that said why it died was not killed, nor was one that ended in order. */
static void count_kills(struct pm_owner *owner, const char *first)
{
    bool why_known = owner->was_unsaved || strstr(first, DIED_OF) != NULL;
    read_suspects(owner);
    for (int i = 0; i < PM_OWNER_WORKERS; i++) {
        why_known |= owner->former[i].signal[0] != '\0';
    }
    owner->deaths = owner->former_died && !why_known ? owner->deaths + 1 : 0;
    for (int i = 0; i < PM_OWNER_WORKERS && !why_known; i++) {
        int64_t job_id = owner->former[i].job_id;
        int suspect = job_id != 0 ? suspect_of(owner, job_id) : PM_OWNER_WORKERS;
        int before = suspect < PM_OWNER_WORKERS ? owner->suspects[suspect].kills : 0;
        owner->former[i].kills = job_id != 0 ? before + 1 : 0;
    }
}

static void read_workers(struct pm_owner *owner)
{
    for (int i = 0; i < PM_OWNER_WORKERS; i++) {
        char line[LINE + 1] = "";
        char step[16] = "";
        long long job = 0;
        int worker;
        if (pread(owner->fd, line, LINE, (off_t)(i + 1) * LINE) <= 0) {
            break;
        }
        if (sscanf(line, "worker %d job %lld step %15s " DIED_OF " %11s", &worker, &job, step,
                owner->former[i].signal) >= 2) {
            enum pm_step known = step_named(step);
            owner->former[i].job_id = job;
            owner->former[i].step = known < PM_STEP_COUNT ? (int)known : -1;
        }
    }
}

static void read_traces(struct pm_owner *owner)
{
    char first[LINE + 1] = "";
    long pid;
    owner->was_unsaved =
        pread(owner->fd, first, LINE, 0) > 0 && strncmp(first, UNSAVED, strlen(UNSAVED)) == 0;
    owner->former_died = sscanf(first, PID, &pid, &owner->deaths) > 0;
    read_workers(owner);
    count_kills(owner, first);
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
    snprintf(pid, sizeof pid, PID, (long)getpid(), owner->deaths);
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

static void write_suspects(struct pm_owner *owner)
{
    for (int i = 0; i < PM_OWNER_WORKERS; i++) {
        if (owner->suspects[i].kills > 0) {
            char text[LINE];
            snprintf(text, sizeof text, KILLS, (long long)owner->suspects[i].job_id,
                owner->suspects[i].kills);
            put_line(owner->fd, KILLS_AT + i, text);
        }
    }
}

/* Keeps the first `lines` lines. */
static void cut(struct pm_owner *owner, int lines)
{
    if (ftruncate(owner->fd, (off_t)lines * LINE) != 0) {
        for (int i = lines; i < KILLS_AT + PM_OWNER_WORKERS; i++) {
            put_line(owner->fd, i, "");
        }
    }
}

/* The file stays: removing it would let two processes each lock a file of that name. */
void pm_owner_close(struct pm_owner *owner)
{
    if (owner == NULL) {
        return;
    }
    pm_crashnote_close();
    if (!owner->unsaved) {
        cut(owner, 0);
        write_suspects(owner); /* an end in order says nothing of a pair it did not come to */
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

/* A death at which a suspect was not at work clears it; an end in order does not. */
static void renew_suspects(struct pm_owner *owner)
{
    for (int i = 0; i < PM_OWNER_WORKERS && owner->former_died; i++) {
        owner->suspects[i].job_id = owner->former[i].job_id;
        owner->suspects[i].kills = owner->former[i].kills;
    }
}

void pm_owner_forget_former(struct pm_owner *owner)
{
    renew_suspects(owner);
    cut(owner, 1);
    write_suspects(owner);
    memset(owner->former, 0, sizeof owner->former);
}

int pm_owner_deaths(const struct pm_owner *owner)
{
    return owner->deaths;
}

int pm_owner_kills(const struct pm_owner *owner, int64_t job_id)
{
    for (int i = 0; i < PM_OWNER_WORKERS; i++) {
        if (job_id != 0 && owner->former[i].job_id == job_id) {
            return owner->former[i].kills;
        }
    }
    return 0;
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

/* The job has been at work here and the process lives. */
static void clear_suspect(struct pm_owner *owner, int64_t job_id)
{
    int i = suspect_of(owner, job_id);
    if (i < PM_OWNER_WORKERS) {
        owner->suspects[i].kills = 0;
        put_line(owner->fd, KILLS_AT + i, "");
    }
}

void pm_owner_beat(struct pm_owner *owner, int worker, int64_t job_id, int step)
{
    char line[LINE];
    if (worker < 0 || worker >= PM_OWNER_WORKERS || pm_crashnote_written()) {
        return;
    }
    if (owner->at_work[worker] != 0 && owner->at_work[worker] != job_id) {
        clear_suspect(owner, owner->at_work[worker]);
    }
    owner->at_work[worker] = job_id;
    if (job_id == 0) {
        snprintf(line, sizeof line, "worker %d idle", worker);
    } else {
        snprintf(line, sizeof line, "worker %d job %lld step %s", worker, (long long)job_id,
            step >= 0 ? pm_step_name((enum pm_step)step) : "-");
    }
    put_line(owner->fd, worker + 1, line);
}
