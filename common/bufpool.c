#include "common/bufpool.h"

#include <assert.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define ALIGN_BYTES 64
#define PAGE_BYTES 4096 /* every page size is a multiple */
/* From here on buffers get huge pages where the system has them: 512 times fewer first touches. */
#define HUGE_FROM ((size_t)4 << 20)
#define HUGE_BYTES ((size_t)2 << 20)

/* Lies in the first bytes of a kept buffer. */
struct kept {
    struct kept *older, *newer;
    size_t capacity;
};

struct pm_bufpool {
    struct pm_bufsource source; /* constant, as the next */
    struct pm_bufpool *plain;
    pthread_mutex_t mutex; /* guards all below */
    struct kept *oldest, *newest;
    size_t keep_bytes;
    size_t kept_bytes;
    int64_t out; /* buffers handed out and not put back */
};

/* Requests are rounded up to one of 8 sizes per power of two (at most 12.5 % more, never touched):
 * images of nearly one size share buffers, and put() knows the capacity from the same number.
 * 0 when there is no such size. */
static size_t capacity_of(size_t bytes)
{
    size_t step = ALIGN_BYTES;
    while (bytes / 16 >= step) { /* afterwards bytes < 16 * step, and >= 8 * step unless tiny */
        step *= 2;
    }
    if (bytes > SIZE_MAX - HUGE_BYTES - step) {
        return 0;
    }
    bytes = (bytes + step - 1) / step * step;
    return bytes < ALIGN_BYTES ? ALIGN_BYTES : bytes;
}

/* In units of `small` bytes, or of huge pages. */
static void *aligned(size_t bytes, size_t small)
{
    size_t unit = bytes < HUGE_FROM ? small : HUGE_BYTES;
    void *data = aligned_alloc(unit, (bytes + unit - 1) / unit * unit);
    if (data != NULL && unit == HUGE_BYTES) {
        (void)madvise(data, bytes, MADV_HUGEPAGE); /* a wish: not every kernel has them */
    }
    return data;
}

static void *allocate(void *ctx, size_t capacity)
{
    (void)ctx;
    return aligned(capacity, ALIGN_BYTES);
}

void *pm_bufpool_pages(size_t bytes)
{
    return aligned(bytes, PAGE_BYTES);
}

static void release(void *ctx, void *data, size_t capacity)
{
    (void)ctx;
    (void)capacity;
    free(data);
}

static const struct pm_bufsource heap = {allocate, release, NULL};

enum pm_code pm_bufpool_new(struct pm_bufpool **out, size_t keep_bytes, struct pm_err *err)
{
    return pm_bufpool_new_from(out, keep_bytes, &heap, NULL, err);
}

enum pm_code pm_bufpool_new_from(struct pm_bufpool **out, size_t keep_bytes,
    const struct pm_bufsource *source, struct pm_bufpool *plain, struct pm_err *err)
{
    struct pm_bufpool *pool = calloc(1, sizeof *pool);
    if (pool == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a buffer pool");
    }
    pool->source = *source;
    pool->plain = plain;
    pool->keep_bytes = keep_bytes;
    pthread_mutex_init(&pool->mutex, NULL);
    *out = pool;
    return PM_OK;
}

/* Mutex held. */
static void unlink_kept(struct pm_bufpool *pool, struct kept *kept)
{
    *(kept->older != NULL ? &kept->older->newer : &pool->oldest) = kept->newer;
    *(kept->newer != NULL ? &kept->newer->older : &pool->newest) = kept->older;
    pool->kept_bytes -= kept->capacity;
}

/* Mutex held. */
static void push_kept(struct pm_bufpool *pool, struct kept *kept, size_t capacity)
{
    *kept = (struct kept){.older = pool->newest, .capacity = capacity};
    *(pool->newest != NULL ? &pool->newest->newer : &pool->oldest) = kept;
    pool->newest = kept;
    pool->kept_bytes += capacity;
}

/* Mutex held. Takes the oldest off while more than most bytes are kept; chained by newer. */
static struct kept *take_surplus(struct pm_bufpool *pool, size_t most)
{
    struct kept *surplus = NULL;
    while (pool->kept_bytes > most) {
        struct kept *kept = pool->oldest;
        assert(kept != NULL); /* kept_bytes is what the list holds */
        unlink_kept(pool, kept);
        kept->newer = surplus;
        surplus = kept;
    }
    return surplus;
}

static void free_chain(struct pm_bufpool *pool, struct kept *kept)
{
    while (kept != NULL) {
        struct kept *next = kept->newer;
        pool->source.free(pool->source.ctx, kept, kept->capacity);
        kept = next;
    }
}

void pm_bufpool_free(struct pm_bufpool *pool)
{
    if (pool == NULL) {
        return;
    }
    assert(pool->out == 0);
    free_chain(pool, pool->oldest);
    pthread_mutex_destroy(&pool->mutex);
    free(pool);
}

void *pm_bufpool_get(struct pm_bufpool *pool, size_t bytes)
{
    size_t capacity = capacity_of(bytes);
    struct kept *kept;

    if (capacity == 0) {
        return NULL;
    }
    if (pool == NULL) {
        return heap.alloc(heap.ctx, capacity);
    }
    pthread_mutex_lock(&pool->mutex);
    kept = pool->newest; /* the one most likely still in some cache */
    while (kept != NULL && kept->capacity != capacity) {
        kept = kept->older;
    }
    if (kept != NULL) {
        unlink_kept(pool, kept);
    }
    pool->out++;
    pthread_mutex_unlock(&pool->mutex);
    if (kept != NULL) {
        return kept;
    }

    void *data = pool->source.alloc(pool->source.ctx, capacity);
    if (data == NULL) {
        pthread_mutex_lock(&pool->mutex);
        pool->out--;
        pthread_mutex_unlock(&pool->mutex);
    }
    return data;
}

void pm_bufpool_put(struct pm_bufpool *pool, void *data, size_t bytes)
{
    size_t capacity = capacity_of(bytes);
    struct kept *surplus;

    if (data == NULL) {
        return;
    }
    if (pool == NULL) {
        heap.free(heap.ctx, data, capacity);
        return;
    }
    pthread_mutex_lock(&pool->mutex);
    assert(pool->out > 0);
    pool->out--;
    if (capacity <= pool->keep_bytes) {
        push_kept(pool, data, capacity);
        data = NULL;
    }
    surplus = take_surplus(pool, pool->keep_bytes);
    pthread_mutex_unlock(&pool->mutex);
    if (data != NULL) { /* too large to keep at all */
        pool->source.free(pool->source.ctx, data, capacity);
    }
    free_chain(pool, surplus);
}

size_t pm_bufpool_kept(struct pm_bufpool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    size_t bytes = pool->kept_bytes;
    pthread_mutex_unlock(&pool->mutex);
    return bytes;
}

void pm_bufpool_set_keep(struct pm_bufpool *pool, size_t keep_bytes)
{
    pthread_mutex_lock(&pool->mutex);
    pool->keep_bytes = keep_bytes;
    struct kept *surplus = take_surplus(pool, keep_bytes);
    pthread_mutex_unlock(&pool->mutex);
    free_chain(pool, surplus);
}

void pm_bufpool_trim(struct pm_bufpool *pool)
{
    pthread_mutex_lock(&pool->mutex);
    struct kept *surplus = take_surplus(pool, 0);
    pthread_mutex_unlock(&pool->mutex);
    free_chain(pool, surplus);
}

struct pm_bufpool *pm_bufpool_plain(struct pm_bufpool *pool)
{
    return pool != NULL && pool->plain != NULL ? pool->plain : pool;
}
