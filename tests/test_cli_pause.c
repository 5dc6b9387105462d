/* cli/pause: pause and resume, with nobody running; both are kept in the database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/clitest.h"

static void pause_and_resume_are_kept(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(pm_clitest_count(&t, "paused"), 0);
    assert_int_equal(pm_clitest_call(&t, pm_cli_pause, "pause", "--db %s", t.db), PM_EXIT_OK);
    assert_string_equal(t.out, "paused all sources\n");
    assert_int_equal(pm_clitest_count(&t, "paused"), 1);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_pause, "resume", "--config %s", t.conf), PM_EXIT_OK);
    assert_string_equal(t.out, "resumed all sources\n");
    assert_int_equal(pm_clitest_count(&t, "paused"), 0);
    assert_int_equal(pm_clitest_call(&t, pm_cli_pause, "pause", "lab --db %s", t.db), PM_EXIT_OK);
    assert_string_equal(t.out, "paused lab\n");
    assert_int_equal(pm_clitest_count(&t, "paused"), 1);
    assert_int_equal(pm_clitest_call(&t, pm_cli_pause, "resume", "lab --db %s", t.db), PM_EXIT_OK);
    assert_int_equal(pm_clitest_count(&t, "paused"), 0);
    pm_clitest_close(&t);
}

static void an_unknown_source_is_told(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_not_equal(
        pm_clitest_call(&t, pm_cli_pause, "pause", "nobody --db %s", t.db), PM_EXIT_OK);
    assert_non_null(strstr(t.err, "nobody"));
    assert_int_equal(pm_clitest_count(&t, "paused"), 0);
    pm_clitest_close(&t);
}

static void wrong_usage_is_told(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(pm_clitest_call(&t, pm_cli_pause, "pause", "a b"), PM_EXIT_USAGE);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_pause, "pause", "--db %s", t.db), PM_EXIT_COULD_NOT);
    assert_int_equal(pm_clitest_call(&t, pm_cli_pause, "resume", "--help"), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "usage: pairmill resume"));
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pause_and_resume_are_kept),
        cmocka_unit_test(an_unknown_source_is_told),
        cmocka_unit_test(wrong_usage_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
