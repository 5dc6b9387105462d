/* cli/status: lines for people, JSON for programs, nobody running. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/clitest.h"

static void lines_tell_progress_speed_stages_and_failures(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(pm_clitest_call(&t, pm_cli_status, "status", "--db %s", t.db), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "nobody works on it now"));
    assert_non_null(strstr(t.out, "source  waiting  settling  queued  running  done  failed"));
    assert_non_null(strstr(t.out, "lab"));
    assert_non_null(strstr(t.out, "pairs a minute: "));
    assert_non_null(strstr(t.out, "publish"));
    assert_non_null(strstr(t.out, "1 pair failed; pairmill failures says why"));
    assert_null(strchr(t.out, '\033'));
    pm_clitest_close(&t);
}

static void json_has_every_view(void **state)
{
    static const char *const keys[] = {"\"database\": ", "\"running\": false", "\"progress\": [",
        "\"throughput\": [", "\"eta\": [", "\"stage_timings\": [", "\"workers\": [",
        "\"cache_stats\": [", "\"health\": [", "\"done\": 2", "\"queued\": 1"};
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_status, "status", "--json --config %s", t.conf), PM_EXIT_OK);
    assert_int_equal(t.out[0], '{');
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        assert_non_null(strstr(t.out, keys[i]));
    }
    pm_clitest_close(&t);
}

static void trouble_is_one_line(void **state)
{
    struct pm_clitest t;
    FILE *file;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_status, "status", "--db %s", t.db), PM_EXIT_COULD_NOT);
    file = fopen(t.db, "w");
    assert_non_null(file);
    fputs("this is not a database, but long enough to look at, or is it? Well, it is now.\n", file);
    fclose(file);
    assert_int_equal(
        pm_clitest_call(&t, pm_cli_status, "status", "--db %s", t.db), PM_EXIT_COULD_NOT);
    assert_non_null(strstr(t.err, t.db));
    assert_ptr_equal(strchr(t.err, '\n'), t.err + strlen(t.err) - 1);
    assert_int_equal(pm_clitest_call(&t, pm_cli_status, "status", "--wacht"), PM_EXIT_USAGE);
    assert_non_null(strstr(t.err, "did you mean --watch?"));
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_tell_progress_speed_stages_and_failures),
        cmocka_unit_test(json_has_every_view),
        cmocka_unit_test(trouble_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
