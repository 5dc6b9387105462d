/* cli/report: every section, for people, as a page and as JSON; also when there is nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "daemon/ledger.h"
#include "tests/lib/clitest.h"

static void every_section_says_what_there_is(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(pm_clitest_call(&t, pm_cli_report, "report", "--db %s", t.db), PM_EXIT_OK);
    assert_int_equal(strncmp(t.out, "# pairmill report: ", 19), 0);
    assert_non_null(strstr(t.out, "\n## Scenes\n\nsource  scene  gts  targets  done  failed"));
    assert_non_null(strstr(t.out, "\n1 to 4      2 "));
    assert_non_null(strstr(t.out, "\nEFORMAT  decode      1  no TIFF at all\n"));
    assert_non_null(strstr(t.out, "\n## Flags\n\nnone\n"));
    assert_non_null(strstr(t.out, "\nfft     plain    2"));
    assert_string_equal(t.err, "");
    pm_clitest_close(&t);
}

static void the_page_and_the_object_are_whole(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_report, "report", "--html --config %s", t.conf), PM_EXIT_OK);
    assert_int_equal(strncmp(t.out, "<!DOCTYPE html>", 15), 0);
    assert_non_null(strstr(t.out, "<td>EFORMAT</td><td>decode</td><td class=\"n\">1</td>"));
    assert_string_equal(t.out + strlen(t.out) - 8, "</html>\n");
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_report, "report", "--json --db %s", t.db), PM_EXIT_OK);
    assert_int_equal(t.out[0], '{');
    assert_non_null(strstr(t.out, "\"failures\": ["));
    assert_int_equal(pm_clitest_call(&t, pm_cli_report, "report", "--json --html"), PM_EXIT_USAGE);
    assert_int_equal(pm_clitest_call(&t, pm_cli_report, "report", "--help"), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "usage: pairmill report"));
    pm_clitest_close(&t);
}

/* A database in which nothing has happened yet. */
static void nothing_yet_is_said(void **state)
{
    struct pm_clitest t;
    struct pm_conf *conf = NULL;
    struct pm_ledger *ledger = NULL;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(pm_conf_new(&conf, NULL), PM_OK);
    assert_int_equal(pm_conf_load(conf, t.conf, NULL), PM_OK);
    assert_int_equal(pm_conf_check(conf, true, NULL), PM_OK);
    assert_int_equal(pm_ledger_open(&ledger, conf, pm_clock_real(), NULL), PM_OK);
    pm_ledger_close(ledger);
    pm_conf_unref(conf);
    assert_int_equal(pm_clitest_call(&t, pm_cli_report, "report", "--db %s", t.db), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "\n## Largest loss\n\nno results yet\n"));
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_report, "report", "--html --db %s", t.db), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "<p>no results yet</p>"));
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_section_says_what_there_is),
        cmocka_unit_test(the_page_and_the_object_are_whole),
        cmocka_unit_test(nothing_yet_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
