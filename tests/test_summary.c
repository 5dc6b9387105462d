/* summary: what a run says at its end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/summary.h"
#include "tests/lib/clitest.h"

static struct pm_conf *conf_of(const struct pm_clitest *t)
{
    struct pm_conf *conf = NULL;
    assert_int_equal(pm_conf_new(&conf, NULL), PM_OK);
    assert_int_equal(pm_conf_load(conf, t->conf, NULL), PM_OK);
    assert_int_equal(pm_conf_check(conf, true, NULL), PM_OK);
    return conf;
}

static void a_summary_says_how_many_why_and_where(void **state)
{
    struct pm_counts counts = {.done = 2, .failed = 1, .missing = 1, .total = 5};
    struct pm_clitest t;
    struct pm_conf *conf;
    char *text = NULL, want[512];
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    conf = conf_of(&t);
    struct pm_summary summary = {conf, &counts, 1, 30};
    assert_int_equal(pm_summary_print(&summary, file, NULL), PM_OK);
    fclose(file);
    assert_non_null(strstr(text, "done      2 of 5 pairs, 1 were finished before\n"));
    assert_non_null(strstr(text, "failed    1\n  1 x EFORMAT, not a valid image:\n"));
    assert_non_null(strstr(text, "    s/c.tif (gt s/gt/g.tif): decode: no TIFF at all\n"));
    assert_non_null(strstr(text, "the others after pairmill retry\nmissing   1 pairs"));
    assert_non_null(strstr(text, "skipped   1 files without a partner"));
    assert_non_null(strstr(text, "time      30.0s, 4 pairs a minute\n"));
    assert_non_null(strstr(text, "elsewhere 2 of them: they lie where an earlier run put them, as "
                                 "/out/s; --overwrite makes them here\n"));
    snprintf(want, sizeof want, "outputs   %s/out\ndatabase  %s\n", t.dir, t.db);
    assert_non_null(strstr(text, want));
    free(text);
    pm_conf_unref(conf);
    pm_clitest_close(&t);
}

static void nothing_to_do_explains_the_layout(void **state)
{
    struct pm_clitest t;
    struct pm_conf *conf;
    struct pm_err err;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    conf = conf_of(&t);
    pm_summary_nothing(conf, &err);
    assert_int_equal(pm_cli_exit_code(&err), PM_EXIT_COULD_NOT);
    assert_non_null(strstr(err.text, "no pairs in "));
    assert_non_null(strstr(err.text, "1 images without a partner"));
    assert_non_null(strstr(err.text, "SCENE/gt/FILE and SCENE/FILE"));
    pm_conf_unref(conf);
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_summary_says_how_many_why_and_where),
        cmocka_unit_test(nothing_to_do_explains_the_layout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
