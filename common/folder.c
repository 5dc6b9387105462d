#include "common/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A new folder is there for certain once the one it lies in is synced. EACCES: one we may write but
 * not read cannot be synced; EINVAL: a file system that cannot sync a folder loses nothing there.
 */
static enum pm_code sync_parent(const char *path, struct pm_err *err)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    char parent[PATH_MAX];
    enum pm_code rc = PM_OK;

    memcpy(parent, slash == NULL ? "." : path, length);
    parent[length] = '\0';
    int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 ? errno != EACCES : fsync(fd) != 0 && errno != EINVAL) {
        rc = pm_err_errno(err, errno, "sync folder '%s'", parent);
    }
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

static enum pm_code make_one(const char *path, mode_t mode, bool exact, struct pm_err *err)
{
    if (mkdir(path, mode & 0777) != 0) {
        return errno == EEXIST ? PM_OK : pm_err_errno(err, errno, "make folder '%s'", path);
    }
    if (exact && chmod(path, mode) != 0) {
        return pm_err_errno(err, errno, "make folder '%s'", path);
    }
    return sync_parent(path, err);
}

enum pm_code pm_folder_make_for(const char *file_path, mode_t mode, struct pm_err *err)
{
    char folder[PATH_MAX];
    const char *last = strrchr(file_path, '/');
    size_t length = last != NULL ? (size_t)(last - file_path) : 0;
    enum pm_code rc = PM_OK;

    if (length >= sizeof folder) {
        return pm_err_set(err, PM_ENAME, "path too long: '%.100s...'", file_path);
    }
    memcpy(folder, file_path, length);
    folder[length] = '\0';
    for (size_t i = 1; rc == PM_OK && i <= length; i++) {
        if (folder[i] == '/' || folder[i] == '\0') {
            char kept = folder[i];
            bool exact = i == length && mode != 0;
            folder[i] = '\0';
            rc = make_one(folder, exact ? mode : 0777, exact, err);
            folder[i] = kept;
        }
    }
    return rc;
}
