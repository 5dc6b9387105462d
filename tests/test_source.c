/* source: one folder from its first walk to its events, with time that only moves when told to. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "daemon/source.h"
#include "tests/lib/ledger_double.h"
#include "tests/lib/looping.h"
#include "tests/lib/tmpdir.h"

#define S 1000000

struct rig {
    char *dir;
    uv_loop_t loop;
    struct pm_fake_clock clock;
    struct pm_source *source;
    const char *line; /* waited for */
    int64_t walks;    /* waited for */
};

static void nothing(void *ctx)
{
    (void)ctx;
}

static struct pm_source_opts opts_of(struct rig *rig)
{
    return (struct pm_source_opts){.loop = &rig->loop,
        .clock = &rig->clock.clock,
        .name = "src",
        .input = rig->dir,
        .watch = true,
        .settle_us = 5 * S,
        .rescan_us = 300 * S,
        .poll_us = 60 * S,
        .stirred = nothing,
        .wake = nothing,
        .ctx = rig};
}

static void open_source(struct rig *rig, const struct pm_source_opts *opts)
{
    assert_int_equal(pm_source_open(&rig->source, opts, NULL), PM_OK);
}

/* --- conditions; each look is also a tick --- */

static bool told_line(void *ctx)
{
    struct rig *rig = ctx;
    pm_source_tick(rig->source);
    return double_count(rig->line) > 0;
}

static bool walked(void *ctx)
{
    struct rig *rig = ctx;
    struct pm_source_stats stats;
    pm_source_tick(rig->source);
    pm_source_stats(rig->source, &stats);
    return stats.walks >= rig->walks;
}

static bool quiet(void *ctx)
{
    struct rig *rig = ctx;
    pm_source_tick(rig->source);
    return pm_source_idle(rig->source);
}

static bool stopped(void *ctx)
{
    return pm_source_stopped(((struct rig *)ctx)->source);
}

static bool settling(void *ctx)
{
    struct pm_source_stats stats;
    pm_source_tick(((struct rig *)ctx)->source);
    pm_source_stats(((struct rig *)ctx)->source, &stats);
    return stats.settling > 0;
}

/* Time passes until the condition holds. */
static bool passing(struct rig *rig, bool (*holds)(void *ctx))
{
    for (int i = 0; i < 2000; i++) {
        if (holds(rig)) {
            return true;
        }
        pm_fake_clock_pass(&rig->clock, S / 10);
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        usleep(500);
    }
    return false;
}

static void expect_line(struct rig *rig, const char *line)
{
    rig->line = line;
    if (!passing(rig, told_line)) {
        fail_msg("never told: %s", line);
    }
}

/* The n-th full walk has ended; no time passes. */
static void expect_walks(struct rig *rig, int64_t n)
{
    rig->walks = n;
    assert_true(pm_loop_until(&rig->loop, walked, rig));
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->dir = pm_tmpdir_make();
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    pm_fake_clock_init(&rig->clock);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    told.hold = false;
    double_answer();
    pm_source_stop(rig->source);
    pm_source_stop(rig->source);
    assert_true(pm_loop_until(&rig->loop, stopped, rig));
    pm_source_free(rig->source);
    assert_true(pm_loop_end(&rig->loop));
    pm_tmpdir_remove(rig->dir);
    double_clear();
    free(rig);
    return 0;
}

/* --- tests --- */

static void first_walk_settles_then_tells(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    pm_tmpdir_write(rig->dir, "gt/a.tif", "x");
    pm_tmpdir_write(rig->dir, "b.tif", "x");
    pm_tmpdir_write(rig->dir, "c.txt", "x");
    open_source(rig, &opts);
    expect_walks(rig, 1);
    assert_int_equal(told.count, 0); /* not a second has passed */
    assert_false(pm_source_idle(rig->source));
    expect_line(rig, "*");
    assert_int_equal(told.count, 3);
    assert_int_equal(double_count("+gt/a.tif"), 1);
    assert_int_equal(double_count("+b.tif"), 1);
    assert_string_equal(told.lines[2], "*"); /* after everything the walk saw */
    assert_int_equal(told.since_us, 86400000000);
    assert_true(passing(rig, quiet));
}

static void settle_0_needs_no_time(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    opts.settle_us = 0;
    opts.once = true;
    pm_tmpdir_write(rig->dir, "a.tif", "x");
    open_source(rig, &opts);
    assert_true(pm_loop_until(&rig->loop, quiet, rig));
    assert_int_equal(double_count("+a.tif"), 1);
    assert_int_equal(double_count("*"), 1);
    pm_fake_clock_pass(&rig->clock, 3600 * (int64_t)S);
    pm_source_tick(rig->source);
    assert_true(pm_source_idle(rig->source)); /* once: no rescan ever */
}

static void events_are_followed(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    open_source(rig, &opts);
    expect_walks(rig, 1);
    pm_tmpdir_write(rig->dir, "a.tif", "x");
    expect_line(rig, "+a.tif");
    pm_tmpdir_unlink(rig->dir, "a.tif");
    expect_line(rig, "-a.tif");
    pm_tmpdir_write(rig->dir, "b.tif.part", "x");
    pm_tmpdir_rename(rig->dir, "b.tif.part", "b.tif");
    expect_line(rig, "+b.tif");
    assert_int_equal(double_count("+b.tif.part"), 0);
}

/* Files that were in a folder before it could be watched, and folders in folders. */
static void new_folder_is_walked(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    open_source(rig, &opts);
    expect_walks(rig, 1);
    pm_tmpdir_write(rig->dir, "s/t/gt/a.tif", "x");
    pm_tmpdir_write(rig->dir, "s/b.tif", "x");
    pm_tmpdir_write(rig->dir, ".partial/c.tif", "x");
    expect_line(rig, "+s/t/gt/a.tif");
    expect_line(rig, "+s/b.tif");
    pm_tmpdir_write(rig->dir, "s/t/late.tif", "x");
    expect_line(rig, "+s/t/late.tif");
    assert_int_equal(double_count("+.partial/c.tif"), 0);
}

static void output_inside_input_is_no_input(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    char *out = pm_tmpdir_path(rig->dir, "out");
    const char *skip[] = {out};
    opts.skip = skip;
    opts.skip_count = 1;
    open_source(rig, &opts);
    expect_walks(rig, 1);
    pm_tmpdir_write(rig->dir, "out/scene/x.gt.tif", "x"); /* the folder is new: an event comes */
    pm_tmpdir_write(rig->dir, "in.tif", "x");
    expect_line(rig, "+in.tif");
    pm_source_rescan(rig->source);
    pm_fake_clock_pass(&rig->clock, 2 * S);
    expect_walks(rig, 2);
    assert_true(passing(rig, quiet));
    assert_int_equal(double_count("+out/scene/x.gt.tif"), 0);
    free(out);
}

static void moved_folder_is_rescanned(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    pm_tmpdir_write(rig->dir, "s/a.tif", "x");
    open_source(rig, &opts);
    expect_line(rig, "*");
    double_forget();
    pm_tmpdir_rename(rig->dir, "s", "t");
    expect_line(rig, "+t/a.tif");
    expect_line(rig, "*"); /* which is how the ledger learns that s/a.tif is gone */
    assert_int_equal(double_count("+s/a.tif"), 0);
}

static void growing_file_waits(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    char text[64] = "";
    open_source(rig, &opts);
    expect_walks(rig, 1);
    for (int i = 0; i < 5; i++) {
        strcat(text, "x");
        pm_tmpdir_write(rig->dir, "a.tif", text);
        for (int k = 0; k < 40; k++) { /* 4 s between the writes */
            pm_fake_clock_pass(&rig->clock, S / 10);
            uv_run(&rig->loop, UV_RUN_NOWAIT);
            pm_source_tick(rig->source);
        }
        assert_int_equal(double_count("+a.tif"), 0);
    }
    expect_line(rig, "+a.tif");
}

/* A file that was written without any event (mmap, another machine) is caught by its stamp. */
static void polled_file_settles_by_its_stamp(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    struct pm_source_stats stats;
    opts.watch = false;
    open_source(rig, &opts);
    expect_walks(rig, 1);
    pm_source_stats(rig->source, &stats);
    assert_false(stats.watching);
    pm_tmpdir_write(rig->dir, "a.tif", "x");
    pm_fake_clock_pass(&rig->clock, 59 * S);
    pm_source_tick(rig->source);
    assert_false(settling(rig)); /* not before poll_s */
    pm_fake_clock_pass(&rig->clock, 2 * S);
    assert_true(pm_loop_until(&rig->loop, settling, rig));
    expect_walks(rig, 2);
    pm_tmpdir_write(rig->dir, "a.tif", "longer");
    pm_fake_clock_pass(&rig->clock, 5 * S);
    for (int i = 0; i < 50; i++) { /* looked at, found changed */
        pm_source_tick(rig->source);
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    assert_int_equal(double_count("+a.tif"), 0);
    expect_line(rig, "+a.tif");
}

static void rescan_tells_all_again_at_once(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    pm_tmpdir_write(rig->dir, "a.tif", "x");
    open_source(rig, &opts);
    expect_line(rig, "*");
    pm_fake_clock_pass(&rig->clock, 301 * S);
    expect_walks(rig, 2);
    rig->line = "*"; /* known, so no time need pass for it */
    assert_true(pm_loop_until(&rig->loop, quiet, rig));
    assert_int_equal(double_count("+a.tif"), 2);
    assert_int_equal(double_count("*"), 2);
}

static void lost_root_declares_nothing_gone(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    struct pm_source_stats stats;
    char *away;
    pm_tmpdir_write(rig->dir, "a.tif", "x");
    open_source(rig, &opts);
    expect_line(rig, "*");
    away = malloc(strlen(rig->dir) + 3);
    sprintf(away, "%s-x", rig->dir);
    assert_int_equal(rename(rig->dir, away), 0);
    rig->walks = 2;
    assert_true(passing(rig, walked));
    pm_source_stats(rig->source, &stats);
    assert_true(stats.unreadable);
    assert_int_equal(double_count("*"), 1);
    assert_int_equal(double_count("-a.tif"), 0);
    assert_int_equal(rename(away, rig->dir), 0);
    rig->walks = 3;
    assert_true(passing(rig, walked)); /* tried again by itself */
    pm_source_stats(rig->source, &stats);
    assert_false(stats.unreadable);
    assert_true(passing(rig, quiet));
    assert_int_equal(double_count("*"), 2);
    pm_tmpdir_write(rig->dir, "b.tif", "x"); /* watched again */
    expect_line(rig, "+b.tif");
    free(away);
}

static void clock_jump_declares_nothing_gone(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    pm_tmpdir_write(rig->dir, "a.tif", "x");
    open_source(rig, &opts);
    expect_walks(rig, 1);
    atomic_fetch_sub(&rig->clock.wall_us, 3600 * (int64_t)S);
    assert_true(passing(rig, quiet));
    assert_int_equal(double_count("+a.tif"), 1);
    assert_int_equal(double_count("*"), 0);
}

/* The ledger is slow: the walk is held back, nothing is lost, at most one batch is under way. */
static void slow_ledger_holds_the_walk(void **state)
{
    enum { FILES = 6000 };
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    struct pm_source_stats stats;
    char *first;
    opts.settle_us = 0;
    pm_tmpdir_write(rig->dir, "0.tif", "");
    first = pm_tmpdir_path(rig->dir, "0.tif");
    for (int i = 1; i < FILES; i++) { /* links are files, and made faster */
        char name[32];
        char *path;
        snprintf(name, sizeof name, "%d.tif", i);
        path = pm_tmpdir_path(rig->dir, name);
        assert_int_equal(link(first, path), 0);
        free(path);
    }
    free(first);
    told.hold = true;
    open_source(rig, &opts);
    for (int i = 0; i < 300; i++) {
        pm_source_tick(rig->source);
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        usleep(1000);
    }
    pm_source_stats(rig->source, &stats);
    assert_int_equal(stats.walks, 0); /* one batch told, one full, the rest not even looked at */
    assert_true(told.count <= 5000);
    told.hold = false;
    double_answer();
    assert_true(pm_loop_until(&rig->loop, quiet, rig));
    assert_int_equal(told.count, FILES + 1);
}

static void retime_and_same(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    struct pm_source_opts other = opts;
    static const char *const skip[] = {"/x"};
    open_source(rig, &opts);
    assert_string_equal(pm_source_name(rig->source), "src");
    assert_true(pm_source_same(rig->source, &opts));
    other.watch = false;
    assert_false(pm_source_same(rig->source, &other));
    other = opts;
    other.name = "x";
    assert_false(pm_source_same(rig->source, &other));
    other = opts;
    other.skip = skip;
    other.skip_count = 1;
    assert_false(pm_source_same(rig->source, &other));
    expect_walks(rig, 1);
    opts.rescan_us = 10 * S;
    pm_source_retime(rig->source, &opts);
    pm_fake_clock_pass(&rig->clock, 11 * S);
    expect_walks(rig, 2);
}

static void stop_in_the_middle(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    for (int i = 0; i < 200; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d/%d.tif", i, i);
        pm_tmpdir_write(rig->dir, name, "");
    }
    opts.settle_us = 0;
    told.hold = true;
    open_source(rig, &opts);
    rig->line = "+s5/5.tif";
    for (int i = 0; i < 20; i++) {
        pm_source_tick(rig->source);
        uv_run(&rig->loop, UV_RUN_ONCE);
    }
    pm_source_stop(rig->source); /* tear_down waits for the end */
    assert_int_equal(pm_source_tick(rig->source), INT64_MAX);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(first_walk_settles_then_tells),
        TEST(settle_0_needs_no_time), TEST(events_are_followed), TEST(new_folder_is_walked),
        TEST(output_inside_input_is_no_input), TEST(moved_folder_is_rescanned),
        TEST(growing_file_waits), TEST(polled_file_settles_by_its_stamp),
        TEST(rescan_tells_all_again_at_once), TEST(lost_root_declares_nothing_gone),
        TEST(clock_jump_declares_nothing_gone), TEST(slow_ledger_holds_the_walk),
        TEST(retime_and_same), TEST(stop_in_the_middle)};
#undef TEST
    pm_log_init(PM_LOG_ERR, 0);
    pm_source_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
