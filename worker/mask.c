/* mask: which pixels of the overlap may be used (RAWNIND.md 2.6, profile aligned: the whole
 * overlap). */
#include "worker/gpu/gpu.h"
#include "worker/mask_scan.h"
#include "worker/overlapgain.h"
#include "worker/task.h"

/* On the CPU: what loses little, opened, and well exposed. */
static enum pm_code scan_here(
    struct pm_worker *self, struct pm_task *task, struct pm_mask_scan *scan, struct pm_err *err)
{
    const struct pm_overlap o = task->result->overlap;
    struct pm_bitmap ok = {0};
    enum pm_code rc = pm_bitmap_init(&ok, o.w, o.h, self->env->pool, err);
    if (rc == PM_OK) {
        rc = pm_mask_scan_run(scan, &task->mask, &ok, err);
    }
    if (rc == PM_OK) {
        rc = pm_bitmap_open(&task->mask, err);
    }
    if (rc == PM_OK) {
        pm_bitmap_and(&task->mask, &ok); /* the exposure mask itself is not opened */
    }
    pm_bitmap_fini(&ok);
    return rc;
}

/* A pair that is still on the GPU since its shift was searched is masked there: the same bits. */
static enum pm_code scan_overlap(struct pm_worker *self, struct pm_task *task, struct pm_err *err)
{
    const struct pm_image *gt = task->gt_work->image, *target = task->target_work->image;
    struct pm_shift *shift = &task->result->shift;
    struct pm_mask_scan scan = {
        .gt = gt,
        .target = target,
        .gt_source = task->gt->image,
        .overlap = task->result->overlap,
        .trimmed = pm_overlap_trimmed(gt->w, gt->h, shift->dy, shift->dx),
        .overlap_gain = task->mask_gain,
        .pair_gain = shift->gain,
        .loss_threshold = task->conf->loss_threshold,
        .loss_quantile = task->conf->loss_quantile,
        .overexposure = task->conf->overexposure,
        .pool = self->env->pool,
        .clock = self->env->clock,
    };
    enum pm_code rc = PM_OK;
    if (!pm_gpu_mask(self->env->gpu, &scan, &task->mask)) {
        rc = scan_here(self, task, &scan, err);
    }
    if (rc == PM_OK) {
        task->mask_threshold = scan.threshold;
        shift->loss = scan.loss;
        shift->loss_ms = (double)scan.loss_us / 1000.0;
    }
    return rc;
}

enum pm_code pm_mask_run(struct pm_worker *self, struct pm_task *task, struct pm_err *err)
{
    const struct pm_overlap o = task->result->overlap;
    const struct pm_image *gt = task->gt_work->image;
    enum pm_code rc;

    if (o.w <= 0 || o.h <= 0) {
        return pm_err_set(err, PM_EOVERLAP, "%s with %s: no overlap at dy %d, dx %d",
            task->job->target_path, task->job->gt_path, task->result->shift.dy,
            task->result->shift.dx);
    }
    rc = pm_overlap_gain(gt, task->gt_work->prep, task->target_work->image, task->target_work->prep,
        o, &task->mask_gain, err);
    if (rc != PM_OK) {
        return pm_err_wrap(err, "%s with %s", task->job->target_path, task->job->gt_path);
    }
    rc = pm_bitmap_init(&task->mask, o.w, o.h, self->env->pool, err);
    if (rc != PM_OK) {
        return rc;
    }
    rc = scan_overlap(self, task, err);
    if (rc == PM_OK) {
        task->result->mask_mean =
            (double)pm_bitmap_count(&task->mask, (struct pm_rect){0, 0, o.w, o.h}) /
            ((double)o.w * o.h);
        task->bytes = (int64_t)2 * o.w * o.h * gt->channels * (int64_t)pm_sample_bytes(gt->sample);
    }
    return rc;
}
