/* alignfiles: two files in, one shift out, whatever types they have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/stepkit.h"

static enum pm_code align(struct stepkit *f)
{
    return pm_worker_align_files(
        f->kit.conf, f->job.gt_path, f->job.target_path, &f->result.shift, &f->err);
}

static void every_method_finds_it(void **state)
{
    static const char *const methods[] = {"auto", "bruteforce", "fft", "hierarchical"};
    struct stepkit *f = *state;
    for (size_t i = 0; i < 4; i++) {
        kit_set(&f->kit, "method", methods[i]);
        assert_int_equal(align(f), PM_OK);
        assert_int_equal(f->result.shift.dy, 3);
        assert_int_equal(f->result.shift.dx, -2);
        assert_true(f->result.shift.loss > 0 && f->result.shift.loss < 0.05);
        assert_true(f->result.shift.gain > 1.1);
        assert_non_null(f->result.shift.backend);
    }
}

static void types_may_differ(void **state)
{
    struct stepkit *f = *state;
    for (int sample = PM_U8; sample <= PM_F32; sample++) {
        struct pm_image *target = kit_image(64, 48, 3, (enum pm_sample)sample);
        kit_texture(target, -2, 3, 0.8, 0.02, 2);
        kit_write_tiff(f->job.target_path, target);
        pm_image_free(target);
        assert_int_equal(align(f), PM_OK);
        assert_int_equal(f->result.shift.dy, 3);
        assert_int_equal(f->result.shift.dx, -2);
    }
}

static void errors_name_the_files(void **state)
{
    struct stepkit *f = *state;
    struct pm_image *black = kit_image(64, 48, 3, PM_U16), *grey = kit_image(64, 48, 1, PM_U16);
    kit_write_tiff(f->job.target_path, black);
    assert_int_equal(align(f), PM_EGAIN);
    assert_non_null(strstr(f->err.text, f->job.target_path));
    kit_write_tiff(f->job.target_path, grey);
    assert_int_equal(align(f), PM_ESIZE);
    assert_non_null(strstr(f->err.text, "64x48 grey"));
    kit_write(f->job.target_path, "");
    assert_int_equal(align(f), PM_EFORMAT);
    assert_non_null(strstr(f->err.text, f->job.target_path));
    pm_image_free(black);
    pm_image_free(grey);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_method_finds_it, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(types_may_differ, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(errors_name_the_files, stepkit_set_up, stepkit_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
