/* cache: pins, budget, order of eviction, one filler at a time. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/cache.h"

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* A value that counts its own death. */
struct thing {
    atomic_int freed;
};

static void thing_free(void *value, void *ctx)
{
    struct thing *thing = value;
    (void)ctx;
    atomic_fetch_add(&thing->freed, 1);
}

static struct pm_cache *cache_of(size_t budget)
{
    struct pm_cache *cache;
    assert_int_equal(pm_cache_new(&cache, budget, NULL), PM_OK);
    return cache;
}

static struct pm_cache_entry *get(struct pm_cache *cache, int64_t key)
{
    struct pm_cache_entry *entry = NULL;
    assert_int_equal(pm_cache_get(cache, key, &entry, NULL), PM_OK);
    return entry;
}

static struct pm_cache_entry *get_filled(
    struct pm_cache *cache, int64_t key, struct thing *thing, size_t bytes)
{
    struct pm_cache_entry *entry = get(cache, key);
    assert_null(pm_cache_value(entry));
    pm_cache_fill(cache, entry, thing, bytes, thing_free, NULL);
    return entry;
}

static struct pm_cache_stats stats_of(struct pm_cache *cache)
{
    struct pm_cache_stats stats;
    pm_cache_stats(cache, &stats);
    return stats;
}

static void hit_miss_and_free(void **state)
{
    (void)state;
    struct pm_cache *cache = cache_of(100);
    struct thing thing = {0};
    struct pm_cache_entry *first = get_filled(cache, 7, &thing, 60);
    struct pm_cache_entry *second = get(cache, 7);
    assert_ptr_equal(pm_cache_value(second), &thing);
    pm_cache_release(cache, first);
    pm_cache_release(cache, second);
    pm_cache_release(cache, NULL);
    assert_int_equal(thing.freed, 0);
    assert_true(pm_cache_holds(cache, 7));
    assert_false(pm_cache_holds(cache, 8));
    struct pm_cache_stats stats = stats_of(cache);
    assert_int_equal(stats.hits, 1);
    assert_int_equal(stats.misses, 1);
    assert_int_equal(stats.evictions, 0);
    assert_int_equal(stats.bytes, 60);
    assert_int_equal(stats.budget_bytes, 100);
    pm_cache_free(cache);
    assert_int_equal(thing.freed, 1);
    pm_cache_free(NULL);
}

static void evicts_least_recently_used_but_never_pinned(void **state)
{
    (void)state;
    struct pm_cache *cache = cache_of(100);
    struct thing things[5] = {0};
    struct pm_cache_entry *pinned = get_filled(cache, 0, &things[0], 40);
    pm_cache_release(cache, get_filled(cache, 1, &things[1], 30));
    pm_cache_release(cache, get_filled(cache, 2, &things[2], 30));
    pm_cache_release(cache, get(cache, 1)); /* now 2 is the oldest */
    pm_cache_release(cache, get_filled(cache, 3, &things[3], 30));
    assert_int_equal(things[2].freed, 1);
    assert_int_equal(things[1].freed, 0);
    pm_cache_release(cache, get_filled(cache, 4, &things[4], 60));
    assert_int_equal(things[1].freed, 1);
    assert_int_equal(things[3].freed, 1);
    assert_int_equal(things[0].freed, 0);
    assert_int_equal(things[4].freed, 0);
    assert_int_equal(stats_of(cache).bytes, 100);
    assert_int_equal(stats_of(cache).evictions, 3);
    pm_cache_release(cache, pinned);
    pm_cache_free(cache);
}

static void too_large_passes_through(void **state)
{
    (void)state;
    struct pm_cache *cache = cache_of(100);
    struct thing small = {0}, large = {0};
    pm_cache_release(cache, get_filled(cache, 1, &small, 90));
    struct pm_cache_entry *first = get_filled(cache, 2, &large, 101);
    struct pm_cache_entry *second = get(cache, 2); /* shared while held */
    assert_ptr_equal(pm_cache_value(second), &large);
    pm_cache_release(cache, first);
    assert_int_equal(large.freed, 0);
    pm_cache_release(cache, second);
    assert_int_equal(large.freed, 1);
    assert_int_equal(small.freed, 0);
    assert_int_equal(stats_of(cache).bytes, 90);
    assert_false(pm_cache_holds(cache, 2));
    pm_cache_free(cache);
}

static void smaller_budget_counts_at_once(void **state)
{
    (void)state;
    struct pm_cache *cache = cache_of(100);
    struct thing things[3] = {0};
    struct pm_cache_entry *pinned = get_filled(cache, 0, &things[0], 50);
    pm_cache_release(cache, get_filled(cache, 1, &things[1], 20));
    pm_cache_release(cache, get_filled(cache, 2, &things[2], 20));
    pm_cache_set_budget(cache, 70);
    assert_int_equal(things[1].freed, 1);
    assert_int_equal(things[2].freed, 0);
    pm_cache_set_budget(cache, 10); /* the pinned one now goes at its release */
    assert_int_equal(things[2].freed, 1);
    assert_int_equal(things[0].freed, 0);
    pm_cache_release(cache, pinned);
    assert_int_equal(things[0].freed, 1);
    assert_int_equal(stats_of(cache).bytes, 0);
    pm_cache_free(cache);
}

static void a_failed_fill_leaves_nothing(void **state)
{
    (void)state;
    struct pm_cache *cache = cache_of(100);
    struct thing thing = {0};
    struct pm_cache_entry *entry = get(cache, 1);
    pm_cache_fail(cache, entry);
    assert_false(pm_cache_holds(cache, 1));
    pm_cache_release(cache, get_filled(cache, 1, &thing, 10));
    assert_int_equal(stats_of(cache).misses, 2);
    pm_cache_free(cache);
}

struct seeker {
    struct pm_cache *cache;
    struct thing *thing;
    int fails; /* this one gives up when it has to fill */
    atomic_int *fills, *met;
    int all; /* releases it when so many have met, who have or had the entry */
    int found, gave_up;
    pthread_t thread;
};

static void *seek(void *ctx)
{
    struct seeker *self = ctx;
    struct pm_cache_entry *entry;
    if (pm_cache_get(self->cache, 5, &entry, NULL) != PM_OK) {
        return NULL;
    }
    if (pm_cache_value(entry) == NULL) {
        atomic_fetch_add(self->fills, 1);
        nap_ms(40); /* time for the others to queue up */
        if (self->fails) {
            self->gave_up = 1;
            pm_cache_fail(self->cache, entry);
            return NULL;
        }
        pm_cache_fill(self->cache, entry, self->thing, 10, thing_free, NULL);
    }
    self->found = pm_cache_value(entry) == self->thing;
    atomic_fetch_add(self->met, 1);
    while (atomic_load(self->met) < self->all) {
        nap_ms(1);
    }
    pm_cache_release(self->cache, entry);
    return NULL;
}

static void one_fills_and_all_wait(void **state)
{
    (void)state;
    for (size_t budget = 0; budget <= 100; budget += 100) { /* single-flight without a cache too */
        struct pm_cache *cache = cache_of(budget);
        struct thing thing = {0};
        atomic_int fills = 0, met = 0;
        struct seeker seekers[6];
        for (int i = 0; i < 6; i++) { /* nobody leaves before the last has come, however late */
            seekers[i] = (struct seeker){
                .cache = cache, .thing = &thing, .fills = &fills, .met = &met, .all = 6};
            pthread_create(&seekers[i].thread, NULL, seek, &seekers[i]);
        }
        for (int i = 0; i < 6; i++) {
            pthread_join(seekers[i].thread, NULL);
            assert_true(seekers[i].found);
        }
        assert_int_equal(fills, 1);
        assert_int_equal(stats_of(cache).hits, 5);
        assert_int_equal(thing.freed, budget == 0);
        pm_cache_free(cache);
        assert_int_equal(thing.freed, 1);
    }
}

static void a_waiter_takes_over_after_a_failure(void **state)
{
    (void)state;
    struct pm_cache *cache = cache_of(100);
    struct thing thing = {0};
    atomic_int fills = 0, met = 0;
    struct seeker seekers[4];
    for (int i = 0; i < 4; i++) {
        seekers[i] = (struct seeker){
            .cache = cache, .thing = &thing, .fails = i == 0, .fills = &fills, .met = &met};
        pthread_create(&seekers[i].thread, NULL, seek, &seekers[i]);
        while (atomic_load(&fills) == 0) { /* the first is the one that fails */
            nap_ms(1);
        }
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(seekers[i].thread, NULL);
        assert_int_equal(seekers[i].gave_up, i == 0);
        assert_int_equal(seekers[i].found, i != 0);
    }
    assert_int_equal(fills, 2);
    pm_cache_free(cache);
}

struct block {
    int64_t key;
};

static void block_free(void *value, void *ctx)
{
    struct block *block = value;
    block->key = -1;
    free(block);
    atomic_fetch_sub((atomic_int *)ctx, 1);
}

struct hammer {
    struct pm_cache *cache;
    atomic_int *alive;
    unsigned seed;
    int wrong;
    pthread_t thread;
};

static void *hammer(void *ctx)
{
    struct hammer *self = ctx;
    for (int i = 0; i < 4000; i++) {
        struct pm_cache_entry *entry;
        int64_t key = rand_r(&self->seed) % 40 - 20;
        if (pm_cache_get(self->cache, key, &entry, NULL) != PM_OK) {
            self->wrong++;
            continue;
        }
        if (pm_cache_value(entry) == NULL) {
            struct block *block = malloc(sizeof *block);
            if (block == NULL || rand_r(&self->seed) % 8 == 0) {
                free(block);
                pm_cache_fail(self->cache, entry);
                continue;
            }
            block->key = key;
            atomic_fetch_add(self->alive, 1);
            pm_cache_fill(self->cache, entry, block, (size_t)(rand_r(&self->seed) % 30), block_free,
                self->alive);
        }
        self->wrong += ((struct block *)pm_cache_value(entry))->key != key;
        pm_cache_release(self->cache, entry);
        if (i % 500 == 0) {
            pm_cache_set_budget(self->cache, (size_t)(rand_r(&self->seed) % 300));
        }
    }
    return NULL;
}

static void many_threads_never_see_a_wrong_or_freed_value(void **state)
{
    (void)state;
    struct pm_cache *cache = cache_of(100);
    atomic_int alive = 0;
    struct hammer hammers[4];
    for (unsigned i = 0; i < 4; i++) {
        hammers[i] = (struct hammer){.cache = cache, .alive = &alive, .seed = i + 1};
        pthread_create(&hammers[i].thread, NULL, hammer, &hammers[i]);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(hammers[i].thread, NULL);
        assert_int_equal(hammers[i].wrong, 0);
    }
    struct pm_cache_stats stats = stats_of(cache);
    assert_int_equal(stats.hits + stats.misses, 4 * 4000);
    assert_true(stats.bytes <= stats.budget_bytes);
    pm_cache_free(cache);
    assert_int_equal(alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hit_miss_and_free),
        cmocka_unit_test(evicts_least_recently_used_but_never_pinned),
        cmocka_unit_test(too_large_passes_through),
        cmocka_unit_test(smaller_budget_counts_at_once),
        cmocka_unit_test(a_failed_fill_leaves_nothing),
        cmocka_unit_test(one_fills_and_all_wait),
        cmocka_unit_test(a_waiter_takes_over_after_a_failure),
        cmocka_unit_test(many_threads_never_see_a_wrong_or_freed_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
