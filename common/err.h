/*
 * err: what went wrong, as a code that decides a job's fate and a message for people.
 * Owns: nothing; struct pm_err is a fixed buffer on the caller's stack.
 * Threads: any; no shared state.
 * Memory: no allocation, so an out-of-memory error can always be told.
 * Errors: none; a message that does not fit is cut.
 */
#ifndef PM_COMMON_ERR_H
#define PM_COMMON_ERR_H

#include <stdbool.h>

/* What the queue does with a job that ended with a code. */
enum pm_fate {
    PM_FATE_NONE,    /* it worked */
    PM_FATE_RETRY,   /* passes by itself: try again later, up to max_attempts */
    PM_FATE_FAIL,    /* will not change by itself: failed, no retry */
    PM_FATE_MISSING, /* an input is gone: missing until the file comes back */
    PM_FATE_CHANGED, /* an input changed while it was read: settle again, a new revision */
    PM_FATE_REQUEUE, /* nobody's fault (full disk, shutdown): queued again, attempt given back */
    PM_FATE_HOLD /* finished, but the result must not be used unseen: failed, message says why */
};

/* name, fate, text. The name is what the failures view shows in `code`. */
#define PM_CODES(X)                                                                                \
    X(OK, NONE, "no error")                                                                        \
    X(ENOMEM, RETRY, "out of memory")                                                              \
    X(EIO, RETRY, "input/output error")                                                            \
    X(EDB, RETRY, "database error")                                                                \
    X(ENOENT, MISSING, "file not found")                                                           \
    X(EACCES, FAIL, "permission denied")                                                           \
    X(EFORMAT, FAIL, "not a valid image")                                                          \
    X(EUNSUPPORTED, FAIL, "unsupported kind of image")                                             \
    X(ETOOBIG, FAIL, "image too large")                                                            \
    X(ESIZE, FAIL, "image sizes or channels differ")                                               \
    X(EGAIN, FAIL, "no usable gain")                                                               \
    X(EOVERLAP, FAIL, "no usable overlap")                                                         \
    X(EEXIST, FAIL, "something else is in the way")                                                \
    X(ENAME, FAIL, "unusable file name")                                                           \
    X(EFLAGGED, HOLD, "result held back by its flags")                                             \
    X(ECHANGED, CHANGED, "file changed while it was read")                                         \
    X(ENOSPC, REQUEUE, "no space left")                                                            \
    X(ECANCELED, REQUEUE, "stopped")                                                               \
    X(EOWNED, FAIL, "another process owns the database")                                           \
    X(ECONF, FAIL, "bad configuration")                                                            \
    X(EUSAGE, FAIL, "wrong usage")                                                                 \
    X(EVERSION, FAIL, "wrong database version")                                                    \
    X(ECRASH, RETRY, "the process died while working on it")

enum pm_code {
#define X(name, fate, text) PM_##name,
    PM_CODES(X)
#undef X
        PM_CODE_COUNT
};

struct pm_err {
    enum pm_code code;
    int sys_errno;  /* errno behind it, 0 when there is none */
    char text[768]; /* one line, UTF-8; names quoted by the caller */
};

/* "EFORMAT" for PM_EFORMAT. */
const char *pm_code_name(enum pm_code code);
/* The general text of a code, for use where there is no better one. */
const char *pm_code_text(enum pm_code code);
enum pm_fate pm_code_fate(enum pm_code code);
/* The code with this name; PM_CODE_COUNT when there is none. */
enum pm_code pm_code_from_name(const char *name);

/* Fill err (may be NULL) and return code, so that `return pm_err_set(...)` reads well. */
enum pm_code pm_err_set(struct pm_err *err, enum pm_code code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* As pm_err_set, from errno: picks the code (ENOENT, EACCES, ENOSPC/EDQUOT, ENOMEM, else EIO) and
 * appends ": strerror". */
enum pm_code pm_err_errno(struct pm_err *err, int sys_errno, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Puts "fmt: " before the message already there; keeps and returns the code. */
enum pm_code pm_err_wrap(struct pm_err *err, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
