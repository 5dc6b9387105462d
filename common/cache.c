#include "common/cache.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

/* Entries are decoded images, so thousands at most: a short chain per bucket. */
#define BUCKETS 256

/*
 * One key's life; all moves under the cache's mutex:
 *
 *   (none) --get--> FILLING --fill--> READY --last release, evicted later--> (freed)
 *                    |   ^
 *                fail|   |a waiter takes over
 *                    v   |
 *                    EMPTY --nobody waits--> (freed)
 */
enum state { EMPTY, FILLING, READY };

struct pm_cache_entry {
    int64_t key;
    enum state state;
    int pins;     /* holders, the filler and the waiters; 0 only while on the idle list */
    bool counted; /* part of cache->bytes */
    size_t bytes;
    void *value;
    void (*free_fn)(void *value, void *ctx);
    void *ctx;
    struct pm_cache_entry *bucket_next;
    struct pm_cache_entry *older, *newer; /* the idle list; older also chains what is to be freed */
};

struct pm_cache {
    pthread_mutex_t mutex; /* guards all below, and all entries */
    pthread_cond_t filled; /* some entry left FILLING */
    struct pm_cache_entry *buckets[BUCKETS];
    struct pm_cache_entry *oldest, *newest; /* READY and unpinned, by time of last release */
    size_t bytes, budget_bytes;
    int64_t hits, misses, evictions;
};

enum pm_code pm_cache_new(struct pm_cache **out, size_t budget_bytes, struct pm_err *err)
{
    struct pm_cache *cache = calloc(1, sizeof *cache);
    if (cache == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a cache");
    }
    cache->budget_bytes = budget_bytes;
    pthread_mutex_init(&cache->mutex, NULL);
    pthread_cond_init(&cache->filled, NULL);
    *out = cache;
    return PM_OK;
}

static struct pm_cache_entry **bucket_of(struct pm_cache *cache, int64_t key)
{
    /* Fibonacci hashing: ids are dense, but may come in strides. */
    return &cache->buckets[((uint64_t)key * 0x9e3779b97f4a7c15u) >> 56];
}

static struct pm_cache_entry *find(struct pm_cache *cache, int64_t key)
{
    struct pm_cache_entry *entry = *bucket_of(cache, key);
    while (entry != NULL && entry->key != key) {
        entry = entry->bucket_next;
    }
    return entry;
}

/* Out of the table, onto the list of those to be freed once the mutex is open. */
static void doom(struct pm_cache *cache, struct pm_cache_entry *entry, struct pm_cache_entry **dead)
{
    struct pm_cache_entry **link = bucket_of(cache, entry->key);
    while (*link != entry) {
        link = &(*link)->bucket_next;
    }
    *link = entry->bucket_next;
    if (entry->counted) {
        cache->bytes -= entry->bytes;
    }
    entry->older = *dead;
    *dead = entry;
}

/* Mutex not held: a free function may be slow, or use the cache. */
static void bury(struct pm_cache_entry *dead)
{
    while (dead != NULL) {
        struct pm_cache_entry *entry = dead;
        dead = entry->older;
        if (entry->value != NULL && entry->free_fn != NULL) {
            entry->free_fn(entry->value, entry->ctx);
        }
        free(entry);
    }
}

static void idle_push(struct pm_cache *cache, struct pm_cache_entry *entry)
{
    entry->older = cache->newest;
    entry->newer = NULL;
    *(cache->newest != NULL ? &cache->newest->newer : &cache->oldest) = entry;
    cache->newest = entry;
}

static void idle_remove(struct pm_cache *cache, struct pm_cache_entry *entry)
{
    *(entry->older != NULL ? &entry->older->newer : &cache->oldest) = entry->newer;
    *(entry->newer != NULL ? &entry->newer->older : &cache->newest) = entry->older;
}

static void trim(struct pm_cache *cache, struct pm_cache_entry **dead)
{
    while (cache->bytes > cache->budget_bytes && cache->oldest != NULL) {
        struct pm_cache_entry *entry = cache->oldest;
        idle_remove(cache, entry);
        doom(cache, entry, dead);
        cache->evictions++;
    }
}

void pm_cache_free(struct pm_cache *cache)
{
    struct pm_cache_entry *dead = NULL;

    if (cache == NULL) {
        return;
    }
    while (cache->oldest != NULL) {
        struct pm_cache_entry *entry = cache->oldest;
        idle_remove(cache, entry);
        doom(cache, entry, &dead);
    }
    for (int i = 0; i < BUCKETS; i++) {
        assert(cache->buckets[i] == NULL); /* else somebody still holds an entry */
    }
    bury(dead);
    pthread_cond_destroy(&cache->filled);
    pthread_mutex_destroy(&cache->mutex);
    free(cache);
}

/* Mutex held. Pins the entry of key, a new EMPTY one when there is none. NULL: out of memory. */
static struct pm_cache_entry *pin(struct pm_cache *cache, int64_t key)
{
    struct pm_cache_entry *entry = find(cache, key);
    if (entry == NULL) {
        struct pm_cache_entry **bucket = bucket_of(cache, key);
        entry = calloc(1, sizeof *entry);
        if (entry == NULL) {
            return NULL;
        }
        entry->key = key;
        entry->bucket_next = *bucket;
        *bucket = entry;
    } else if (entry->pins == 0) {
        idle_remove(cache, entry);
    }
    entry->pins++;
    return entry;
}

enum pm_code pm_cache_get(
    struct pm_cache *cache, int64_t key, struct pm_cache_entry **entry, struct pm_err *err)
{
    struct pm_cache_entry *found;

    pthread_mutex_lock(&cache->mutex);
    found = pin(cache, key);
    if (found == NULL) {
        pthread_mutex_unlock(&cache->mutex);
        return pm_err_set(err, PM_ENOMEM, "no memory for a cache entry");
    }
    while (found->state == FILLING) {
        pthread_cond_wait(&cache->filled, &cache->mutex);
    }
    if (found->state == READY) {
        cache->hits++;
    } else {
        cache->misses++;
        found->state = FILLING;
    }
    pthread_mutex_unlock(&cache->mutex);
    *entry = found;
    return PM_OK;
}

/* No lock: the value is set before any other thread can hold the entry, and stays until release. */
void *pm_cache_value(const struct pm_cache_entry *entry)
{
    return entry->value;
}

void pm_cache_fill(struct pm_cache *cache, struct pm_cache_entry *entry, void *value, size_t bytes,
    void (*free_fn)(void *value, void *ctx), void *ctx)
{
    struct pm_cache_entry *dead = NULL;

    assert(value != NULL);
    pthread_mutex_lock(&cache->mutex);
    assert(entry->state == FILLING);
    entry->value = value;
    entry->bytes = bytes;
    entry->free_fn = free_fn;
    entry->ctx = ctx;
    entry->counted = bytes <= cache->budget_bytes;
    cache->bytes += entry->counted ? bytes : 0;
    entry->state = READY;
    trim(cache, &dead);
    pthread_cond_broadcast(&cache->filled);
    pthread_mutex_unlock(&cache->mutex);
    bury(dead);
}

void pm_cache_fail(struct pm_cache *cache, struct pm_cache_entry *entry)
{
    struct pm_cache_entry *dead = NULL;

    pthread_mutex_lock(&cache->mutex);
    assert(entry->state == FILLING);
    entry->state = EMPTY;
    if (--entry->pins == 0) {
        doom(cache, entry, &dead);
    }
    pthread_cond_broadcast(&cache->filled);
    pthread_mutex_unlock(&cache->mutex);
    bury(dead);
}

void pm_cache_release(struct pm_cache *cache, struct pm_cache_entry *entry)
{
    struct pm_cache_entry *dead = NULL;

    if (entry == NULL) {
        return;
    }
    pthread_mutex_lock(&cache->mutex);
    assert(entry->state == READY && entry->pins > 0);
    if (--entry->pins == 0) {
        if (!entry->counted || entry->bytes > cache->budget_bytes) {
            doom(cache, entry, &dead); /* passed through */
        } else {
            idle_push(cache, entry);
            trim(cache, &dead);
        }
    }
    pthread_mutex_unlock(&cache->mutex);
    bury(dead);
}

int pm_cache_holds(struct pm_cache *cache, int64_t key)
{
    pthread_mutex_lock(&cache->mutex);
    const struct pm_cache_entry *entry = find(cache, key);
    int holds = entry != NULL && entry->state == READY;
    pthread_mutex_unlock(&cache->mutex);
    return holds;
}

void pm_cache_set_budget(struct pm_cache *cache, size_t budget_bytes)
{
    struct pm_cache_entry *dead = NULL;

    pthread_mutex_lock(&cache->mutex);
    cache->budget_bytes = budget_bytes;
    trim(cache, &dead);
    pthread_mutex_unlock(&cache->mutex);
    bury(dead);
}

void pm_cache_stats(struct pm_cache *cache, struct pm_cache_stats *stats)
{
    pthread_mutex_lock(&cache->mutex);
    *stats = (struct pm_cache_stats){
        .hits = cache->hits,
        .misses = cache->misses,
        .evictions = cache->evictions,
        .bytes = cache->bytes,
        .budget_bytes = cache->budget_bytes,
    };
    pthread_mutex_unlock(&cache->mutex);
}
