/* gpumask: the mask of a pair on the device: bounds there, the few open pixels in doubles here. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "worker/bitmap.h"
#include "worker/gpu/gpu_parts.h"
#include "worker/kernels/lossmap.h"
#include "worker/mask_exact.h"
#include "worker/mask_scan.h"

#define LIST_FACTOR 8   /* pixels listed at most, for each that the quantile leaves above it */
#define LIST_LEAST 4096 /* and these */

struct job {
    struct pm_gpu *gpu;
    struct pm_mask_scan *scan;
    struct pm_cuda_mask mask;
    struct pm_mask_exact exact;
    size_t reach; /* see pm_quantile_reach() */
};

/* The exact loss of a listed pixel. */
static double exact_at(struct job *job, uint32_t pixel)
{
    const struct pm_mask_scan *scan = job->scan;
    const struct pm_overlap *o = &scan->overlap;
    size_t bytes = (size_t)scan->gt->channels * pm_sample_bytes(scan->gt->sample);
    int y = (int)(pixel / (uint32_t)o->w), x = (int)(pixel % (uint32_t)o->w);
    const char *g = pm_image_row(scan->gt, o->gt_y + y);
    const char *t = pm_image_row(scan->target, o->target_y + y);
    return pm_mask_exact_px(
        &job->exact, g + (size_t)o->gt_x * bytes, t + (size_t)o->target_x * bytes, x);
}

/* The first sample value that is overexposed; 65536 or 256: none is. */
static uint32_t exposed_from(enum pm_sample sample, double limit)
{
    uint32_t low = 0, high = sample == PM_U8 ? 256 : 65536;
    while (low < high) { /* below is true up to some value and false from there on */
        uint32_t middle = (low + high) / 2;
        uint8_t u8 = (uint8_t)middle;
        uint16_t u16 = (uint16_t)middle;
        const void *at = sample == PM_U8 ? (const void *)&u8 : (const void *)&u16;
        if (pm_sample_below(sample, at, 0, limit)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static float float_of(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* The lower edge of the highest bin from which on there are `reach` pixels: so many losses are
 * certainly at least that, hence all of the largest `reach` losses are, and every pixel among them
 * has an upper bound that is. */
static float reached_edge(const struct job *job)
{
    uint64_t above = 0;
    uint32_t bin = PM_CUDA_BINS;
    while (bin > 0 && above < job->reach) {
        above += job->mask.bins[--bin];
    }
    return float_of(bin << PM_CUDA_BIN_SHIFT);
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* The quantile from the listed pixels, among which are the largest `reach`. */
static bool listed_quantile(struct job *job, double rank, double *quantile)
{
    const double part = rank - floor(rank);
    size_t n = job->mask.list_count;
    double *values = malloc(n * sizeof *values);
    bool there = values != NULL && n >= job->reach;

    for (size_t i = 0; there && i < n; i++) {
        values[i] = exact_at(job, job->mask.list[i]);
    }
    if (there) {
        qsort(values, n, sizeof *values, descending);
        *quantile = values[job->reach - 1];
        if (part > 0 && job->reach > 1) {
            *quantile = pm_quantile_lerp(*quantile, values[job->reach - 2], part);
        }
    }
    free(values);
    return there;
}

/* As find_threshold() of mask_scan.c. */
static bool find_threshold(struct job *job)
{
    struct pm_mask_scan *scan = job->scan;
    double n = (double)scan->overlap.w * scan->overlap.h;
    struct pm_cuda_status status;
    double quantile;

    scan->threshold = scan->loss_threshold;
    if (scan->loss_quantile < 1) {
        job->reach = pm_quantile_reach(n, scan->loss_quantile);
        if (!PM_GPU_CALL(job->gpu, bounds, &job->mask) || job->mask.unknown > 0) {
            return false;
        }
        job->mask.gather_from = reached_edge(job);
        if ((double)job->mask.gather_from < scan->loss_threshold) { /* else it cannot be lower */
            if (!PM_GPU_CALL(job->gpu, gather, &job->mask) ||
                !listed_quantile(job, scan->loss_quantile * (n - 1), &quantile)) {
                return false;
            }
            scan->threshold = quantile < scan->threshold ? quantile : scan->threshold;
        }
    }
    if (scan->threshold == 0) {
        scan->threshold = 1.0; /* a perfect pair */
    }
    return true;
}

/* Sets the bits of the pixels the bounds left open. */
static void settle(struct job *job)
{
    const struct pm_overlap *o = &job->scan->overlap;
    size_t stride = ((size_t)o->w + 63) / 64;
    for (uint32_t i = 0; i < job->mask.list_count; i++) {
        uint32_t pixel = job->mask.list[i];
        size_t y = pixel / (uint32_t)o->w, x = pixel % (uint32_t)o->w;
        if (exact_at(job, pixel) < job->scan->threshold) {
            job->mask.words[y * stride + x / 64] |= (uint64_t)1 << x % 64;
        }
    }
}

static bool make(struct job *job, struct pm_bitmap *mask)
{
    struct pm_cuda_status status;
    size_t row = ((size_t)mask->w + 63) / 64 * sizeof(uint64_t);

    if (!find_threshold(job)) {
        return false;
    }
    job->mask.threshold = job->scan->threshold;
    if (!PM_GPU_CALL(job->gpu, decide, &job->mask)) {
        return false;
    }
    settle(job);
    if (!PM_GPU_CALL(job->gpu, finish, &job->mask)) {
        return false;
    }
    for (int y = 0; y < mask->h; y++) {
        memcpy(pm_bitmap_row(mask, y), (const char *)job->mask.words + (size_t)y * row, row);
    }
    return true;
}

static bool take_loss(struct pm_gpu *gpu, struct pm_mask_scan *scan)
{
    int64_t start = pm_mono_us(scan->clock);
    /* gt_y - target_y is the shift itself: RAWNIND.md 2.5 trims both alike. */
    int dy = scan->overlap.gt_y - scan->overlap.target_y;
    int dx = scan->overlap.gt_x - scan->overlap.target_x;
    bool done = pm_gpu_loss(gpu, scan->gt, scan->target, scan->pair_gain, dy, dx, &scan->loss);
    scan->loss_us = pm_mono_us(scan->clock) - start;
    return done;
}

bool pm_gpu_mask(struct pm_gpu *gpu, struct pm_mask_scan *scan, struct pm_bitmap *mask)
{
    const struct pm_overlap *o = &scan->overlap;
    size_t pixels = (size_t)o->w * (size_t)o->h;
    size_t words = ((size_t)o->w + 63) / 64 * (size_t)o->h;
    size_t above =
        scan->loss_quantile < 1 ? pm_quantile_reach((double)pixels, scan->loss_quantile) : 0;
    size_t most = LIST_FACTOR * above + LIST_LEAST;
    struct job job = {.gpu = gpu, .scan = scan};
    bool done = false;

    if (!pm_gpu_has(gpu, scan->gt, scan->target) || scan->gt_source != scan->gt ||
        pixels > UINT32_MAX || !take_loss(gpu, scan)) {
        return false;
    }
    job.mask = (struct pm_cuda_mask){.gt_x = o->gt_x,
        .gt_y = o->gt_y,
        .target_x = o->target_x,
        .target_y = o->target_y,
        .w = o->w,
        .h = o->h,
        .gain = (float)scan->overlap_gain,
        .list_max = (uint32_t)(most < pixels ? most : pixels),
        .exposed_limit = scan->overexposure};
    if (scan->gt->sample == PM_U8 || scan->gt->sample == PM_U16) {
        job.mask.exposed_from = exposed_from(scan->gt->sample, scan->overexposure);
    }
    pm_mask_exact_init(&job.exact, scan->gt->sample, scan->gt->channels, scan->overlap_gain);
    job.mask.bins = malloc(PM_CUDA_BINS * sizeof *job.mask.bins);
    job.mask.list = malloc(((size_t)job.mask.list_max + 1) * sizeof *job.mask.list);
    job.mask.words = malloc(words * sizeof *job.mask.words);
    if (job.mask.bins != NULL && job.mask.list != NULL && job.mask.words != NULL) {
        done = make(&job, mask);
    }
    free(job.mask.bins);
    free(job.mask.list);
    free(job.mask.words);
    if (done) {
        gpu->counts.masks++;
    }
    return done;
}
