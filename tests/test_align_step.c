/* align_step: the shift of a pair, and which flags let its result be used. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/stepkit.h"
#include "worker/align_step.h"

static void the_shift_is_found(void **state)
{
    struct stepkit *f = *state;
    assert_int_equal(pm_decode_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_int_equal(pm_gain_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_int_equal(pm_align_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_int_equal(f->result.shift.dy, 3);
    assert_int_equal(f->result.shift.dx, -2);
    assert_true(isnan(f->result.shift.loss)); /* the mask step's */
    assert_int_equal(f->result.overlap.w, 62);
    assert_int_equal(f->result.overlap.h, 45);
    assert_true(f->result.shift.gain == f->task.gain);
}

/* Two pictures of different places. */
static void another_scene_is_held_back_unless_kept(void **state)
{
    struct stepkit *f = *state;
    struct pm_image *other = kit_image(64, 48, 3, PM_U16);
    kit_texture(other, 1000, 1000, 0.8, 0.02, 9);
    kit_write_tiff(f->job.target_path, other);
    pm_image_free(other);
    f->job.target = kit_stamp(f->job.target_path);
    kit_set(&f->kit, "on_flag", "hold");
    assert_int_equal(pm_decode_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_int_equal(pm_gain_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_int_equal(pm_align_run(f->kit.worker, &f->task, &f->err), PM_EFLAGGED);
    assert_non_null(strstr(f->err.text, f->job.target_path));
    char names[128];
    pm_flags_text(f->result.shift.flags, names, sizeof names);
    assert_non_null(strstr(f->err.text, names));
    kit_set(&f->kit, "on_flag", "keep");
    assert_int_equal(pm_align_run(f->kit.worker, &f->task, &f->err), PM_OK);
}

static void what_each_policy_refuses(void **state)
{
    unsigned all = (1u << PM_FLAG_COUNT) - 1;
    unsigned harmless = PM_FLAG_ALPHA_DROPPED | PM_FLAG_NON_FINITE;
    (void)state;
    assert_int_equal(pm_flags_refused(PM_ON_FLAG_KEEP, all), 0);
    assert_int_equal(pm_flags_refused(PM_ON_FLAG_DEFAULT, all), PM_FLAG_NO_OVERLAP_MATCH);
    assert_int_equal(
        pm_flags_refused(PM_ON_FLAG_DEFAULT, all ^ (unsigned)PM_FLAG_NO_OVERLAP_MATCH), 0);
    assert_int_equal(pm_flags_refused(PM_ON_FLAG_HOLD, all), all & ~harmless);
    assert_int_equal(pm_flags_refused(PM_ON_FLAG_FAIL, all), all & ~harmless);
    assert_int_equal(pm_flags_refused(PM_ON_FLAG_FAIL, harmless), 0);
}

static void flags_as_text(void **state)
{
    char text[40];
    (void)state;
    pm_flags_text(0, text, sizeof text);
    assert_string_equal(text, "");
    pm_flags_text(PM_FLAG_AMBIGUOUS | PM_FLAG_SHIFT_AT_LIMIT, text, sizeof text);
    assert_string_equal(text, "ambiguous, shift_at_limit");
    pm_flags_text((1u << PM_FLAG_COUNT) - 1, text, sizeof text);
    assert_string_equal(text, "ambiguous, no_overlap_match"); /* what fits, whole */
}

static void left_out_samples_are_flagged(void **state)
{
    struct stepkit *f = *state;
    struct pm_image *target = kit_image(64, 48, 3, PM_F32);
    kit_texture(target, -2, 3, 0.8, 0, 2);
    kit_put(target, 30, 30, 1, (double)NAN);
    kit_write_tiff(f->job.target_path, target);
    pm_image_free(target);
    f->job.target = kit_stamp(f->job.target_path);
    assert_int_equal(pm_decode_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_int_equal(pm_gain_run(f->kit.worker, &f->task, &f->err), PM_OK);
    f->task.target->image->alpha_dropped = 1; /* as the reader says it of an RGBA file */
    f->task.target_work = f->task.target;
    f->task.gt_work = f->task.gt_converted;
    assert_int_equal(pm_align_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_true(f->result.shift.flags & PM_FLAG_NON_FINITE);
    assert_true(f->result.shift.flags & PM_FLAG_ALPHA_DROPPED);
    assert_int_equal(f->result.shift.dy, 3);
}

static void options_are_those_of_the_settings(void **state)
{
    struct stepkit *f = *state;
    kit_set(&f->kit, "method", "fft");
    kit_set(&f->kit, "max_shift", "77");
    kit_set(&f->kit, "quality", "no");
    struct pm_align_opts opts = pm_align_opts_of(f->kit.conf);
    assert_int_equal(opts.method, PM_METHOD_FFT);
    assert_int_equal(opts.max_shift, 77);
    assert_false(opts.quality);
    assert_int_equal(opts.auto_hierarchical_from, f->kit.conf->auto_hierarchical_from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_shift_is_found, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            another_scene_is_held_back_unless_kept, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            what_each_policy_refuses, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(flags_as_text, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            left_out_samples_are_flagged, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            options_are_those_of_the_settings, stepkit_set_up, stepkit_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
