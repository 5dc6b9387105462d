/* gain: how much brighter the ground truth is; a pair without a usable gain goes no further. */
#include "worker/align/align.h"
#include "worker/task.h"

enum pm_code pm_gain_run(struct pm_worker *self, struct pm_task *task, struct pm_err *err)
{
    enum pm_code rc;
    (void)self;
    rc = pm_align_gain(task->gt_work->prep, task->target_work->prep, &task->gain, err);
    if (rc != PM_OK) {
        return pm_err_wrap(err, "%s with %s", task->job->target_path, task->job->gt_path);
    }
    task->result->shift.gain = task->gain;
    return PM_OK;
}
