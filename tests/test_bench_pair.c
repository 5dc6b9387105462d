/* bench_pair: a given pair is measured step by step; nothing of it is left; wrong usage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tests/lib/clitest.h"
#include "tests/lib/workerkit.h"

static void a_given_pair(void **state)
{
    struct pm_clitest t;
    char *scratch;
    (void)state;
    pm_clitest_open(&t);
    kit_write_pair(t.dir, "g.tif", "t.tif", PM_U16, 3, 2, 5);
    scratch = kit_path(t.dir, "scratch");
    kit_mkdir(scratch);
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench",
                         "pair %1$s/s/gt/g.tif %1$s/s/t.tif --dir %1$s/scratch --repeat 2 "
                         "--max_shift 8 --crop_size 32 --crop_stride 32 --json",
                         t.dir),
        PM_EXIT_OK);
    assert_string_equal(t.err, "");
    assert_non_null(strstr(t.out, "\"repeats\": 2,"));
    assert_non_null(strstr(t.out, "\"publish\": "));
    assert_null(strstr(t.out, "\"times_plain\": null"));
    assert_null(strstr(t.out, "\"files\": 0"));
    assert_int_equal(kit_entries(scratch), 0);
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench",
                         "pair %1$s/s/gt/g.tif %1$s/s/t.tif --dir %1$s/scratch --repeat 1 "
                         "--max_shift 8",
                         t.dir),
        PM_EXIT_OK);
    assert_non_null(strstr(t.out, "whole pair / plain: "));
    kit_remove(scratch);
    free(scratch);
    pm_clitest_close(&t);
}

static void a_pair_that_fails_says_why(void **state)
{
    struct pm_clitest t;
    char *bad;
    (void)state;
    pm_clitest_open(&t);
    kit_write_pair(t.dir, "g.tif", "t.tif", PM_U8, 1, 0, 0);
    bad = kit_path(t.dir, "bad.tif");
    kit_write(bad, "no image at all");
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench",
                         "pair %1$s/s/gt/g.tif %1$s/bad.tif --dir %1$s", t.dir),
        PM_EXIT_COULD_NOT);
    assert_non_null(strstr(t.err, "bad.tif"));
    free(bad);
    pm_clitest_close(&t);
}

static void wrong_usage(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench", "pair one.tif"), PM_EXIT_USAGE);
    assert_non_null(strstr(t.err, "one.tif has no target"));
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_bench, "bench", "pair --repeat none"), PM_EXIT_USAGE);
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_given_pair),
        cmocka_unit_test(a_pair_that_fails_says_why),
        cmocka_unit_test(wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
