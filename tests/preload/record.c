#include "tests/preload/record.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/preload/gate.h"

static int to = -1;
static char root[PATH_MAX];
static size_t root_length;
static const char *dropped; /* NULL: no sync is left out */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The bare call: the interposed ones would come back here. */
static void put(const void *data, size_t bytes)
{
    if (syscall(SYS_write, to, data, bytes) != (long)bytes) {
        abort();
    }
}

static void put_line(const char *format, ...)
{
    char line[2 * PATH_MAX];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(line, sizeof line, format, ap);
    va_end(ap);
    put(line, (size_t)n);
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("SHIM_RECORD"), *top = getenv("SHIM_ROOT");
    if (path == NULL || top == NULL) {
        return;
    }
    root_length = (size_t)snprintf(root, sizeof root, "%s", top);
    dropped = getenv("SHIM_DROP");
    struct stat st;
    to = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (to < 0 || stat(top, &st) != 0) {
        abort();
    }
    put_line("O\t%ju\n", (uintmax_t)st.st_ino); /* of the root */
}

bool shim_record_begin(int dirfd, const char *path)
{
    char full[PATH_MAX];
    if (to < 0 || !shim_path(full, sizeof full, dirfd, path) ||
        strncmp(full, root, root_length) != 0 ||
        (full[root_length] != '/' && full[root_length] != '\0')) {
        return false;
    }
    size_t n = strlen(full);
    if (n >= 4 && strcmp(full + n - 4, "-shm") == 0) {
        return false;
    }
    pthread_mutex_lock(&lock);
    return true;
}

void shim_record_end(void)
{
    pthread_mutex_unlock(&lock);
}

bool shim_record_is_new(int dirfd, const char *path)
{
    struct stat st;
    return fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) != 0;
}

/* Inode of the folder path is in; *name is what follows the last slash. */
static uintmax_t folder_of(int dirfd, const char *path, const char **name)
{
    char folder[PATH_MAX];
    struct stat st;
    const char *slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash != NULL ? (int)(slash - path) : 1,
        slash != NULL ? path : ".");
    *name = slash != NULL ? slash + 1 : path;
    if (fstatat(dirfd, folder, &st, 0) != 0) {
        abort();
    }
    return st.st_ino;
}

static uintmax_t inode_of(int fd)
{
    struct stat st;
    if (fstat(fd, &st) != 0) {
        abort();
    }
    return st.st_ino;
}

void shim_record_made(char kind, int dirfd, const char *path)
{
    const char *name;
    struct stat st;
    uintmax_t folder = folder_of(dirfd, path, &name);
    if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        abort();
    }
    put_line("%c\t%ju\t%s\t%ju\n", kind, folder, name, (uintmax_t)st.st_ino);
}

void shim_record_write(int fd, off_t offset, const void *data, size_t bytes)
{
    put_line("W\t%ju\t%jd\t%zu\n", inode_of(fd), (intmax_t)offset, bytes);
    put(data, bytes);
}

void shim_record_size(int fd, off_t size)
{
    put_line("T\t%ju\t%jd\n", inode_of(fd), (intmax_t)size);
}

void shim_record_sync(int fd)
{
    char path[PATH_MAX];
    if (dropped == NULL || !shim_path(path, sizeof path, fd, NULL) || !strstr(path, dropped)) {
        put_line("S\t%ju\n", inode_of(fd));
    }
}

void shim_record_rename(
    int from_fd, const char *from, int to_fd, const char *to_path, unsigned flags)
{
    const char *from_name, *to_name;
    uintmax_t from_folder = folder_of(from_fd, from, &from_name);
    uintmax_t to_folder = folder_of(to_fd, to_path, &to_name);
    put_line("R\t%ju\t%s\t%ju\t%s\t%u\n", from_folder, from_name, to_folder, to_name, flags);
}

void shim_record_removed(int dirfd, const char *path)
{
    const char *name;
    uintmax_t folder = folder_of(dirfd, path, &name);
    put_line("U\t%ju\t%s\n", folder, name);
}
