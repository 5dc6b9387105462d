#include "common/below.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER (O_PATH | O_DIRECTORY | O_CLOEXEC)

/* The next component of *rest, which moves on past the slashes behind it. */
static int next_name(const char **rest, char name[NAME_MAX + 1])
{
    size_t n = strcspn(*rest, "/");
    if (n > NAME_MAX) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(name, *rest, n);
    name[n] = '\0';
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        errno = ELOOP;
        return -1;
    }
    *rest += n;
    *rest += strspn(*rest, "/");
    return 0;
}

static int open_root(const char *path, size_t root_bytes)
{
    char root[PATH_MAX];
    if (root_bytes >= sizeof root) {
        errno = ENAMETOOLONG;
        return -1;
    }
    memcpy(root, path, root_bytes);
    root[root_bytes] = '\0';
    return open(root, FOLDER);
}

/* A descriptor (O_PATH) of the folder the last component lies in, and that component; the name is
 * empty for the root itself. */
static int open_parent(const char *path, size_t root_bytes, char name[NAME_MAX + 1])
{
    const char *rest = path + root_bytes;
    int at = open_root(path, root_bytes);

    rest += strspn(rest, "/");
    name[0] = '\0';
    if (at < 0 || *rest == '\0') {
        return at;
    }
    while (next_name(&rest, name) == 0) {
        int next;
        if (*rest == '\0') {
            return at;
        }
        next = openat(at, name, FOLDER | O_NOFOLLOW);
        if (next < 0) {
            break;
        }
        close(at);
        at = next;
    }
    int saved = errno;
    close(at);
    errno = saved;
    return -1;
}

int pm_below_open(const char *path, size_t root_bytes, int flags)
{
    char name[NAME_MAX + 1];
    int at;
    int fd;
    if (root_bytes == 0) {
        return open(path, flags | O_CLOEXEC);
    }
    at = open_parent(path, root_bytes, name);
    if (at < 0) {
        return -1;
    }
    fd = name[0] == '\0' ? openat(at, ".", flags | O_CLOEXEC)
                         : openat(at, name, flags | O_NOFOLLOW | O_CLOEXEC);
    int saved = errno;
    close(at);
    errno = saved;
    return fd;
}

int pm_below_stat(const char *path, size_t root_bytes, struct stat *st)
{
    char name[NAME_MAX + 1];
    int at;
    int rc;
    if (root_bytes == 0) {
        return stat(path, st);
    }
    at = open_parent(path, root_bytes, name);
    if (at < 0) {
        return -1;
    }
    rc = name[0] == '\0' ? fstat(at, st) : fstatat(at, name, st, AT_SYMLINK_NOFOLLOW);
    int saved = errno;
    close(at);
    errno = saved;
    return rc;
}
