/* ledger_life: what a start finds after a kill, and what a clean end leaves. */
#include <signal.h>
#include <sys/wait.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/schema.h"
#include "daemon/crashnote.h"
#include "daemon/owner.h"
#include "tests/lib/guest.h"
#include "tests/lib/queuekit.h"

/* A process that claims two pairs, starts the second, and is killed in its mask step. */
static void be_killed(struct pm_kit *kit)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct pm_job jobs[2] = {0};
        size_t count;
        pm_kit_ledger(kit);
        pm_kit_sight(kit, "s/gt/g.tif", 1);
        pm_kit_sight(kit, "s/t.tif", 1);
        pm_kit_sight(kit, "s/u.tif", 1);
        if (pm_ledger_turn(kit->ledger, 4, NULL, 0, jobs, 2, &count, NULL) == PM_OK && count == 2) {
            pm_ledger_start(kit->ledger, 4, 1);
            pm_ledger_beat(kit->ledger, 4, 1, PM_STEP_PUBLISH);
            pm_ledger_start(kit->ledger, 4, 2);
            pm_ledger_beat(kit->ledger, 4, 1, PM_STEP_PUBLISH); /* late news */
            pm_ledger_beat(kit->ledger, 4, 2, PM_STEP_MASK);
            kill(getpid(), SIGKILL);
        }
        _exit(1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
}

static void a_kill_leaves_no_running_row_and_blames_the_right_pair(void **state)
{
    struct pm_kit *kit = *state;
    for (int i = 0; i < 3; i++) {
        be_killed(kit);
        pm_kit_expect(kit, i < 2 ? "2" : "2", "select running from progress");
        pm_kit_ledger(kit);
        pm_kit_expect(kit, "0", "select running from progress");
        pm_kit_close(kit);
        kit->now_us += 10000000; /* who was killed lets others go first */
    }
    pm_kit_expect(kit,
        "2|3|mask|ECRASH|the process was killed while working on it, 3 times in a row",
        "select job_id, attempts, stage, code, message from quarantine");
    pm_kit_expect(kit, "queued|0", "select state, attempts from job where id = 1");
}

/* Two workers have a pair each; the second one's is the death of the process. */
static void crash(struct pm_kit *kit)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        static _Atomic int64_t job_id = 2;
        static atomic_int step = PM_STEP_DECODE;
        struct pm_job jobs[2] = {0};
        size_t count;
        signal(SIGSEGV, SIG_DFL);
        pm_kit_ledger(kit);
        pm_kit_sight(kit, "s/gt/g.tif", 1);
        pm_kit_sight(kit, "s/t.tif", 1);
        pm_kit_sight(kit, "s/u.tif", 1);
        for (int worker = 0; worker < 2; worker++) {
            if (pm_ledger_turn(kit->ledger, worker, NULL, 0, jobs + worker, 1, &count, NULL) ==
                    PM_OK &&
                count == 1) {
                pm_ledger_start(kit->ledger, worker, jobs[worker].id);
            }
        }
        pm_crashnote_thread(1, &job_id, &step);
        raise(SIGSEGV);
        _exit(1);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

static void a_crash_blames_the_pair_it_happened_in(void **state)
{
    struct pm_kit *kit = *state;
    for (int i = 0; i < 3; i++) {
        crash(kit);
        pm_kit_ledger(kit);
        pm_kit_close(kit);
        kit->now_us += 1000000;
    }
    pm_kit_expect(kit,
        "2|3|decode|ECRASH|the process died of SIGSEGV while working on it, attempt 3 of 3",
        "select job_id, attempts, stage, code, message from quarantine");
    pm_kit_expect(kit, "queued|0", "select state, attempts from job where id = 1");
}

/* Killed before its recovery is committed, a start leaves the next one what it needs to know. */
static void the_traces_outlive_a_start_that_came_to_nothing(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_owner *owner = NULL;
    be_killed(kit);
    assert_int_equal(pm_owner_open(&owner, kit->db, NULL), PM_OK);
    int step;
    assert_true(pm_owner_last_step(owner, 2, &step));
    char *lock = NULL;
    assert_true(asprintf(&lock, "%s.lock", kit->db) > 0);
    FILE *file = fopen(lock, "r");
    char text[1024];
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    free(lock);
    assert_non_null(memmem(text, size, "worker 4 job 2 step mask ", 25));
    pm_owner_forget_former(owner);
    assert_false(pm_owner_last_step(owner, 2, &step));
    pm_owner_close(owner);
}

static void a_clean_end_releases_what_runs(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_gauges gauges = {.settling = 3, .watching = true};
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    pm_kit_sight(kit, "s/t.tif", 1);
    assert_int_equal(pm_kit_turn(kit, 0, NULL), 1);
    pm_ledger_gauges(kit->ledger, "lab", &gauges);
    pm_kit_close(kit);
    pm_kit_expect(kit, "queued|0", "select state, attempts from job");
    pm_kit_expect(
        kit, "0|0|0", "select settling, watching, (select count(*) from workers) from progress");
}

static void the_start_states_who_and_what(void **state)
{
    struct pm_kit *kit = *state;
    char expected[64];
    pm_kit_ledger(kit);
    snprintf(expected, sizeof expected, "%s|%s|%d|%ld|20", PM_VERSION, pm_store_sqlite_version(),
        pm_schema_newest(), (long)getpid());
    pm_kit_expect(kit, expected,
        "select program_version, sqlite_version, schema_version, owner_pid, length(started_at)"
        " from health");
}

static void twenty_restarts_over_known_files_add_nothing(void **state)
{
    struct pm_kit *kit = *state;
    for (int i = 0; i < 20; i++) {
        pm_kit_ledger(kit);
        int64_t walk_us = kit->now_us;
        pm_kit_sight(kit, "s/gt/g.tif", 1);
        pm_kit_sight(kit, "s/t.tif", 1);
        assert_int_equal(pm_ledger_walked(kit->ledger, "lab", walk_us, NULL, NULL, NULL), PM_OK);
        pm_kit_close(kit);
        kit->now_us += 1000000;
    }
    pm_kit_expect(kit, "2|1|1|1|0",
        "select (select count(*) from image), (select count(*) from job), (select max(revision)"
        " from image), queued, missing from progress");
}

static void steering_without_sources_leaves_them_alone(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_ledger *ledger = NULL;
    struct pm_conf *conf = NULL;
    int64_t released;
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    pm_kit_sight(kit, "s/t.tif", 1);
    struct pm_result bad = pm_kit_result(pm_kit_turn(kit, 0, NULL), 0);
    bad.code = PM_EFORMAT;
    pm_kit_hand_over(kit, &bad);
    pm_kit_close(kit);
    assert_int_equal(pm_conf_new(&conf, NULL), PM_OK);
    assert_int_equal(pm_conf_set(conf, "db", kit->db, "test", NULL), PM_OK);
    assert_int_equal(pm_ledger_open(&ledger, conf, &kit->clock, NULL), PM_OK);
    const struct pm_retry_filter usual = {0};
    assert_int_equal(pm_ledger_retry_wait(ledger, &usual, &released, NULL), PM_OK);
    assert_int_equal(released, 1);
    pm_ledger_close(ledger);
    pm_ledger_close(NULL);
    pm_conf_unref(conf);
    pm_kit_expect(kit, "lab|1|1", "select source, active, queued from progress");
}

/* A source that came with schema 1 has no row among the gauges, which are of schema 2. */
static void a_source_older_than_the_gauges_counts(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_counts counts;
    struct pm_guest guest;
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    pm_kit_sight(kit, "s/t.tif", 1);
    pm_kit_close(kit);
    pm_guest_open(&guest, kit->db);
    assert_string_equal(pm_guest_run(&guest, "delete from gauge returning source_id;"), "1");
    pm_guest_close(&guest);
    pm_kit_ledger(kit);
    pm_ledger_counts(kit->ledger, &counts);
    assert_int_equal(counts.queued, 1);
    pm_kit_expect(kit, "lab|1", "select source, queued from progress");
    pm_kit_close(kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_kit(a_kill_leaves_no_running_row_and_blames_the_right_pair),
        with_kit(a_crash_blames_the_pair_it_happened_in),
        with_kit(the_traces_outlive_a_start_that_came_to_nothing),
        with_kit(a_clean_end_releases_what_runs),
        with_kit(the_start_states_who_and_what),
        with_kit(twenty_restarts_over_known_files_add_nothing),
        with_kit(steering_without_sources_leaves_them_alone),
        with_kit(a_source_older_than_the_gauges_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
