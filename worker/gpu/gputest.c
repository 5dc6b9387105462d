#include "worker/gpu/gputest.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/convert.h"
#include "common/log.h"
#include "worker/align/align.h"
#include "worker/bitmap.h"
#include "worker/mask_scan.h"
#include "worker/overlapgain.h"

#define MAX_SHIFT 12
#define GAIN 1.5

/* Sizes that are multiples of nothing the kernels use. */
static const struct shape {
    int w, h, channels;
    enum pm_sample sample;
    int dy, dx;
} shapes[] = {{161, 118, 3, PM_U16, 4, -7}, {119, 130, 1, PM_U8, -5, 2}, {101, 90, 3, PM_F16, 0, 3},
    {97, 103, 1, PM_F32, -2, -6}};

struct pair {
    struct pm_image *gt, *target;
    struct pm_prep *gt_prep, *target_prep;
};

/* What one way or the other found. */
struct found {
    struct pm_shift shift;
    struct pm_mask_scan scan;
    struct pm_bitmap mask;
};

static uint32_t hash(uint32_t x, uint32_t y, uint32_t salt)
{
    uint32_t h = x * 0x9e3779b1u ^ y * 0x85ebca77u ^ salt * 0xc2b2ae3du;
    h = (h ^ h >> 15) * 0x2c1b3c6du;
    h = (h ^ h >> 12) * 0x297a2d39u;
    return h ^ h >> 15;
}

/* Blocks of several sizes: a scene that fits at one shift only. 0..0.6. */
static double scene(int y, int x, int c)
{
    double v = 0;
    for (int level = 0; level < 4; level++) {
        uint32_t at_y = (uint32_t)(y + 4096) >> level, at_x = (uint32_t)(x + 4096) >> level;
        v += (hash(at_x, at_y, (uint32_t)(level * 8 + c)) & 0xffff) / 65536.0 * 0.15;
    }
    return v;
}

static void put(struct pm_image *image, int y, int i, double v)
{
    unsigned char *row = image->data + (size_t)y * image->stride;
    switch (image->sample) {
    case PM_U8:
        row[i] = (uint8_t)lrint(v * 255);
        break;
    case PM_U16:
    case PM_F16: { /* v in 2^-11 steps of [0.5, 1) and below: a half holds (v + 1) / 2 as it is */
        uint16_t bits = image->sample == PM_U16 ? (uint16_t)lrint(v * 65535)
                                                : (uint16_t)(0x3800 | (uint16_t)lrint(v * 1023));
        memcpy(row + sizeof bits * (size_t)i, &bits, sizeof bits);
        break;
    }
    case PM_F32: {
        float value = (float)v;
        memcpy(row + sizeof value * (size_t)i, &value, sizeof value);
        break;
    }
    }
}

/* The scene from (y0, x0) on, in memory of pool, some noise of its own, and a spot that is
 * overexposed. */
static enum pm_code draw(struct pm_image **out, const struct shape *shape, int y0, int x0,
    double gain, uint32_t salt, struct pm_bufpool *pool, struct pm_err *err)
{
    enum pm_code rc =
        pm_image_new(out, shape->w, shape->h, shape->channels, shape->sample, pool, err);
    for (int y = 0; rc == PM_OK && y < shape->h; y++) {
        for (int i = 0; i < shape->w * shape->channels; i++) {
            int x = i / shape->channels, c = i % shape->channels;
            double noise = (hash((uint32_t)i, (uint32_t)y, salt) & 0xff) / 255.0 * 0.05;
            bool bright = y0 + y > 30 && y0 + y < 36 && x0 + x > 40 && x0 + x < 50;
            double v = bright ? 1 : (scene(y0 + y, x0 + x, c) + noise) / gain;
            put(*out, y, i, v);
        }
    }
    return rc;
}

static void clear_pair(struct pair *pair)
{
    pm_prep_free(pair->gt_prep);
    pm_prep_free(pair->target_prep);
    pm_image_free(pair->gt);
    pm_image_free(pair->target);
}

/* As a worker has them: the target in the gpu's memory, the gt in ordinary memory. */
static enum pm_code make_pair(
    struct pair *pair, const struct shape *shape, struct pm_gpu *gpu, struct pm_err *err)
{
    struct pm_bufpool *pool;
    enum pm_code rc = pm_gpu_pool(gpu, 0, NULL, &pool, err);
    if (rc == PM_OK) {
        rc = draw(&pair->gt, shape, 0, 0, 1, 100, NULL, err);
    }
    if (rc == PM_OK) {
        rc = draw(&pair->target, shape, shape->dy, shape->dx, GAIN, 200, pool, err);
    }
    if (rc == PM_OK) {
        rc = pm_prep_of_image(&pair->gt_prep, pair->gt, err);
    }
    if (rc == PM_OK) {
        rc = pm_prep_of_image(&pair->target_prep, pair->target, err);
    }
    return rc;
}

static enum pm_code mask_on_cpu(struct found *found, struct pm_err *err)
{
    struct pm_bitmap ok = {0};
    enum pm_code rc = pm_bitmap_init(&ok, found->mask.w, found->mask.h, NULL, err);
    if (rc == PM_OK) {
        rc = pm_mask_scan_run(&found->scan, &found->mask, &ok, err);
    }
    if (rc == PM_OK) {
        rc = pm_bitmap_open(&found->mask, err);
    }
    if (rc == PM_OK) {
        pm_bitmap_and(&found->mask, &ok);
    }
    pm_bitmap_fini(&ok);
    return rc;
}

/* One way: gpu NULL is the CPU's. */
static enum pm_code find(
    const struct pair *pair, struct pm_gpu *gpu, struct found *found, struct pm_err *err)
{
    const struct pm_align_input gt = {pair->gt, pair->gt_prep};
    const struct pm_align_input target = {pair->target, pair->target_prep};
    const struct pm_align_opts opts = {
        .method = gpu != NULL ? PM_METHOD_GPU : PM_METHOD_FFT, .max_shift = MAX_SHIFT};
    struct pm_aligner *aligner = NULL;
    struct pm_overlap o;
    enum pm_code rc = pm_aligner_new(&aligner, NULL, err);

    if (rc != PM_OK) {
        return rc;
    }
    pm_aligner_use_gpu(aligner, gpu);
    rc = pm_align_find(aligner, &gt, &target, &opts, &found->shift, err);
    pm_aligner_free(aligner);
    if (rc != PM_OK) {
        return rc;
    }
    if (gpu != NULL && found->shift.method != PM_METHOD_GPU) {
        return pm_err_set(err, PM_EIO, "a small pair was not searched on the GPU: %s",
            pm_gpu_alive(gpu) ? pm_gpu_refusal(gpu) : pm_gpu_state(gpu));
    }
    o = pm_overlap_full(pair->gt->w, pair->gt->h, found->shift.dy, found->shift.dx);
    found->scan = (struct pm_mask_scan){.gt = pair->gt,
        .target = pair->target,
        .gt_source = pair->gt,
        .overlap = o,
        .trimmed = pm_overlap_trimmed(pair->gt->w, pair->gt->h, found->shift.dy, found->shift.dx),
        .pair_gain = found->shift.gain,
        .loss_threshold = 0.4,
        .loss_quantile = 0.999,
        .overexposure = 1,
        .clock = pm_clock_real()};
    rc = pm_overlap_gain(pair->gt, pair->gt_prep, pair->target, pair->target_prep, o,
        &found->scan.overlap_gain, err);
    if (rc == PM_OK) {
        rc = pm_bitmap_init(&found->mask, o.w, o.h, NULL, err);
    }
    if (rc != PM_OK) {
        return rc;
    }
    if (gpu == NULL) {
        return mask_on_cpu(found, err);
    }
    if (!pm_gpu_mask(gpu, &found->scan, &found->mask)) {
        return pm_err_set(err, PM_EIO, "no mask came from the GPU: %s",
            pm_gpu_alive(gpu) ? pm_gpu_refusal(gpu) : pm_gpu_state(gpu));
    }
    return PM_OK;
}

static enum pm_code differ(const struct shape *shape, const char *what, struct pm_err *err)
{
    return pm_err_set(err, PM_EIO, "the %s of a %dx%d %s pair differs from the CPU's", what,
        shape->w, shape->h, pm_sample_name(shape->sample));
}

static enum pm_code compare(
    const struct shape *shape, const struct found *gpu, const struct found *cpu, struct pm_err *err)
{
    if (gpu->shift.dy != cpu->shift.dy || gpu->shift.dx != cpu->shift.dx ||
        cpu->shift.dy != shape->dy || cpu->shift.dx != shape->dx) {
        return differ(shape, "shift", err);
    }
    if (gpu->scan.loss != cpu->scan.loss) {
        return differ(shape, "loss", err);
    }
    if (memcmp(gpu->mask.words, cpu->mask.words, pm_bitmap_bytes(cpu->mask.w, cpu->mask.h)) != 0) {
        return differ(shape, "mask", err);
    }
    return PM_OK;
}

static double now_ms(void)
{
    return (double)pm_mono_us(pm_clock_real()) / 1000;
}

static enum pm_code test_shape(struct pm_gpu *gpu, const struct shape *shape,
    struct pm_gputest_report *report, struct pm_err *err)
{
    struct pair pair = {0};
    struct found on_gpu = {0}, on_cpu = {0};
    enum pm_code rc = make_pair(&pair, shape, gpu, err);
    double start = now_ms();

    if (rc == PM_OK) {
        rc = find(&pair, gpu, &on_gpu, err);
        report->gpu_ms += now_ms() - start;
    }
    if (rc == PM_OK) {
        start = now_ms();
        rc = find(&pair, NULL, &on_cpu, err);
        report->cpu_ms += now_ms() - start;
    }
    if (rc == PM_OK) {
        rc = compare(shape, &on_gpu, &on_cpu, err);
        report->pairs++;
    }
    pm_gpu_end_pair(gpu);
    pm_bitmap_fini(&on_gpu.mask);
    pm_bitmap_fini(&on_cpu.mask);
    clear_pair(&pair);
    return rc;
}

enum pm_code pm_gputest_run(
    struct pm_gpu *gpu, struct pm_gputest_report *report, struct pm_err *err)
{
    struct pm_gputest_report unused = {0};
    enum pm_code rc = PM_OK;

    report = report != NULL ? report : &unused;
    *report = (struct pm_gputest_report){0};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0] && rc == PM_OK; i++) {
        rc = test_shape(gpu, &shapes[i], report, err);
    }
    return rc;
}

enum pm_code pm_gpu_start(struct pm_gpu **out, const struct pm_gpu_opts *opts, struct pm_err *err)
{
    struct pm_gputest_report report;
    enum pm_code rc = pm_gpu_open(out, opts, err);

    if (rc != PM_OK || !pm_gpu_alive(*out)) {
        return rc;
    }
    rc = pm_gputest_run(*out, &report, err);
    if (rc == PM_ENOMEM) {
        pm_gpu_close(*out);
        *out = NULL;
        return rc;
    }
    if (rc != PM_OK) {
        char why[sizeof err->text + 16];
        snprintf(why, sizeof why, "self-test: %s", err->text);
        pm_gpu_distrust(*out, why);
        return PM_OK;
    }
    pm_gpu_trim(*out);
    pm_log(PM_LOG_INFO, "event=gpu_ready device=\"%s\" self_test_ms=%.1f", pm_gpu_state(*out),
        report.gpu_ms);
    return PM_OK;
}

struct pm_gpu_opts pm_gpu_opts_of(const struct pm_conf *conf)
{
    return (struct pm_gpu_opts){.device = conf->gpu_device,
        .memory_max = (uint64_t)conf->gpu_memory_max,
        .deadline_ms = (uint32_t)conf->gpu_deadline_s * 1000};
}

enum pm_code pm_gpu_of_conf(struct pm_gpu **out, const struct pm_conf *conf, struct pm_err *err)
{
    const struct pm_gpu_opts opts = pm_gpu_opts_of(conf);
    *out = NULL;
    return conf->gpu ? pm_gpu_start(out, &opts, err) : PM_OK;
}
