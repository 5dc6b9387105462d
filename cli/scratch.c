#include "cli/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/dirs.h"

enum pm_code pm_scratch_make(struct pm_scratch *scratch, const char *dir, struct pm_err *err)
{
    const char *base = dir != NULL ? dir : getenv("TMPDIR") != NULL ? getenv("TMPDIR") : P_tmpdir;
    int n = snprintf(scratch->path, sizeof scratch->path, "%s/pairmill-bench-XXXXXX", base);

    if (n < 0 || (size_t)n >= sizeof scratch->path) {
        scratch->path[0] = '\0';
        return pm_err_set(err, PM_EUSAGE, "--dir %.100s...: too long a path", base);
    }
    if (mkdtemp(scratch->path) == NULL) {
        scratch->path[0] = '\0';
        return pm_err_errno(err, errno, "%s: cannot make a folder in it", base);
    }
    return PM_OK;
}

void pm_scratch_remove(struct pm_scratch *scratch)
{
    if (scratch->path[0] != '\0') {
        (void)pm_dirs_remove(AT_FDCWD, scratch->path, scratch->path, NULL);
        scratch->path[0] = '\0';
    }
}
