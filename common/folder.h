/*
 * folder: makes the folders a file needs.
 * Owns: nothing. Threads: any. Memory: none kept.
 * Errors: PM_EACCES, PM_ENOSPC, PM_ENAME (path too long), PM_EIO; the message names the folder.
 */
#ifndef PM_COMMON_FOLDER_H
#define PM_COMMON_FOLDER_H

#include <sys/types.h>

#include "common/err.h"

/* Makes the folder file_path lies in, with its parents, unless it is there. The last one gets
 * exactly mode, whatever the umask, or with mode 0 what the umask leaves of 0777; one that exists
 * keeps its own. */
enum pm_code pm_folder_make_for(const char *file_path, mode_t mode, struct pm_err *err);

#endif
