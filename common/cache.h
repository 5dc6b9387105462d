/*
 * cache: decoded images (with pyramid, spectrum, ...) kept for the next pair that shares them.
 * Owns: every value filled in, until it is evicted; then the value's own free function runs, never
 * under the cache's lock, on whichever thread caused it.
 * Threads: any. A value is shared by all who hold it: read-only once filled.
 * Memory: counted values stay within the byte budget, except that pinned ones are never evicted. A
 * value larger than the whole budget is passed through: shared while somebody holds it, not
 * counted, evicting nobody, freed at its last release. So budget 0 keeps nothing, but two workers
 * that want the same image at the same time still decode it once.
 * Errors: PM_ENOMEM from new and get only; nothing blocks but pm_cache_get().
 *
 *     rc = pm_cache_get(cache, gt_image_id, &entry, err);
 *     if (rc == PM_OK && pm_cache_value(entry) == NULL) {     a miss, and it is ours to fill
 *         rc = decode(..., &gt, err);
 *         if (rc == PM_OK) {
 *             pm_cache_fill(cache, entry, gt, bytes, gt_free, NULL);
 *         } else {
 *             pm_cache_fail(cache, entry);                    entry is gone; the next waiter tries
 *             entry = NULL;
 *         }
 *     }
 *     ... use pm_cache_value(entry) ...
 *     pm_cache_release(cache, entry);
 */
#ifndef PM_COMMON_CACHE_H
#define PM_COMMON_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct pm_cache;       /* opaque */
struct pm_cache_entry; /* opaque; one pin on one value */

struct pm_cache_stats {
    int64_t hits;      /* gets that found the value, or waited while another thread filled it */
    int64_t misses;    /* gets whose caller had to fill it */
    int64_t evictions; /* counted values freed to stay within the budget */
    size_t bytes;      /* counted values held now, pinned ones included */
    size_t budget_bytes;
};

enum pm_code pm_cache_new(struct pm_cache **out, size_t budget_bytes, struct pm_err *err);
/* Frees what is kept. Every entry must have been released. NULL is fine. */
void pm_cache_free(struct pm_cache *cache);

/* Pins the entry of key (an image id; a changed file has another id). Blocks while another thread
 * fills it. Afterwards pm_cache_value(*entry) is either the value, or NULL: then exactly this
 * caller must call pm_cache_fill or pm_cache_fail, soon, since others may wait for it. To stay free
 * of deadlock: have memory admitted (budget.h) before the get, and fill or fail one entry before
 * getting another. */
enum pm_code pm_cache_get(
    struct pm_cache *cache, int64_t key, struct pm_cache_entry **entry, struct pm_err *err);
/* The value of a pinned entry, valid until its release; NULL: the caller has to fill it. */
void *pm_cache_value(const struct pm_cache_entry *entry);
/* Hands value (not NULL) over to the cache and wakes who waits; entry stays pinned by the caller.
 * bytes: what it takes in memory, counted against the budget. free_fn (may be NULL) frees it. */
void pm_cache_fill(struct pm_cache *cache, struct pm_cache_entry *entry, void *value, size_t bytes,
    void (*free_fn)(void *value, void *ctx), void *ctx);
/* Instead of fill: there will be no value. Gives the pin back; one waiter, if any, gets to fill. */
void pm_cache_fail(struct pm_cache *cache, struct pm_cache_entry *entry);
/* Gives back one pin of a filled entry. NULL is fine. */
void pm_cache_release(struct pm_cache *cache, struct pm_cache_entry *entry);

/* Whether the value of key is kept right now; a hint for reading ahead, counts as nothing. */
int pm_cache_holds(struct pm_cache *cache, int64_t key);
/* Takes effect at once: evicts what is unpinned and too much. */
void pm_cache_set_budget(struct pm_cache *cache, size_t budget_bytes);
void pm_cache_stats(struct pm_cache *cache, struct pm_cache_stats *stats);

#endif
