#include "tests/lib/stepkit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/log.h"

#define MB ((size_t)1 << 20)

int stepkit_set_up(void **state)
{
    struct stepkit *f = calloc(1, sizeof *f);
    pm_log_init(PM_LOG_ERR, 0);
    kit_init(&f->kit, 64 * MB, 64 * MB);
    f->dir = kit_tmpdir();
    kit_write_pair(f->dir, "a.tif", "b.tif", PM_U16, 3, 3, -2);
    f->job = kit_job(f->dir, "a.tif", "b.tif");
    f->task = (struct pm_task){.conf = f->kit.conf, .job = &f->job, .result = &f->result};
    *state = f;
    return 0;
}

int stepkit_tear_down(void **state)
{
    struct stepkit *f = *state;
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

void stepkit_run_to_mask(struct stepkit *f)
{
    assert_int_equal(pm_decode_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_int_equal(pm_gain_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_int_equal(pm_align_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_int_equal(pm_mask_run(f->kit.worker, &f->task, &f->err), PM_OK);
}
