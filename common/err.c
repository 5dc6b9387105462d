#include "common/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    enum pm_fate fate;
    const char *text;
} codes[PM_CODE_COUNT] = {
#define X(name, fate, text) {#name, PM_FATE_##fate, text},
    PM_CODES(X)
#undef X
};

const char *pm_code_name(enum pm_code code)
{
    return (unsigned)code < PM_CODE_COUNT ? codes[code].name : "?";
}

const char *pm_code_text(enum pm_code code)
{
    return (unsigned)code < PM_CODE_COUNT ? codes[code].text : "unknown error";
}

enum pm_fate pm_code_fate(enum pm_code code)
{
    return (unsigned)code < PM_CODE_COUNT ? codes[code].fate : PM_FATE_FAIL;
}

enum pm_code pm_code_from_name(const char *name)
{
    for (int i = 0; i < PM_CODE_COUNT; i++) {
        if (strcmp(codes[i].name, name) == 0) {
            return (enum pm_code)i;
        }
    }
    return PM_CODE_COUNT;
}

/* A message is one line: control bytes from hostile file names must not break a log or a terminal.
 */
static void one_line(char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            *text = '?';
        }
    }
}

enum pm_code pm_err_set(struct pm_err *err, enum pm_code code, const char *fmt, ...)
{
    if (err != NULL) {
        va_list ap;
        va_start(ap, fmt);
        err->code = code;
        err->sys_errno = 0;
        vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
        one_line(err->text);
    }
    return code;
}

static enum pm_code code_of_errno(int sys_errno)
{
    switch (sys_errno) {
    case ENOENT:
    case ENOTDIR:
        return PM_ENOENT;
    case EACCES:
    case EPERM:
        return PM_EACCES;
    case ENOSPC:
    case EDQUOT:
        return PM_ENOSPC;
    case ENOMEM:
        return PM_ENOMEM;
    case ENAMETOOLONG:
    case ELOOP:
        return PM_ENAME;
    default:
        return PM_EIO;
    }
}

/* Where the system's own words leave open what to do. */
static const char *advice_of_errno(int sys_errno)
{
    return sys_errno == EFBIG    ? "; raise the limit on the size of files (ulimit -f)"
           : sys_errno == EMFILE ? "; raise the limit on open files (ulimit -n)"
                                 : "";
}

enum pm_code pm_err_errno(struct pm_err *err, int sys_errno, const char *fmt, ...)
{
    enum pm_code code = code_of_errno(sys_errno);
    if (err != NULL) {
        va_list ap;
        size_t used;
        va_start(ap, fmt);
        err->code = code;
        err->sys_errno = sys_errno;
        vsnprintf(err->text, sizeof err->text, fmt, ap);
        va_end(ap);
        used = strlen(err->text);
        snprintf(err->text + used, sizeof err->text - used, ": %s%s", strerror(sys_errno),
            advice_of_errno(sys_errno));
        one_line(err->text);
    }
    return code;
}

enum pm_code pm_err_wrap(struct pm_err *err, const char *fmt, ...)
{
    if (err == NULL) {
        return PM_EIO; /* nobody reads it; the caller returns its own code */
    }
    char inner[sizeof err->text];
    va_list ap;
    size_t used;
    memcpy(inner, err->text, sizeof inner);
    va_start(ap, fmt);
    vsnprintf(err->text, sizeof err->text, fmt, ap);
    va_end(ap);
    used = strlen(err->text);
    snprintf(err->text + used, sizeof err->text - used, ": %s", inner);
    one_line(err->text);
    return err->code;
}
