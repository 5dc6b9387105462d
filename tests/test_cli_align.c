/* cli/align: one pair, as lines and as JSON. */
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

static void the_shift_is_told(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    kit_write_pair(t.dir, "g.tif", "t.tif", PM_U16, 3, 2, -3);
    assert_int_equal(pm_clitest_call(&t, pm_cli_align, "align",
                         "%1$s/s/gt/g.tif %1$s/s/t.tif --max-shift 8", t.dir),
        PM_EXIT_OK);
    assert_non_null(strstr(t.out, "shift       dy +2, dx -3 px"));
    assert_non_null(strstr(t.out, "flags       none"));
    assert_string_equal(t.err, "");
    pm_clitest_close(&t);
}

static void json_has_the_promised_keys(void **state)
{
    static const char *const keys[] = {"dy", "dx", "loss", "gain", "method", "backend",
        "confidence", "sub_dy", "sub_dx", "flags", "elapsed_ms", "loss_ms", "evaluations"};
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    kit_write_pair(t.dir, "g.tif", "t.tif", PM_U8, 1, 0, 5);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_align, "align",
            "%1$s/s/gt/g.tif %1$s/s/t.tif --json --alignment_method=bruteforce --max_shift=8",
            t.dir),
        PM_EXIT_OK);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        char key[32];
        snprintf(key, sizeof key, "\"%s\": ", keys[i]);
        assert_non_null(strstr(t.out, key));
    }
    assert_non_null(strstr(t.out, "\"dx\": 5"));
    assert_non_null(strstr(t.out, "\"method\": \"bruteforce\""));
    assert_non_null(strstr(t.out, "\"flags\": ["));
    pm_clitest_close(&t);
}

static void trouble_names_the_file(void **state)
{
    struct pm_clitest t;
    char path[192];
    (void)state;
    pm_clitest_open(&t);
    kit_write_pair(t.dir, "g.tif", "t.tif", PM_U8, 1, 0, 0);
    snprintf(path, sizeof path, "%s/s/bad.tif", t.dir);
    kit_write(path, "no image");
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_align, "align", "%1$s/s/gt/g.tif %1$s/s/bad.tif", t.dir),
        PM_EXIT_COULD_NOT);
    assert_non_null(strstr(t.err, path));
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_align, "align", "%1$s/s/gt/g.tif %1$s/s/none.tif", t.dir),
        PM_EXIT_COULD_NOT);
    assert_non_null(strstr(t.err, "none.tif"));
    pm_clitest_close(&t);
}

static void wrong_usage_is_told(void **state)
{
    static const char *const lines[] = {
        "", "a", "a b c", "a b --max_shift x", "a b --alignment_method fastest", "a b --jsno"};
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(pm_clitest_call(&t, pm_cli_align, "align", "%s", lines[i]), PM_EXIT_USAGE);
        assert_int_equal(strncmp(t.err, "pairmill align: ", 16), 0);
    }
    assert_int_equal(pm_clitest_call(&t, pm_cli_align, "align", "--help"), PM_EXIT_OK);
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_shift_is_told),
        cmocka_unit_test(json_has_the_promised_keys),
        cmocka_unit_test(trouble_names_the_file),
        cmocka_unit_test(wrong_usage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
