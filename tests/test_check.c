/* check: files that are due are looked at, a few at a time, and what is found is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/check.h"
#include "tests/lib/looping.h"
#include "tests/lib/tmpdir.h"

struct rig {
    char *dir;
    uv_loop_t loop;
    struct pm_fake_clock clock;
    struct pm_settle *settle;
    struct pm_check *check;
    int settled, gone, lost;
    int64_t size; /* of the last settled */
    char last[64];
    bool full;
};

static bool full(void *ctx)
{
    return ((struct rig *)ctx)->full;
}

static void settled(void *ctx, const char *path, const struct pm_stamp *stamp)
{
    struct rig *rig = ctx;
    rig->settled++;
    rig->size = stamp->size;
    snprintf(rig->last, sizeof rig->last, "%s", path);
}

static void gone(void *ctx, const char *path)
{
    struct rig *rig = ctx;
    rig->gone++;
    snprintf(rig->last, sizeof rig->last, "%s", path);
}

static void lost(void *ctx, const struct pm_err *err)
{
    (void)err;
    ((struct rig *)ctx)->lost++;
}

static bool at_rest(void *ctx)
{
    return pm_check_busy(((struct rig *)ctx)->check) == 0;
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    struct pm_check_opts opts = {.full = full, .settled = settled, .gone = gone, .lost = lost};
    rig->dir = pm_tmpdir_make();
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    pm_fake_clock_init(&rig->clock);
    assert_int_equal(pm_settle_new(&rig->settle, 1000000, NULL), PM_OK);
    opts.loop = &rig->loop;
    opts.clock = &rig->clock.clock;
    opts.settle = rig->settle;
    opts.root = rig->dir;
    opts.ctx = rig;
    assert_int_equal(pm_check_new(&rig->check, &opts, NULL), PM_OK);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    assert_true(pm_loop_end(&rig->loop));
    pm_check_free(rig->check);
    pm_settle_free(rig->settle);
    pm_tmpdir_remove(rig->dir);
    free(rig);
    return 0;
}

static void touch(struct rig *rig, const char *path)
{
    assert_int_equal(
        pm_settle_touch(rig->settle, path, pm_mono_us(&rig->clock.clock), NULL), PM_OK);
}

/* Lets time pass and looks at all that is due then. */
static void look_after(struct rig *rig, int64_t us)
{
    pm_fake_clock_pass(&rig->clock, us);
    pm_check_some(rig->check);
    assert_true(pm_loop_until(&rig->loop, at_rest, rig));
}

static void file_settles(void **state)
{
    struct rig *rig = *state;
    pm_tmpdir_write(rig->dir, "s/a.tif", "12345");
    touch(rig, "s/a.tif");
    look_after(rig, 100000); /* the first stat */
    assert_int_equal(rig->settled, 0);
    look_after(rig, 1000000);
    assert_int_equal(rig->settled, 1);
    assert_int_equal(rig->size, 5);
    assert_string_equal(rig->last, "s/a.tif");
}

static void what_is_not_there_is_gone(void **state)
{
    struct rig *rig = *state;
    touch(rig, "never.tif");
    look_after(rig, 100000);
    assert_int_equal(rig->gone, 1);
    assert_string_equal(rig->last, "never.tif");
    pm_tmpdir_folder(rig->dir, "folder.tif"); /* no file any more */
    touch(rig, "folder.tif");
    pm_tmpdir_write(rig->dir, "file", "");
    touch(rig, "file/below.tif");
    look_after(rig, 100000);
    assert_int_equal(rig->gone, 3);
    assert_int_equal(pm_settle_count(rig->settle), 0);
}

static void what_cannot_be_looked_at_is_lost(void **state)
{
    struct rig *rig = *state;
    char name[400];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0'; /* no file system has such names */
    touch(rig, name);
    look_after(rig, 100000);
    assert_int_equal(rig->lost, 1);
    assert_int_equal(pm_settle_count(rig->settle), 0);
}

/* A file is not ours any more when its folder has become a link. */
static void behind_a_link_is_gone(void **state)
{
    struct rig *rig = *state;
    char *path = pm_tmpdir_path(rig->dir, "s");
    pm_tmpdir_write(rig->dir, "s/a.tif", "12345");
    pm_tmpdir_write(rig->dir, "s/b.tif", "12345");
    touch(rig, "s/a.tif");
    look_after(rig, 100000);
    pm_tmpdir_rename(rig->dir, "s", "t");
    assert_int_equal(symlink("t", path), 0);
    free(path);
    look_after(rig, 1000000);
    assert_int_equal(rig->settled, 0);
    assert_int_equal(rig->gone, 1);
    path = pm_tmpdir_path(rig->dir, "link.tif");
    assert_int_equal(symlink("t/a.tif", path), 0);
    free(path);
    touch(rig, "link.tif");
    look_after(rig, 100000);
    assert_int_equal(rig->gone, 2);
}

static void no_more_when_full(void **state)
{
    struct rig *rig = *state;
    rig->full = true;
    touch(rig, "a.tif");
    look_after(rig, 100000);
    assert_int_equal(rig->gone, 0);
    assert_int_equal(pm_settle_count(rig->settle), 1);
    rig->full = false;
    look_after(rig, 0);
    assert_int_equal(rig->gone, 1);
}

static void few_at_a_time_but_all(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 500; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.tif", i);
        touch(rig, name);
    }
    pm_fake_clock_pass(&rig->clock, 100000);
    pm_check_some(rig->check);
    assert_int_equal(pm_check_busy(rig->check), PM_CHECK_AT_ONCE);
    assert_true(pm_loop_until(&rig->loop, at_rest, rig));
    assert_int_equal(rig->gone, 500);
}

static void stopped_tells_nothing(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.tif", i);
        touch(rig, name);
    }
    pm_fake_clock_pass(&rig->clock, 100000);
    pm_check_some(rig->check);
    pm_check_stop(rig->check);
    assert_true(pm_loop_until(&rig->loop, at_rest, rig));
    assert_int_equal(rig->gone, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(file_settles), TEST(what_is_not_there_is_gone),
        TEST(what_cannot_be_looked_at_is_lost), TEST(behind_a_link_is_gone),
        TEST(no_more_when_full), TEST(few_at_a_time_but_all), TEST(stopped_tells_nothing)};
#undef TEST
    pm_check_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
