/*
 * bufpool: big buffers used again instead of returned to the kernel.
 * Why: the first touch of fresh memory costs ~2.8 ms/MB on a VM, more than decoding into it.
 * Owns: freed buffers up to keep_bytes in all; larger or surplus ones go back to the system.
 * Threads: any; one mutex inside.
 * Memory: buffers are 64-byte aligned and uninitialised. Errors: NULL when out of memory.
 */
#ifndef PM_COMMON_BUFPOOL_H
#define PM_COMMON_BUFPOOL_H

#include <stddef.h>

#include "common/err.h"

struct pm_bufpool;

enum pm_code pm_bufpool_new(struct pm_bufpool **out, size_t keep_bytes, struct pm_err *err);
/* Every buffer must have been put back. NULL is fine. */
void pm_bufpool_free(struct pm_bufpool *pool);
/* A buffer of at least `bytes`; pool NULL: plain aligned allocation. NULL when out of memory. */
void *pm_bufpool_get(struct pm_bufpool *pool, size_t bytes);
/* bytes: as given to get. data NULL is fine. */
void pm_bufpool_put(struct pm_bufpool *pool, void *data, size_t bytes);
/* Bytes kept for reuse right now. */
size_t pm_bufpool_kept(struct pm_bufpool *pool);

#endif
