/* cli/run: the whole way in one call; what stays done, what fails, what there is none of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include "tests/lib/clitest.h"
#include "tests/lib/workerkit.h"

#define SMALL "--max_shift 8 --crop-size 16 --crop_stride=12 --workers 1"

static void write_scene(const struct pm_clitest *t, const char *target, int dy, int dx)
{
    char in[160];
    snprintf(in, sizeof in, "%s/in", t->dir);
    kit_write_pair(in, "g.tif", target, PM_U16, 3, dy, dx);
}

static int run(struct pm_clitest *t, const char *more)
{
    return pm_clitest_call(t, pm_cli_run, "run",
        "--input_dir %1$s/in --output-dir %1$s/out " SMALL " %2$s", t->dir, more);
}

static void all_pairs_are_done_once(void **state)
{
    struct pm_clitest t;
    char path[256];
    (void)state;
    pm_clitest_open(&t);
    write_scene(&t, "a.tif", 1, 2);
    write_scene(&t, "b.tif", -3, 0);
    assert_int_equal(run(&t, ""), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "done      2 of 2 pairs\n"));
    assert_non_null(strstr(t.err, "100% 2/2 pairs, 0 failed"));
    assert_null(strchr(t.err, '\033'));
    snprintf(path, sizeof path, "%s/out/s/g.tif--a.tif/pair.json", t.dir);
    assert_int_equal(access(path, R_OK), 0);
    snprintf(path, sizeof path, "%s/out/pairmill.db", t.dir);
    assert_int_equal(access(path, R_OK), 0);

    write_scene(&t, "c.tif", 0, 0);
    assert_int_equal(run(&t, ""), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "done      3 of 3 pairs, 2 were finished before\n"));
    assert_int_equal(run(&t, "--overwrite"), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "done      3 of 3 pairs\n"));
    pm_clitest_close(&t);
}

static void a_bad_file_costs_its_pair_only(void **state)
{
    struct pm_clitest t;
    char path[192];
    (void)state;
    pm_clitest_open(&t);
    write_scene(&t, "a.tif", 1, 2);
    snprintf(path, sizeof path, "%s/in/s/bad.tif", t.dir);
    kit_write(path, "no image");
    assert_int_equal(run(&t, ""), PM_EXIT_SOME_FAILED);
    assert_non_null(strstr(t.out, "done      1 of 2 pairs\n"));
    assert_non_null(strstr(t.out, "s/bad.tif (gt s/gt/g.tif): decode: "));
    pm_clitest_close(&t);
}

static void a_file_of_settings_can_name_the_folders(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    write_scene(&t, "a.tif", 1, 2);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_run, "run", "--config %s " SMALL " --pair_self", t.conf),
        PM_EXIT_OK);
    assert_non_null(strstr(t.out, "done      2 of 2 pairs\n")); /* and gt with itself */
    assert_int_equal(pm_clitest_count(&t, "done"), 2);
    pm_clitest_close(&t);
}

static void nothing_to_do_is_exit_1(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(run(&t, ""), PM_EXIT_COULD_NOT);
    assert_non_null(strstr(t.err, "SCENE/gt/FILE"));
    pm_clitest_close(&t);
}

static void wrong_usage_is_told(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(pm_clitest_call(&t, pm_cli_run, "run", "%s", ""), PM_EXIT_USAGE);
    assert_non_null(strstr(t.err, "--input_dir DIR is missing"));
    assert_int_equal(run(&t, "--profile=rawnind"), PM_EXIT_USAGE);
    assert_non_null(strstr(t.err, "is not in this version of pairmill; use aligned"));
    assert_int_equal(run(&t, "--worker 3"), PM_EXIT_USAGE);
    assert_non_null(strstr(t.err, "did you mean --workers?"));
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_run, "run", "--input_dir %s/no --output_dir x", t.dir),
        PM_EXIT_COULD_NOT);
    assert_int_equal(pm_clitest_call(&t, pm_cli_run, "run", "--help"), PM_EXIT_OK);
    assert_int_equal(pm_clitest_call(&t, pm_cli_run, "run", "--help_settings"), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "--crop_min_valid VALUE"));
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_pairs_are_done_once),
        cmocka_unit_test(a_bad_file_costs_its_pair_only),
        cmocka_unit_test(a_file_of_settings_can_name_the_folders),
        cmocka_unit_test(nothing_to_do_is_exit_1),
        cmocka_unit_test(wrong_usage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
