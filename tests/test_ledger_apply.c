/* ledger_apply: group commit: order, slices, and one request that cannot be stored among others. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/queuekit.h"

static void a_large_batch_is_done_in_slices_and_answered_once(void **state)
{
    struct pm_kit *kit = *state;
    enum { COUNT = 12000 };
    struct pm_sighting *sightings = calloc(COUNT, sizeof *sightings);
    char(*names)[24] = calloc(COUNT, sizeof *names);
    assert_true(sightings != NULL && names != NULL);
    for (int i = 0; i < COUNT; i++) {
        snprintf(names[i], sizeof names[i], "s/t%05d.tif", i);
        sightings[i] = kit_seen_with(names[i], 1);
    }
    pm_kit_ledger(kit);
    kit_sight_and_wait(kit, sightings, COUNT);
    free(names); /* copied on the way in */
    free(sightings);
    pm_kit_expect(kit, "12000", "select waiting from progress");
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    pm_kit_expect(kit, "0|12000", "select waiting, queued from progress");
    pm_kit_close(kit);
    pm_kit_expect(kit, "1", "select commits >= 4 from health"); /* 12000 in 5000s, then one */
}

static void order_is_kept_between_sightings_and_walks(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_sighting seen = kit_seen_with("s/t.tif", 1);
    struct pm_sighting gone = {.kind = PM_GONE, .path = "s/t.tif"};
    pm_kit_ledger(kit);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(pm_ledger_sight(kit->ledger, "lab", &seen, 1, NULL, NULL, NULL), PM_OK);
        assert_int_equal(pm_ledger_sight(kit->ledger, "lab", &gone, 1, NULL, NULL, NULL), PM_OK);
    }
    pm_kit_sync(kit);
    pm_kit_expect(kit, "gone", "select state from image");
    assert_int_equal(pm_ledger_sight(kit->ledger, "unknown", &seen, 1, NULL, NULL, NULL), PM_OK);
    pm_kit_sync(kit); /* a source nobody knows is passed over */
    pm_kit_expect(kit, "1", "select count(*) from image");
}

static void a_result_that_cannot_be_stored_harms_no_other(void **state)
{
    struct pm_kit *kit = *state;
    struct pm_result results[3];
    pm_kit_ledger(kit);
    pm_kit_sight(kit, "s/gt/g.tif", 1);
    for (int i = 0; i < 3; i++) {
        char name[32];
        snprintf(name, sizeof name, "s/t%d.tif", i);
        pm_kit_sight(kit, name, 1);
        results[i] = pm_kit_result(pm_kit_turn(kit, i, NULL), i);
    }
    results[1].crops[1].rect = results[1].crops[0].rect; /* the same window twice: our bug */
    size_t count;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(
            pm_ledger_turn(kit->ledger, i, &results[i], 1, NULL, 0, &count, NULL), PM_OK);
    }
    pm_kit_sync(kit);
    pm_kit_expect(kit, "done|\nqueued|EDB\ndone|", "select state, code from job order by id");
    pm_kit_expect(
        kit, "1", "select message like '%UNIQUE constraint failed: crop%' from job where id = 2");
    assert_true(pm_ledger_alive(kit->ledger));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_kit(a_large_batch_is_done_in_slices_and_answered_once),
        with_kit(order_is_kept_between_sightings_and_walks),
        with_kit(a_result_that_cannot_be_stored_harms_no_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
