/*
 * bench_plain: the limit of a whole pair: its files read, and as many bytes in as many files
 * written and synced, with nothing in between.
 * Owns: nothing between calls. Threads: one. Memory: one buffer while it runs. Errors: PM_ENOMEM,
 * and from errno; messages name the file.
 */
#ifndef PM_CLI_BENCH_PLAIN_H
#define PM_CLI_BENCH_PLAIN_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define PM_PLAIN_CHUNK ((size_t)1 << 20) /* bytes of one read or write */

/* Reads path from front to back. */
enum pm_code pm_plain_read(const char *path, struct pm_err *err);
/* A new file of that many bytes, written and synced (fdatasync), as cp and sync would. */
enum pm_code pm_plain_write(const char *path, int64_t bytes, struct pm_err *err);
/* Writes, in the new folder `to`, as many files of the same sizes as the folder `made` holds, its
 * folders included; adds them up in *bytes and *files. */
enum pm_code pm_plain_alike(
    const char *made, const char *to, int64_t *bytes, int64_t *files, struct pm_err *err);

#endif
