/* gain: the ratio of the means, or the end of the pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/lib/stepkit.h"

static double mean(const struct pm_image *image)
{
    double sum = 0;
    for (int i = 0; i < 64 * 48 * 3; i++) {
        sum += kit_get(image, i / 3 % 64, i / 192, i % 3);
    }
    return sum;
}

static void it_is_the_ratio_of_the_means(void **state)
{
    struct stepkit *f = *state;
    assert_int_equal(pm_decode_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_int_equal(pm_gain_run(f->kit.worker, &f->task, &f->err), PM_OK);
    double want = mean(f->task.gt->image) / mean(f->task.target->image);
    assert_true(fabs(f->task.gain - want) < 1e-12);
    assert_true(f->result.shift.gain == f->task.gain);
    assert_true(want > 1.1 && want < 1.4);
}

static void a_black_image_names_the_pair(void **state)
{
    struct stepkit *f = *state;
    struct pm_image *black = kit_image(64, 48, 3, PM_U16);
    kit_write_tiff(f->job.gt_path, black);
    f->job.gt = kit_stamp(f->job.gt_path);
    assert_int_equal(pm_decode_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_int_equal(pm_gain_run(f->kit.worker, &f->task, &f->err), PM_EGAIN);
    assert_non_null(strstr(f->err.text, f->job.gt_path));
    assert_non_null(strstr(f->err.text, f->job.target_path));
    pm_image_free(black);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            it_is_the_ratio_of_the_means, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            a_black_image_names_the_pair, stepkit_set_up, stepkit_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
