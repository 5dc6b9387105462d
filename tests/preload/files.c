/* files: the calls on files and folders that pairmill and its libraries make, each with a gate
 * before it, a record behind it, and the flags of flag.h. Both names of those that have two (SQLite
 * and libuv use the 64 ones). */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/preload/flag.h"
#include "tests/preload/gate.h"
#include "tests/preload/real.h"
#include "tests/preload/record.h"

#define SHORT 9999 /* a code of read and write: half of what was asked for is done */

REAL_OF(openat)
REAL_OF(read)
REAL_OF(pread)
REAL_OF(preadv)
REAL_OF(write)
REAL_OF(pwrite)
REAL_OF(ftruncate)
REAL_OF(fsync)
REAL_OF(fdatasync)
REAL_OF(renameat)
REAL_OF(renameat2)
REAL_OF(mkdirat)
REAL_OF(unlinkat)

/* The gate; false: the call fails. */
static bool may(enum shim_call call, int dirfd, const char *path)
{
    int code = shim_before(call, dirfd, path);
    errno = code != 0 ? code : errno;
    return code == 0;
}

/* What follows a call; rc is its answer. */
static int over(int rc, enum shim_call call, int dirfd, const char *path)
{
    int kept = errno;
    shim_after(call, dirfd, path);
    errno = kept;
    return rc;
}

/* --- open --- */

static int do_open(int dirfd, const char *path, int flags, mode_t mode)
{
    if (!may(SHIM_OPEN, dirfd, path)) {
        return -1;
    }
    if ((flags & (O_ACCMODE | O_CREAT | O_PATH | O_DIRECTORY)) == O_RDONLY) {
        shim_hold("open", path);
    }
    bool recorded = (flags & (O_CREAT | O_TRUNC)) != 0 && shim_record_begin(dirfd, path);
    bool made = recorded && shim_record_is_new(dirfd, path);
    int fd = REAL(openat)(dirfd, path, flags, mode);
    int kept = errno;
    if (recorded) {
        if (fd >= 0 && made) {
            shim_record_made('F', dirfd, path);
        } else if (fd >= 0 && (flags & O_TRUNC) != 0) {
            shim_record_size(fd, 0);
        }
        shim_record_end();
    }
    errno = kept;
    return over(fd, SHIM_OPEN, dirfd, path);
}

#define MODE_OF(flags, mode)                                                                       \
    mode_t mode = 0;                                                                               \
    if (((flags)&O_CREAT) != 0) {                                                                  \
        va_list ap;                                                                                \
        va_start(ap, flags);                                                                       \
        mode = va_arg(ap, mode_t);                                                                 \
        va_end(ap);                                                                                \
    }

int open(const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return do_open(AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return do_open(AT_FDCWD, path, flags, mode);
}

int openat(int dirfd, const char *path, int flags, ...)
{
    MODE_OF(flags, mode)
    return do_open(dirfd, path, flags, mode);
}

/* libc's own would open the file past us. */
int mkstemp(char *template)
{
    static atomic_uint made;
    size_t length = strlen(template);

    for (int i = 0; i < 100; i++) {
        snprintf(template + length - 6, 7, "%06u", atomic_fetch_add(&made, 1) % 1000000);
        int fd = do_open(AT_FDCWD, template, O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
    return -1;
}

/* --- read --- */

/* How much may be read or written: 0 bytes asked for stay 0; -1: it fails. */
static ssize_t allowed(enum shim_call call, int fd, size_t bytes)
{
    int code = shim_before(call, fd, NULL);
    if (code == SHORT) {
        return bytes > 1 ? (ssize_t)(bytes / 2) : (ssize_t)bytes;
    }
    errno = code != 0 ? code : errno;
    return code == 0 ? (ssize_t)bytes : -1;
}

ssize_t read(int fd, void *data, size_t bytes)
{
    ssize_t n = allowed(SHIM_READ, fd, bytes);
    return n < 0 ? -1 : REAL(read)(fd, data, (size_t)n);
}

static ssize_t do_pread(int fd, void *data, size_t bytes, off_t offset)
{
    ssize_t n = allowed(SHIM_READ, fd, bytes);
    return n < 0 ? -1 : REAL(pread)(fd, data, (size_t)n, offset);
}

ssize_t pread(int fd, void *data, size_t bytes, off_t offset)
{
    return do_pread(fd, data, bytes, offset);
}

ssize_t pread64(int fd, void *data, size_t bytes, off_t offset)
{
    return do_pread(fd, data, bytes, offset);
}

ssize_t preadv(int fd, const struct iovec *parts, int count, off_t offset)
{
    return may(SHIM_READ, fd, NULL) ? REAL(preadv)(fd, parts, count, offset) : -1;
}

/* --- write --- */

static ssize_t do_write(int fd, const void *data, size_t bytes, off_t offset, bool placed)
{
    ssize_t n = allowed(SHIM_WRITE, fd, bytes);
    if (n < 0 || shim_full(fd)) {
        return -1;
    }
    bool recorded = shim_record_begin(fd, NULL);
    off_t at = placed || !recorded ? offset : lseek(fd, 0, SEEK_CUR);
    n = placed ? REAL(pwrite)(fd, data, (size_t)n, offset) : REAL(write)(fd, data, (size_t)n);
    int kept = errno;
    if (recorded) {
        if (n > 0) {
            shim_record_write(fd, at, data, (size_t)n);
        }
        shim_record_end();
    }
    shim_after(SHIM_WRITE, fd, NULL);
    errno = kept;
    return n;
}

ssize_t write(int fd, const void *data, size_t bytes)
{
    return do_write(fd, data, bytes, 0, false);
}

ssize_t pwrite(int fd, const void *data, size_t bytes, off_t offset)
{
    return do_write(fd, data, bytes, offset, true);
}

ssize_t pwrite64(int fd, const void *data, size_t bytes, off_t offset)
{
    return do_write(fd, data, bytes, offset, true);
}

static int do_truncate(int fd, off_t size)
{
    if (!may(SHIM_WRITE, fd, NULL)) {
        return -1;
    }
    bool recorded = shim_record_begin(fd, NULL);
    int rc = REAL(ftruncate)(fd, size);
    if (recorded) {
        if (rc == 0) {
            shim_record_size(fd, size);
        }
        shim_record_end();
    }
    return over(rc, SHIM_WRITE, fd, NULL);
}

int ftruncate(int fd, off_t size)
{
    return do_truncate(fd, size);
}

int ftruncate64(int fd, off_t size)
{
    return do_truncate(fd, size);
}

/* --- sync --- */

static int do_sync(int fd, int (*sync)(int fd))
{
    if (!may(SHIM_SYNC, fd, NULL)) {
        return -1;
    }
    bool recorded = shim_record_begin(fd, NULL);
    int rc = sync(fd);
    if (recorded) {
        if (rc == 0) {
            shim_record_sync(fd);
        }
        shim_record_end();
    }
    return over(rc, SHIM_SYNC, fd, NULL);
}

int fsync(int fd)
{
    return do_sync(fd, REAL(fsync));
}

int fdatasync(int fd)
{
    return do_sync(fd, REAL(fdatasync));
}

/* --- names --- */

static int do_rename(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    if (!may(SHIM_RENAME, from_fd, from)) {
        return -1;
    }
    shim_hold("rename", to);
    bool recorded = shim_record_begin(to_fd, to);
    int rc = flags != 0 ? REAL(renameat2)(from_fd, from, to_fd, to, flags)
                        : REAL(renameat)(from_fd, from, to_fd, to);
    int kept = errno;
    if (recorded) {
        if (rc == 0) {
            shim_record_rename(from_fd, from, to_fd, to, flags);
        }
        shim_record_end();
    }
    errno = kept;
    return over(rc, SHIM_RENAME, to_fd, to);
}

int rename(const char *from, const char *to)
{
    return do_rename(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    return do_rename(from_fd, from, to_fd, to, 0);
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    return do_rename(from_fd, from, to_fd, to, flags);
}

int mkdirat(int dirfd, const char *path, mode_t mode)
{
    if (!may(SHIM_MKDIR, dirfd, path)) {
        return -1;
    }
    bool recorded = shim_record_begin(dirfd, path);
    int rc = REAL(mkdirat)(dirfd, path, mode);
    int kept = errno;
    if (recorded) {
        if (rc == 0) {
            shim_record_made('D', dirfd, path);
        }
        shim_record_end();
    }
    errno = kept;
    return over(rc, SHIM_MKDIR, dirfd, path);
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}

int unlinkat(int dirfd, const char *path, int flags)
{
    if (!may(SHIM_UNLINK, dirfd, path)) {
        return -1;
    }
    bool recorded = shim_record_begin(dirfd, path);
    int rc = REAL(unlinkat)(dirfd, path, flags);
    int kept = errno;
    if (recorded) {
        if (rc == 0) {
            shim_record_removed(dirfd, path);
        }
        shim_record_end();
    }
    errno = kept;
    return over(rc, SHIM_UNLINK, dirfd, path);
}

int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}
