/* ingest: sources coming and going, idleness, gauges, a clean end. Real time, tiny settle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "daemon/ingest.h"
#include "tests/lib/ledger_double.h"
#include "tests/lib/looping.h"
#include "tests/lib/tmpdir.h"

struct rig {
    char *dir;
    uv_loop_t loop;
    struct pm_conf *conf;
    struct pm_ingest *ingest;
    const char *line;
    int64_t walks;
};

static bool told_line(void *ctx)
{
    return double_count(((struct rig *)ctx)->line) > 0;
}

static bool idle(void *ctx)
{
    return pm_ingest_idle(((struct rig *)ctx)->ingest);
}

static bool gauged(void *ctx)
{
    (void)ctx;
    return told.gauges_told > 0;
}

static bool walked(void *ctx)
{
    struct rig *rig = ctx;
    struct pm_ingest_stats stats;
    pm_ingest_stats(rig->ingest, &stats);
    return stats.walks >= rig->walks;
}

static void expect_line(struct rig *rig, const char *line)
{
    rig->line = line;
    if (!pm_loop_until(&rig->loop, told_line, rig)) {
        fail_msg("never told: %s", line);
    }
}

static struct pm_conf *conf_of(struct rig *rig, const char *one, const char *two)
{
    struct pm_conf *conf;
    struct pm_err err = {.text = ""};
    const char *const names[] = {one, two};
    assert_int_equal(pm_conf_new(&conf, &err), PM_OK);
    conf->settle_s = 0.02;
    for (int i = 0; i < 2; i++) {
        char *input = names[i] == NULL ? NULL : pm_tmpdir_path(rig->dir, names[i]);
        char *output = input == NULL ? NULL : pm_tmpdir_path(input, "out");
        if (input != NULL) {
            pm_tmpdir_folder(rig->dir, names[i]);
            if (pm_conf_add_source(conf, names[i], input, output, &err) != PM_OK) {
                fail_msg("%s", err.text);
            }
        }
        free(input);
        free(output);
    }
    return conf;
}

static void open_ingest(struct rig *rig, bool once)
{
    struct pm_ingest_opts opts = {
        .loop = &rig->loop, .conf = rig->conf, .clock = pm_clock_real(), .once = once};
    struct pm_err err;
    if (pm_ingest_open(&rig->ingest, &opts, &err) != PM_OK) {
        fail_msg("%s", err.text);
    }
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->dir = pm_tmpdir_make();
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    rig->conf = conf_of(rig, "a", NULL);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    pm_ingest_close(rig->ingest); /* with or without a stop before it */
    assert_true(pm_loop_end(&rig->loop));
    pm_conf_unref(rig->conf);
    pm_tmpdir_remove(rig->dir);
    double_clear();
    free(rig);
    return 0;
}

static void once_becomes_idle(void **state)
{
    struct rig *rig = *state;
    struct pm_ingest_stats stats;
    rig->conf->settle_s = 0;
    pm_tmpdir_write(rig->dir, "a/s/gt/x.tif", "x");
    pm_tmpdir_write(rig->dir, "a/s/y.tif", "x");
    pm_tmpdir_write(rig->dir, "a/s/y.txt", "x");
    pm_tmpdir_write(rig->dir, "a/out/s/z.tif", "x"); /* its own output */
    open_ingest(rig, true);
    assert_false(pm_ingest_idle(rig->ingest)); /* not before the first walk */
    assert_true(pm_loop_until(&rig->loop, idle, rig));
    assert_int_equal(told.count, 3);
    assert_int_equal(double_count("+s/gt/x.tif"), 1);
    assert_int_equal(double_count("+s/y.tif"), 1);
    assert_string_equal(told.lines[2], "*");
    pm_ingest_stats(rig->ingest, &stats);
    assert_int_equal(stats.sources, 1);
    assert_int_equal(stats.watched, 0); /* once: nothing to watch for */
    assert_int_equal(stats.ignored, 1);
    assert_int_equal(stats.walks, 1);
    assert_int_equal(stats.unreadable, 0);
}

static void not_idle_before_the_commit(void **state)
{
    struct rig *rig = *state;
    rig->conf->settle_s = 0;
    pm_tmpdir_write(rig->dir, "a/x.tif", "x");
    told.hold = true;
    open_ingest(rig, true);
    expect_line(rig, "+x.tif");
    rig->walks = 1;
    assert_true(pm_loop_until(&rig->loop, walked, rig));
    assert_false(pm_ingest_idle(rig->ingest));
    told.hold = false;
    double_answer();
    assert_true(pm_loop_until(&rig->loop, idle, rig));
}

static void watches_and_gauges(void **state)
{
    struct rig *rig = *state;
    struct pm_ingest_stats stats;
    pm_tmpdir_write(rig->dir, "a/n.txt", "x");
    open_ingest(rig, false);
    assert_true(pm_loop_until(&rig->loop, idle, rig));
    pm_ingest_stats(rig->ingest, &stats);
    assert_int_equal(stats.watched, 1);
    pm_tmpdir_write(rig->dir, "a/s/x.tif", "x");
    expect_line(rig, "+s/x.tif");
    assert_true(pm_loop_until(&rig->loop, gauged, rig));
}

static void rescan_on_request(void **state)
{
    struct rig *rig = *state;
    rig->conf->watch = false;
    open_ingest(rig, false);
    assert_true(pm_loop_until(&rig->loop, idle, rig));
    pm_tmpdir_write(rig->dir, "a/x.tif", "x");
    pm_ingest_rescan(rig->ingest);
    expect_line(rig, "+x.tif");
}

static void reload_swaps_sources(void **state)
{
    struct rig *rig = *state;
    struct pm_conf *next = conf_of(rig, "b", NULL);
    struct pm_ingest_stats stats;
    open_ingest(rig, false);
    assert_true(pm_loop_until(&rig->loop, idle, rig));
    pm_tmpdir_write(rig->dir, "b/y.tif", "x");
    pm_ingest_reload(rig->ingest, next);
    pm_conf_unref(next);
    expect_line(rig, "+y.tif");
    pm_tmpdir_write(rig->dir, "a/x.tif", "x"); /* nobody looks there any more */
    pm_tmpdir_write(rig->dir, "b/z.tif", "x");
    expect_line(rig, "+z.tif");
    assert_int_equal(double_count("+x.tif"), 0);
    pm_ingest_stats(rig->ingest, &stats);
    assert_int_equal(stats.sources, 1);
    assert_true(stats.walks >= 2); /* that of the source that left counts on */
}

static void reload_keeps_what_is_the_same(void **state)
{
    struct rig *rig = *state;
    struct pm_conf *next = conf_of(rig, "a", "b");
    struct pm_ingest_stats stats;
    open_ingest(rig, false);
    assert_true(pm_loop_until(&rig->loop, idle, rig));
    next->settle_s = 0.03;
    pm_ingest_reload(rig->ingest, next);
    assert_true(pm_loop_until(&rig->loop, idle, rig));
    pm_ingest_stats(rig->ingest, &stats);
    assert_int_equal(stats.sources, 2);
    assert_int_equal(stats.walks, 2); /* a was not walked again */
    pm_conf_unref(next);
}

static void stopped_in_the_middle(void **state)
{
    struct rig *rig = *state;
    for (int i = 0; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/s%d/%d.tif", i, i);
        pm_tmpdir_write(rig->dir, name, "");
    }
    told.hold = true; /* and the ledger never answers: it has been closed */
    rig->conf->settle_s = 0;
    open_ingest(rig, false);
    for (int i = 0; i < 10; i++) {
        uv_run(&rig->loop, UV_RUN_ONCE);
    }
    pm_ingest_stop(rig->ingest);
    pm_ingest_rescan(rig->ingest); /* too late; harmless */
    pm_ingest_reload(rig->ingest, rig->conf);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(once_becomes_idle), TEST(not_idle_before_the_commit),
        TEST(watches_and_gauges), TEST(rescan_on_request), TEST(reload_swaps_sources),
        TEST(reload_keeps_what_is_the_same), TEST(stopped_in_the_middle)};
#undef TEST
    pm_log_init(PM_LOG_ERR, 0);
    pm_ingest_close(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
