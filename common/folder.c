#include "common/folder.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

static enum pm_code make_one(const char *path, mode_t mode, bool exact, struct pm_err *err)
{
    if (mkdir(path, mode & 0777) != 0) {
        return errno == EEXIST ? PM_OK : pm_err_errno(err, errno, "make folder '%s'", path);
    }
    if (exact && chmod(path, mode) != 0) {
        return pm_err_errno(err, errno, "make folder '%s'", path);
    }
    return PM_OK;
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
