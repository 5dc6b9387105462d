/* gain: the ratio of the means, or the end of the pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "tests/lib/workerkit.h"
#include "worker/task.h"

#define MB ((size_t)1 << 20)

struct fixture {
    struct kit kit;
    char *dir;
    struct pm_job job;
    struct pm_result result;
    struct pm_task task;
    struct pm_err err;
};

/* A pair of 64x48 u16 RGB files, moved by (3, -2), and a task for it. */
static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    pm_log_init(PM_LOG_ERR, 0);
    kit_init(&f->kit, 64 * MB, 64 * MB);
    f->dir = kit_tmpdir();
    kit_write_pair(f->dir, "a.tif", "b.tif", PM_U16, 3, 3, -2);
    f->job = kit_job(f->dir, "a.tif", "b.tif");
    f->task = (struct pm_task){.conf = f->kit.conf, .job = &f->job, .result = &f->result};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pm_task_clear(f->kit.worker, &f->task);
    assert_int_equal(pm_budget_used(f->kit.budget), 0);
    pm_result_clear(&f->result);
    pm_job_clear(&f->job);
    kit_fini(&f->kit);
    kit_remove(f->dir);
    free(f->dir);
    free(f);
    return 0;
}

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
    struct fixture *f = *state;
    assert_int_equal(pm_decode_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_int_equal(pm_gain_run(f->kit.worker, &f->task, &f->err), PM_OK);
    double want = mean(f->task.gt->image) / mean(f->task.target->image);
    assert_true(fabs(f->task.gain - want) < 1e-12);
    assert_true(f->result.shift.gain == f->task.gain);
    assert_true(want > 1.1 && want < 1.4);
}

static void a_black_image_names_the_pair(void **state)
{
    struct fixture *f = *state;
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
        cmocka_unit_test_setup_teardown(it_is_the_ratio_of_the_means, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_black_image_names_the_pair, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
