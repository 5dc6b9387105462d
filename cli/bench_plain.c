#include "cli/bench_plain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum pm_code no_memory(struct pm_err *err)
{
    return pm_err_set(err, PM_ENOMEM, "no memory for a buffer");
}

enum pm_code pm_plain_read(const char *path, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    ssize_t n = 1;
    void *buffer = malloc(PM_PLAIN_CHUNK);
    int fd = -1;

    if (buffer == NULL) {
        return no_memory(err);
    }
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        rc = pm_err_errno(err, errno, "%s: cannot open", path);
        goto out;
    }
    while (n != 0) {
        n = read(fd, buffer, PM_PLAIN_CHUNK);
        if (n < 0 && errno != EINTR) {
            rc = pm_err_errno(err, errno, "%s: cannot read", path);
            goto out;
        }
    }
out:
    if (fd >= 0) {
        close(fd);
    }
    free(buffer);
    return rc;
}

static enum pm_code write_chunks(
    int fd, const char *path, const void *buffer, int64_t bytes, struct pm_err *err)
{
    while (bytes > 0) {
        size_t part = bytes < (int64_t)PM_PLAIN_CHUNK ? (size_t)bytes : PM_PLAIN_CHUNK;
        ssize_t n = write(fd, buffer, part);
        if (n < 0 && errno != EINTR) {
            return pm_err_errno(err, errno, "%s: cannot write", path);
        }
        bytes -= n > 0 ? n : 0;
    }
    return fdatasync(fd) == 0 ? PM_OK : pm_err_errno(err, errno, "%s: cannot sync", path);
}

enum pm_code pm_plain_write(const char *path, int64_t bytes, struct pm_err *err)
{
    enum pm_code rc;
    void *buffer = malloc(PM_PLAIN_CHUNK);
    int fd;

    if (buffer == NULL) {
        return no_memory(err);
    }
    memset(buffer, 0x5a, PM_PLAIN_CHUNK);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) {
        rc = pm_err_errno(err, errno, "%s: cannot make it", path);
    } else {
        rc = write_chunks(fd, path, buffer, bytes, err);
        close(fd);
    }
    free(buffer);
    return rc;
}

/* One entry of a folder, `from`, made alike as `to`. */
static enum pm_code entry_alike(
    const char *from, const char *to, int64_t *bytes, int64_t *files, struct pm_err *err)
{
    struct stat st;

    if (stat(from, &st) != 0) {
        return pm_err_errno(err, errno, "%s", from);
    }
    if (S_ISDIR(st.st_mode)) {
        return pm_plain_alike(from, to, bytes, files, err);
    }
    *bytes += st.st_size;
    *files += 1;
    return pm_plain_write(to, st.st_size, err);
}

enum pm_code pm_plain_alike(
    const char *made, const char *to, int64_t *bytes, int64_t *files, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    struct dirent *entry;
    DIR *dir = opendir(made);

    if (dir == NULL) {
        return pm_err_errno(err, errno, "%s: cannot list", made);
    }
    if (mkdir(to, 0777) != 0) {
        rc = pm_err_errno(err, errno, "%s: cannot make the folder", to);
    }
    while (rc == PM_OK && (entry = readdir(dir)) != NULL) {
        char *from = NULL, *copy = NULL;
        if (entry->d_name[0] == '.') {
            continue;
        }
        if (asprintf(&from, "%s/%s", made, entry->d_name) < 0 ||
            asprintf(&copy, "%s/%s", to, entry->d_name) < 0) {
            rc = pm_err_set(err, PM_ENOMEM, "no memory for a path");
        } else {
            rc = entry_alike(from, copy, bytes, files, err);
        }
        free(from);
        free(copy);
    }
    closedir(dir);
    return rc;
}
