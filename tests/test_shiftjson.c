/* shiftjson: the members of `align --json`, in order, and without the times for pair.json. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "worker/shiftjson.h"

static struct pm_shift sample_shift(void)
{
    return (struct pm_shift){.dy = 3,
        .dx = -4,
        .loss = 0.25,
        .gain = 1.5,
        .method = PM_METHOD_FFT,
        .backend = "avx2",
        .confidence = 1,
        .sub_dy = 0.125,
        .sub_dx = (double)NAN,
        .flags = PM_FLAG_AMBIGUOUS | PM_FLAG_ALPHA_DROPPED,
        .elapsed_ms = 2.5,
        .loss_ms = 1.5,
        .evaluations = 49,
        .sub_dy_error = 0.5,
        .sub_dx_error = (double)NAN,
        .second_peak = 0.25,
        .channels = 1,
        .channel_gain = {1.5},
        .warp = {.tiles = 1, .rotation_deg = (double)NAN, .scale = 1},
        .map = {.rows = 1,
            .columns = 1,
            .x0 = 128,
            .y0 = 130,
            .pitch_px = 256,
            .dy = {3},
            .dx = {-4.25f},
            .weight = {0.5f}}};
}

static void all_members(void **state)
{
    struct pm_json json;
    struct pm_shift shift = sample_shift();
    (void)state;
    pm_json_init(&json, false);
    pm_json_begin_object(&json, NULL);
    pm_shift_json(&json, &shift, true);
    pm_json_end_object(&json);
    assert_string_equal(pm_json_text(&json),
        "{\"dy\": 3, \"dx\": -4, \"loss\": 0.25, \"gain\": 1.5, \"method\": \"fft\", "
        "\"backend\": \"avx2\", \"confidence\": 1, \"sub_dy\": 0.125, \"sub_dx\": null, "
        "\"flags\": [\"ambiguous\", \"alpha_dropped\"], \"elapsed_ms\": 2.5, \"loss_ms\": 1.5, "
        "\"evaluations\": 49, \"fallback\": null, \"sub_dy_error\": 0.5, "
        "\"sub_dx_error\": null, \"second_peak\": 0.25, \"channel_gain\": [1.5], "
        "\"rotation_deg\": null, \"rotation_error_deg\": 0, \"scale\": 1, "
        "\"scale_error\": 0, \"parallax_px\": 0, \"parallax_error_px\": 0, \"tiles\": 1, "
        "\"tile_map\": {\"x\": [128], \"y\": [130], \"dy\": [3], \"dx\": [-4.25], "
        "\"weight\": [0.5]}}");
    pm_json_fini(&json);
}

static void nothing_measured_is_null_throughout(void **state)
{
    struct pm_json json;
    struct pm_shift shift;
    (void)state;
    pm_shift_init(&shift);
    pm_json_init(&json, false);
    pm_json_begin_object(&json, NULL);
    pm_shift_json(&json, &shift, false);
    pm_json_end_object(&json);
    assert_non_null(strstr(pm_json_text(&json),
        "\"sub_dy_error\": null, \"sub_dx_error\": null, \"second_peak\": null, "
        "\"channel_gain\": [], \"rotation_deg\": null, \"rotation_error_deg\": null, "
        "\"scale\": null, \"scale_error\": null, \"parallax_px\": null, "
        "\"parallax_error_px\": null, \"tiles\": 0, \"tile_map\": null}"));
    pm_json_fini(&json);
}

static void equal_results_taken_at_other_speeds_are_equal_text(void **state)
{
    struct pm_json json[2];
    struct pm_shift shift = sample_shift();
    (void)state;
    for (int i = 0; i < 2; i++) {
        shift.elapsed_ms = shift.loss_ms = i;
        pm_json_init(&json[i], false);
        pm_json_begin_object(&json[i], NULL);
        pm_shift_json(&json[i], &shift, false);
        pm_json_end_object(&json[i]);
    }
    assert_string_equal(pm_json_text(&json[0]), pm_json_text(&json[1]));
    assert_null(strstr(pm_json_text(&json[0]), "_ms"));
    pm_json_fini(&json[0]);
    pm_json_fini(&json[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_members),
        cmocka_unit_test(nothing_measured_is_null_throughout),
        cmocka_unit_test(equal_results_taken_at_other_speeds_are_equal_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
