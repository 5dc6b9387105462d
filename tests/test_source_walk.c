/* source_walk: full walks, their periods, what they may declare gone. */
#include "tests/lib/sourcekit.h"
#include "tests/lib/unprivileged.h"

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
    opts.settle_us = 0;
    make_links(rig, FILES);
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

/* The kernel's limit of watches is reached: polled, said once, watched again when there is room. */
static void watch_limit_falls_back_to_polling(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    kernel.watch_errno = ENOSPC;
    atomic_store(&kernel.watches_left, 2);
    pm_tmpdir_write(rig->dir, "a/gt/a.tif", "x");
    pm_tmpdir_write(rig->dir, "b/gt/b.tif", "x");
    open_source(rig, &opts);
    expect_line(rig, "*");
    assert_int_equal(double_count("+a/gt/a.tif"), 1);
    assert_false(stats_of(rig).watching);
    pm_tmpdir_write(rig->dir, "b/gt/c.tif", "x"); /* no event can tell of it */
    expect_line(rig, "+b/gt/c.tif");
    assert_true(stats_of(rig).walks >= 2);
    rig->walks = stats_of(rig).walks + 3; /* at poll_s, and not a word more about it */
    assert_true(passing(rig, walked));
    assert_int_equal(log_double_count('W', "event=polling every_s=60"), 1);
    assert_int_equal(log_double_count('W', ""), 1);

    kernel.watch_errno = 0;
    assert_true(passing(rig, watching));
    assert_int_equal(log_double_count('I', "event=watching"), 1);
    assert_true(passing(rig, quiet));
    rig->walks = stats_of(rig).walks;
    pm_tmpdir_write(rig->dir, "b/gt/d.tif", "x");
    expect_line(rig, "+b/gt/d.tif"); /* by its event: without another walk */
    assert_int_equal(stats_of(rig).walks, rig->walks);
    assert_int_equal(log_double_count('W', ""), 1);
}

/* The limit is reached by a folder that comes later. */
static void watch_limit_reached_later(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    open_source(rig, &opts);
    expect_walks(rig, 1);
    assert_true(stats_of(rig).watching);
    kernel.watch_errno = ENOSPC;
    pm_tmpdir_folder(rig->dir, "late/gt");
    assert_true(passing(rig, polled));
    assert_int_equal(log_double_count('W', "event=polling"), 1);
    pm_tmpdir_write(rig->dir, "late/gt/a.tif", "x");
    expect_line(rig, "+late/gt/a.tif");
    kernel.watch_errno = 0;
    assert_true(passing(rig, watching));
}

/* No inotify to be had at all (EMFILE): polled, said once, watched as soon as there is one. */
static void no_inotify_falls_back_to_polling(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    kernel.init_errno = EMFILE;
    pm_tmpdir_write(rig->dir, "a.tif", "x");
    open_source(rig, &opts);
    expect_line(rig, "*");
    pm_tmpdir_write(rig->dir, "b.tif", "x");
    expect_line(rig, "+b.tif");
    rig->walks = 5;
    assert_true(passing(rig, walked));
    assert_true(atomic_load(&kernel.inits) >= 4); /* it went on asking */
    assert_int_equal(log_double_count('W', "event=polling"), 1);
    assert_int_equal(log_double_count('W', ""), 1);
    assert_false(stats_of(rig).watching);

    kernel.init_errno = 0;
    assert_true(passing(rig, watching));
    assert_int_equal(log_double_count('I', "event=watching"), 1);
    assert_true(passing(rig, quiet));
    rig->walks = stats_of(rig).walks;
    pm_tmpdir_write(rig->dir, "c.tif", "x");
    expect_line(rig, "+c.tif");
    assert_int_equal(stats_of(rig).walks, rig->walks);
}

/* Events never come although every folder is watched (a network drive): all within rescan_s. */
static void deaf_watch_is_made_up_for_by_rescans(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    int64_t began_us;
    kernel.deaf = true;
    pm_tmpdir_write(rig->dir, "s/gone.tif", "x");
    pm_tmpdir_write(rig->dir, "s/old.tif", "x");
    open_source(rig, &opts);
    expect_line(rig, "*");
    assert_true(passing(rig, quiet));
    double_forget();
    began_us = mono_of(rig);
    pm_tmpdir_write(rig->dir, "s/old.tif", "longer");
    pm_tmpdir_unlink(rig->dir, "s/gone.tif");
    pm_tmpdir_write(rig->dir, "new/gt/a.tif", "x");
    expect_line(rig, "+new/gt/a.tif");
    expect_line(rig, "*");
    assert_int_equal(double_count("+s/old.tif"), 1);
    assert_int_equal(double_count("+s/gone.tif"), 0); /* the ledger: not seen by a whole walk */
    assert_true(told.since_us - began_us <= 301 * (int64_t)S); /* that walk's start */
    assert_int_equal(stats_of(rig).walks, 2);
}

/* What lies in a folder that is closed to us is not gone; the rest of the walk counts. */
static void closed_folder_keeps_what_is_in_it(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    bool root = unprivileged_begin(rig->dir);
    char *path = pm_tmpdir_path(rig->dir, "closed");
    pm_tmpdir_write(rig->dir, "closed/a.tif", "x");
    pm_tmpdir_write(rig->dir, "open/b.tif", "x");
    assert_int_equal(chmod(path, 0), 0);
    open_source(rig, &opts);
    expect_line(rig, "*");
    assert_int_equal(double_count("=closed"), 1);
    assert_int_equal(double_count("+open/b.tif"), 1);
    assert_string_equal(told.lines[told.count - 1], "*");
    assert_int_equal(log_double_count('W', "event=walk_incomplete"), 1);
    assert_false(stats_of(rig).unreadable);
    assert_int_equal(chmod(path, 0700), 0);
    expect_line(rig, "+closed/a.tif"); /* by the next rescan */
    unprivileged_end(root);
    free(path);
}

/* A known file that is being rewritten for minutes is not gone. */
static void straggler_is_kept(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    char text[128] = "";
    pm_tmpdir_write(rig->dir, "a.tif", "x");
    pm_tmpdir_write(rig->dir, "b.tif", "x");
    open_source(rig, &opts);
    rig->line = "*";
    for (int i = 0; i < 100 && !told_line(rig); i++) { /* written every 2 s */
        strcat(text, "x");
        pm_tmpdir_write(rig->dir, "a.tif", text);
        for (int k = 0; k < 4; k++) {
            pm_fake_clock_pass(&rig->clock, S / 2);
            uv_run(&rig->loop, UV_RUN_NOWAIT);
            usleep(500);
            pm_source_tick(rig->source);
        }
    }
    assert_int_equal(double_count("+b.tif"), 1);
    assert_int_equal(double_count("+a.tif"), 0);
    assert_int_equal(double_count("=a.tif"), 1);
    assert_int_equal(double_count("*"), 1);
    assert_string_equal(told.lines[told.count - 1], "*");
    assert_int_equal(stats_of(rig).settling, 1);
    expect_line(rig, "+a.tif");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(polled_file_settles_by_its_stamp),
        TEST(rescan_tells_all_again_at_once), TEST(lost_root_declares_nothing_gone),
        TEST(clock_jump_declares_nothing_gone), TEST(closed_folder_keeps_what_is_in_it),
        TEST(straggler_is_kept), TEST(slow_ledger_holds_the_walk),
        TEST(watch_limit_falls_back_to_polling), TEST(watch_limit_reached_later),
        TEST(no_inotify_falls_back_to_polling), TEST(deaf_watch_is_made_up_for_by_rescans)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
