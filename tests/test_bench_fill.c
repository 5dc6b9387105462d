/* bench_fill: what it makes is a queue like any other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/bench_fill.h"
#include "tests/lib/queuekit.h"

static void scenes_become_jobs_and_results(void **state)
{
    struct pm_kit kit;
    struct pm_err err;
    char recipe[17];
    int n = 0;
    (void)state;
    pm_kit_init(&kit);
    pm_kit_store(&kit);
    pm_conf_recipe(kit.conf, recipe, NULL, 0);
    assert_int_equal(pm_fill_scenes(kit.store, &kit.seen, 0, 3, kit.now_us, &err), PM_OK);
    pm_kit_expect(&kit, "300|300|0", "select total, queued, done from progress");
    for (int done = 0; done < 3 * PM_FILL_JOBS; done += n) {
        assert_int_equal(pm_fill_round(kit.store, recipe, kit.now_us, &n, &err), PM_OK);
        assert_true(n > 0);
    }
    pm_kit_expect(&kit, "0|0|297|3", "select queued, running, done, failed from progress");
    assert_int_equal(pm_fill_round(kit.store, recipe, kit.now_us, &n, &err), PM_OK);
    assert_int_equal(n, 0);
    pm_kit_fini(&kit);
}

static void without_its_source_it_says_so_and_leaves_no_transaction(void **state)
{
    struct pm_kit kit;
    struct pm_err err = {0};
    (void)state;
    pm_kit_init(&kit);
    pm_conf_clear_sources(kit.conf);
    pm_kit_store(&kit);
    assert_int_not_equal(pm_fill_scenes(kit.store, &kit.seen, 0, 1, kit.now_us, &err), PM_OK);
    assert_int_equal(pm_store_begin(kit.store, &err), PM_OK);
    pm_store_rollback(kit.store);
    pm_kit_fini(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scenes_become_jobs_and_results),
        cmocka_unit_test(without_its_source_it_says_so_and_leaves_no_transaction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
