/* cli/export: results as CSV and JSON, with a heading even when there are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/clitest.h"

static int lines(const char *text)
{
    int count = 0;
    for (; *text != '\0'; text++) {
        count += *text == '\n';
    }
    return count;
}

static void a_row_a_pair_in_order_of_names(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(pm_clitest_call(&t, pm_cli_export, "export", "--db %s", t.db), PM_EXIT_OK);
    assert_int_equal(lines(t.out), 3); /* the heading, a and b; c failed, d is queued */
    assert_int_equal(strncmp(t.out, "scene,gt_path,target_path,dy,dx,loss,gain,", 42), 0);
    assert_non_null(strstr(t.out, "\ns,s/gt/g.tif,s/a.tif,3,-4,0.01,2,"));
    assert_non_null(strstr(t.out, "\ns,s/gt/g.tif,s/b.tif,3,-4,0.01,2,"));
    assert_true(strstr(t.out, "s/a.tif") < strstr(t.out, "s/b.tif"));
    assert_non_null(
        strstr(t.out, ",0123456789abcdef,0123456789abcdef,")); /* hashes of the inputs */
    assert_string_equal(t.err, "");
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_export, "export", "--json --config %s", t.conf), PM_EXIT_OK);
    assert_int_equal(strncmp(t.out, "[\n{\"scene\": \"s\", ", 17), 0);
    assert_non_null(strstr(t.out, "},\n{"));
    assert_string_equal(t.out + strlen(t.out) - 4, "}\n]\n");
    pm_clitest_close(&t);
}

static void nothing_to_export_is_a_heading_alone(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_export, "export", "--scene none --db %s", t.db), PM_EXIT_OK);
    assert_int_equal(lines(t.out), 1);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_export, "export", "--crops --db %s", t.db), PM_EXIT_OK);
    assert_int_equal(lines(t.out), 1); /* these results have none */
    assert_non_null(strstr(t.out, ",x,y,width,height,valid,"));
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_export, "export", "--json --scene none --db %s", t.db),
        PM_EXIT_OK);
    assert_string_equal(t.out, "[]\n");
    pm_clitest_close(&t);
}

static void wrong_usage_and_no_database_are_told(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_export, "export", "--db %s", t.db), PM_EXIT_COULD_NOT);
    assert_int_equal(pm_clitest_call(&t, pm_cli_export, "export", "x"), PM_EXIT_USAGE);
    assert_int_equal(pm_clitest_call(&t, pm_cli_export, "export", "--help"), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "usage: pairmill export"));
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_a_pair_in_order_of_names),
        cmocka_unit_test(nothing_to_export_is_a_heading_alone),
        cmocka_unit_test(wrong_usage_and_no_database_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
