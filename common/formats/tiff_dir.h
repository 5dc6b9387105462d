/*
 * tiff_dir: a look at a TIFF's first directory before libtiff reads it, since libtiff keeps what
 * every tag points at, known or not: 4096 tags that share one megabyte would take four gigabytes.
 * Owns: nothing. Threads: any. Memory: none beyond the stack.
 * Errors: PM_EFORMAT, PM_EUNSUPPORTED, PM_EIO. What libtiff itself refuses is left to it.
 */
#ifndef PM_COMMON_FORMATS_TIFF_DIR_H
#define PM_COMMON_FORMATS_TIFF_DIR_H

#include <stdint.h>

#include "common/err.h"

/* More than this beside the pixels are other pictures: layers, previews, raw data. */
#define PM_TIFF_DIR_BYTES_MAX ((uint64_t)256 << 20)

/* size: bytes in the file. *bytes: what the tags hold together, the tables of strips and tiles left
 * out, which are read as they are needed. */
enum pm_code pm_tiff_dir_check(
    int fd, const char *path, int64_t size, uint64_t *bytes, struct pm_err *err);

#endif
