/* cli/failures: what is listed, for people and for programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/clitest.h"

static void failures_are_listed_with_step_and_reason(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(pm_clitest_call(&t, pm_cli_failures, "failures", "--db %s", t.db), PM_EXIT_OK);
    assert_non_null(strstr(t.out, ": s/c.tif (gt s/gt/g.tif) failed in decode with EFORMAT at "));
    assert_non_null(strstr(t.out, "Z, attempt 1\n    no TIFF at all\n"));
    assert_null(strstr(t.out, "a.tif"));
    assert_string_equal(t.err, "");
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_failures, "failures", "--json --config %s", t.conf), PM_EXIT_OK);
    assert_int_equal(t.out[0], '[');
    assert_non_null(strstr(t.out, "\"code\": \"EFORMAT\""));
    assert_non_null(strstr(t.out, "\"attempts\": 1"));
    pm_clitest_close(&t);
}

static void without_a_database_it_says_how_to_name_one(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_failures, "failures", "--db %s", t.db), PM_EXIT_COULD_NOT);
    assert_int_equal(strncmp(t.err, "pairmill failures: no database ", 31), 0);
    assert_non_null(strstr(t.err, "--db"));
    assert_int_equal(pm_clitest_call(&t, pm_cli_failures, "failures", "x"), PM_EXIT_USAGE);
    assert_int_equal(pm_clitest_call(&t, pm_cli_failures, "failures", "-h"), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "usage: pairmill failures"));
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failures_are_listed_with_step_and_reason),
        cmocka_unit_test(without_a_database_it_says_how_to_name_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
