/* bench_group: rows over several pairs; what is left out is a note, not a row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_group.h"
#include "cli/bench_scene.h"
#include "common/conf.h"

struct fixture {
    struct pm_conf *conf;
    struct pm_bench_opts opts;
    struct pm_cli cli;
    struct pm_bench bench;
};

static void open_fixture(struct fixture *f)
{
    *f = (struct fixture){.cli = {"bench", stdout, stderr}};
    assert_int_equal(pm_conf_new(&f->conf, NULL), PM_OK);
    pm_conf_fill(f->conf);
    f->conf->max_shift = 10;
    pm_bench_defaults(&f->opts, f->conf);
    f->opts.repeat = 2;
    f->opts.pairs = 2;
    f->bench.cli = &f->cli;
    f->bench.opts = &f->opts;
    assert_int_equal(pm_evictor_init(&f->bench.evictor, NULL), PM_OK);
}

static void close_fixture(struct fixture *f)
{
    pm_evictor_free(&f->bench.evictor);
    pm_report_clear(&f->bench.report);
    pm_conf_unref(f->conf);
}

/* Runs the group over two pairs; the second one's truth is a lie when asked for. */
static void run(struct fixture *f, bool lie)
{
    struct pm_bench_group group;
    struct pm_bench_size size = {128, 96};
    assert_int_equal(pm_bench_group_init(&group, &f->bench, NULL), PM_OK);
    for (uint64_t i = 0; i < 2; i++) {
        struct pm_bench_scene scene = pm_bench_scene_of(size, PM_BENCH_NONE, 10, i);
        struct pm_bench_pair pair = {.name = "128x96", .noise = "none", .known = true};
        pair.dy = scene.dy + (lie && i == 1);
        pair.dx = scene.dx;
        assert_int_equal(pm_bench_scene_draw(&scene, &pair.gt, &pair.target, NULL), PM_OK);
        assert_int_equal(pm_bench_group_pair(&group, &f->bench, &pair, NULL), PM_OK);
        pm_bench_pair_clear(&pair);
    }
    assert_int_equal(pm_bench_group_close(&group, &f->bench, NULL), PM_OK);
    pm_bench_group_clear(&group);
}

static void a_row_over_two_pairs(void **state)
{
    struct fixture f;
    (void)state;
    for (int lie = 0; lie < 2; lie++) {
        open_fixture(&f);
        f.opts.methods[0] = PM_METHOD_FFT;
        f.opts.methods[1] = PM_METHOD_HIERARCHICAL;
        f.opts.method_count = 2;
        run(&f, lie == 1);
        assert_int_equal(f.bench.report.row_count, 2);
        for (size_t i = 0; i < 2; i++) {
            const struct pm_bench_row *row = &f.bench.report.rows[i];
            assert_int_equal(row->pairs, 2);
            assert_int_equal(row->exact, 2 - lie);
            assert_int_equal(row->repeats, 2);
            assert_true(row->ms > 0 && row->stream_ms > 0 && row->first_ms > 0);
            assert_true(row->best_ms <= row->ms && row->quality_ms > 0);
            assert_true(row->loss >= 0 && row->evaluations > 0);
        }
        assert_string_equal(f.bench.report.rows[1].method, "hierarchical");
        close_fixture(&f);
    }
}

/* Bruteforce has a limit by default, none when it was asked for by name. */
static void too_slow_is_a_note(void **state)
{
    struct fixture f;
    (void)state;
    for (int asked = 0; asked < 2; asked++) {
        open_fixture(&f);
        f.opts.methods[0] = PM_METHOD_BRUTEFORCE;
        f.opts.method_count = 1;
        f.opts.methods_asked = asked == 1;
        f.opts.limit_s = 0.00001;
        run(&f, false);
        assert_int_equal(f.bench.report.row_count, asked);
        assert_int_equal(f.bench.report.note_count, 1 - asked);
        assert_true(asked || strstr(f.bench.report.notes[0], "bruteforce on 128x96") != NULL);
        close_fixture(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_over_two_pairs),
        cmocka_unit_test(too_slow_is_a_note),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
