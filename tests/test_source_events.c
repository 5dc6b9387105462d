/* source_events: what the kernel tells becomes files and walks. */
#include "tests/lib/sourcekit.h"

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

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(events_are_followed), TEST(new_folder_is_walked),
        TEST(output_inside_input_is_no_input), TEST(moved_folder_is_rescanned),
        TEST(growing_file_waits)};
#undef TEST
    pm_log_init(PM_LOG_ERR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
