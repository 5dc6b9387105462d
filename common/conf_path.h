/*
 * conf_path: folders as settings name them: made absolute, compared, checked; for conf*.c only.
 * Owns: nothing. Threads: any (reads the current folder). Memory: returned strings are the
 * caller's. Errors: PM_ECONF with sys_errno set, since it is the machine that is wrong, not the
 * spelling.
 */
#ifndef PM_COMMON_CONF_PATH_H
#define PM_COMMON_CONF_PATH_H

#include <stdbool.h>

#include "common/err.h"

/* path, absolute, without "//", "/./" and a slash at the end; links and ".." stay as they are,
 * since what they mean may change. dir: what a relative path starts from; NULL: the current folder.
 * NULL when out of memory. */
char *pm_path_absolute(const char *dir, const char *path);
/* Where an absolute path leads now, links followed as far as it exists. NULL when out of memory. */
char *pm_path_real(const char *path);
/* Whether inner is outer or lies below it; both from pm_path_real. */
bool pm_path_within(const char *outer, const char *inner);

/* A folder that can be listed. */
enum pm_code pm_path_check_input(const char *path, struct pm_err *err);
/* A folder that can be written to, or made: then its nearest existing parent can be written to. */
enum pm_code pm_path_check_output(const char *path, struct pm_err *err);

#endif
