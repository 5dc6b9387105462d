/* align_step: finds the shift, and decides whether its flags let the result be used. */
#include "worker/align_step.h"

#include <math.h>
#include <string.h>

#include "worker/align/align.h"
#include "worker/task.h"

/* Those that question the shift; the others only say what was left out of the pixels. */
#define DOUBTS                                                                                     \
    (PM_FLAG_AMBIGUOUS | PM_FLAG_NO_OVERLAP_MATCH | PM_FLAG_NOT_TRANSLATION | PM_FLAG_GAIN_DRIFT | \
        PM_FLAG_SHIFT_AT_LIMIT)

struct pm_align_opts pm_align_opts_of(const struct pm_conf *conf)
{
    return (struct pm_align_opts){
        .method = conf->method,
        .max_shift = conf->max_shift,
        .auto_bruteforce_below = conf->auto_bruteforce_below,
        .auto_hierarchical_from = conf->auto_hierarchical_from,
        .quality = conf->quality,
        .auto_gpu_from = conf->gpu_from,
    };
}

unsigned pm_flags_refused(enum pm_on_flag on_flag, unsigned flags)
{
    switch (on_flag) {
    case PM_ON_FLAG_KEEP:
        return 0;
    case PM_ON_FLAG_DEFAULT:
        return flags & PM_FLAG_NO_OVERLAP_MATCH;
    case PM_ON_FLAG_HOLD:
    case PM_ON_FLAG_FAIL:
        break;
    }
    return flags & DOUBTS;
}

void pm_flags_text(unsigned flags, char *out, size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (int bit = 0; bit < PM_FLAG_COUNT; bit++) {
        if (flags & 1u << bit) {
            const char *name = pm_flag_name(bit);
            size_t need = strlen(name) + (used > 0 ? 2 : 0) + 1;
            if (used + need > size) {
                return;
            }
            if (used > 0) {
                memcpy(out + used, ", ", 2);
                used += 2;
            }
            memcpy(out + used, name, strlen(name) + 1);
            used += strlen(name);
        }
    }
}

enum pm_code pm_align_loaded(struct pm_aligner *aligner, const struct pm_loaded *gt,
    const struct pm_loaded *target, const struct pm_align_opts *opts, struct pm_shift *shift,
    struct pm_err *err)
{
    const struct pm_align_input gt_input = {gt->image, gt->prep};
    const struct pm_align_input target_input = {target->image, target->prep};
    enum pm_code rc = pm_align_find(aligner, &gt_input, &target_input, opts, shift, err);

    shift->loss = (double)NAN; /* not known yet */
    if (gt->image->alpha_dropped || target->image->alpha_dropped) {
        shift->flags |= PM_FLAG_ALPHA_DROPPED;
    }
    if (pm_prep_non_finite(gt->prep) > 0 || pm_prep_non_finite(target->prep) > 0) {
        shift->flags |= PM_FLAG_NON_FINITE;
    }
    return rc;
}

enum pm_code pm_align_run(struct pm_worker *self, struct pm_task *task, struct pm_err *err)
{
    struct pm_align_opts opts = pm_align_opts_of(task->conf);
    struct pm_shift *shift = &task->result->shift;
    const struct pm_image *gt = task->gt_work->image;
    enum pm_code rc = PM_OK;

    if (self->aligner == NULL) {
        rc = pm_aligner_new(&self->aligner, self->env->wisdom_path, err);
        if (rc == PM_OK) {
            pm_aligner_use_gpu(self->aligner, self->env->gpu);
        }
    }
    opts.gt_key = task->job->gt_image;
    if (rc == PM_OK) {
        rc = pm_align_loaded(self->aligner, task->gt_work, task->target_work, &opts, shift, err);
    }
    if (rc != PM_OK) {
        return pm_err_wrap(err, "%s with %s", task->job->target_path, task->job->gt_path);
    }
    task->bytes = (int64_t)(gt->bytes + task->target_work->image->bytes);
    task->result->overlap = pm_overlap_full(gt->w, gt->h, shift->dy, shift->dx);
    unsigned refused = pm_flags_refused(task->conf->on_flag, shift->flags);
    if (refused != 0) {
        char names[128];
        pm_flags_text(refused, names, sizeof names);
        return pm_err_set(err, PM_EFLAGGED,
            "%s with %s: %s (dy %d, dx %d, confidence %.2f); look at the pair, or set on_flag = "
            "keep",
            task->job->target_path, task->job->gt_path, names, shift->dy, shift->dx,
            shift->confidence);
    }
    return PM_OK;
}
