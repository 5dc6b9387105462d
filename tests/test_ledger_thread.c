/* ledger_thread: locked, full and failing databases delay, retries wake up in time, nothing is
 * lost. */
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
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
#include "tests/lib/guest.h"
#include "tests/lib/queuekit.h"

/* One pair done, one running; its result is the caller's to hand over. */
static struct pm_result one_running(struct pm_kit *kit)
{
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    pm_kit_sight(kit, "s/t.tif", 1);
    pm_kit_sight(kit, "s/u.tif", 1);
    struct pm_result first = pm_kit_result(pm_kit_turn(kit, 0, NULL), 0);
    return pm_kit_result(pm_kit_turn(kit, 0, &first), 0);
}

static void post(struct pm_kit *kit, struct pm_result *result)
{
    size_t count;
    assert_int_equal(pm_ledger_turn(kit->ledger, 0, result, 1, NULL, 0, &count, NULL), PM_OK);
    assert_null(result->output_dir); /* consumed at once */
}

static void a_write_lock_delays_and_loses_nothing(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_guest guest;
    pm_kit_ledger(kit);
    struct pm_result result = one_running(kit);
    pm_guest_open(&guest, kit->db);
    pm_guest_run(&guest, "begin immediate; select 'held';");
    pm_store_busy_ms(kit->ledger->store, 10); /* the thread waits for us: nothing to do */
    post(kit, &result);
    while (kit->ledger->busy_waits < 3) {
        usleep(1000);
    }
    assert_true(pm_ledger_alive(kit->ledger));
    assert_string_equal(pm_guest_run(&guest, "select done, running from progress;"), "1|1");
    pm_guest_run(&guest, "commit; select 'gone';");
    pm_kit_sync(kit);
    pm_kit_expect(kit, "2|0|0", "select done, running, failed from progress");
    pm_guest_close(&guest);
}

struct waiter {
    struct pm_kit *kit;
    int64_t id;
};

static void *hand_over_in_vain(void *arg)
{
    struct waiter *waiter = arg;
    struct pm_job job = {0};
    size_t count;
    waiter->id = pm_ledger_turn(waiter->kit->ledger, 1, NULL, 0, &job, 1, &count, NULL);
    return NULL;
}

/* Somebody holds the write lock and does not let go: an end that may wait no longer comes all the
 * same, nobody waits for an answer for ever, and what ran has not crashed. */
static void an_end_does_not_wait_for_a_lock_for_ever(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_guest guest;
    struct waiter waiter = {kit, -1};
    struct pm_err err;
    pthread_t thread;
    size_t count;
    pm_kit_ledger(kit);
    struct pm_result result = one_running(kit);
    pm_guest_open(&guest, kit->db);
    pm_guest_run(&guest, "begin immediate; select 'held';");
    pm_store_busy_ms(kit->ledger->store, 3600000); /* in the middle of SQLite's waiting, too */
    post(kit, &result);
    pthread_create(&thread, NULL, hand_over_in_vain, &waiter);
    pm_ledger_end_by(kit->ledger, pm_ledger_real_us() + 200000);
    pm_ledger_end_by(kit->ledger, INT64_MAX); /* later times do not count */
    pthread_join(thread, NULL);
    assert_int_equal(waiter.id, PM_EDB);
    /* The thread is at its end: later askers are answered at once. */
    struct pm_result late = pm_kit_result(1, 0);
    assert_int_equal(pm_ledger_turn(kit->ledger, 0, &late, 1, NULL, 0, &count, &err), PM_OK);
    assert_int_equal(pm_ledger_pause_wait(kit->ledger, NULL, true, &err), PM_EDB);
    pm_kit_close(kit);
    assert_string_equal(pm_guest_run(&guest, "select done, running from progress;"), "1|1");
    pm_guest_run(&guest, "commit; select 'gone';");
    pm_guest_close(&guest);
    pm_kit_ledger(kit);
    pm_kit_expect(kit, "1|1|0", "select done, queued, running from progress");
    pm_kit_expect(kit, "0", "select max(attempts) from job where state = 'queued'");
}

static void a_held_read_transaction_delays_nothing(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_guest guest;
    pm_kit_ledger(kit);
    struct pm_result result = one_running(kit);
    pm_guest_open(&guest, kit->db);
    assert_string_equal(pm_guest_run(&guest, "begin; select done from progress;"), "1");
    pm_kit_hand_over(kit, &result);
    pm_kit_expect(kit, "2", "select done from progress");
    assert_string_equal(pm_guest_run(&guest, "select done from progress;"), "1");
    assert_int_equal(kit->ledger->busy_waits, 0);
    pm_guest_close(&guest);
}

static void *wait_for_a_job(void *arg)
{
    struct waiter *waiter = arg;
    waiter->id = pm_kit_turn(waiter->kit, 1, NULL);
    return NULL;
}

/* The size of files is limited to what the database has now, so that the next commits fail: those
 * of a result and of the claim that follows it. */
static void a_disk_that_takes_no_more_delays_and_loses_nothing(void **state)
{
    struct pm_kit *kit = *state;
    struct waiter waiter = {kit, -1};
    pthread_t thread;
    struct rlimit limit;
    struct stat st;
    char *wal = pm_tmpdir_path(kit->dir, "state/pairmill.db-wal");
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "s/v.tif", 1);
    struct pm_result result = one_running(kit);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = {.rlim_cur = (rlim_t)st.st_size + 4096, .rlim_max = limit.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    post(kit, &result);
    pthread_create(&thread, NULL, wait_for_a_job, &waiter);
    while (kit->ledger->troubles < 2) {
        pm_ledger_hold_claims(kit->ledger, true); /* as when the service sees free space change */
        pm_ledger_hold_claims(kit->ledger, false);
        usleep(1000);
    }
    assert_true(pm_ledger_alive(kit->ledger));
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    pm_ledger_hold_claims(kit->ledger, true);
    pm_ledger_hold_claims(kit->ledger, false);
    pthread_join(thread, NULL);
    pm_kit_expect(kit, "2|1|0", "select done, running, failed from progress");
    pm_kit_expect(kit, "1|1", "select max(attempts), count(*) from job where state = 'running'");
    pm_kit_expect(kit, "ok", "pragma integrity_check");
    assert_int_not_equal(waiter.id, 0);
    free(wal);
}

static void a_delayed_retry_comes_when_its_time_has_come(void **state)
{
    struct pm_kit *kit = *state;
    struct waiter waiter = {kit, -1};
    struct pm_counts counts;
    pthread_t thread;
    pm_kit_ledger(kit);
    struct pm_result result = one_running(kit);
    int64_t id = result.job_id;
    result.code = PM_EIO;
    pm_kit_hand_over(kit, &result);
    pm_ledger_counts(kit->ledger, &counts);
    assert_int_equal(counts.queued, 1);
    assert_int_equal(counts.ready, 0);
    assert_in_range(counts.next_due_us, kit->now_us + 4500000, kit->now_us + 5500000);
    pthread_create(&thread, NULL, wait_for_a_job, &waiter);
    pm_kit_sync(kit);
    pm_kit_expect(kit, "1|0", "select queued, running from progress");
    kit->now_us += 5500000;
    pthread_join(thread, NULL); /* the thread looks at the clock at least once a second */
    assert_int_equal(waiter.id, id);
    pm_kit_expect(kit, "2", "select attempts from job where state = 'running'");
}

struct hand {
    struct pm_kit *kit;
    int worker, done;
};

static void *work(void *arg)
{
    struct hand *hand = arg;
    struct pm_job jobs[4] = {0};
    struct pm_result results[4] = {0};
    size_t count = 0;
    for (;;) {
        size_t finished = count;
        if (pm_ledger_turn(hand->kit->ledger, hand->worker, results, finished, jobs, 4, &count,
                NULL) != PM_OK ||
            count == 0) {
            return NULL;
        }
        for (size_t i = 0; i < count; i++) {
            pm_ledger_start(hand->kit->ledger, hand->worker, jobs[i].id);
            pm_ledger_beat(hand->kit->ledger, hand->worker, jobs[i].id, PM_STEP_ALIGN);
            results[i] = pm_kit_result(jobs[i].id, hand->worker);
            pm_job_clear(&jobs[i]);
            hand->done++;
        }
    }
}

static void results_of_many_threads_all_arrive(void **state)
{
    struct pm_kit *kit = *state;
    struct hand hands[4];
    pthread_t threads[4];
    struct pm_counts counts = {0};
    pm_kit_ledger(kit);
    for (int i = 0; i < 4; i++) {
        hands[i] = (struct hand){kit, i, 0};
        pthread_create(&threads[i], NULL, work, &hands[i]);
    }
    pm_kit_sight(kit, "s/gt/a.tif", 1);
    pm_kit_sight(kit, "s/gt/b.tif", 1);
    for (int i = 0; i < 100; i++) {
        char name[32];
        struct pm_gauges gauges = {.settling = 100 - i};
        snprintf(name, sizeof name, "s/t%03d.tif", i);
        pm_kit_sight(kit, name, 1);
        pm_ledger_gauges(kit->ledger, "lab", &gauges);
    }
    while (counts.done < 200) {
        pm_ledger_counts(kit->ledger, &counts);
        usleep(1000);
    }
    pm_ledger_stop_claims(kit->ledger);
    int done = 0;
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        done += hands[i].done;
    }
    assert_int_equal(done, 200);
    pm_kit_close(kit);
    pm_kit_expect(kit, "200|1|200",
        "select done, settling = 0, (select count(*) from results) from progress");
    pm_kit_expect(kit, "1", "select max(attempts) from job");
}

static void the_log_is_emptied_when_nothing_happens(void **state)
{
    struct pm_kit *kit = *state;
    struct stat st;
    char *wal = pm_tmpdir_path(kit->dir, "state/pairmill.db-wal");
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    do { /* a second of rest; however long that takes here */
        usleep(10000);
        assert_int_equal(stat(wal, &st), 0);
    } while (st.st_size > 0);
    pm_kit_sight(kit, "s/t.tif", 1);
    pm_kit_close(kit); /* and at the end */
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_size, 0);
    pm_kit_expect(kit, "1", "select queued from progress");
    free(wal);
}

/* A reader keeps the log from being emptied while many commits come: it grows, and is empty again,
 * and said to be, once the reader is gone. */
static void a_reader_under_load_leaves_no_large_log_behind(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_guest guest;
    struct stat st;
    char *wal = pm_tmpdir_path(kit->dir, "state/pairmill.db-wal");
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    pm_guest_open(&guest, kit->db);
    pm_guest_run(&guest, "begin; select count(*) from results;");
    struct pm_gauges gauges = {0};
    for (int i = 0; i == 0 || st.st_size < 4 << 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d/t%d.tif", i % 50, i);
        gauges.settling = i;
        pm_ledger_gauges(kit->ledger, "lab", &gauges);
        pm_kit_sight(kit, name, 1);
        assert_int_equal(stat(wal, &st), 0);
    }
    gauges.settling = -1;
    do { /* stored at most once a second */
        gauges.settling--;
        pm_ledger_gauges(kit->ledger, "lab", &gauges);
        usleep(100000);
    } while (strcmp(pm_kit_ask(kit, "select wal_bytes >= 4194304 from health"), "1") != 0);
    pm_guest_run(&guest, "commit; select 'gone';");
    pm_guest_close(&guest);
    do {
        usleep(100000);
        assert_int_equal(stat(wal, &st), 0);
    } while (st.st_size > 0);
    while (strcmp(pm_kit_ask(kit, "select wal_bytes < 1048576 from health"), "1") != 0) {
        usleep(100000);
    }
    assert_int_equal(kit->ledger->busy_waits, 0);
    free(wal);
}

/* Nothing is queued: it comes back without a job, its result is stored, and the next turn is as
 * good as ever. */
static void a_turn_waits_no_longer_than_asked(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_job job = {0};
    struct pm_err err;
    size_t count = 7;
    pm_kit_ledger(kit);
    struct pm_result result = one_running(kit);
    assert_int_equal(pm_ledger_turn_within(kit->ledger, 0, &result, 1, &job, 1, 1000, &count, &err),
        PM_ECANCELED);
    assert_int_equal(count, 0);
    assert_null(result.output_dir);
    pm_kit_expect(kit, "2|0", "select done, running from progress");
    pm_kit_sight(kit, "s/v.tif", 1);
    assert_int_equal(
        pm_ledger_turn_within(kit->ledger, 0, NULL, 0, &job, 1, 3600000000, &count, &err), PM_OK);
    assert_int_equal(count, 1);
    pm_job_clear(&job);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_kit(a_write_lock_delays_and_loses_nothing),
        with_kit(an_end_does_not_wait_for_a_lock_for_ever),
        with_kit(a_held_read_transaction_delays_nothing),
        with_kit(a_disk_that_takes_no_more_delays_and_loses_nothing),
        with_kit(a_delayed_retry_comes_when_its_time_has_come),
        with_kit(results_of_many_threads_all_arrive),
        with_kit(a_reader_under_load_leaves_no_large_log_behind),
        with_kit(the_log_is_emptied_when_nothing_happens),
        with_kit(a_turn_waits_no_longer_than_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
