/* source: one folder from its first walk to its end, with time that only moves when told to. */
#include "tests/lib/sourcekit.h"

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
        TEST(settle_0_needs_no_time), TEST(retime_and_same), TEST(stop_in_the_middle)};
#undef TEST
    pm_source_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
