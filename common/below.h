/*
 * below: opens what lies below a folder without following any link on the way.
 * Owns: nothing; descriptors are the caller's. Threads: any. Memory: stack only.
 * Errors: -1 with errno; a link, or "." or "..", on the way: ELOOP or ENOTDIR.
 *
 * A name that was seen to be a folder or file can be a link a moment later, and lead anywhere. So
 * each component is opened in the one before (openat, O_NOFOLLOW), and what is open stays what it
 * is.
 */
#ifndef PM_COMMON_BELOW_H
#define PM_COMMON_BELOW_H

#include <stddef.h>

struct stat;

/* path: its first root_bytes bytes name a folder an administrator chose, in which links are
 * followed; below it none is. root_bytes 0: as open(). O_CLOEXEC is always set. */
int pm_below_open(const char *path, size_t root_bytes, int flags);
/* As lstat(); the root itself as stat(). root_bytes 0: as stat(). */
int pm_below_stat(const char *path, size_t root_bytes, struct stat *st);

#endif
