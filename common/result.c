#include "common/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *const methods[PM_METHOD_COUNT] = {
    "auto", "original", "bruteforce", "fft", "hierarchical", "gpu"};
static const char *const flags[PM_FLAG_COUNT] = {"ambiguous", "no_overlap_match", "not_translation",
    "gain_drift", "shift_at_limit", "non_finite", "alpha_dropped"};
static const char *const steps[PM_STEP_COUNT] = {
    "decode", "gain", "align", "mask", "crop", "publish"};

const char *pm_method_name(enum pm_method method)
{
    return (unsigned)method < PM_METHOD_COUNT ? methods[method] : "?";
}

enum pm_method pm_method_from_name(const char *name)
{
    int i = 0;
    while (i < PM_METHOD_COUNT && strcmp(methods[i], name) != 0) {
        i++;
    }
    return (enum pm_method)i;
}

const char *pm_flag_name(int bit_index)
{
    return bit_index >= 0 && bit_index < PM_FLAG_COUNT ? flags[bit_index] : "?";
}

const char *pm_step_name(enum pm_step step)
{
    return (unsigned)step < PM_STEP_COUNT ? steps[step] : "?";
}

void pm_shift_init(struct pm_shift *shift)
{
    *shift = (struct pm_shift){
        .loss = NAN,
        .gain = NAN,
        .confidence = NAN,
        .sub_dy = NAN,
        .sub_dx = NAN,
        .sub_dy_error = NAN,
        .sub_dx_error = NAN,
        .second_peak = NAN,
        .channel_gain = {NAN, NAN, NAN},
        .warp = {.rotation_deg = NAN,
            .rotation_error_deg = NAN,
            .scale = NAN,
            .scale_error = NAN,
            .parallax_px = NAN,
            .parallax_error_px = NAN},
    };
}

void pm_job_clear(struct pm_job *job)
{
    free(job->scene);
    free(job->gt_path);
    free(job->target_path);
    free(job->output);
    free(job->taken_by);
    *job = (struct pm_job){0};
}

void pm_result_clear(struct pm_result *result)
{
    free(result->crops);
    free(result->output_dir);
    *result = (struct pm_result){0};
}
