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

/* 20,000 files while the kernel keeps 16 events: one walk finds them all. */
static void overflow_is_one_rescan(void **state)
{
    enum { FILES = 20000 };
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    bool *seen = calloc(FILES, sizeof *seen);
    int files = 0;
    kernel.queue = 16;
    open_source(rig, &opts);
    expect_walks(rig, 1);
    make_links(rig, FILES);
    rig->walks = 2;
    assert_true(passing(rig, walked));
    assert_true(passing(rig, quiet));
    assert_int_equal(stats_of(rig).overflows, 1);
    assert_int_equal(stats_of(rig).walks, 2);
    assert_int_equal(log_double_count('W', "event=events_lost"), 1);
    for (size_t i = 0; i < told.count; i++) { /* some twice: by their event and by the walk */
        int n;
        if (sscanf(told.lines[i], "+%d.tif", &n) == 1) {
            files += !seen[n];
            seen[n] = true;
        }
    }
    assert_int_equal(files, FILES);
    free(seen);
    assert_true(stats_of(rig).watching);
}

/* One overflow after the other, for minutes: a walk a second at most, one line a minute. */
static void overflows_come_in_floods(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    kernel.queue = 2;
    open_source(rig, &opts);
    expect_walks(rig, 1);
    for (int i = 0; i < 100; i++) { /* 100 s */
        for (int k = 0; k < 4; k++) {
            char file[32];
            snprintf(file, sizeof file, "%d-%d.tif", i, k);
            pm_tmpdir_write(rig->dir, file, "x");
        }
        for (int k = 0; k < 5; k++) {
            pm_fake_clock_pass(&rig->clock, S / 5);
            uv_run(&rig->loop, UV_RUN_NOWAIT);
            pm_source_tick(rig->source);
        }
    }
    assert_true(passing(rig, quiet));
    assert_true(stats_of(rig).overflows > 10);
    assert_true(stats_of(rig).walks <= 1 + 100 + 2);
    assert_true(log_double_count('W', "event=events_lost") <= 2);
    for (int i = 0; i < 100; i++) {
        char line[32];
        snprintf(line, sizeof line, "+%d-3.tif", i);
        assert_true(double_count(line) >= 1);
    }
}

/* Ten times appended to, closed, quiet for a little less than settle: read once, whole. */
static void slow_writer_is_read_once(void **state)
{
    struct rig *rig = *state;
    struct pm_source_opts opts = opts_of(rig);
    char text[16] = "";
    open_source(rig, &opts);
    expect_walks(rig, 1);
    for (int i = 0; i < 10; i++) {
        strcat(text, "x");
        pm_tmpdir_write(rig->dir, "a.tif", text);
        for (int k = 0; k < 49; k++) { /* 4.9 s, in which its event is surely delivered */
            for (int turns = 0; k == 0 && turns < 20; turns++) {
                uv_run(&rig->loop, UV_RUN_NOWAIT);
                pm_source_tick(rig->source);
                usleep(200);
            }
            pm_fake_clock_pass(&rig->clock, S / 10);
            uv_run(&rig->loop, UV_RUN_NOWAIT);
            pm_source_tick(rig->source);
        }
        assert_int_equal(double_count("+a.tif"), 0);
        assert_int_equal(stats_of(rig).settling, 1);
    }
    expect_line(rig, "+a.tif");
    assert_true(passing(rig, quiet));
    assert_int_equal(double_count("+a.tif"), 1);
    assert_int_equal(told.stamp.size, 10);
    assert_int_equal(stats_of(rig).settling, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(events_are_followed), TEST(new_folder_is_walked),
        TEST(output_inside_input_is_no_input), TEST(moved_folder_is_rescanned),
        TEST(slow_writer_is_read_once), TEST(overflow_is_one_rescan),
        TEST(overflows_come_in_floods)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
