/* cli/verify: options, lines, JSON and exit codes, with nobody running. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/clitest.h"

static void a_database_without_outputs_is_told_pair_by_pair(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t); /* its two done pairs say they are in /out/s, where nothing is */
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_verify, "verify", "--db %s", t.db), PM_EXIT_SOME_FAILED);
    assert_non_null(strstr(t.out, "missing    /out/s: not there (job "));
    assert_non_null(strstr(t.out, "1 missing, 0 changed, 0 orphans, 0 unreadable"));
    assert_non_null(strstr(t.out, "1 pair is damaged; --repair does them again"));
    assert_non_null(strstr(t.err, "100% 1/1 pairs, 1 failed")); /* plain lines: no terminal */
    assert_int_equal(pm_clitest_count(&t, "done"), 2);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_verify, "verify", "--repair --workers 2 --db %s", t.db),
        PM_EXIT_SOME_FAILED);
    assert_non_null(strstr(t.out, "1 pair queued again\n"));
    assert_int_equal(pm_clitest_count(&t, "done"), 1);
    assert_int_equal(pm_clitest_count(&t, "queued"), 2);
    pm_clitest_close(&t);
}

static void json_says_the_same(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_verify, "verify", "--json --repair --config %s", t.conf),
        PM_EXIT_SOME_FAILED);
    assert_int_equal(strncmp(t.out, "{\n  \"pairs\": 1,", 14), 0);
    assert_non_null(strstr(t.out, "\"missing\": 1,"));
    assert_non_null(strstr(t.out, "\"kind\": \"missing\""));
    assert_non_null(strstr(t.out, "\"requeued\": 1"));
    assert_non_null(strstr(t.out, "\"not_queued\": []"));
    pm_clitest_close(&t);
}

static void wrong_usage_is_told(void **state)
{
    static const char *const lines[] = {"--workers=many", "--workers=-1", "word", "--repiar"};
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        char line[256];
        snprintf(line, sizeof line, "%s --db %s", lines[i], t.db);
        assert_int_equal(pm_clitest_call(&t, pm_cli_verify, "verify", "%s", line), PM_EXIT_USAGE);
        assert_int_equal(strncmp(t.err, "pairmill verify: ", 17), 0);
    }
    assert_int_equal(pm_clitest_call(&t, pm_cli_verify, "verify", "--db /nowhere/%s", "p.db"),
        PM_EXIT_COULD_NOT);
    assert_int_equal(pm_clitest_call(&t, pm_cli_verify, "verify", "%s", "--help"), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "--repair"));
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_database_without_outputs_is_told_pair_by_pair),
        cmocka_unit_test(json_says_the_same), cmocka_unit_test(wrong_usage_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
