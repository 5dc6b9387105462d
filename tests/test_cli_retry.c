/* cli/retry: which pairs are queued again, with nobody running. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/clitest.h"

static void failed_pairs_are_queued_again_and_done_ones_are_not(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(pm_clitest_count(&t, "failed"), 1);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_retry, "retry", "--quarantined --db %s", t.db), PM_EXIT_OK);
    assert_string_equal(t.out, "0 pairs queued again\n");
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_retry, "retry", "--scene other --db %s", t.db), PM_EXIT_OK);
    assert_string_equal(t.out, "0 pairs queued again\n");
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_retry, "retry", "--scene s --config %s", t.conf), PM_EXIT_OK);
    assert_string_equal(t.out, "1 pair queued again\n");
    assert_int_equal(pm_clitest_count(&t, "failed"), 0);
    assert_int_equal(pm_clitest_count(&t, "queued"), 2);
    assert_int_equal(pm_clitest_count(&t, "done"), 2);
    assert_int_equal(pm_clitest_count(&t, "active"), 1); /* the source is still the database's */
    pm_clitest_close(&t);
}

static void one_pair_is_named_by_its_id(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_retry, "retry", "--id=3 --db %s", t.db), PM_EXIT_OK);
    assert_string_equal(t.out, "1 pair queued again\n");
    assert_int_equal(pm_clitest_call(&t, pm_cli_retry, "retry", "--all --db %s", t.db), PM_EXIT_OK);
    assert_string_equal(t.out, "0 pairs queued again\n");
    pm_clitest_close(&t);
}

/* A setting that shapes results is changed: exactly the pairs made before are stale. */
static void stale_pairs_are_queued_and_no_others(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(pm_clitest_call(&t, pm_cli_retry, "retry", "--stale --db %s", t.db), 0);
    assert_string_equal(t.out, "2 pairs queued again\n"); /* made with nobody's settings */
    assert_int_equal(pm_clitest_count(&t, "queued"), 3);
    assert_int_equal(pm_clitest_count(&t, "failed"), 1);
    assert_int_equal(pm_clitest_call(&t, pm_cli_retry, "retry", "--stale --db %s", t.db), 0);
    assert_string_equal(t.out, "0 pairs queued again\n");
    pm_clitest_close(&t);
}

static void done_pairs_are_queued_when_asked_for(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_retry, "retry", "--done --scene s --db %s", t.db), PM_EXIT_OK);
    assert_string_equal(t.out, "2 pairs queued again\n");
    assert_int_equal(pm_clitest_count(&t, "done"), 0);
    assert_int_equal(pm_clitest_count(&t, "failed"), 1);
    pm_clitest_close(&t);
}

static void wrong_options_are_told(void **state)
{
    static const char *const lines[] = {"--id", "--id=0", "--id=1x", "--id=", "--id=5 --failed",
        "--id=5 --stale", "--id=5 --done", "--id=5 --scene s", "--fialed", "word"};
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        assert_int_equal(pm_clitest_call(&t, pm_cli_retry, "retry", "%s", lines[i]), PM_EXIT_USAGE);
        assert_int_equal(strncmp(t.err, "pairmill retry: ", 16), 0);
    }
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_retry, "retry", "--db %s", t.db), PM_EXIT_COULD_NOT);
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failed_pairs_are_queued_again_and_done_ones_are_not),
        cmocka_unit_test(one_pair_is_named_by_its_id),
        cmocka_unit_test(stale_pairs_are_queued_and_no_others),
        cmocka_unit_test(done_pairs_are_queued_when_asked_for),
        cmocka_unit_test(wrong_options_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
