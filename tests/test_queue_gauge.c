/* queue_gauge: counters, rates and what only the running daemon knows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/queuekit.h"

static void counts_agree_with_the_jobs(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_counts counts;
    pm_kit_see(kit, "a/gt/g.tif", 1);
    for (int i = 0; i < 6; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/t%d.tif", i);
        pm_kit_see(kit, name, 1);
    }
    pm_kit_see(kit, "b/t.tif", 1);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_OK);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_EFORMAT);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_EIO);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_ENOENT);
    pm_kit_claim_one(kit);
    assert_int_equal(pm_queue_counts(kit->store, &counts, NULL), PM_OK);
    assert_int_equal(counts.waiting, 1);
    assert_int_equal(counts.queued, 2);
    assert_int_equal(counts.ready, 1);
    assert_int_equal(counts.running, 1);
    assert_int_equal(counts.done, 1);
    assert_int_equal(counts.failed, 1);
    assert_int_equal(counts.missing, 1);
    assert_int_equal(counts.quarantined, 0);
    assert_int_equal(counts.total, 6);
    assert_int_equal(counts.next_due_us, kit->now_us + 5000000);
    assert_false(counts.paused);
    /* The counters and the rows they count, for sources and for scenes. */
    static const char *const states[] = {
        "queued", "running", "done", "failed", "quarantined", "missing"};
    for (int i = 0; i < 6; i++) {
        char sql[512];
        snprintf(sql, sizeof sql,
            "select (select sum(%s) from source_count) = (select count(*) from job where"
            " state = '%s') and (select sum(%s) from scene) = (select count(*) from job where"
            " state = '%s')",
            states[i], states[i], states[i], states[i]);
        pm_kit_expect(kit, "1", sql);
    }
}

static void rates_look_back_as_far_as_their_window(void **state)
{
    struct pm_kit *kit = *state;
    int64_t now = kit->now_us;
    int64_t minute = 60000000;
    assert_int_equal(
        pm_queue_rate(kit->store, now - 50 * minute, 600, 0, 50 * minute, NULL), PM_OK);
    assert_int_equal(pm_queue_rate(kit->store, now - 10 * minute, 60, 0, 2 * minute, NULL), PM_OK);
    assert_int_equal(pm_queue_rate(kit->store, now, 30, 10, minute, NULL), PM_OK);
    pm_kit_expect(
        kit, "1 min|30\n15 min|90\n60 min|690\nall|690", "select window, pairs from throughput");
    pm_kit_expect(
        kit, "30.0|6.0|11.5|13.02", "select group_concat(pairs_per_minute, '|') from throughput");
    pm_kit_expect(kit, "0|0", "select remaining, seconds_left from eta");
    pm_kit_see(kit, "gt/g.tif", 1);
    pm_kit_see(kit, "t.tif", 1);
    /* 100 ended in the last 15 minutes, 3 of them with work. */
    pm_kit_expect(kit, "1|2|33.33|20",
        "select remaining, seconds_left, pairs_per_minute, length(finish_at) from eta");
    assert_int_equal(pm_queue_rate(kit->store, now + 61 * minute, 1, 0, 0, NULL), PM_OK);
    pm_kit_expect(kit, "1", "select count(*) from rate"); /* the rest is over an hour old */
}

static void gauges_show_up_in_their_views(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_gauges gauges = {.settling = 4, .ignored = 2, .watching = true};
    struct pm_cache_stats cache = {
        .hits = 3, .misses = 1, .evictions = 5, .bytes = 100, .budget_bytes = 200};
    struct pm_worker_gauge worker = {
        .job_id = 1, .step = PM_STEP_MASK, .since_us = kit->now_us, .done = 7, .failed = 1};
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t.tif", 1);
    assert_int_equal(pm_queue_gauge(kit->store, "lab", &gauges, NULL), PM_OK);
    assert_int_equal(pm_queue_cache(kit->store, "gt", &cache, NULL), PM_OK);
    assert_int_equal(pm_queue_worker(kit->store, 2, &worker, NULL), PM_OK);
    worker = (struct pm_worker_gauge){.since_us = kit->now_us, .step = -1};
    assert_int_equal(pm_queue_worker(kit->store, 3, &worker, NULL), PM_OK);
    pm_kit_expect(kit, "4|1|2", "select settling, watching, ignored from progress");
    pm_kit_expect(kit, "gt|3|1|75.0|5|100|200", "select * from cache_stats");
    pm_kit_expect(kit, "2|busy|1|s|s/t.tif|mask|7|1\n3|idle|||||0|0",
        "select worker, state, job_id, scene, target_path, stage, done, failed from workers");
    assert_int_equal(pm_queue_fact(kit->store, "overflows", 12, NULL), PM_OK);
    pm_kit_expect(kit, "12", "select overflows from health");
    assert_int_equal(pm_queue_gauges_end(kit->store, NULL), PM_OK);
    pm_kit_expect(kit, "0|0|1",
        "select settling, (select count(*) from workers), (select count(*) from cache_stats)"
        " from progress");
    assert_int_equal(pm_queue_gauges_reset(kit->store, NULL), PM_OK);
    pm_kit_expect(kit, "0", "select count(*) from cache_stats");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(counts_agree_with_the_jobs),
        with_store(rates_look_back_as_far_as_their_window),
        with_store(gauges_show_up_in_their_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
