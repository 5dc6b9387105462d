/* ledger: the calls as ingest, workers and people make them, through the thread. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/queuekit.h"

static void a_pair_goes_from_sighting_to_done(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_job job = {0};
    size_t count;
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "scene/noisy.tif", 10);
    pm_kit_expect(kit, "scene|scene/noisy.tif|target", "select scene, path, role from unpaired");
    pm_kit_sight(kit, "scene/gt/clean.tif", 20);
    pm_kit_expect(kit, "0|1|1", "select waiting, queued, total from progress");

    assert_int_equal(pm_ledger_turn(kit->ledger, 3, NULL, 0, &job, 1, &count, NULL), PM_OK);
    assert_int_equal(count, 1);
    assert_int_equal(job.attempt, 1);
    assert_string_equal(job.scene, "scene");
    assert_int_equal(job.gt.size, 20);
    assert_int_equal(job.target.mtime_ns, 1010);
    assert_non_null(strstr(job.gt_path, "/in-lab/scene/gt/clean.tif"));
    assert_string_equal(job.gt_path + job.root_bytes, "/scene/gt/clean.tif");
    assert_non_null(strstr(job.output, "/out-lab"));
    pm_kit_expect(kit, "running|1|3", "select state, attempts, worker from job");

    struct pm_result result = pm_kit_result(job.id, 3);
    pm_kit_hand_over(kit, &result);
    assert_null(result.crops); /* consumed */
    pm_job_clear(&job);
    pm_kit_expect(kit, "scene|scene/gt/clean.tif|scene/noisy.tif|-3|5|hierarchical|plain",
        "select scene, gt_path, target_path, dy, dx, method, backend from results");
    pm_kit_expect(kit, "1|100.0", "select done, percent from progress");
    pm_kit_expect(kit, "0", "select count(*) from unpaired");
}

static void results_and_the_next_claim_share_a_turn(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    pm_kit_sight(kit, "s/a.tif", 2);
    pm_kit_sight(kit, "s/b.tif", 3);
    int64_t first = pm_kit_turn(kit, 0, NULL);
    struct pm_result result = pm_kit_result(first, 0);
    int64_t second = pm_kit_turn(kit, 0, &result);
    assert_true(second > first);
    pm_kit_expect(kit, "1|1", "select done, running from progress");
    struct pm_counts counts;
    pm_ledger_counts(kit->ledger, &counts);
    assert_int_equal(counts.done, 1);
    assert_int_equal(counts.running, 1);
    assert_int_equal(counts.total, 2);
    assert_int_equal(counts.ready, 0);
}

struct waiter {
    struct pm_kit *kit;
    int64_t id;
};

static void *wait_for_a_job(void *arg)
{
    struct waiter *waiter = arg;
    waiter->id = pm_kit_turn(waiter->kit, 1, NULL);
    return NULL;
}

static void a_waiting_turn_gets_the_job_that_comes(void **state)
{
    struct pm_kit *kit = *state;
    struct waiter waiter = {kit, -1};
    pthread_t thread;
    pm_kit_ledger(kit);
    pthread_create(&thread, NULL, wait_for_a_job, &waiter);
    pm_kit_sight(kit, "gt/g.tif", 1);
    pm_kit_sight(kit, "t.tif", 2);
    pthread_join(thread, NULL);
    assert_int_equal(waiter.id, 1);
    pm_kit_expect(kit, ".", "select name from scene");
}

static void stopping_claims_ends_waiting_turns_and_takes_results(void **state)
{
    struct pm_kit *kit = *state;
    struct waiter waiter = {kit, -1};
    pthread_t thread;
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "gt/g.tif", 1);
    pm_kit_sight(kit, "t.tif", 2);
    pm_kit_sight(kit, "u.tif", 2);
    int64_t id = pm_kit_turn(kit, 0, NULL);
    pm_ledger_hold_claims(kit->ledger, true);
    pthread_create(&thread, NULL, wait_for_a_job, &waiter);
    pm_ledger_stop_claims(kit->ledger);
    pthread_join(thread, NULL);
    assert_int_equal(waiter.id, 0);
    struct pm_result result = pm_kit_result(id, 0);
    assert_int_equal(pm_kit_turn(kit, 0, &result), 0);
    pm_kit_expect(kit, "1|1|0", "select done, queued, running from progress");
}

static void a_hold_keeps_jobs_back_and_lets_them_go(void **state)
{
    struct pm_kit *kit = *state;
    struct waiter waiter = {kit, -1};
    pthread_t thread;
    pm_kit_ledger(kit);
    pm_ledger_hold_claims(kit->ledger, true);
    pm_kit_sight(kit, "gt/g.tif", 1);
    pm_kit_sight(kit, "t.tif", 2);
    pthread_create(&thread, NULL, wait_for_a_job, &waiter);
    pm_kit_sync(kit);
    pm_kit_expect(kit, "1|0", "select queued, running from progress");
    pm_ledger_hold_claims(kit->ledger, false);
    pthread_join(thread, NULL);
    assert_int_equal(waiter.id, 1);
}

static void pause_is_stored_and_survives_a_restart(void **state)
{
    struct pm_kit *kit = *state;
    struct waiter waiter = {kit, -1};
    struct pm_err err;
    struct pm_counts counts;
    pthread_t thread;
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "gt/g.tif", 1);
    assert_int_equal(pm_ledger_pause_wait(kit->ledger, NULL, true, NULL), PM_OK);
    assert_int_equal(pm_ledger_pause_wait(kit->ledger, "nobody", true, &err), PM_EUSAGE);
    assert_non_null(strstr(err.text, "nobody"));
    pm_kit_close(kit);

    pm_kit_ledger(kit);
    pm_ledger_counts(kit->ledger, &counts);
    assert_true(counts.paused);
    pm_kit_sight(kit, "t.tif", 2); /* ingest goes on */
    pthread_create(&thread, NULL, wait_for_a_job, &waiter);
    pm_kit_sync(kit);
    pm_kit_expect(kit, "1|0|1", "select queued, running, paused from progress");
    assert_int_equal(pm_ledger_pause_wait(kit->ledger, NULL, false, NULL), PM_OK);
    pthread_join(thread, NULL);
    assert_int_equal(waiter.id, 1);
}

static void retry_and_redo_count_what_they_release(void **state)
{
    struct pm_kit *kit = *state;
    int64_t released = -1;
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "gt/g.tif", 1);
    pm_kit_sight(kit, "t.tif", 2);
    pm_kit_sight(kit, "u.tif", 2);
    struct pm_result bad = pm_kit_result(pm_kit_turn(kit, 0, NULL), 0);
    bad.code = PM_EFORMAT;
    struct pm_result good = pm_kit_result(pm_kit_turn(kit, 0, &bad), 0);
    pm_kit_hand_over(kit, &good);
    pm_kit_expect(kit, "1|1", "select done, failed from progress");
    struct pm_retry_filter usual = {0};
    assert_int_equal(pm_ledger_retry_wait(kit->ledger, &usual, &released, NULL), PM_OK);
    assert_int_equal(released, 1);
    assert_int_equal(pm_ledger_redo_all_wait(kit->ledger, NULL), PM_OK);
    pm_kit_expect(kit, "2|0|0", "select queued, done, failed from progress");
    pm_kit_expect(kit, "0", "select count(*) from result");
}

static void a_second_owner_is_refused_and_told_the_pid(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_ledger *other = NULL;
    struct pm_err err;
    char pid[32];
    pm_kit_ledger(kit);
    assert_int_equal(pm_ledger_open(&other, kit->conf, &kit->clock, &err), PM_EOWNED);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    assert_non_null(strstr(err.text, pid));
    assert_null(other);
}

static void a_walk_finds_out_what_is_gone(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    pm_kit_sight(kit, "s/t.tif", 2);
    kit->now_us += 1000000;
    int64_t walk_us = kit->now_us;
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    assert_int_equal(pm_ledger_walked(kit->ledger, "lab", walk_us, NULL, NULL, NULL), PM_OK);
    pm_kit_sync(kit);
    pm_kit_expect(kit, "1|0|1", "select missing, queued, waiting from progress");
    pm_kit_sight(kit, "s/t.tif", 2);
    pm_kit_expect(kit, "0|1|0", "select missing, queued, waiting from progress");
}

static void new_settings_bring_and_retire_sources(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    struct pm_conf *old = kit->conf;
    pm_conf_new(&kit->conf, NULL);
    pm_kit_source(kit, "field");
    pm_ledger_reload(kit->ledger, kit->conf);
    pm_kit_sync(kit); /* sights in field: order is kept, so the source is known by then */
    pm_kit_expect(kit, "field|1\nlab|0", "select name, active from source order by name");
    pm_conf_unref(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_kit(a_pair_goes_from_sighting_to_done),
        with_kit(results_and_the_next_claim_share_a_turn),
        with_kit(a_waiting_turn_gets_the_job_that_comes),
        with_kit(stopping_claims_ends_waiting_turns_and_takes_results),
        with_kit(a_hold_keeps_jobs_back_and_lets_them_go),
        with_kit(pause_is_stored_and_survives_a_restart),
        with_kit(retry_and_redo_count_what_they_release),
        with_kit(a_second_owner_is_refused_and_told_the_pid),
        with_kit(a_walk_finds_out_what_is_gone),
        with_kit(new_settings_bring_and_retire_sources),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
