/* pairjson: the record of a pair, the same bytes for the same pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "tests/lib/stepkit.h"
#include "worker/pairjson.h"
#include "worker/task.h"

static char *record(struct stepkit *f)
{
    struct pm_json json;
    pm_json_init(&json, false);
    pm_pair_json(&json, &f->task);
    assert_non_null(pm_json_text(&json));
    assert_true(pm_utf8_valid(pm_json_text(&json)));
    char *text = strdup(pm_json_text(&json));
    pm_json_fini(&json);
    return text;
}

static void everything_a_reader_needs(void **state)
{
    static const char *const parts[] = {
        "{\"pairmill\": \"" PM_VERSION "\", \"scene\": \"s\", "
        "\"gt\": \"a.tif\", \"target\": \"b.tif\", \"target_is_gt\": false, \"dy\": 3, \"dx\": -2,",
        "\"overlap\": {\"gt_x\": 0, \"gt_y\": 3, \"target_x\": 2, \"target_y\": 0, \"width\": 62, "
        "\"height\": 45}",
        "\"mask_mean\": 0.9", "\"mask_threshold\": ", "\"mask_gain\": ", "\"recipe\": {",
        "\"max_shift\":8", "\"sample\": \"u16\"",
        "{\"x\": 46, \"y\": 29, \"w\": 16, \"h\": 16, \"valid\": ",
        "{\"name\": \"crops/0_0.gt.tif\", \"bytes\": "};
    struct stepkit *f = *state;
    stepkit_run_to_mask(f);
    assert_int_equal(pm_crop_run(f->kit.worker, &f->task, &f->err), PM_OK);
    char *text = record(f);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        assert_non_null(strstr(text, parts[i]));
    }
    assert_non_null(strstr(text, f->result.gt_hash));
    assert_null(strstr(text, f->dir)); /* no absolute path */
    free(text);
}

static void speed_leaves_no_trace(void **state)
{
    struct stepkit *f = *state;
    stepkit_run_to_mask(f);
    char *a = record(f);
    f->result.shift.elapsed_ms += 5;
    f->result.shift.loss_ms += 5;
    f->result.started_us = 12345;
    char *b = record(f);
    assert_string_equal(a, b);
    free(a);
    free(b);
}

static void odd_names_stay_valid_json(void **state)
{
    struct stepkit *f = *state;
    stepkit_run_to_mask(f);
    free(f->job.gt_path);
    f->job.gt_path = strdup("x/gt/\xff\"\n.tif");
    char *text = record(f);
    assert_non_null(
        strstr(text, "\"gt\": \"\xef\xbf\xbd\\\"\\n.tif\", \"gt_hex\": \"ff220a2e746966\""));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            everything_a_reader_needs, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(speed_leaves_no_trace, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            odd_names_stay_valid_json, stepkit_set_up, stepkit_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
