#include "worker/dirs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Our own trees are two deep; more is somebody else's doing and not worth a stack overflow. */
#define DEPTH_MAX 32
#define OPEN_FOLDER (O_RDONLY | O_DIRECTORY | O_CLOEXEC)

enum pm_code pm_dirs_sync(int fd, const char *label, struct pm_err *err)
{
    /* EINVAL: a file system that cannot sync a folder has nothing to lose there. */
    if (fsync(fd) != 0 && errno != EINVAL) {
        return pm_err_errno(err, errno, "%s: cannot sync the folder", label);
    }
    return PM_OK;
}

static enum pm_code sync_path(const char *path, struct pm_err *err)
{
    int fd = open(path, OPEN_FOLDER);
    if (fd < 0) {
        return pm_err_errno(err, errno, "%s: cannot open the folder", path);
    }
    enum pm_code rc = pm_dirs_sync(fd, path, err);
    close(fd);
    return rc;
}

/* Makes path[0, end), which has existing parents, and syncs the folder it lies in. */
static enum pm_code make_one(char *path, size_t end, struct pm_err *err)
{
    char kept = path[end];
    enum pm_code rc = PM_OK;

    path[end] = '\0';
    if (mkdir(path, 0777) == 0) {
        char *slash = strrchr(path, '/');
        if (slash == NULL) {
            rc = sync_path(".", err);
        } else if (slash == path) {
            rc = sync_path("/", err);
        } else {
            *slash = '\0';
            rc = sync_path(path, err);
            *slash = '/';
        }
    } else if (errno != EEXIST) {
        rc = pm_err_errno(err, errno, "%s: cannot make the folder", path);
    }
    path[end] = kept;
    return rc;
}

static enum pm_code make_all(const char *path, struct pm_err *err)
{
    char *copy = strdup(path);
    enum pm_code rc = PM_OK;
    if (copy == NULL) {
        return pm_err_set(err, PM_ENOMEM, "%s: no memory", path);
    }
    for (size_t i = 1; copy[i - 1] != '\0' && rc == PM_OK; i++) {
        if ((copy[i] == '/' || copy[i] == '\0') && copy[i - 1] != '/') {
            rc = make_one(copy, i, err);
        }
    }
    free(copy);
    return rc;
}

enum pm_code pm_dirs_open(const char *path, int *fd, struct pm_err *err)
{
    int opened = open(path, OPEN_FOLDER);
    if (opened < 0 && errno == ENOENT) {
        enum pm_code rc = make_all(path, err);
        if (rc != PM_OK) {
            return rc;
        }
        opened = open(path, OPEN_FOLDER);
    }
    if (opened < 0 && errno == ENOTDIR) {
        return pm_err_set(err, PM_EEXIST, "%s is in the way: it is not a folder; move it", path);
    }
    if (opened < 0) {
        return pm_err_errno(err, errno, "%s: cannot open the output folder", path);
    }
    *fd = opened;
    return PM_OK;
}

enum pm_code pm_dirs_enter(int at, const char *name, const char *label, int *fd, struct pm_err *err)
{
    int opened;
    enum pm_code rc;

    if (mkdirat(at, name, 0777) != 0 && errno != EEXIST) {
        return pm_err_errno(err, errno, "%s: cannot make the folder", label);
    }
    opened = openat(at, name, OPEN_FOLDER | O_NOFOLLOW);
    if (opened < 0 && (errno == ENOTDIR || errno == ELOOP)) {
        return pm_err_set(
            err, PM_EEXIST, "%s is in the way: it is a link or no folder; move it", label);
    }
    if (opened < 0) {
        return pm_err_errno(err, errno, "%s: cannot open the folder", label);
    }
    /* Also when it was there: who made it a moment ago may not have synced yet. */
    rc = pm_dirs_sync(at, label, err);
    if (rc != PM_OK) {
        close(opened);
        return rc;
    }
    *fd = opened;
    return PM_OK;
}

static int remove_at(int at, const char *name, int depth);

/* Everything in the folder dir stands for. */
static int empty(DIR *dir, int depth)
{
    struct dirent *entry;
    int failed = 0;
    while ((entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            int sys = remove_at(dirfd(dir), entry->d_name, depth + 1);
            failed = failed != 0 ? failed : sys;
        }
    }
    return failed;
}

/* 0 or the errno of the first thing that could not be removed. */
static int remove_at(int at, const char *name, int depth)
{
    int sys = 0;
    if (unlinkat(at, name, 0) == 0 || errno == ENOENT) {
        return 0;
    }
    if (errno != EISDIR && errno != EPERM) { /* EPERM: what POSIX says for a folder */
        return errno;
    }
    if (depth > DEPTH_MAX) {
        return ELOOP;
    }
    int fd = openat(at, name, OPEN_FOLDER | O_NOFOLLOW);
    if (fd < 0) {
        return errno;
    }
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        sys = errno;
        close(fd);
        return sys;
    }
    sys = empty(dir, depth);
    closedir(dir);
    if (sys == 0 && unlinkat(at, name, AT_REMOVEDIR) != 0 && errno != ENOENT) {
        sys = errno;
    }
    return sys;
}

enum pm_code pm_dirs_remove(int at, const char *name, const char *label, struct pm_err *err)
{
    int sys = remove_at(at, name, 0);
    return sys == 0 ? PM_OK : pm_err_errno(err, sys, "%s: cannot remove", label);
}
