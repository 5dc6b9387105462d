/* guests: what people type into a shell of their own while the ledger runs is defined, and
 * harmless. The shell does not enforce foreign keys, as the stock sqlite3 does not. */
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

/* What the shell answers; without a newline at the end. */
static const char *type(struct pm_kit *kit, const char *sql)
{
    return pm_shell_ask(kit->db, "-cmd '.timeout 20000'", sql);
}

/* The counters people see are those that can be counted. */
static void expect_true_counts(struct pm_kit *kit)
{
    static const char *const states[] = {
        "queued", "running", "done", "failed", "quarantined", "missing"};
    for (size_t i = 0; i < 6; i++) {
        char sql[512];
        snprintf(sql, sizeof sql,
            "select (select coalesce(sum(%s), 0) from progress) = count(*)"
            " and (select coalesce(sum(%s), 0) from scene) = count(*)"
            " from job where state = '%s'",
            states[i], states[i], states[i]);
        pm_kit_expect(kit, "1", sql);
    }
    pm_kit_expect(kit, "1",
        "select (select coalesce(sum(ready), 0) from source_count) = count(*) from job"
        " where state = 'queued' and not_before_us = 0");
    pm_kit_expect(
        kit, "1", "select (select coalesce(sum(n), 0) from scene_total) = count(*) from results");
    pm_kit_expect(kit, "0|0|0",
        "select (select count(*) from crop where job_id not in (select job_id from result)),"
        " (select count(*) from record where job_id not in (select job_id from result)),"
        " (select count(*) from timing where job_id not in (select id from job))");
}

/* s/gt/g.tif with targets 0 .. n - 1; returns with the first `done` of them done. */
static void fill(struct pm_kit *kit, int n, int done)
{
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    for (int i = 0; i < n; i++) {
        char name[32];
        snprintf(name, sizeof name, "s/t%d.tif", i);
        pm_kit_sight(kit, name, 1);
    }
    for (int i = 0; i < done; i++) {
        struct pm_result result = pm_kit_result(pm_kit_turn(kit, 0, NULL), 0);
        pm_kit_hand_over(kit, &result);
    }
}

/* Nobody tells the ledger: it notices by itself that there is something to do. */
static void queued_by_hand_is_done_again(void **state)
{
    struct pm_kit *kit = *state;
    fill(kit, 3, 3);
    pm_kit_expect(kit, "3|0", "select done, queued from progress");
    assert_string_equal(type(kit, "update job set state = 'queued' where id = 2"), "");
    expect_true_counts(kit);
    pm_kit_expect(kit, "2", "select count(*) from results");
    struct pm_result result = pm_kit_result(pm_kit_turn(kit, 0, NULL), 0);
    assert_int_equal(result.job_id, 2);
    pm_kit_hand_over(kit, &result);
    pm_kit_expect(kit, "3|0|0", "select done, queued, failed from progress");
    expect_true_counts(kit);
}

static void all_queued_by_hand_are_done_again(void **state)
{
    struct pm_kit *kit = *state;
    fill(kit, 4, 2);
    int64_t running = pm_kit_turn(kit, 1, NULL);
    assert_string_equal(type(kit, "update job set state = 'queued'"), "");
    expect_true_counts(kit);
    struct pm_result late = pm_kit_result(running, 1); /* the pair has been taken from it */
    pm_kit_hand_over(kit, &late);
    pm_kit_expect(kit, "0|4", "select done, queued from progress");
    for (int i = 0; i < 4; i++) {
        struct pm_result result = pm_kit_result(pm_kit_turn(kit, 0, NULL), 0);
        pm_kit_hand_over(kit, &result);
    }
    pm_kit_expect(kit, "4|0|0", "select done, queued, failed from progress");
    expect_true_counts(kit);
}

/* It runs at worker 0 by now: what worker 1 says about it does not count. */
static void a_result_of_a_job_that_another_has_is_ignored(void **state)
{
    struct pm_kit *kit = *state;
    fill(kit, 1, 0);
    int64_t id = pm_kit_turn(kit, 1, NULL);
    assert_string_equal(type(kit, "update job set state = 'queued'"), "");
    assert_int_equal(pm_kit_turn(kit, 0, NULL), id);
    struct pm_result late = pm_kit_result(id, 1);
    pm_kit_hand_over(kit, &late);
    pm_kit_expect(kit, "0|1", "select done, running from progress");
    struct pm_result right = pm_kit_result(id, 0);
    pm_kit_hand_over(kit, &right);
    pm_kit_expect(kit, "1|0", "select done, running from progress");
}

static void done_by_hand_is_refused_or_shows(void **state)
{
    struct pm_kit *kit = *state;
    fill(kit, 2, 0);
    assert_non_null(strstr(type(kit, "update job set state = 'done' where id = 1"), "job_move"));
    assert_non_null(strstr(type(kit, "update job set state = 'finished'"), "job_move"));
    int64_t running = pm_kit_turn(kit, 0, NULL);
    assert_string_equal(type(kit, "update job set state = 'done' where state = 'running'"), "");
    expect_true_counts(kit);
    struct pm_result late = pm_kit_result(running, 0);
    pm_kit_hand_over(kit, &late);
    pm_kit_expect(kit, "1|0", "select done, (select count(*) from results) from progress");
    struct pm_retry_filter again = {.id = running, .done = true}; /* as verify --repair asks */
    int64_t released;
    assert_int_equal(pm_ledger_retry_wait(kit->ledger, &again, &released, NULL), PM_OK);
    assert_int_equal(released, 1);
    expect_true_counts(kit);
}

static void deleted_jobs_are_forgotten(void **state)
{
    struct pm_kit *kit = *state;
    fill(kit, 5, 2);
    int64_t running = pm_kit_turn(kit, 0, NULL);
    type(kit, "delete from job where id in (1, 4)");
    char sql[64];
    snprintf(sql, sizeof sql, "delete from job where id = %d", (int)running);
    type(kit, sql);
    expect_true_counts(kit);
    struct pm_result late = pm_kit_result(running, 0);
    pm_kit_hand_over(kit, &late);
    pm_kit_expect(kit, "2|1|1", "select total, done, queued from progress");
    struct pm_result last = pm_kit_result(pm_kit_turn(kit, 0, NULL), 0);
    assert_int_equal(last.job_id, 5);
    pm_kit_hand_over(kit, &last);
    expect_true_counts(kit);
    pm_kit_close(kit);
    kit->now_us += 1000000;
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "s/t0.tif", 1);
    pm_kit_expect(kit, "2", "select total from progress");
    pm_kit_sight(kit, "s/t0.tif", 2); /* a file that changes is a pair again */
    pm_kit_expect(kit, "3|1", "select total, queued from progress");
    expect_true_counts(kit);
}

static void deleted_images_scenes_and_sources_take_their_jobs_along(void **state)
{
    struct pm_kit *kit = *state;
    fill(kit, 4, 2);
    type(kit, "delete from image where name = 's/t0.tif'");
    expect_true_counts(kit);
    pm_kit_expect(kit, "3|1", "select total, done from progress");
    pm_kit_sight(kit, "s/t0.tif", 1); /* the next walk */
    pm_kit_expect(kit, "4|3", "select total, queued from progress");
    type(kit, "delete from scene");
    expect_true_counts(kit);
    pm_kit_expect(
        kit, "0|0|0", "select total, waiting, (select count(*) from image) from progress");
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    pm_kit_expect(kit, "1", "select waiting from progress");
    pm_kit_sight(kit, "s/t0.tif", 1);
    pm_kit_expect(kit, "1|1|0", "select total, queued, waiting from progress");
    expect_true_counts(kit);
    type(kit, "delete from source");
    pm_kit_sight(kit, "s/t1.tif", 1); /* of no source: nobody wants to know */
    pm_kit_expect(kit, "0", "select count(*) from progress");
    pm_kit_close(kit);
    kit->now_us += 1000000;
    pm_kit_ledger(kit); /* the configuration brings it back */
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    pm_kit_sight(kit, "s/t0.tif", 1);
    pm_kit_expect(kit, "1|1", "select total, queued from progress");
    expect_true_counts(kit);
}

/* Somebody got around the triggers: the job fails by itself, the others go on. */
static void a_job_without_its_rows_is_buried(void **state)
{
    struct pm_kit *kit = *state;
    fill(kit, 3, 0);
    assert_string_equal(type(kit, "update job set target_id = 999 where id = 1"), "");
    struct pm_result second = pm_kit_result(pm_kit_turn(kit, 0, NULL), 0);
    assert_int_equal(second.job_id, 2);
    pm_kit_hand_over(kit, &second);
    pm_kit_expect(kit, "1|EDB|3", "select job_id, code, (select count(*) from job) from failures");
    pm_kit_expect(kit, "1|1|1", "select done, queued, failed from progress");
    expect_true_counts(kit);
}

static void health_warns_of_a_large_log(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_store(kit);
    type(kit, "insert or replace into control values ('wal_bytes', 67108864)");
    pm_kit_expect(kit, "1", "select warning is null from health");
    type(kit, "insert or replace into control values ('wal_bytes', 67108865)");
    pm_kit_expect(kit, "1", "select warning like '%read transaction%' from health");
}

int main(void)
{
    const struct CMUnitTest tests[] = {with_kit(queued_by_hand_is_done_again),
        with_kit(all_queued_by_hand_are_done_again),
        with_kit(a_result_of_a_job_that_another_has_is_ignored),
        with_kit(done_by_hand_is_refused_or_shows), with_kit(deleted_jobs_are_forgotten),
        with_kit(deleted_images_scenes_and_sources_take_their_jobs_along),
        with_kit(a_job_without_its_rows_is_buried), with_kit(health_warns_of_a_large_log)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
