/*
 * hash: XXH3-64 of files and settings, as 16 hex digits; the only place that includes xxhash.h.
 * Owns: nothing between calls. Threads: any; no shared state.
 * Memory: 1 MiB while a file is read.
 * Errors: PM_ENOENT, PM_EACCES, PM_EIO, PM_EFORMAT (not a regular file), PM_ENOMEM; messages name
 * the file.
 */
#ifndef PM_COMMON_HASH_H
#define PM_COMMON_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* Hashes all bytes of a file. *size (may be NULL): how many there were, which is the file's size
 * when nobody changed it meanwhile. hex: 16 lower-case digits and a NUL, the number as `xxhsum -H3`
 * prints it. Outputs are untouched on error. */
enum pm_code pm_hash_file(const char *path, int64_t *size, char hex[17], struct pm_err *err);
/* The same without following links below the folder that path[0, root_bytes) is (infile.h). */
enum pm_code pm_hash_file_below(
    const char *path, size_t root_bytes, int64_t *size, char hex[17], struct pm_err *err);
/* The same of n bytes in memory; data may be NULL when n is 0. */
void pm_hash_bytes(const void *data, size_t n, char hex[17]);

#endif
