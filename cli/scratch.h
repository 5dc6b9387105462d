/*
 * scratch: a folder of a command's own for what it measures, removed with all that is in it.
 * Owns: the folder on disk. Threads: one. Memory: the struct only.
 * Errors: PM_EUSAGE for a --dir that is too long, else from errno.
 */
#ifndef PM_CLI_SCRATCH_H
#define PM_CLI_SCRATCH_H

#include "common/err.h"

struct pm_scratch {
    char path[512]; /* "": there is none */
};

/* A new folder in dir; NULL: in $TMPDIR, else where the system keeps temporary files. */
enum pm_code pm_scratch_make(struct pm_scratch *scratch, const char *dir, struct pm_err *err);
void pm_scratch_remove(struct pm_scratch *scratch); /* zeroed is fine */

#endif
