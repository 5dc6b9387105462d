/* bench_queue: a small queue goes all its way; every question is answered; nothing is left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tests/lib/clitest.h"
#include "tests/lib/workerkit.h"

static int count(const char *text, const char *word)
{
    int n = 0;
    for (text = strstr(text, word); text != NULL; text = strstr(text + 1, word)) {
        n++;
    }
    return n;
}

static void a_small_queue(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_bench, "bench", "queue --jobs 2950 --dir %1$s", t.dir),
        PM_EXIT_OK);
    assert_int_equal(strncmp(t.out, "3000 jobs; ", 11), 0); /* whole scenes */
    assert_non_null(strstr(t.out, "| enqueue "));
    assert_non_null(strstr(t.out, "| claim and end |"));
    assert_non_null(strstr(t.out, "\n| progress | "));
    assert_non_null(strstr(t.out, "\n| count_stale | "));
    assert_string_equal(t.err, "");
    assert_int_equal(kit_entries(t.dir), 2); /* in/ and p.conf, as before */
    pm_clitest_close(&t);
}

static void for_programs(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_bench, "bench", "queue --jobs 1000 --dir %1$s --json", t.dir),
        PM_EXIT_OK);
    assert_non_null(strstr(t.out, "\"jobs\": 1000,"));
    assert_int_equal(count(t.out, "\"half_done_ms\": "), count(t.out, "\"name\": "));
    assert_true(count(t.out, "\"name\": \"show_") >= 15); /* each public view */
    pm_clitest_close(&t);
}

static void wrong_usage(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_bench, "bench", "queue --jobs many"), PM_EXIT_USAGE);
    assert_non_null(strstr(t.err, "--jobs many"));
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench", "queue --jobs 0"), PM_EXIT_USAGE);
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench", "queue --dir /nowhere/at/all"),
        PM_EXIT_COULD_NOT);
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_small_queue),
        cmocka_unit_test(for_programs),
        cmocka_unit_test(wrong_usage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
