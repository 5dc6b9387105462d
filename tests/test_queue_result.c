/* queue_result: what the views say of results: columns, sums, percentiles. */
#include <math.h>
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

static void pairs(struct pm_kit *kit, int count)
{
    pm_kit_see(kit, "s/gt/g.tif", 1);
    for (int i = 0; i < count; i++) {
        char name[32];
        snprintf(name, sizeof name, "s/t%03d.tif", i);
        pm_kit_see(kit, name, 1);
    }
}

static void buckets_are_exact_below_32_and_within_3_percent_above(void **state)
{
    (void)state;
    int last = -1;
    assert_int_equal(pm_queue_bucket(-5), 0);
    for (int64_t us = 0; us < 3000000; us += 1 + us / 37) {
        int bucket = pm_queue_bucket(us);
        double value = bucket < 32
                           ? bucket
                           : ((16 + bucket % 16) * 2 + 1) * (double)(1 << (bucket / 16 - 1)) / 2;
        assert_true(bucket >= last);
        assert_true(fabs(value - (double)us) <= 0.032 * (double)us);
        last = bucket;
    }
    assert_true(pm_queue_bucket(INT64_MAX) > last);
}

static void every_column_of_a_result_is_there(void **state)
{
    struct pm_kit *kit = *state;
    pairs(kit, 1);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_OK);
    pm_kit_expect(kit,
        "1|s|s/gt/g.tif|s/t000.tif|-3|5|hierarchical|plain|0.0125|1.5|0.75|1|0.25|-0.125|0.9|"
        "gain_drift,shift_at_limit|21.0",
        "select job_id, scene, gt_path, target_path, dy, dx, method, backend, loss, gain,"
        " mask_mean, crops, sub_dy, sub_dx, confidence, flags, total_ms from results");
    pm_kit_expect(kit, "2|95|77|5|0|0|3|/out/scene/pair",
        "select windows, width, height, gt_x, gt_y, target_x, target_y, output_dir from results");
    pm_kit_expect(
        kit, "0.0125|1.5|0.75|1", "select mean_loss, mean_gain, mean_mask, crops from scenes");
    pm_kit_expect(kit, "1|0f1e2d3c4b5a6978", "select * from record");
}

static void what_was_measured_beyond_the_shift(void **state)
{
    struct pm_kit *kit = *state;
    pairs(kit, 1);
    pm_kit_end(kit, pm_kit_claim_one(kit), PM_OK);
    pm_kit_expect(kit, "0.0625|0.03125|0.375|1.25|1.5|1.75|0.25|0.125|1.5|0.5|2.5|0.75|3",
        "select sub_dy_error, sub_dx_error, second_peak, gain_r, gain_g, gain_b, rotation_deg,"
        " rotation_error_deg, scale, scale_error, parallax_px, parallax_error_px, tiles"
        " from results");
    pm_kit_expect(kit, "1|256|128|-3|5|1;1|768|128|-3.5|5.25|0.5;1|768|640|-2.5|4.75|0.25",
        "select group_concat(job_id || '|' || x || '|' || y || '|' || dy || '|' || dx || '|' ||"
        " weight, ';') from tiles where job_id = 1");
}

static void what_was_not_measured_is_null(void **state)
{
    struct pm_kit *kit = *state;
    pairs(kit, 1);
    struct pm_result result = pm_kit_result(pm_kit_claim_one(kit), 0);
    pm_shift_init(&result.shift);
    result.record[0] = '\0';
    pm_kit_finish(kit, &result);
    pm_result_clear(&result);
    pm_kit_expect(
        kit, "1|1|1|", "select sub_dy is null, loss is null, backend is null, flags from results");
    pm_kit_expect(kit, "1|1|1|1|1|1|1|1|1|1|1|1|0",
        "select sub_dy_error is null, sub_dx_error is null, second_peak is null, gain_r is null,"
        " gain_g is null, gain_b is null, rotation_deg is null, rotation_error_deg is null,"
        " scale is null, scale_error is null, parallax_px is null, parallax_error_px is null, tiles"
        " from results");
    pm_kit_expect(kit, "0", "select count(*) from tiles");
    pm_kit_expect(kit, "0", "select count(*) from record");
}

static void percentiles_follow_the_timings(void **state)
{
    struct pm_kit *kit = *state;
    pairs(kit, 100);
    for (int i = 1; i <= 100; i++) { /* 1 ms to 100 ms */
        struct pm_result result = pm_kit_result(pm_kit_claim_one(kit), 0);
        result.timing[PM_STEP_DECODE].wall_us = i * 1000;
        result.timing[PM_STEP_CROP].ran = false;
        result.shift.elapsed_ms = i;
        result.shift.fallback = i % 10 == 0 ? "no device" : NULL;
        pm_kit_finish(kit, &result);
        pm_result_clear(&result);
    }
    pm_kit_expect(kit, "decode|gain|align|mask|publish",
        "select group_concat(stage, '|') from stage_timings");
    pm_kit_expect(kit, "100|50.5|1|1|100.0|19.8",
        "select n, mean_ms, p50_ms between 48 and 52, p95_ms between 92 and 98, max_ms, mb_per_s"
        " from stage_timings where stage = 'decode'");
    pm_kit_expect(kit, "hierarchical|plain|100|50.5|1|0.0125|10",
        "select method, backend, n, mean_ms, p95_ms between 92 and 98, round(mean_loss, 6),"
        " fallbacks from method_stats");
    pm_kit_expect(kit, "50|100|0",
        "select count(*), max(job_id), sum(slowest_stage <> 'decode' and total_ms > 60) from "
        "slowest");
}

static void results_of_other_settings_are_stale(void **state)
{
    struct pm_kit *kit = *state;
    char hash[17];
    pairs(kit, 2);
    pm_conf_recipe(kit->conf, hash, NULL, 0);
    struct pm_result result = pm_kit_result(pm_kit_claim_one(kit), 0);
    memcpy(result.recipe, hash, sizeof hash);
    pm_kit_finish(kit, &result);
    pm_result_clear(&result);
    result = pm_kit_result(pm_kit_claim_one(kit), 0);
    memcpy(result.recipe, "0123456789abcdef", 17); /* made while the settings changed */
    pm_kit_finish(kit, &result);
    pm_result_clear(&result);
    pm_kit_expect(kit, "2|0123456789abcdef", "select job_id, recipe from stale");

    kit->conf->crop_size += 64;
    assert_int_equal(pm_queue_configure(kit->store, kit->conf, kit->now_us, NULL), PM_OK);
    pm_kit_expect(kit, "2", "select count(*) from stale");
    kit->conf->crop_size -= 64;
    assert_int_equal(pm_queue_configure(kit->store, kit->conf, kit->now_us, NULL), PM_OK);
    pm_kit_expect(kit, "1", "select count(*) from stale");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_are_exact_below_32_and_within_3_percent_above),
        with_store(every_column_of_a_result_is_there),
        with_store(what_was_measured_beyond_the_shift),
        with_store(what_was_not_measured_is_null),
        with_store(percentiles_follow_the_timings),
        with_store(results_of_other_settings_are_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
