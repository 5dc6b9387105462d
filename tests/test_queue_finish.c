/* queue_finish: what becomes of jobs by the code they end with, and of a dead owner's jobs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/queuekit.h"

static void one_pair(struct pm_kit *kit)
{
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t.tif", 1);
}

static void ended_at(struct pm_kit *kit, enum pm_code code)
{
    pm_kit_end(kit, pm_kit_claim_one(kit), code);
}

static bool nothing_ready(struct pm_kit *kit)
{
    struct pm_job job = {0};
    size_t count = pm_kit_claim(kit, 0, &job, 1);
    pm_job_clear(&job);
    return count == 0;
}

static void a_done_job_has_result_crops_and_timings(void **state)
{
    struct pm_kit *kit = *state;
    one_pair(kit);
    ended_at(kit, PM_OK);
    pm_kit_expect(kit, "done|1|", "select state, attempts, code from job");
    pm_kit_expect(kit, "2|1", "select count(*), sum(written) from crop");
    pm_kit_expect(kit, "6|21000", "select count(*), sum(wall_us) from timing");
}

static void passing_trouble_is_tried_again_later_then_quarantined(void **state)
{
    struct pm_kit *kit = *state;
    int64_t delay_us = 5000000;
    one_pair(kit);
    for (int attempt = 1; attempt < 3; attempt++) {
        ended_at(kit, PM_EIO);
        pm_kit_expect(kit, "queued|EIO|decode", "select state, code, stage from job");
        kit->now_us += delay_us - 1;
        assert_true(nothing_ready(kit));
        kit->now_us += 1;
        delay_us *= 4;
    }
    ended_at(kit, PM_EIO);
    pm_kit_expect(kit, "quarantined|3", "select state, attempts from job");
    pm_kit_expect(kit, "3|decode|EIO|job ended as told",
        "select attempts, stage, code, message from quarantine");
    pm_kit_expect(kit, "1", "select count(*) from failures");
}

static void trouble_that_stays_fails_at_once(void **state)
{
    struct pm_kit *kit = *state;
    one_pair(kit);
    ended_at(kit, PM_EFORMAT);
    assert_true(nothing_ready(kit));
    pm_kit_expect(kit, "s|s/gt/g.tif|s/t.tif|1|decode|EFORMAT|job ended as told|1",
        "select scene, gt_path, target_path, attempts, stage, code, message, at is not null"
        " from failures");
    pm_kit_expect(
        kit, "0|6", "select (select count(*) from result), (select count(*) from timing)");
}

static void nobodys_fault_costs_no_attempt(void **state)
{
    struct pm_kit *kit = *state;
    one_pair(kit);
    for (int i = 0; i < 5; i++) {
        ended_at(kit, PM_ECANCELED);
        pm_kit_expect(kit, "queued|0", "select state, attempts from job");
    }
    ended_at(kit, PM_ENOSPC);
    assert_true(nothing_ready(kit)); /* a full disk is not asked again at once */
    kit->now_us += 10000000;
    ended_at(kit, PM_OK);
}

static void a_held_result_is_stored_but_not_offered(void **state)
{
    struct pm_kit *kit = *state;
    one_pair(kit);
    ended_at(kit, PM_EFLAGGED);
    pm_kit_expect(kit, "EFLAGGED", "select code from failures");
    pm_kit_expect(kit, "0|1|0",
        "select (select count(*) from results), (select held from result),"
        " (select count(*) from scene_total)");
    pm_kit_see(kit, "s/t.tif", 2);
    pm_kit_expect(kit, "0", "select count(*) from result");
}

static void a_missing_input_waits_for_its_sighting(void **state)
{
    struct pm_kit *kit = *state;
    one_pair(kit);
    ended_at(kit, PM_ENOENT);
    pm_kit_expect(kit, "1|0", "select missing, failed from progress");
    pm_kit_see(kit, "s/t.tif", 1); /* this one is there, the gt still in doubt */
    pm_kit_expect(kit, "1", "select missing from progress");
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_expect(kit, "0|1", "select missing, queued from progress");
    for (int attempt = 2; attempt <= 3; attempt++) { /* there for the walk, never for the worker */
        ended_at(kit, PM_ENOENT);
        pm_kit_see(kit, "s/t.tif", 1);
        pm_kit_see(kit, "s/gt/g.tif", 1);
    }
    pm_kit_expect(kit, "ENOENT|3", "select code, attempts from failures");
}

static void a_file_that_seemed_to_change_is_not_waited_for_for_ever(void **state)
{
    struct pm_kit *kit = *state;
    one_pair(kit);
    for (int i = 0; i < 5; i++) { /* more often than max_attempts */
        ended_at(kit, PM_ECHANGED);
        assert_true(nothing_ready(kit));
        kit->now_us += (int64_t)3600 * 1000000;
    }
    ended_at(kit, PM_ECHANGED);
    pm_kit_see(kit, "s/t.tif", 2); /* did change: at once, with fresh attempts */
    pm_kit_expect(kit, "queued|0|0", "select state, attempts, not_before_us from job");
}

static void a_result_for_a_changed_input_is_thrown_away(void **state)
{
    struct pm_kit *kit = *state;
    one_pair(kit);
    int64_t id = pm_kit_claim_one(kit);
    pm_kit_see(kit, "s/t.tif", 2);
    pm_kit_expect(kit, "running", "select state from job");
    pm_kit_end(kit, id, PM_OK);
    pm_kit_expect(kit, "queued|0", "select state, attempts from job");
    pm_kit_expect(kit, "0", "select count(*) from result");
    ended_at(kit, PM_OK);
    pm_kit_expect(kit, "done|2", "select state, target_revision from job");
}

static void an_input_gone_while_running_decides_by_the_result(void **state)
{
    struct pm_kit *kit = *state;
    one_pair(kit);
    int64_t id = pm_kit_claim_one(kit);
    pm_kit_gone(kit, "s/t.tif");
    pm_kit_end(kit, id, PM_EIO);
    pm_kit_expect(kit, "missing", "select state from job");
    pm_kit_see(kit, "s/t.tif", 1);
    id = pm_kit_claim_one(kit);
    pm_kit_gone(kit, "s/t.tif");
    pm_kit_end(kit, id, PM_OK);
    pm_kit_expect(kit, "done", "select state from job");
}

static void a_result_nobody_waits_for_changes_nothing(void **state)
{
    struct pm_kit *kit = *state;
    one_pair(kit);
    pm_kit_end(kit, 1, PM_OK);   /* not running */
    pm_kit_end(kit, 999, PM_OK); /* unknown */
    pm_kit_expect(kit, "1|0", "select queued, done from progress");
    pm_kit_expect(kit, "0", "select count(*) from result");
}

/* An owner that dies with three jobs of worker 0 leased, and one of them begun. */
static void die_with_jobs(struct pm_kit *kit, int64_t begun, int step)
{
    struct pm_job jobs[3] = {0};
    int status;
    assert_int_equal(pm_kit_claim(kit, 0, jobs, 3), 3);
    for (int i = 0; i < 3; i++) {
        pm_job_clear(&jobs[i]);
    }
    pid_t child = fork();
    if (child == 0) {
        struct pm_owner *owner = NULL;
        if (pm_owner_open(&owner, kit->db, NULL) == PM_OK) {
            pm_owner_beat(owner, 0, begun, step);
            kill(getpid(), SIGKILL);
        }
        _exit(1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
}

static void recover(struct pm_kit *kit, int64_t expected)
{
    struct pm_owner *owner = NULL;
    int64_t count;
    assert_int_equal(pm_owner_open(&owner, kit->db, NULL), PM_OK);
    pm_store_begin(kit->store, NULL);
    assert_int_equal(pm_queue_recover(kit->store, owner, 3, kit->now_us, &count, NULL), PM_OK);
    pm_store_commit(kit->store, NULL);
    pm_owner_forget_former(owner);
    pm_owner_close(owner);
    kit->now_us += 10000000; /* who was killed lets others go first */
    assert_int_equal(count, expected);
}

static void a_dead_owners_poison_pair_ends_alone_in_quarantine(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t1.tif", 1);
    pm_kit_see(kit, "s/t2.tif", 1);
    pm_kit_see(kit, "s/t3.tif", 1);
    for (int i = 1; i < 3; i++) {
        die_with_jobs(kit, 2, PM_STEP_ALIGN);
        recover(kit, 3);
        pm_kit_expect(kit, i == 1 ? "queued|0\nqueued|1\nqueued|0" : "queued|0\nqueued|2\nqueued|0",
            "select state, attempts from job order by id");
        pm_kit_expect(kit, "ECRASH|align", "select code, stage from job where id = 2");
    }
    die_with_jobs(kit, 2, PM_STEP_ALIGN);
    recover(kit, 3);
    pm_kit_expect(kit, "2|3|align|ECRASH", "select job_id, attempts, stage, code from quarantine");
    pm_kit_expect(kit, "2|0", "select queued, running from progress");
    recover(kit, 0);
}

/* An owner that dies while two workers have begun a pair each. */
static void die_with_two(struct pm_kit *kit)
{
    int status;
    for (int worker = 0; worker < 2; worker++) {
        struct pm_job job = {0};
        assert_int_equal(pm_kit_claim(kit, worker, &job, 1), 1);
        pm_job_clear(&job);
    }
    pid_t child = fork();
    if (child == 0) {
        struct pm_owner *owner = NULL;
        if (pm_owner_open(&owner, kit->db, NULL) == PM_OK) {
            pm_owner_beat(owner, 0, 1, PM_STEP_ALIGN);
            pm_owner_beat(owner, 1, 2, PM_STEP_DECODE);
            kill(getpid(), SIGKILL);
        }
        _exit(1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
}

static void two_suspects_have_their_last_try_apart(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t1.tif", 1);
    pm_kit_see(kit, "s/t2.tif", 1);
    die_with_two(kit);
    recover(kit, 2);
    pm_kit_expect(kit, "queued|1|250000\nqueued|1|250000",
        "select state, attempts, not_before_us - finished_us from job");
    die_with_two(kit);
    recover(kit, 2);
    pm_kit_expect(kit, "queued|2\nqueued|2", "select state, attempts from job order by id");
    pm_kit_expect(kit, "1000000\n6000000",
        "select not_before_us - finished_us from job order by not_before_us");
}

/* Killed again and again from outside, whoever happens to be at work. */
static void kills_at_different_pairs_blame_none(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t1.tif", 1);
    pm_kit_see(kit, "s/t2.tif", 1);
    pm_kit_see(kit, "s/t3.tif", 1);
    for (int i = 0; i < 12; i++) {
        die_with_jobs(kit, 1 + i % 2, PM_STEP_ALIGN);
        recover(kit, 3);
    }
    pm_kit_expect(kit, "3|0", "select queued, quarantined from progress");
    pm_kit_expect(kit, "6|6|0", "select group_concat(attempts, '|') from job");
    /* Three in a row at one. */
    die_with_jobs(kit, 2, PM_STEP_ALIGN);
    recover(kit, 3);
    die_with_jobs(kit, 2, PM_STEP_ALIGN);
    recover(kit, 3);
    pm_kit_expect(kit, "2|8|the process was killed while working on it, 3 times in a row",
        "select job_id, attempts, message from quarantine");
}

static void without_a_trace_every_leased_job_counts(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "s/gt/g.tif", 1);
    pm_kit_see(kit, "s/t1.tif", 1);
    pm_kit_see(kit, "s/t2.tif", 1);
    pm_kit_see(kit, "s/t3.tif", 1);
    die_with_jobs(kit, 0, -1);
    recover(kit, 3);
    pm_kit_expect(kit, "1|1||3",
        "select min(attempts), max(attempts), min(stage), sum(state = 'queued') from job");
}

static void a_clean_end_gives_attempts_back(void **state)
{
    struct pm_kit *kit = *state;
    one_pair(kit);
    pm_kit_claim_one(kit);
    assert_int_equal(pm_queue_release(kit->store, NULL), PM_OK);
    pm_kit_expect(
        kit, "queued|0|1", "select state, attempts, (select queued from progress) from job");
}

static void no_other_move_is_allowed(void **state)
{
    struct pm_kit *kit = *state;
    char command[512];
    one_pair(kit);
    snprintf(command, sizeof command,
        "sqlite3 '%s' \"update job set state = 'done'\" >/dev/null 2>&1", kit->db);
    assert_int_not_equal(system(command), 0);
    pm_kit_expect(kit, "queued", "select state from job");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(a_done_job_has_result_crops_and_timings),
        with_store(passing_trouble_is_tried_again_later_then_quarantined),
        with_store(trouble_that_stays_fails_at_once),
        with_store(nobodys_fault_costs_no_attempt),
        with_store(a_held_result_is_stored_but_not_offered),
        with_store(a_missing_input_waits_for_its_sighting),
        with_store(a_file_that_seemed_to_change_is_not_waited_for_for_ever),
        with_store(a_result_for_a_changed_input_is_thrown_away),
        with_store(an_input_gone_while_running_decides_by_the_result),
        with_store(a_result_nobody_waits_for_changes_nothing),
        with_store(a_dead_owners_poison_pair_ends_alone_in_quarantine),
        with_store(two_suspects_have_their_last_try_apart),
        with_store(kills_at_different_pairs_blame_none),
        with_store(without_a_trace_every_leased_job_counts),
        with_store(a_clean_end_gives_attempts_back),
        with_store(no_other_move_is_allowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
