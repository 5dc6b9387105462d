/* result: names of methods, flags and steps are contracts; clearing leaves nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/result.h"

static void method_names_are_those_of_the_command_line(void **state)
{
    (void)state;
    static const char *const names[] = {
        "auto", "original", "bruteforce", "fft", "hierarchical", "gpu"};
    for (int i = 0; i < PM_METHOD_COUNT; i++) {
        assert_string_equal(pm_method_name((enum pm_method)i), names[i]);
        assert_int_equal(pm_method_from_name(names[i]), i);
    }
    assert_int_equal(pm_method_from_name("phase"), PM_METHOD_COUNT);
}

static void flag_bits_and_names_go_together(void **state)
{
    (void)state;
    assert_int_equal(PM_FLAG_ALPHA_DROPPED, 1 << (PM_FLAG_COUNT - 1));
    assert_string_equal(pm_flag_name(0), "ambiguous");
    assert_string_equal(pm_flag_name(1), "no_overlap_match");
    assert_string_equal(pm_flag_name(4), "shift_at_limit");
    assert_string_equal(pm_flag_name(PM_FLAG_COUNT), "?");
}

static void steps_stand_in_the_order_they_run(void **state)
{
    (void)state;
    assert_string_equal(pm_step_name(PM_STEP_DECODE), "decode");
    assert_string_equal(pm_step_name(PM_STEP_PUBLISH), "publish");
    assert_int_equal(PM_STEP_PUBLISH, PM_STEP_COUNT - 1);
}

static void clearing_frees_and_zeroes(void **state)
{
    (void)state;
    struct pm_job job = {.id = 1,
        .scene = strdup("s"),
        .gt_path = strdup("g"),
        .target_path = strdup("t"),
        .output = strdup("o")};
    struct pm_result result = {.job_id = 1,
        .crops = calloc(2, sizeof(struct pm_crop)),
        .crop_count = 2,
        .output_dir = strdup("d")};
    pm_job_clear(&job);
    pm_result_clear(&result);
    assert_null(job.scene);
    assert_null(result.crops);
    assert_int_equal(result.crop_count, 0);
    pm_job_clear(&job); /* a cleared one may be cleared again */
    pm_result_clear(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(method_names_are_those_of_the_command_line),
        cmocka_unit_test(flag_bits_and_names_go_together),
        cmocka_unit_test(steps_stand_in_the_order_they_run),
        cmocka_unit_test(clearing_frees_and_zeroes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
