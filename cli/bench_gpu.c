#include "cli/bench_gpu.h"

#include <stdlib.h>
#include <string.h>

#include "cli/bench_scene.h"
#include "common/bufpool.h"
#include "common/clock.h"
#include "common/convert.h"
#include "worker/align_step.h"
#include "worker/bitmap.h"
#include "worker/gpu/gputest.h"
#include "worker/mask_scan.h"
#include "worker/overlapgain.h"

#define TARGETS 5 /* of one gt; the first also brings the gt, and makes room */

static const struct pm_arg options[] = {
    {"size", NULL, "WxH", "of the generated pairs (default 6000x4000)"},
    {"config", NULL, "FILE", "settings from a file; options beat it"},
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

static const struct pm_help help = {
    "pairmill bench gpu [--size WxH] [OPTION...]",
    "Runs one gt with 5 targets (16-bit RGB, medium noise) through the GPU and through the CPU, "
    "and "
    "prints\nthe time of every step, the share of it the device itself saw, and whether both "
    "answers are equal.",
    "  --max_shift N                search up to this far in each axis (default 128 px)",
    "  pairmill bench gpu\n  pairmill bench gpu --size 3000x2000",
};

struct row {
    double search_ms, mask_ms; /* the step as the worker sees it */
    struct pm_cuda_times device;
    bool kept; /* the gt was there already */
    struct pm_shift shift;
    struct pm_mask_scan scan;
    struct pm_bitmap mask;
};

struct bench {
    struct pm_cli *cli;
    const struct pm_conf *conf;
    struct pm_gpu *gpu;
    struct pm_bufpool *pool; /* for targets, as a worker has it */
    struct pm_aligner *aligner;
    struct pm_image *gt, *target;
    struct pm_prep *gt_prep, *target_prep;
};

static double now_ms(void)
{
    return (double)pm_mono_us(pm_clock_real()) / 1000;
}

/* Without the GPU what worker/mask.c does without one. */
static enum pm_code take_mask(
    struct bench *b, struct pm_gpu *gpu, struct row *row, struct pm_err *err)
{
    struct pm_bitmap ok = {0};
    enum pm_code rc;
    if (gpu != NULL) {
        return pm_gpu_mask(gpu, &row->scan, &row->mask)
                   ? PM_OK
                   : pm_err_set(err, PM_EIO, "no mask from the GPU: %s", pm_gpu_refusal(b->gpu));
    }
    rc = pm_bitmap_init(&ok, row->mask.w, row->mask.h, NULL, err);
    if (rc == PM_OK) {
        rc = pm_mask_scan_run(&row->scan, &row->mask, &ok, err);
    }
    if (rc == PM_OK) {
        rc = pm_bitmap_open(&row->mask, err);
    }
    if (rc == PM_OK) {
        pm_bitmap_and(&row->mask, &ok);
    }
    pm_bitmap_fini(&ok);
    return rc;
}

static enum pm_code run_pair(
    struct bench *b, struct pm_gpu *gpu, struct row *row, struct pm_err *err)
{
    const struct pm_align_input gt = {b->gt, b->gt_prep}, target = {b->target, b->target_prep};
    struct pm_align_opts opts = pm_align_opts_of(b->conf);
    int64_t kept = pm_gpu_counts(b->gpu).kept;
    double start = now_ms();
    enum pm_code rc;

    opts.method = gpu != NULL ? PM_METHOD_GPU : PM_METHOD_HIERARCHICAL;
    opts.gt_key = 1;
    pm_aligner_use_gpu(b->aligner, gpu);
    pm_gpu_times(b->gpu);
    rc = pm_align_find(b->aligner, &gt, &target, &opts, &row->shift, err);
    row->search_ms = now_ms() - start;
    if (rc == PM_OK && gpu != NULL && row->shift.fallback != NULL) {
        rc = pm_err_set(err, PM_EIO, "not searched on the GPU: %s", row->shift.fallback);
    }
    if (rc != PM_OK) {
        return rc;
    }
    row->scan = (struct pm_mask_scan){.gt = b->gt,
        .target = b->target,
        .gt_source = b->gt,
        .overlap = pm_overlap_full(b->gt->w, b->gt->h, row->shift.dy, row->shift.dx),
        .trimmed = pm_overlap_trimmed(b->gt->w, b->gt->h, row->shift.dy, row->shift.dx),
        .pair_gain = row->shift.gain,
        .loss_threshold = b->conf->loss_threshold,
        .loss_quantile = b->conf->loss_quantile,
        .overexposure = b->conf->overexposure,
        .clock = pm_clock_real()};
    rc = pm_overlap_gain(b->gt, b->gt_prep, b->target, b->target_prep, row->scan.overlap,
        &row->scan.overlap_gain, err);
    if (rc == PM_OK) {
        rc = pm_bitmap_init(&row->mask, row->scan.overlap.w, row->scan.overlap.h, NULL, err);
    }
    start = now_ms();
    if (rc == PM_OK) {
        rc = take_mask(b, gpu, row, err);
    }
    row->mask_ms = now_ms() - start;
    row->device = pm_gpu_times(b->gpu);
    row->kept = pm_gpu_counts(b->gpu).kept > kept;
    return rc;
}

static bool equal(const struct row *a, const struct row *b)
{
    return a->shift.dy == b->shift.dy && a->shift.dx == b->shift.dx &&
           !(a->scan.loss < b->scan.loss) && !(a->scan.loss > b->scan.loss) &&
           memcmp(a->mask.words, b->mask.words, pm_bitmap_bytes(a->mask.w, a->mask.h)) == 0;
}

static void print_row(FILE *to, int number, const struct row *gpu, const struct row *cpu)
{
    double mb = (double)gpu->device.upload_bytes / 1e6;
    fprintf(to, "| %d%s | %.1f | %.2f | %.1f | %.2f | %.2f | %.1f | %.1f | %.1f | %s |\n", number,
        gpu->kept ? "" : " + gt", mb, gpu->device.upload_ms,
        gpu->device.upload_ms > 0 ? mb / gpu->device.upload_ms : 0, gpu->device.fft_ms,
        gpu->device.kernel_ms, gpu->search_ms, gpu->mask_ms, cpu->search_ms + cpu->mask_ms,
        equal(gpu, cpu) ? "yes" : "NO");
}

static void drop_target(struct bench *b)
{
    pm_gpu_end_pair(b->gpu);
    pm_prep_free(b->target_prep);
    pm_image_free(b->target);
    b->target_prep = NULL;
    b->target = NULL;
}

/* Into the memory a worker's decoder would have filled. */
static enum pm_code move_target(struct bench *b, struct pm_err *err)
{
    struct pm_image *moved = NULL;
    enum pm_code rc = pm_convert(b->target, b->target->sample, b->pool, &moved, err);
    if (rc == PM_OK) {
        pm_image_free(b->target);
        b->target = moved;
    }
    return rc;
}

/* One target, drawn anew: the gt is the same for the same seed. */
static enum pm_code run_target(
    struct bench *b, struct pm_bench_size size, int number, struct pm_err *err)
{
    struct pm_bench_scene scene = pm_bench_scene_of(size, PM_BENCH_MEDIUM, b->conf->max_shift, 1);
    struct row gpu = {0}, cpu = {0};
    struct pm_image *gt = NULL;
    enum pm_code rc;

    scene.dy = number * 3 - 7; /* another window of the same scene */
    scene.dx = 5 - number * 2;
    rc = pm_bench_scene_draw(&scene, &gt, &b->target, err);
    if (b->gt != NULL) {
        pm_image_free(gt); /* the same picture: the first one is on the device */
    } else if (rc == PM_OK) {
        b->gt = gt;
        rc = pm_prep_of_image(&b->gt_prep, b->gt, err);
    }
    if (rc == PM_OK) {
        rc = move_target(b, err);
    }
    if (rc == PM_OK) {
        rc = pm_prep_of_image(&b->target_prep, b->target, err);
    }
    if (rc == PM_OK) {
        rc = run_pair(b, b->gpu, &gpu, err);
    }
    if (rc == PM_OK) {
        rc = run_pair(b, NULL, &cpu, err);
    }
    if (rc == PM_OK) {
        print_row(b->cli->out, number + 1, &gpu, &cpu);
    }
    pm_bitmap_fini(&gpu.mask);
    pm_bitmap_fini(&cpu.mask);
    drop_target(b);
    return rc;
}

/* The model of one target with its gt there: bytes each stage must move over the device's memory,
 * at 75% of the bandwidth of some devices. Not a measurement. */
static void print_model(FILE *to, struct pm_bench_size size)
{
    static const struct {
        const char *name;
        double gb_s;
    } devices[] = {
        {"H100", 3352}, {"A100-80", 2039}, {"RTX 4090", 1008}, {"RTX 3060", 360}, {"T4", 320}};
    double px = (double)size.w * size.h;
    /* 6 B a pixel and image: the target is summed and made luma; L1 (3 times), loss, bounds, list
     * and mask read both images. Every luma px, a quarter of all from 8 megapixels on, costs ~70 B:
     * made, summed by columns, R2C, cross power, C2R. */
    double bytes = px * (2 * 6 + 7 * 12) + (px > 8e6 ? px / 4 : px) * 70;
    fprintf(to, "\nmodel (not measured): %.1f GB moved a target; at 75%% of the peak", bytes / 1e9);
    for (size_t i = 0; i < sizeof devices / sizeof devices[0]; i++) {
        fprintf(to, "%s %s %.1f ms", i == 0 ? ":" : ",", devices[i].name,
            bytes / (devices[i].gb_s * 0.75e9) * 1e3);
    }
    fprintf(to, "; upload at 12/25/50 GB/s: %.1f/%.1f/%.1f ms\n", px * 6 / 12e6, px * 6 / 25e6,
        px * 6 / 50e6);
}

static enum pm_code run_all(struct bench *b, struct pm_bench_size size, struct pm_err *err)
{
    FILE *to = b->cli->out;
    enum pm_code rc = pm_aligner_new(&b->aligner, NULL, err);

    if (rc == PM_OK) { /* one buffer is enough */
        rc =
            pm_gpu_pool(b->gpu, pm_image_bytes(size.w, size.h, 3, PM_U16) * 2, NULL, &b->pool, err);
    }
    fprintf(to, "%s\n%dx%d px, 16-bit RGB, +-%d px; times in ms, one thread\n\n",
        pm_gpu_state(b->gpu), size.w, size.h, b->conf->max_shift);
    fputs("| target | MB up | upload | GB/s | cuFFT | kernels | search | mask + loss | CPU: both | "
          "equal |\n|---|---|---|---|---|---|---|---|---|---|\n",
        to);
    for (int i = 0; i < TARGETS && rc == PM_OK; i++) {
        rc = run_target(b, size, i, err);
    }
    if (rc == PM_OK) {
        fputs(
            "\nupload, cuFFT: by the device's clock; kernels: all of the device's work, cuFFT and "
            "waiting for the\nupload included; search: upload to the confirmed shift with its "
            "quality, as a worker sees it.\nTargets lie in pinned memory, as a worker's do; the gt "
            "goes through pinned buffers.\n",
            to);
        print_model(to, size);
    }
    pm_aligner_free(b->aligner);
    pm_prep_free(b->gt_prep);
    pm_image_free(b->gt);
    return rc;
}

static enum pm_code size_of(
    const struct pm_args *args, struct pm_bench_size *size, struct pm_err *err)
{
    const char *text = pm_args_get(args, "size");
    char *end;
    *size = (struct pm_bench_size){6000, 4000};
    if (text == NULL) {
        return PM_OK;
    }
    size->w = (int)strtol(text, &end, 10);
    size->h = *end == 'x' ? (int)strtol(end + 1, &end, 10) : 0;
    if (*end != '\0' || size->w < 64 || size->h < 64 || size->w > 30000 || size->h > 30000) {
        return pm_err_set(
            err, PM_EUSAGE, "--size %s: write WxH, 64x64 to 30000x30000 px, as in 6000x4000", text);
    }
    return PM_OK;
}

static enum pm_code run(struct pm_cli *cli, const struct pm_args *args, struct pm_err *err)
{
    struct bench b = {.cli = cli};
    struct pm_conf *conf = NULL;
    struct pm_gpu_opts opts;
    struct pm_bench_size size;
    enum pm_code rc = size_of(args, &size, err);

    if (rc == PM_OK) {
        rc = pm_conf_new(&conf, err);
    }
    if (rc == PM_OK) {
        rc = pm_cli_settings(conf, args, err);
    }
    if (rc != PM_OK) {
        goto out;
    }
    pm_conf_fill(conf);
    b.conf = conf;
    opts = pm_gpu_opts_of(conf);
    rc = pm_gpu_open(&b.gpu, &opts, err);
    if (rc == PM_OK && !pm_gpu_alive(b.gpu)) {
        rc = pm_err_set(err, PM_EUNSUPPORTED, "no GPU to measure; %s", pm_gpu_state(b.gpu));
    }
    if (rc == PM_OK) {
        rc = run_all(&b, size, err);
    }
out:
    pm_gpu_close(b.gpu);
    pm_conf_unref(conf);
    return rc;
}

int pm_cli_bench_gpu(struct pm_cli *cli, int argc, char **argv)
{
    static const struct pm_command command = {&help, options, true, 0, run};
    return pm_cli_command(cli, &command, argc, argv);
}
