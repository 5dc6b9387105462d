/* ledger_gauges: what loop, workers and caches tell reaches the views without a commit of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/ledger_parts.h"
#include "tests/lib/queuekit.h"

/* Gauges are stored at most once a second: wait for it, however long that takes here. */
static void becomes(struct pm_kit *kit, const char *answer, const char *sql)
{
    while (strcmp(pm_kit_ask(kit, sql), answer) != 0) {
        usleep(20000);
    }
}

static void gauges_are_stored_soon_though_nothing_else_happens(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_gauges gauges = {
        .settling = 4, .ignored = 2, .overflows = 1, .loop_lag_max_us = 1500, .watching = true};
    struct pm_cache_stats cache = {.hits = 3, .misses = 1, .bytes = 100, .budget_bytes = 200};
    pm_kit_ledger(kit);
    pm_ledger_gauges(kit->ledger, "lab", &gauges);
    pm_ledger_cache(kit->ledger, "gt", &cache);
    becomes(kit, "4|1|2", "select settling, watching, ignored from progress");
    becomes(kit, "gt|75.0", "select cache, hit_percent from cache_stats");
    becomes(kit, "1|1.5", "select overflows, loop_lag_max_ms from health");
    pm_kit_expect(kit, "1|1|1", "select db_bytes > 0, free_bytes > 0, wal_bytes > 0 from health");
    pm_ledger_free_space(kit->ledger, "lab", 123456);
    pm_ledger_hold_claims(kit->ledger, true);
    becomes(kit, "{\"lab\":123456}|1", "select output_free_bytes, space_low from health");
    pm_ledger_hold_claims(kit->ledger, false);
    becomes(kit, "0", "select space_low from health");
    cache.hits = 7;
    pm_ledger_cache(kit->ledger, "gt", &cache);
    pm_ledger_cache(kit->ledger, "other", &cache);
    becomes(kit, "87.5|87.5", "select group_concat(hit_percent, '|') from cache_stats");
}

static void workers_show_what_they_do(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    pm_kit_sight(kit, "s/t.tif", 1);
    int64_t id = pm_kit_turn(kit, 5, NULL);
    pm_ledger_start(kit->ledger, 5, id);
    pm_ledger_beat(kit->ledger, 5, id, PM_STEP_ALIGN);
    pm_ledger_beat(kit->ledger, 5, id + 1, PM_STEP_CROP); /* not its job */
    pm_ledger_beat(kit->ledger, -1, id, PM_STEP_CROP);    /* no worker */
    pm_ledger_beat(kit->ledger, PM_OWNER_WORKERS, id, PM_STEP_CROP);
    becomes(kit, "5|busy|1|s|s/t.tif|align",
        "select worker, state, job_id, scene, target_path, stage from workers");
    struct pm_result result = pm_kit_result(id, 5);
    pm_kit_hand_over(kit, &result);
    pm_ledger_start(kit->ledger, 5, 0);
    becomes(kit, "5|idle|1|0", "select worker, state, done, failed from workers");
}

static void a_lost_transaction_brings_them_again(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_gauges gauges = {.settling = 9};
    pm_kit_store(kit);
    struct pm_ledger ledger = {.clock = &kit->clock, .store = kit->store}; /* no thread, no owner */
    pthread_mutex_init(&ledger.gauge_lock, NULL);
    pm_ledger_gauges(&ledger, "lab", &gauges);
    assert_true(pm_ledger_gauges_due(&ledger));
    kit_begin(kit);
    assert_int_equal(pm_ledger_store_gauges(&ledger, NULL), PM_OK);
    pm_store_rollback(kit->store);
    assert_false(pm_ledger_gauges_due(&ledger));
    pm_ledger_gauges_again(&ledger);
    assert_true(pm_ledger_gauges_due(&ledger));
    kit_begin(kit);
    kit_commit(kit, pm_ledger_store_gauges(&ledger, NULL), NULL);
    pm_kit_expect(kit, "9", "select settling from progress");
    pm_ledger_gauges_fini(&ledger);
    pthread_mutex_destroy(&ledger.gauge_lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_kit(gauges_are_stored_soon_though_nothing_else_happens),
        with_kit(workers_show_what_they_do),
        with_kit(a_lost_transaction_brings_them_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
