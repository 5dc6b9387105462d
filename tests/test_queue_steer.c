/* queue_steer: retry by filter and in slices, pause by source. */
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

/* Scene a: one done, one failed; scene b: one missing, one quarantined. */
static void mixed(struct pm_kit *kit)
{
    pm_kit_see(kit, "a/gt/g.tif", 1);
    pm_kit_see(kit, "a/t.tif", 1);
    pm_kit_see(kit, "a/u.tif", 1);
    pm_kit_see(kit, "b/gt/g.tif", 1);
    pm_kit_see(kit, "b/t.tif", 1);
    pm_kit_see(kit, "b/u.tif", 1);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_OK);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_EFORMAT);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_ENOENT);
    kit->conf->max_attempts = 1;
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_EIO);
    pm_kit_expect(kit, "done,failed,missing,quarantined",
        "select group_concat(state) from (select state from job order by id)");
}

static int64_t retry(struct pm_kit *kit, struct pm_retry_filter filter, int64_t limit)
{
    int64_t after = 0;
    int64_t sum = 0;
    do {
        int64_t released;
        enum pm_code rc =
            pm_queue_retry(kit->store, &filter, limit, kit->now_us, &after, &released, NULL);
        assert_int_equal(rc, PM_OK);
        sum += released;
    } while (after != 0);
    return sum;
}

static void the_usual_filter_takes_what_went_wrong(void **state)
{
    struct pm_kit *kit = *state;
    mixed(kit);
    assert_int_equal(retry(kit, (struct pm_retry_filter){0}, 100), 2);
    pm_kit_expect(
        kit, "1|2|1|0|0", "select done, queued, missing, failed, quarantined from progress");
    pm_kit_expect(kit, "0|0", "select sum(attempts), count(code) from job where state = 'queued'");
}

static void filters_narrow_by_state_scene_and_id(void **state)
{
    struct pm_kit *kit = *state;
    mixed(kit);
    assert_int_equal(retry(kit, (struct pm_retry_filter){.scene = "nowhere"}, 100), 0);
    assert_int_equal(retry(kit, (struct pm_retry_filter){.id = 2, .done = true}, 100), 0);
    assert_int_equal(retry(kit, (struct pm_retry_filter){.id = 2}, 100), 1);
    assert_int_equal(retry(kit, (struct pm_retry_filter){.missing = true}, 100), 1);
    assert_int_equal(retry(kit, (struct pm_retry_filter){.scene = "b"}, 100), 1);
    assert_int_equal(retry(kit, (struct pm_retry_filter){.done = true}, 100), 1);
    pm_kit_expect(kit, "4|0", "select queued, (select count(*) from result) from progress");
}

static void what_cannot_run_is_not_released(void **state)
{
    struct pm_kit *kit = *state;
    mixed(kit);
    pm_kit_gone(kit, "b/gt/g.tif");
    assert_int_equal(
        retry(kit, (struct pm_retry_filter){.missing = true, .quarantined = true}, 100), 0);
    int64_t running = 0;
    assert_int_equal(retry(kit, (struct pm_retry_filter){.failed = true}, 100), 1);
    running = pm_kit_claim_one(kit);
    assert_int_equal(
        retry(kit, (struct pm_retry_filter){.id = running, .failed = true, .done = true}, 100), 0);
    pm_kit_expect(kit, "1", "select running from progress");
}

static void slices_reach_every_job_once(void **state)
{
    struct pm_kit *kit = *state;
    pm_kit_see(kit, "s/gt/g.tif", 1);
    for (int i = 0; i < 7; i++) {
        char name[32];
        snprintf(name, sizeof name, "s/t%d.tif", i);
        pm_kit_see(kit, name, 1);
        pm_kit_end(kit, pm_kit_claim_one(kit), PM_OK);
    }
    assert_int_equal(retry(kit, (struct pm_retry_filter){.done = true}, 3), 7);
    pm_kit_expect(kit, "7|0", "select queued, done from progress");
}

static void stale_takes_results_of_other_settings_only(void **state)
{
    struct pm_kit *kit = *state;
    mixed(kit);
    assert_int_equal(retry(kit, (struct pm_retry_filter){.stale = true}, 100), 0);
    pm_kit_see(kit, "c/gt/g.tif", 1);
    pm_kit_see(kit, "c/t.tif", 1);
    struct pm_result result = pm_kit_result(pm_kit_claim_one(kit), 0);
    memcpy(result.recipe, "0123456789abcdef", 17);
    pm_kit_finish(kit, &result);
    pm_result_clear(&result);
    assert_int_equal(retry(kit, (struct pm_retry_filter){.stale = true}, 100), 1);
    pm_kit_expect(kit, "0", "select count(*) from stale");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_store(the_usual_filter_takes_what_went_wrong),
        with_store(filters_narrow_by_state_scene_and_id),
        with_store(what_cannot_run_is_not_released),
        with_store(slices_reach_every_job_once),
        with_store(stale_takes_results_of_other_settings_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
