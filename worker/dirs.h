/*
 * dirs: folders made so that they survive a power cut, entered without following links, removed
 * whole. Owns: nothing; descriptors handed out are the caller's. Threads: any. Memory: stack only.
 * Errors: PM_EEXIST (something that is not a folder, or a link, is in the way), else from errno.
 */
#ifndef PM_WORKER_DIRS_H
#define PM_WORKER_DIRS_H

#include "common/err.h"

/* Opens the folder path, an administrator's choice (links are followed), and makes it and its
 * parents when they are missing. */
enum pm_code pm_dirs_open(const char *path, int *fd, struct pm_err *err);
/* Opens the folder name in at, made when missing; its entry in at is durable afterwards. A link is
 * never followed: it might lead out of the output folder. label: what to call it in a message. */
enum pm_code pm_dirs_enter(
    int at, const char *name, const char *label, int *fd, struct pm_err *err);
enum pm_code pm_dirs_sync(int fd, const char *label, struct pm_err *err);
/* Removes name in at with all that is in it; links are removed, not followed. Missing is fine. */
enum pm_code pm_dirs_remove(int at, const char *name, const char *label, struct pm_err *err);

#endif
