/*
 * bench_stream: the machine's limit that the bench compares with: images read once from RAM.
 * Owns: an evictor owns a buffer larger than most caches. Threads: one. Memory: pm_evictor_free().
 * Errors: PM_ENOMEM.
 */
#ifndef PM_CLI_BENCH_STREAM_H
#define PM_CLI_BENCH_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

/* The sum of all 64-bit words: every byte is read once, front to back, by loads of 64 bytes (as
 * wide as the machine has them), on the calling thread. data is 64-byte aligned; bytes beyond the
 * last multiple of 64 are left out. */
uint64_t pm_stream_sum(const void *data, size_t bytes);

/* Pushes everything else out of the caches, so that what is timed next starts from RAM. */
struct pm_evictor {
    void *data;
    size_t bytes;
};
enum pm_code pm_evictor_init(struct pm_evictor *evictor, struct pm_err *err);
void pm_evictor_free(struct pm_evictor *evictor); /* zeroed is fine */
/* Returns what was read, so that no compiler leaves the reading out. */
uint64_t pm_evict(const struct pm_evictor *evictor);

#endif
