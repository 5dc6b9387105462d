/* A shim for LD_PRELOAD: the process aborts as soon as it reads from a file whose path holds what
 * CRASH_ON says. For tests of a pair that kills the service. In a folder of its own, since the
 * helpers beside are linked into every test. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef ssize_t pread_fn(int fd, void *data, size_t n, off_t offset);

static ssize_t pread_by(const char *name, int fd, void *data, size_t n, off_t offset)
{
    const char *poison = getenv("CRASH_ON");
    char link[64], path[4096] = "";
    pread_fn *real = NULL;
    void *found = dlsym(RTLD_NEXT, name);

    memcpy(&real, &found, sizeof real); /* ISO C has no cast between the two */
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) > 0 && poison != NULL &&
        strstr(path, poison) != NULL) {
        abort();
    }
    return real(fd, data, n, offset);
}

ssize_t pread(int fd, void *data, size_t n, off_t offset)
{
    return pread_by("pread", fd, data, n, offset);
}

ssize_t pread64(int fd, void *data, size_t n, off_t offset)
{
    return pread_by("pread64", fd, data, n, offset);
}
