/*
 * sourcekit: a source on a folder of its own, a loop, and time that only moves when told to; its
 * ledger is the double. Holds definitions: include it in one test program's only file.
 * Owns: the rig of each test (set_up, tear_down). Threads: the test's. Memory: freed by tear_down.
 * Errors: assert.
 */
#ifndef PM_TESTS_LIB_SOURCEKIT_H
#define PM_TESTS_LIB_SOURCEKIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/source.h"
#include "tests/lib/inotify_double.h"
#include "tests/lib/ledger_double.h"
#include "tests/lib/log_double.h"
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

static inline void nothing(void *ctx)
{
    (void)ctx;
}

static inline struct pm_source_opts opts_of(struct rig *rig)
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

static inline void open_source(struct rig *rig, const struct pm_source_opts *opts)
{
    assert_int_equal(pm_source_open(&rig->source, opts, NULL), PM_OK);
}

/* --- conditions; each look is also a tick --- */

static inline bool told_line(void *ctx)
{
    struct rig *rig = ctx;
    pm_source_tick(rig->source);
    return double_count(rig->line) > 0;
}

static inline bool walked(void *ctx)
{
    struct rig *rig = ctx;
    struct pm_source_stats stats;
    pm_source_tick(rig->source);
    pm_source_stats(rig->source, &stats);
    return stats.walks >= rig->walks;
}

static inline bool quiet(void *ctx)
{
    struct rig *rig = ctx;
    pm_source_tick(rig->source);
    return pm_source_idle(rig->source);
}

static inline bool stopped(void *ctx)
{
    return pm_source_stopped(((struct rig *)ctx)->source);
}

static inline bool settling(void *ctx)
{
    struct pm_source_stats stats;
    pm_source_tick(((struct rig *)ctx)->source);
    pm_source_stats(((struct rig *)ctx)->source, &stats);
    return stats.settling > 0;
}

/* Time passes until the condition holds. */
static inline bool passing(struct rig *rig, bool (*holds)(void *ctx))
{
    for (int i = 0; i < 20000; i++) {
        if (holds(rig)) {
            return true;
        }
        pm_fake_clock_pass(&rig->clock, i < 300 ? S / 10 : S / 2); /* soon tired of waiting */
        uv_run(&rig->loop, UV_RUN_NOWAIT);
        usleep(500);
    }
    return false;
}

static inline void expect_line(struct rig *rig, const char *line)
{
    rig->line = line;
    if (!passing(rig, told_line)) {
        fail_msg("never told: %s", line);
    }
}

/* The n-th full walk has ended; no time passes. */
static inline void expect_walks(struct rig *rig, int64_t n)
{
    rig->walks = n;
    assert_true(pm_loop_until(&rig->loop, walked, rig));
}

static inline struct pm_source_stats stats_of(const struct rig *rig)
{
    struct pm_source_stats stats;
    pm_source_stats(rig->source, &stats);
    return stats;
}

static inline bool watching(void *ctx)
{
    pm_source_tick(((struct rig *)ctx)->source);
    return stats_of(ctx).watching;
}

static inline bool polled(void *ctx)
{
    return !watching(ctx);
}

static inline int64_t mono_of(struct rig *rig)
{
    return pm_mono_us(&rig->clock.clock);
}

/* 0.tif, 1.tif ... in the input: links, which are made faster than files. */
static inline void make_links(struct rig *rig, int count)
{
    char *first = pm_tmpdir_path(rig->dir, ".first");
    pm_tmpdir_write(rig->dir, ".first", "x");
    for (int i = 0; i < count; i++) {
        char name[32];
        char *path;
        snprintf(name, sizeof name, "%d.tif", i);
        path = pm_tmpdir_path(rig->dir, name);
        assert_int_equal(link(first, path), 0);
        free(path);
    }
    free(first);
}

static inline int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->dir = pm_tmpdir_make();
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    pm_fake_clock_init(&rig->clock);
    *state = rig;
    return 0;
}

static inline int tear_down(void **state)
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
    log_double_forget();
    inotify_double_reset();
    free(rig);
    return 0;
}

#endif
