/*
 * unprivileged: root's tests as somebody to whom folders can be closed.
 * Owns: the process's effective user between begin and end (all threads, as glibc does it).
 * Threads: the test's. Memory: none. Errors: assert.
 */
#ifndef PM_TESTS_LIB_UNPRIVILEGED_H
#define PM_TESTS_LIB_UNPRIVILEGED_H

#include <assert.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#define PM_NOBODY 65534

/* dir is given to nobody first. Does nothing for those who are not root. */
static inline bool unprivileged_begin(const char *dir)
{
    bool root = geteuid() == 0;
    if (root) {
        int rc = chown(dir, PM_NOBODY, PM_NOBODY);
        assert(rc == 0);
        rc = seteuid(PM_NOBODY);
        assert(rc == 0);
    }
    return root;
}

static inline void unprivileged_end(bool root)
{
    int rc = root ? seteuid(0) : 0;
    assert(rc == 0);
}

#endif
