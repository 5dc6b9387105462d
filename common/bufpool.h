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

/* Where a pool's buffers come from, 64-byte aligned, and go to. Called without any lock, on the
 * thread that gets or puts; what is kept goes back on the thread that trims or frees. */
struct pm_bufsource {
    void *(*alloc)(void *ctx, size_t bytes); /* NULL: out of memory */
    void (*free)(void *ctx, void *data, size_t bytes);
    void *ctx;
};

enum pm_code pm_bufpool_new(struct pm_bufpool **out, size_t keep_bytes, struct pm_err *err);
/* Of special memory, for images. plain: the pool for what is only needed to make them. */
enum pm_code pm_bufpool_new_from(struct pm_bufpool **out, size_t keep_bytes,
    const struct pm_bufsource *source, struct pm_bufpool *plain, struct pm_err *err);
/* Every buffer must have been put back. NULL is fine. */
void pm_bufpool_free(struct pm_bufpool *pool);
/* A buffer of at least `bytes`; pool NULL: plain aligned allocation. NULL when out of memory. */
void *pm_bufpool_get(struct pm_bufpool *pool, size_t bytes);
/* bytes: as given to get. data NULL is fine. */
void pm_bufpool_put(struct pm_bufpool *pool, void *data, size_t bytes);
/* Whole pages of ordinary memory, for a source; free(). NULL when out of memory. */
void *pm_bufpool_pages(size_t bytes);
/* Bytes kept for reuse right now. */
size_t pm_bufpool_kept(struct pm_bufpool *pool);
/* From now on; what is too much goes back at once, the oldest first. */
void pm_bufpool_set_keep(struct pm_bufpool *pool, size_t keep_bytes);
/* Gives back all that is kept. */
void pm_bufpool_trim(struct pm_bufpool *pool);
/* Where scratch memory beside a buffer of this pool comes from: see pm_bufpool_new_from(); else
 * the pool itself. NULL: NULL. */
struct pm_bufpool *pm_bufpool_plain(struct pm_bufpool *pool);

#endif
