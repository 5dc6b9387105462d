/* pairmill bench: generated pairs, files, folders, and wrong usage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/clitest.h"
#include "tests/lib/workerkit.h"

#define TINY " --sizes 96x64 --noise none --repeat 1 --max_shift 6"

static void generated_pairs(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_bench, "bench", "align" TINY " --workers 1,2"), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "| 96x64 | none  | bruteforce "));
    assert_non_null(strstr(t.out, "| 96x64 | none  | hierarchical "));
    assert_non_null(strstr(t.out, "x one thread"));
    assert_string_equal(t.err, "");
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench",
                         "align" TINY " --methods fft,bruteforce,hierarchical --json --pairs 2"),
        PM_EXIT_OK);
    assert_non_null(strstr(t.out, "\"exact_share\": 1,"));
    assert_null(strstr(t.out, "\"exact_share\": 0"));
    pm_clitest_close(&t);
}

static void a_line_needs_three_sizes(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench",
                         "align --sizes 64x64,96x96,128x128 --noise none --methods hierarchical "
                         "--repeat 1 --max_shift 4 --fit"),
        PM_EXIT_OK);
    assert_non_null(strstr(t.out, "fit, hierarchical, noise none, 3 sizes: ms = "));
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench", "align" TINY " --fit"), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "no fit: "));
    pm_clitest_close(&t);
}

static void given_pairs(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    kit_write_pair(t.dir, "g.tif", "t.tif", PM_U8, 1, 0, 5);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_bench, "bench",
            "align %1$s/s/gt/g.tif %1$s/s/t.tif --max_shift 8 --repeat 1 --methods fft --json",
            t.dir),
        PM_EXIT_OK);
    assert_non_null(strstr(t.out, "\"pair\": \"t.tif\""));
    assert_non_null(strstr(t.out, "\"dx\": 5"));
    assert_non_null(strstr(t.out, "\"exact_share\": null"));
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_bench, "bench",
            "align %1$s/s/gt/g.tif %1$s/s/t.tif --max_shift 8 --repeat 1 --methods fft --check "
            "--workers 2",
            t.dir),
        PM_EXIT_OK);
    assert_non_null(strstr(t.out, "1/1"));
    assert_int_equal(pm_clitest_call(&t, pm_cli_run, "run",
                         "--input_dir %1$s/s --benchmark --max_shift 8", t.dir),
        PM_EXIT_OK);
    assert_non_null(strstr(t.out, "| t.tif | -     | hierarchical "));
    assert_int_equal(kit_entries(t.dir), 3); /* in, p.conf and s: nothing was processed */
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_bench, "bench", "align %1$s/s/gt/g.tif %1$s/no.tif", t.dir),
        PM_EXIT_COULD_NOT);
    assert_non_null(strstr(t.err, "no.tif"));
    pm_clitest_close(&t);
}

static void wrong_usage_is_told(void **state)
{
    static const char *const lines[] = {
        "", "job", "align a.tif", "align --sizes 1x1", "align --max_shift x", "align --jsno"};
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench", "%s", lines[i]), PM_EXIT_USAGE);
        assert_int_equal(strncmp(t.err, "pairmill bench: ", 16), 0);
    }
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench", "--help"), PM_EXIT_OK);
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench", "align --help"), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "--compare opencv"));
    assert_int_equal(pm_clitest_call(&t, pm_cli_run, "run", "--benchmark"), PM_EXIT_USAGE);
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generated_pairs),
        cmocka_unit_test(a_line_needs_three_sizes),
        cmocka_unit_test(given_pairs),
        cmocka_unit_test(wrong_usage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
