/* signals: what comes reaches the loop, SIGHUP kills at no moment, no other thread takes one. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <pthread.h>

#include <cmocka.h>

#include "daemon/signals.h"
#include "tests/lib/looping.h"

#define TURNS 3000
#define HANGUPS 100 /* that must have come meanwhile, however busy the machine is */

struct rig {
    uv_loop_t loop;
    struct pm_signals signals;
    int stops, stop_number, hangups, wanted;
};

static void on_stop(void *ctx, int number)
{
    struct rig *rig = ctx;
    rig->stops++;
    rig->stop_number = number;
}

static void on_hangup(void *ctx)
{
    struct rig *rig = ctx;
    rig->hangups++;
}

static bool all_came(void *ctx)
{
    const struct rig *rig = ctx;
    return rig->stops + rig->hangups >= rig->wanted;
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    assert_non_null(rig);
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    assert_int_equal(pm_signals_prepare(&rig->loop, NULL), PM_OK);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    pm_signals_close(&rig->signals);
    assert_true(pm_loop_end(&rig->loop));
    free(rig);
    return 0;
}

static void open_signals(struct rig *rig)
{
    assert_int_equal(
        pm_signals_open(&rig->signals, &rig->loop, on_stop, on_hangup, rig, NULL), PM_OK);
}

static void hangup_is_ignored_before_and_after(void **state)
{
    struct rig *rig = *state;
    kill(getpid(), SIGHUP);
    open_signals(rig);
    pm_signals_close(&rig->signals);
    kill(getpid(), SIGHUP);
    assert_int_equal(rig->hangups, 0);
}

static void each_reaches_the_loop(void **state)
{
    struct rig *rig = *state;
    open_signals(rig);
    kill(getpid(), SIGHUP);
    rig->wanted = 1;
    assert_true(pm_loop_until(&rig->loop, all_came, rig));
    kill(getpid(), SIGINT);
    rig->wanted = 2;
    assert_true(pm_loop_until(&rig->loop, all_came, rig));
    assert_int_equal(rig->stop_number, SIGINT);
    kill(getpid(), SIGTERM);
    rig->wanted = 3;
    assert_true(pm_loop_until(&rig->loop, all_came, rig));
    assert_int_equal(rig->stop_number, SIGTERM);
    assert_int_equal(rig->hangups, 1);
}

static void *storm(void *ctx)
{
    const atomic_bool *stop = ctx;
    while (!atomic_load(stop)) {
        kill(getpid(), SIGHUP);
    }
    return NULL;
}

/* libuv gives a signal its default back whenever its last handle closes: this test would die. */
static void a_storm_of_hangups_kills_at_no_moment(void **state)
{
    struct rig *rig = *state;
    atomic_bool stop = false;
    sigset_t before;
    pthread_t thread;

    pm_signals_deaf(&before);
    assert_int_equal(pthread_create(&thread, NULL, storm, &stop), 0);
    pm_signals_hear(&before);
    for (int i = 0; i < TURNS || rig->hangups < HANGUPS; i++) {
        open_signals(rig);
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        pm_signals_close(&rig->signals);
        uv_run(&rig->loop, UV_RUN_NOWAIT);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
}

/* The signals a thread of ours blocks, as the kernel tells them. */
static unsigned long long blocked(const char *tid)
{
    char path[300];
    char line[256];
    unsigned long long mask = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", tid);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "SigBlk:", 7) == 0) {
            mask = strtoull(line + 7, NULL, 16);
        }
    }
    fclose(file);
    return mask;
}

static void no_other_thread_takes_one(void **state)
{
    const unsigned long long ours =
        1ull << (SIGHUP - 1) | 1ull << (SIGINT - 1) | 1ull << (SIGTERM - 1);
    int others = 0;
    DIR *dir = opendir("/proc/self/task");

    (void)state;
    assert_non_null(dir);
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        if (strtol(entry->d_name, NULL, 10) == (long)getpid()) {
            assert_int_equal(blocked(entry->d_name) & ours, 0);
        } else {
            others++;
            assert_int_equal(blocked(entry->d_name) & ours, ours);
        }
    }
    closedir(dir);
    assert_true(others > 0); /* libuv's pool */
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(hangup_is_ignored_before_and_after),
        TEST(each_reaches_the_loop),
        TEST(a_storm_of_hangups_kills_at_no_moment),
        TEST(no_other_thread_takes_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
