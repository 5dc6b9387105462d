/* bench_opts: what is taken, and how what is not taken is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "cli/bench_opts.h"
#include "common/conf.h"

/* words of line, separated by blanks, into opts. */
static enum pm_code parse(struct pm_bench_opts *opts, const char *line, struct pm_err *err)
{
    static char text[512]; /* args and opts point into it */
    static struct pm_args args;
    char *argv[32], *save = NULL;
    int argc = 0;
    snprintf(text, sizeof text, "align %s", line);
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        argv[argc++] = word;
    }
    enum pm_code rc = pm_args_parse(&args, pm_bench_args, true, PM_ARGS_MAX, argc, argv, err);
    return rc == PM_OK ? pm_bench_opts_of(opts, &args, NULL, err) : rc;
}

static void defaults(void **state)
{
    struct pm_bench_opts opts;
    (void)state;
    assert_int_equal(parse(&opts, "", NULL), PM_OK);
    assert_int_equal(opts.size_count, 5);
    assert_int_equal(opts.sizes[4].w, 6000);
    assert_int_equal(opts.noise_count, 3);
    assert_int_equal(opts.repeat, 5);
    assert_int_equal(opts.worker_count, 0);
    assert_false(opts.methods_asked || opts.opencv || opts.fit || opts.json || opts.check);
}

static void lists_replace_the_defaults(void **state)
{
    struct pm_bench_opts opts;
    (void)state;
    assert_int_equal(parse(&opts,
                         "--sizes 64x48,100x32 --noise heavy --methods fft,hierarchical "
                         "--workers=1,4 --repeat 7 --pairs 3 --seed 9 --limit 0.5 --fit --json "
                         "--compare opencv",
                         NULL),
        PM_OK);
    assert_int_equal(opts.size_count, 2);
    assert_int_equal(opts.sizes[1].w, 100);
    assert_int_equal(opts.sizes[1].h, 32);
    assert_int_equal(opts.noise_count, 1);
    assert_int_equal(opts.noises[0], PM_BENCH_HEAVY);
    assert_int_equal(opts.method_count, 2);
    assert_int_equal(opts.methods[1], PM_METHOD_HIERARCHICAL);
    assert_int_equal(opts.worker_count, 2);
    assert_int_equal(opts.workers[1], 4);
    assert_int_equal(opts.repeat, 7);
    assert_int_equal(opts.pairs, 3);
    assert_true(opts.seed == 9 && opts.limit_s == 0.5);
    assert_true(opts.methods_asked && opts.opencv && opts.fit && opts.json);
    assert_int_equal(parse(&opts, "a.tif b.tif c.tif d.tif --check", NULL), PM_OK);
    assert_int_equal(opts.file_count, 4);
    assert_true(opts.check);
}

static void nonsense_is_told(void **state)
{
    static const char *const lines[][2] = {
        {"--sizes 10x10", "\"10x10\" is not WxH"},
        {"--sizes 20000x20000", "20000x20000"},
        {"--sizes 64x48,", NULL}, /* a comma at the end is no item */
        {"--sizes ,64x48", "\"\" is not"},
        {"--sizes 64", "\"64\""},
        {"--noise loud", "none, medium or heavy"},
        {"--noise none,none,none,none", "--noise"},
        {"--methods fastest", "hierarchical"},
        {"--workers 0", "threads"},
        {"--repeat 0", "1 to 101"},
        {"--repeat 5x", "5x"},
        {"--limit -1", "seconds"},
        {"--limit nan", "seconds"},
        {"--compare skimage", "opencv"},
        {"a.tif", "a.tif has no target"},
        {"a.tif b.tif --sizes 64x64", "--sizes is for generated"},
        {"--check", "--check is for files"},
        {"--sizs 64x64", "did you mean --sizes"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct pm_bench_opts opts;
        struct pm_err err = {0};
        enum pm_code rc = parse(&opts, lines[i][0], &err);
        assert_int_equal(rc, lines[i][1] != NULL ? PM_EUSAGE : PM_OK);
        assert_true(rc == PM_OK || strstr(err.text, lines[i][1]) != NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(lists_replace_the_defaults),
        cmocka_unit_test(nonsense_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
