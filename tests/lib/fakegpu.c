#include "tests/lib/fakegpu.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/convert.h"
#include "worker/overlapgain.h"

#define MAX_SHIFT 24

static _Noreturn void give_up(const char *why)
{
    fprintf(stderr, "fakegpu: %s\n", why);
    exit(1);
}

const char *fakegpu_path(void)
{
    static char path[PATH_MAX];
    const char *given = getenv("FAKEGPU_PLUGIN");
    char folder[PATH_MAX - 64];
    ssize_t n = readlink("/proc/self/exe", folder, sizeof folder - 1);

    if (given != NULL) {
        return given;
    }
    if (n <= 0) {
        give_up("no /proc/self/exe");
    }
    folder[n] = '\0';
    *strrchr(folder, '/') = '\0';
    snprintf(path, sizeof path, "%s/fakecuda/pairmill-cuda.so", folder);
    return path;
}

struct pm_gpu_opts fakegpu_opts(void)
{
    return (struct pm_gpu_opts){.plugin = fakegpu_path(),
        .driver = FAKEGPU_DRIVER,
        .deadline_ms = 60000,
        .chunk_bytes = 4096};
}

const struct fake_control *fakegpu_control(void)
{
    void *library = dlopen(fakegpu_path(), RTLD_NOW | RTLD_LOCAL);
    void *symbol = library != NULL ? dlsym(library, "fake_cuda") : NULL;
    const struct fake_control *(*get)(void);

    if (symbol == NULL) {
        give_up(dlerror());
    }
    memcpy(&get, &symbol, sizeof get);
    return get();
}

int fakegpu_set_up(void **state)
{
    (void)state;
    fakegpu_control()->reset(11, 0);
    return 0;
}

int fakegpu_tear_down(void **state)
{
    const struct fake_control *fake = fakegpu_control();
    (void)state;
    if (fake->violations() != 0 || fake->live() != 0) {
        fprintf(stderr, "violation: %s; %ld objects left\n", fake->violation(), fake->live());
        return -1;
    }
    return 0;
}

struct pm_gpu *fakegpu_open(void)
{
    struct pm_gpu_opts opts = fakegpu_opts();
    struct pm_gpu *gpu = NULL;
    struct pm_err err;
    if (pm_gpu_open(&gpu, &opts, &err) != PM_OK) {
        give_up(err.text);
    }
    return gpu;
}

void fakegpu_pair_of(struct fakegpu_pair *pair, struct pm_image *gt, struct pm_image *target)
{
    struct pm_err err = {.text = ""};
    *pair = (struct fakegpu_pair){.gt = gt, .target = target};
    if (pm_prep_of_image(&pair->gt_prep, gt, &err) != PM_OK ||
        pm_prep_of_image(&pair->target_prep, target, &err) != PM_OK ||
        pm_align_gain(pair->gt_prep, pair->target_prep, &pair->gain, &err) != PM_OK) {
        give_up(err.text);
    }
}

void fakegpu_pair_make(struct fakegpu_pair *pair, const struct pm_synth *spec)
{
    struct pm_image *gt, *target;
    pm_synth_pair(spec, &gt, &target);
    fakegpu_pair_of(pair, gt, target);
}

void fakegpu_pair_move(struct fakegpu_pair *pair, struct pm_bufpool *pool)
{
    struct pm_image *moved = NULL;
    struct pm_err err = {.text = ""};
    if (pm_convert(pair->target, pair->target->sample, pool, &moved, &err) != PM_OK) {
        give_up(err.text);
    }
    pm_image_free(pair->target);
    pair->target = moved;
}

void fakegpu_pair_free(struct fakegpu_pair *pair)
{
    pm_prep_free(pair->gt_prep);
    pm_prep_free(pair->target_prep);
    pm_image_free(pair->gt);
    pm_image_free(pair->target);
}

struct pm_shift fakegpu_find(
    const struct fakegpu_pair *pair, enum pm_method method, struct pm_gpu *gpu, int64_t gt_key)
{
    const struct pm_align_input gt = {pair->gt, pair->gt_prep};
    const struct pm_align_input target = {pair->target, pair->target_prep};
    const struct pm_align_opts opts = {.method = method,
        .max_shift = MAX_SHIFT,
        .auto_bruteforce_below = 16,
        .auto_hierarchical_from = 1 << 20,
        .auto_gpu_from = 1 << 20,
        .quality = true,
        .gt_key = gt_key};
    struct pm_aligner *aligner = NULL;
    struct pm_shift shift = {0};
    struct pm_err err = {.text = ""};

    if (pm_aligner_new(&aligner, NULL, &err) != PM_OK) {
        give_up(err.text);
    }
    pm_aligner_use_gpu(aligner, gpu);
    if (pm_align_find(aligner, &gt, &target, &opts, &shift, &err) != PM_OK) {
        give_up(err.text);
    }
    pm_aligner_free(aligner);
    return shift;
}

struct pm_mask_scan fakegpu_scan(const struct fakegpu_pair *pair, int dy, int dx)
{
    const struct pm_image *gt = pair->gt;
    struct pm_mask_scan scan = {.gt = gt,
        .target = pair->target,
        .gt_source = gt,
        .overlap = pm_overlap_full(gt->w, gt->h, dy, dx),
        .trimmed = pm_overlap_trimmed(gt->w, gt->h, dy, dx),
        .pair_gain = pair->gain,
        .loss_threshold = 0.4,
        .loss_quantile = 0.9999,
        .overexposure = 1,
        .clock = pm_clock_real()};
    struct pm_err err = {.text = ""};
    if (pm_overlap_gain(gt, pair->gt_prep, pair->target, pair->target_prep, scan.overlap,
            &scan.overlap_gain, &err) != PM_OK) {
        give_up(err.text);
    }
    return scan;
}

void fakegpu_mask_on_cpu(struct pm_mask_scan *scan, struct pm_bitmap *mask)
{
    struct pm_bitmap ok = {0};
    struct pm_err err = {.text = ""};
    if (pm_bitmap_init(mask, scan->overlap.w, scan->overlap.h, NULL, &err) != PM_OK ||
        pm_bitmap_init(&ok, scan->overlap.w, scan->overlap.h, NULL, &err) != PM_OK ||
        pm_mask_scan_run(scan, mask, &ok, &err) != PM_OK || pm_bitmap_open(mask, &err) != PM_OK) {
        give_up(err.text);
    }
    pm_bitmap_and(mask, &ok);
    pm_bitmap_fini(&ok);
}

bool fakegpu_same_bits(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0;
}

bool fakegpu_same_mask(const struct pm_bitmap *a, const struct pm_bitmap *b)
{
    return a->w == b->w && a->h == b->h &&
           memcmp(a->words, b->words, pm_bitmap_bytes(a->w, a->h)) == 0;
}
