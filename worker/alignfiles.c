/* alignfiles: `pairmill align`, one pair of files without queue, cache, mask or crops. */
#include "common/clock.h"
#include "common/convert.h"
#include "worker/align_step.h"
#include "worker/gpu/gputest.h"
#include "worker/load.h"
#include "worker/worker.h"

static enum pm_code load_one(
    const struct pm_conf *conf, const char *path, struct pm_loaded **out, struct pm_err *err)
{
    const struct pm_load_opts opts = {.limits = {.max_pixels = conf->max_pixels}};
    return pm_load(path, &opts, out, err);
}

/* Sizes are compared before anything is decoded. */
static enum pm_code load_pair(const struct pm_conf *conf, const char *gt_path,
    const char *target_path, struct pm_loaded *pair[2], struct pm_err *err)
{
    const struct pm_limits limits = {.max_pixels = conf->max_pixels};
    struct pm_image_info gt, target;
    enum pm_code rc = pm_image_probe(gt_path, &limits, &gt, err);
    if (rc == PM_OK) {
        rc = pm_image_probe(target_path, &limits, &target, err);
    }
    if (rc == PM_OK) {
        rc = pm_shape_check(gt_path, &gt, target_path, &target, err);
    }
    if (rc == PM_OK) {
        rc = load_one(conf, gt_path, &pair[0], err);
    }
    return rc == PM_OK ? load_one(conf, target_path, &pair[1], err) : rc;
}

/* Replaces the one that is not of the common sample type. */
static enum pm_code match(struct pm_loaded *pair[2], struct pm_err *err)
{
    enum pm_sample common = pm_sample_common(pair[0]->image->sample, pair[1]->image->sample);
    for (int i = 0; i < 2; i++) {
        if (pair[i]->image->sample != common) {
            struct pm_loaded *converted;
            enum pm_code rc = pm_loaded_convert(pair[i], common, NULL, &converted, err);
            if (rc != PM_OK) {
                return rc;
            }
            pm_loaded_free(pair[i]);
            pair[i] = converted;
        }
    }
    return PM_OK;
}

enum pm_code pm_worker_align_files(const struct pm_conf *conf, const char *gt_path,
    const char *target_path, struct pm_shift *shift, struct pm_err *err)
{
    const struct pm_align_opts opts = pm_align_opts_of(conf);
    struct pm_loaded *pair[2] = {NULL, NULL};
    struct pm_aligner *aligner = NULL;
    struct pm_gpu *gpu = NULL;
    enum pm_code rc;

    *shift = (struct pm_shift){0};
    rc = load_pair(conf, gt_path, target_path, pair, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = match(pair, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = pm_aligner_new(&aligner, NULL, err);
    if (rc != PM_OK) {
        goto out;
    }
    if (conf->method == PM_METHOD_GPU) { /* for auto, opening one costs more than a pair */
        rc = pm_gpu_of_conf(&gpu, conf, err);
        if (rc != PM_OK) {
            goto out;
        }
        pm_aligner_use_gpu(aligner, gpu);
    }
    rc = pm_align_loaded(aligner, pair[0], pair[1], &opts, shift, err);
    if (rc != PM_OK) {
        pm_err_wrap(err, "%s with %s", target_path, gt_path);
        goto out;
    }
    int64_t start = pm_mono_us(pm_clock_real());
    shift->loss = pm_align_loss(pair[0]->image, pair[1]->image, shift->gain, shift->dy, shift->dx);
    shift->loss_ms = (double)(pm_mono_us(pm_clock_real()) - start) / 1000.0;
out:
    pm_aligner_free(aligner);
    pm_gpu_close(gpu);
    pm_loaded_free(pair[0]);
    pm_loaded_free(pair[1]);
    return rc;
}
