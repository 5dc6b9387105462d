/* A shim for LD_PRELOAD: whoever opens a file with "hang-here" in its name waits for good, as on a
 * network drive whose server is gone. Only while the file named by HANG_WHILE is there. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void hang_if(const char *path)
{
    const char *flag = getenv("HANG_WHILE");
    while (strstr(path, "hang-here") != NULL && flag != NULL && access(flag, F_OK) == 0) {
        pause();
    }
}

int open(const char *path, int flags, ...)
{
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    va_list ap;
    va_start(ap, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    hang_if(path);
    return real(path, flags, mode);
}

int openat(int dir, const char *path, int flags, ...)
{
    int (*real)(int, const char *, int, ...) =
        (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, "openat");
    va_list ap;
    va_start(ap, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    hang_if(path);
    return real(dir, path, flags, mode);
}
