#include "common/infile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/below.h"

static const char *kind_of(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return "a folder";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

static enum pm_code is_link(const char *path, struct pm_err *err)
{
    return pm_err_set(
        err, PM_ENOENT, "%s: leads through a symbolic link, which is not followed", path);
}

enum pm_code pm_infile_stat(
    struct stat *st, const char *path, size_t root_bytes, struct pm_err *err)
{
    int rc = pm_below_stat(path, root_bytes, st);
    if (root_bytes > 0 && (rc == 0 ? S_ISLNK(st->st_mode) : errno == ELOOP)) {
        return is_link(path, err);
    }
    return rc == 0 ? PM_OK : pm_err_errno(err, errno, "%s", path);
}

enum pm_code pm_infile_open(int *fd, int64_t *size, const char *path, struct pm_err *err)
{
    return pm_infile_open_below(fd, size, path, 0, err);
}

enum pm_code pm_infile_open_below(
    int *fd, int64_t *size, const char *path, size_t root_bytes, struct pm_err *err)
{
    struct stat st;
    /* O_NONBLOCK: opening a FIFO nobody writes to must not hang; regular files ignore it. */
    int opened = pm_below_open(path, root_bytes, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (opened < 0 && errno == ENXIO) { /* a socket, or a device without a driver */
        return pm_err_set(err, PM_EFORMAT, "%s: not an image file but a socket or device", path);
    }
    if (opened < 0 && errno == ELOOP && root_bytes > 0) {
        return is_link(path, err);
    }
    if (opened < 0) {
        return pm_err_errno(err, errno, "%s: cannot open", path);
    }
    if (fstat(opened, &st) != 0) {
        int saved = errno;
        close(opened);
        return pm_err_errno(err, saved, "%s: cannot stat", path);
    }
    if (!S_ISREG(st.st_mode)) {
        close(opened);
        return pm_err_set(
            err, PM_EFORMAT, "%s: not an image file but %s", path, kind_of(st.st_mode));
    }
    *fd = opened;
    *size = st.st_size;
    return PM_OK;
}

int64_t pm_infile_pread(int fd, void *data, size_t n, int64_t offset)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, (char *)data + done, n - done, (off_t)offset + (off_t)done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        done += (size_t)got;
    }
    return (int64_t)done;
}

int pm_infile_preadv(int fd, struct iovec *iov, int count, int64_t offset, int64_t *n_done)
{
    *n_done = 0;
    while (count > 0) {
        ssize_t got = preadv(fd, iov, count, (off_t)(offset + *n_done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return -1;
        }
        if (got == 0) {
            break;
        }
        *n_done += got;
        for (; count > 0 && (size_t)got >= iov->iov_len; iov++, count--) {
            got -= (ssize_t)iov->iov_len;
        }
        if (count > 0) {
            iov->iov_base = (char *)iov->iov_base + got;
            iov->iov_len -= (size_t)got;
        }
    }
    return 0;
}
