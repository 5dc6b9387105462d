#include "worker/align/align.h"

#include <math.h>
#include <stdlib.h>

#include "common/clock.h"
#include "worker/align/confirm.h"
#include "worker/align/fftplans.h"
#include "worker/align/ops.h"
#include "worker/gpu/gpu.h"
#include "worker/kernels/cpu.h"

/* Every method; a new one is one line here. */
static const struct pm_align_ops *const methods[] = {
    &pm_align_original,
    &pm_align_bruteforce,
    &pm_align_fft,
    &pm_align_hierarchical,
    &pm_align_cuda,
};
#define SMALLEST_SIDE 8 /* px: the least overlap pm_align_range() leaves */
#define METHODS (sizeof methods / sizeof methods[0])

struct pm_aligner {
    struct pm_fftplans *plans;
    struct pm_gpu *gpu;     /* not its own */
    void *scratch[METHODS]; /* NULL until a method is first used */
};

enum pm_code pm_aligner_new(struct pm_aligner **out, const char *wisdom_path, struct pm_err *err)
{
    struct pm_aligner *aligner = calloc(1, sizeof *aligner);
    enum pm_code rc;

    if (aligner == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for an aligner");
    }
    rc = pm_fftplans_new(&aligner->plans, wisdom_path, err);
    if (rc != PM_OK) {
        free(aligner);
        return rc;
    }
    *out = aligner;
    return PM_OK;
}

void pm_aligner_free(struct pm_aligner *aligner)
{
    if (aligner == NULL) {
        return;
    }
    for (size_t i = 0; i < METHODS; i++) {
        methods[i]->stop(aligner->scratch[i]);
    }
    pm_fftplans_free(aligner->plans);
    free(aligner);
}

void pm_aligner_use_gpu(struct pm_aligner *aligner, struct pm_gpu *gpu)
{
    aligner->gpu = gpu;
}

/* Only images of one shape can be compared pixel by pixel, and only with pixels to compare. */
static enum pm_code check_shapes(
    const struct pm_image *gt, const struct pm_image *target, struct pm_err *err)
{
    if (gt->w != target->w || gt->h != target->h || gt->channels != target->channels ||
        gt->sample != target->sample) {
        return pm_err_set(err, PM_ESIZE,
            "gt is %dx%d px, %d channel%s, %s, but target is %dx%d px, %d channel%s, %s: only "
            "images of one shape can be aligned",
            gt->w, gt->h, gt->channels, gt->channels == 1 ? "" : "s", pm_sample_name(gt->sample),
            target->w, target->h, target->channels, target->channels == 1 ? "" : "s",
            pm_sample_name(target->sample));
    }
    if (gt->w < SMALLEST_SIDE || gt->h < SMALLEST_SIDE) {
        return pm_err_set(err, PM_EOVERLAP,
            "images of %dx%d px are too small to search for a shift: both sides must have %d px",
            gt->w, gt->h, SMALLEST_SIDE);
    }
    return PM_OK;
}

static int shorter_side(const struct pm_image *image)
{
    return image->w < image->h ? image->w : image->h;
}

bool pm_align_on_gpu(const struct pm_align_opts *opts, const struct pm_gpu *gpu, int w, int h)
{
    return pm_gpu_alive(gpu) &&
           (opts->method == PM_METHOD_GPU ||
               (opts->method == PM_METHOD_AUTO && (w < h ? w : h) >= opts->auto_gpu_from));
}

/* The method for an image whose shorter side is given. */
static enum pm_method choose(const struct pm_align_opts *opts, int side)
{
    if (side < opts->auto_bruteforce_below) {
        return PM_METHOD_BRUTEFORCE;
    }
    return side < opts->auto_hierarchical_from ? PM_METHOD_FFT : PM_METHOD_HIERARCHICAL;
}

/* The method that will run; says why when it is not the one asked for. */
static enum pm_method settle(const struct pm_align_opts *opts, const struct pm_gpu *gpu,
    const struct pm_image *gt, const char **fallback)
{
    int side = shorter_side(gt);
    *fallback = NULL;
    if (pm_align_on_gpu(opts, gpu, gt->w, gt->h)) {
        return PM_METHOD_GPU;
    }
    if (opts->method == PM_METHOD_GPU) {
        *fallback = pm_gpu_refusal(gpu);
        return choose(opts, side);
    }
    return opts->method == PM_METHOD_AUTO ? choose(opts, side) : opts->method;
}

/* Runs a method, whose scratch is made at its first use. */
static enum pm_code run_method(struct pm_aligner *aligner, enum pm_method method,
    const struct pm_align_query *query, struct pm_shift *shift, struct pm_err *err)
{
    for (size_t i = 0; i < METHODS; i++) {
        if (methods[i]->method != method) {
            continue;
        }
        if (aligner->scratch[i] == NULL) {
            enum pm_code rc = methods[i]->start(&aligner->scratch[i], err);
            if (rc != PM_OK) {
                return rc;
            }
        }
        return methods[i]->run(aligner->scratch[i], query, shift, err);
    }
    return pm_err_set(err, PM_EUSAGE, "no alignment method of the name %s", pm_method_name(method));
}

/* What can be said without knowing how the shift was found. */
static unsigned plain_flags(const struct pm_align_query *query, const struct pm_shift *shift)
{
    const struct pm_align_input *gt = query->gt, *target = query->target;
    struct pm_range range = pm_align_range(gt->image->w, gt->image->h, query->max_shift);
    int ady = abs(shift->dy), adx = abs(shift->dx);
    unsigned flags = 0;

    if (shift->method == PM_METHOD_ORIGINAL) { /* its limit is on the sum, RAWNIND.md 2.4 */
        flags |= query->max_shift > 0 && ady + adx >= query->max_shift ? PM_FLAG_SHIFT_AT_LIMIT : 0;
    } else if ((range.dy > 0 && ady == range.dy) || (range.dx > 0 && adx == range.dx)) {
        flags |= PM_FLAG_SHIFT_AT_LIMIT;
    }
    if (pm_prep_non_finite(gt->prep) + pm_prep_non_finite(target->prep) > 0) {
        flags |= PM_FLAG_NON_FINITE;
    }
    if (gt->image->alpha_dropped || target->image->alpha_dropped) {
        flags |= PM_FLAG_ALPHA_DROPPED;
    }
    return flags;
}

/* The checks every method relies on; fills query. */
static enum pm_code prepare(struct pm_aligner *aligner, const struct pm_align_input *gt,
    const struct pm_align_input *target, const struct pm_align_opts *opts,
    struct pm_align_query *query, struct pm_err *err)
{
    enum pm_code rc = check_shapes(gt->image, target->image, err);
    if (rc != PM_OK) {
        return rc;
    }
    *query = (struct pm_align_query){
        .gt = gt,
        .target = target,
        .max_shift = opts->max_shift,
        .quality = opts->quality,
        .plans = aligner->plans,
        .gpu = aligner->gpu,
        .gt_key = opts->gt_key,
    };
    return pm_align_gain(gt->prep, target->prep, &query->gain, err);
}

/* RAWNIND.md 2.3's gain, a channel at a time. */
static void channel_gains(
    const struct pm_align_input *gt, const struct pm_align_input *target, struct pm_shift *shift)
{
    shift->channels = gt->image->channels;
    for (int c = 0; c < shift->channels; c++) {
        double g = pm_prep_channel_mean(gt->prep, c);
        double t = pm_prep_channel_mean(target->prep, c);
        if (g > 0 && t > 0 && isfinite(g / t) && g / t > 0) {
            shift->channel_gain[c] = g / t;
        }
    }
}

enum pm_code pm_align_find(struct pm_aligner *aligner, const struct pm_align_input *gt,
    const struct pm_align_input *target, const struct pm_align_opts *opts, struct pm_shift *shift,
    struct pm_err *err)
{
    int64_t start_us = pm_mono_us(pm_clock_real());
    struct pm_align_query query;
    enum pm_code rc = prepare(aligner, gt, target, opts, &query, err);

    if (rc != PM_OK) {
        return rc;
    }
    pm_shift_init(shift);
    shift->gain = query.gain;
    shift->backend = pm_cpu_name(pm_cpu_level());
    channel_gains(gt, target, shift);
    shift->method = settle(opts, aligner->gpu, gt->image, &shift->fallback);
    rc = run_method(aligner, shift->method, &query, shift, err);
    if (shift->method == PM_METHOD_GPU && rc == PM_EUNSUPPORTED) { /* nothing of it is kept */
        shift->fallback = pm_gpu_refusal(aligner->gpu);
        shift->method = choose(opts, shorter_side(gt->image));
        rc = run_method(aligner, shift->method, &query, shift, err);
    }
    if (rc != PM_OK) {
        return rc;
    }
    shift->flags |= plain_flags(&query, shift);
    shift->elapsed_ms = (double)(pm_mono_us(pm_clock_real()) - start_us) / 1000;
    return PM_OK;
}
