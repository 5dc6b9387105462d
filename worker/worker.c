#include "worker/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/printable.h"
#include "worker/align/align.h"
#include "worker/gpu/gpu.h"
#include "worker/outname.h"
#include "worker/place.h"
#include "worker/task.h"

/* Claim runs before this table and commit after it; the order between is stated only here. The
 * names are pm_step_name(), which is also the key in the timing table. */
static enum pm_code (*const steps[PM_STEP_COUNT])(
    struct pm_worker *self, struct pm_task *task, struct pm_err *err) = {
    [PM_STEP_DECODE] = pm_decode_run,
    [PM_STEP_GAIN] = pm_gain_run,
    [PM_STEP_ALIGN] = pm_align_run,
    [PM_STEP_MASK] = pm_mask_run,
    [PM_STEP_CROP] = pm_crop_run,
    [PM_STEP_PUBLISH] = pm_publish_run,
};

enum pm_code pm_worker_new(
    struct pm_worker **out, int index, const struct pm_worker_env *env, struct pm_err *err)
{
    struct pm_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a worker");
    }
    worker->index = index;
    worker->env = env;
    *out = worker;
    return PM_OK;
}

void pm_worker_free(struct pm_worker *worker)
{
    if (worker != NULL) {
        pm_aligner_free(worker->aligner);
        free(worker);
    }
}

bool pm_worker_abandoned(const struct pm_worker *self, struct pm_err *err)
{
    if (self->env->abandon == NULL || !atomic_load(self->env->abandon)) {
        return false;
    }
    pm_err_set(err, PM_ECANCELED, "given up because the service stops");
    return true;
}

void pm_task_clear(struct pm_worker *self, struct pm_task *task)
{
    pm_gpu_end_pair(self->env->gpu); /* its images are about to be freed */
    pm_partial_discard(&task->partial);
    pm_bitmap_fini(&task->mask);
    pm_loaded_free(task->gt_converted);
    pm_loaded_free(task->target_converted);
    pm_loaded_free(task->target);
    pm_cache_release(self->env->cache, task->gt_entry);
    pm_budget_release(self->env->budget, task->admitted);
    *task = (struct pm_task){0};
}

static void show_step(struct pm_worker *self, int step)
{
    if (self->env->step != NULL) {
        atomic_store(self->env->step, step);
    }
    if (self->env->at_step != NULL && step >= 0) {
        self->env->at_step(self->env->ctx, (enum pm_step)step);
    }
}

/* From the crops on no input is opened any more: what is not there was taken away from the output.
 * It is made again at the next attempt; the pair's files are not missing. */
static enum pm_code judge_missing(enum pm_step step, enum pm_code rc, struct pm_err *err)
{
    if (rc != PM_ENOENT || step < PM_STEP_CROP) {
        return rc;
    }
    err->code = PM_EIO;
    return pm_err_wrap(err, "the output was taken away while it was made");
}

/* One step with a clock and a byte count around it. */
static enum pm_code run_step(
    struct pm_worker *self, struct pm_task *task, enum pm_step step, struct pm_err *err)
{
    const struct pm_clock *clock = self->env->clock;
    struct pm_timing *timing = &task->result->timing[step];
    int64_t wall = pm_mono_us(clock), cpu = pm_thread_cpu_us();
    enum pm_code rc;

    if (pm_worker_abandoned(self, err)) {
        return PM_ECANCELED;
    }
    show_step(self, (int)step);
    task->bytes = 0;
    rc = judge_missing(step, steps[step](self, task, err), err);
    *timing = (struct pm_timing){.wall_us = pm_mono_us(clock) - wall,
        .cpu_us = pm_thread_cpu_us() - cpu,
        .bytes = task->bytes,
        .ran = true};
    pm_log(PM_LOG_DEBUG, "job=%" PRId64 " step=%s ms=%.1f cpu_ms=%.1f bytes=%" PRId64 " code=%s",
        task->job->id, pm_step_name(step), (double)timing->wall_us / 1000.0,
        (double)timing->cpu_us / 1000.0, timing->bytes, pm_code_name(rc));
    return rc;
}

static void log_end(const struct pm_job *job, const struct pm_result *result)
{
    double ms = (double)(result->finished_us - result->started_us) / 1000.0;
    const struct pm_shift *shift = &result->shift;
    char scene[512];

    pm_printable(scene, sizeof scene, job->scene, strlen(job->scene));
    if (result->code == PM_OK) {
        pm_log(PM_LOG_INFO,
            "job=%" PRId64 " scene=%s dy=%d dx=%d method=%s backend=%s loss=%.5f gain=%.4f "
            "mask=%.4f crops=%zu ms=%.1f",
            job->id, scene, shift->dy, shift->dx, pm_method_name(shift->method),
            shift->backend != NULL ? shift->backend : "-", shift->loss, shift->gain,
            result->mask_mean, result->crops_written, ms);
    } else {
        pm_log(PM_LOG_WARN, "job=%" PRId64 " scene=%s step=%s code=%s attempt=%d %s", job->id,
            scene, pm_step_name(result->step), pm_code_name(result->code), job->attempt,
            result->message);
    }
}

/* Nothing was published. */
static void forget_outputs(struct pm_result *result)
{
    free(result->output_dir);
    free(result->crops);
    result->output_dir = NULL;
    result->crops = NULL;
    result->crop_count = result->crops_written = 0;
    result->record[0] = '\0';
}

/* What an earlier run of the pair published is no result any more once it has failed for good. */
static void withdraw_earlier(const struct pm_job *job, enum pm_code code)
{
    char name[PM_OUTNAME_MAX + 1], aside[48];
    struct pm_err err;
    enum pm_fate fate = pm_code_fate(code);

    if (job->taken_by != NULL || (fate != PM_FATE_FAIL && fate != PM_FATE_HOLD) ||
        pm_outname(job->gt_path, job->target_path, name, NULL) != PM_OK) {
        return;
    }
    snprintf(aside, sizeof aside, "%" PRId64 ".withdrawn", job->id);
    if (pm_place_withdraw(job->output, job->scene, name, aside, &err) != PM_OK) {
        pm_log(PM_LOG_WARN, "job=%" PRId64 " event=withdraw %s", job->id, err.text);
    }
}

/* The database calls another pair's result done, and it is to stay so. */
static void refuse_taken(const struct pm_job *job, struct pm_result *result, struct pm_err *err)
{
    char name[PM_OUTNAME_MAX + 1];
    result->step = PM_STEP_PUBLISH;
    result->code = pm_outname(job->gt_path, job->target_path, name, err);
    if (result->code == PM_OK) {
        result->code = pm_err_set(err, PM_EEXIST,
            "%s/%s/%s is the result of the input \"%s\"; give this input an output folder of its "
            "own",
            job->output, job->scene, name, job->taken_by);
    }
}

void pm_worker_run(struct pm_worker *worker, const struct pm_conf *conf, const struct pm_job *job,
    struct pm_result *result)
{
    struct pm_task task = {.conf = conf, .job = job, .result = result};
    struct pm_err err = {.code = PM_OK};

    result->job_id = job->id;
    result->worker = worker->index;
    result->started_us = pm_wall_us(worker->env->clock);
    pm_conf_recipe(conf, result->recipe, NULL, 0);
    if (job->taken_by != NULL) {
        refuse_taken(job, result, &err);
    }
    for (int step = 0; step < PM_STEP_COUNT && result->code == PM_OK; step++) {
        result->step = (enum pm_step)step;
        result->code = run_step(worker, &task, (enum pm_step)step, &err);
    }
    pm_task_clear(worker, &task);
    if (result->code != PM_OK) {
        snprintf(result->message, sizeof result->message, "%s",
            err.text[0] != '\0' ? err.text : pm_code_text(result->code));
        forget_outputs(result);
        withdraw_earlier(job, result->code);
    }
    result->finished_us = pm_wall_us(worker->env->clock);
    show_step(worker, -1);
    log_end(job, result);
}
