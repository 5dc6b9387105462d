/* verify_crew: all pairs are checked once, by however many threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/verify_crew.h"
#include "tests/lib/verifykit.h"

#define PAIRS 40

static void count_shows(void *ctx, const struct pm_verify_sum *sum, bool last)
{
    int *lasts = ctx;
    *lasts += last;
    assert_true(!last || sum->pairs == PAIRS);
}

static void every_pair_is_checked_once(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_verify_list list = {0};
    struct pm_findings findings;
    struct pm_err err;
    for (int i = 0; i < PAIRS; i++) {
        char name[32];
        snprintf(name, sizeof name, "t%d.tif", i);
        verify_pair(kit, name, true);
    }
    verify_remove(kit, "t7.tif", "mask.png");
    verify_write(kit, "t9.tif", "crops/0_0.gt.tif", "changed");
    verify_write(kit, "t11.tif", "notes", "mine");
    assert_int_equal(pm_verify_list_load(&list, kit->store, NULL), PM_OK);
    for (int workers = 1; workers <= 8; workers += 7) {
        struct pm_verify_sum sum;
        int lasts = 0;
        pm_findings_init(&findings);
        assert_int_equal(
            pm_verify_crew(&list, kit->db, workers, &findings, &sum, count_shows, &lasts, &err),
            PM_OK);
        assert_int_equal(sum.pairs, PAIRS);
        assert_int_equal(sum.bad_pairs, 2);
        assert_int_equal(sum.files, PAIRS * 4 - 2);
        assert_int_equal(findings.count, 3);
        assert_int_equal(lasts, 1);
        pm_findings_fini(&findings);
    }
    pm_verify_list_clear(&list);
}

static void what_stops_one_thread_stops_all(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_verify_list list = {0};
    struct pm_verify_sum sum;
    struct pm_findings findings;
    struct pm_err err;
    verify_pair(kit, "a.tif", true);
    assert_int_equal(pm_verify_list_load(&list, kit->store, NULL), PM_OK);
    pm_findings_init(&findings);
    assert_int_equal(
        pm_verify_crew(&list, "/nowhere/p.db", 4, &findings, &sum, NULL, NULL, &err), PM_ENOENT);
    assert_non_null(strstr(err.text, "/nowhere/p.db"));
    pm_findings_fini(&findings);
    pm_verify_list_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(every_pair_is_checked_once), with_store(what_stops_one_thread_stops_all)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
