/* gpusearch: brings a pair to the device and proposes shifts for it. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/rect.h"
#include "worker/align/peaks.h"
#include "worker/gpu/gpu_parts.h"

#define PEAKS 32             /* followed downhill, as many as method fft's */
#define WORTH 0.6f           /* of the best peak's score; as method fft */
#define SAMPLED_ROWS 256     /* rows a peak is first followed on */
#define FULL 4               /* the best of them are followed on all rows */
#define MOVES 64             /* of one peak downhill, at most: 128 px */
#define MUL 32768            /* the larger weight of integer samples */
#define FLOAT_UNIT 1048576.0 /* what the mean becomes as an integer: 512 means fit */

/* ---- images ---- */

_Static_assert((int)PM_U8 == PM_CUDA_U8 && (int)PM_U16 == PM_CUDA_U16 &&
                   (int)PM_F16 == PM_CUDA_F16 && (int)PM_F32 == PM_CUDA_F32,
    "shape_of() passes one for the other");

static struct pm_cuda_shape shape_of(const struct pm_align_query *query)
{
    const struct pm_image *gt = query->gt->image;
    struct pm_range range = pm_align_range(gt->w, gt->h, query->max_shift);
    return (struct pm_cuda_shape){.w = gt->w,
        .h = gt->h,
        .channels = gt->channels,
        .sample = (int)gt->sample,
        .pitch = gt->stride,
        .range_dy = range.dy,
        .range_dx = range.dx};
}

static bool is_integer(enum pm_sample sample)
{
    return sample == PM_U8 || sample == PM_U16;
}

/* Puts it on its way; the device is not waited for. */
static bool send(struct pm_gpu *gpu, int which, const struct pm_align_input *input)
{
    const struct pm_image *image = input->image;
    struct pm_cuda_status status;

    return PM_GPU_CALL(gpu, upload, which, image->data, 0, image->h, pm_prep_mean(input->prep)) &&
           PM_GPU_CALL(gpu, reduce, which);
}

/* The device must have read the very samples the decoder summed; a copy that went wrong must not
 * look like a picture. (Float images have no such exact sum.) */
static bool arrived(struct pm_gpu *gpu, int which, const struct pm_align_input *input)
{
    const struct pm_image *image = input->image;
    struct pm_cuda_status status;
    uint64_t total = 0;
    double n = (double)image->w * image->h * image->channels;
    double sum = round(pm_prep_mean(input->prep) * n * pm_sample_full_scale(image->sample));

    if (!PM_GPU_CALL(gpu, total, which, &total)) {
        return false;
    }
    if (is_integer(image->sample) && sum != (double)total) {
        gpu->counts.failures++;
        pm_gpu_distrust(gpu, "the pixels on the GPU are not those that were sent there");
        return false;
    }
    return true;
}

/* Both images on the device; the gt perhaps since the last pair. */
static bool bring_pair(struct pm_gpu *gpu, const struct pm_align_query *query, int64_t gt_key)
{
    struct pm_cuda_shape shape = shape_of(query);
    struct pm_cuda_status status;
    double mean = pm_prep_mean(query->gt->prep);
    bool kept;

    gpu->holds = true;
    if (!PM_GPU_CALL(gpu, begin, &shape)) {
        return false;
    }
    kept = gpu->gt_there && gt_key != 0 && gt_key == gpu->gt_key && mean == gpu->gt_mean &&
           memcmp(&shape, &gpu->shape, sizeof shape) == 0;
    gpu->gt_there = false;
    if ((!kept && !send(gpu, PM_CUDA_GT, query->gt)) || !send(gpu, PM_CUDA_TARGET, query->target) ||
        (!kept && !arrived(gpu, PM_CUDA_GT, query->gt)) ||
        !arrived(gpu, PM_CUDA_TARGET, query->target)) {
        return false;
    }
    gpu->counts.kept += kept;
    gpu->shape = shape;
    gpu->gt_key = gt_key;
    gpu->gt_mean = mean;
    gpu->gt_there = true;
    return true;
}

/* ---- downhill by integer L1 ---- */

struct walk {
    struct pm_gpu *gpu;
    const struct pm_align_query *query;
    struct pm_range range;
    struct pm_cuda_l1 l1; /* weights set */
    int64_t evaluations;
};

/* Weights that stand in the ratio of the gain; false: no such integers. */
static bool weigh(struct walk *walk)
{
    double gain = walk->query->gain;
    double mean = pm_prep_mean(walk->query->gt->prep);

    walk->l1.gt_mul = gain > 1 ? (uint32_t)lrint(MUL / gain) : MUL;
    walk->l1.target_mul = gain > 1 ? MUL : (uint32_t)lrint(MUL * gain);
    walk->l1.gt_scale = (float)(FLOAT_UNIT / mean);
    walk->l1.target_scale = (float)(FLOAT_UNIT / mean * gain);
    return walk->l1.gt_mul > 0 && walk->l1.target_mul > 0 && isfinite(walk->l1.gt_scale) &&
           isfinite(walk->l1.target_scale);
}

/* Rows of [from, to) that are multiples of step. */
static int64_t stepped(int from, int to, int step)
{
    int64_t first = (from + step - 1) / step, end = (to + step - 1) / step;
    return end > first ? end - first : 0;
}

/* The overlap of the i-th row and j-th column of the neighbourhood around (dy, dx). */
static void frame(struct walk *walk, int dy, int dx)
{
    const struct pm_image *gt = walk->query->gt->image;
    struct pm_cuda_l1 *l1 = &walk->l1;

    l1->dy = dy;
    l1->dx = dx;
    for (int i = 0; i < PM_CUDA_SPAN; i++) {
        int sy = dy - PM_CUDA_SPAN / 2 + i, sx = dx - PM_CUDA_SPAN / 2 + i;
        struct pm_overlap o = pm_overlap_trimmed(gt->w, gt->h, sy, sx);
        bool in_y = abs(sy) <= walk->range.dy, in_x = abs(sx) <= walk->range.dx;
        l1->row_from[i] = o.target_y;
        l1->row_to[i] = in_y ? o.target_y + o.h : o.target_y;
        l1->column_from[i] = o.target_x;
        l1->column_to[i] = in_x ? o.target_x + o.w : o.target_x;
    }
}

/* Mean of one shift of the neighbourhood, in weighted units; NaN outside the range. */
static double mean_of(const struct walk *walk, int i, int j)
{
    const struct pm_cuda_l1 *l1 = &walk->l1;
    int64_t rows = stepped(l1->row_from[i], l1->row_to[i], l1->row_step);
    int64_t n = rows * (l1->column_to[j] - l1->column_from[j]);
    return n > 0 ? (double)l1->sum[i][j] / (double)n : (double)NAN;
}

/* Moves at to the lowest of the 25 around it until that is the middle. */
static bool descend(struct walk *walk, int row_step, struct pm_candidate *at)
{
    walk->l1.row_step = row_step;
    for (int moves = 0; moves < MOVES; moves++) {
        struct pm_cuda_status status;
        struct pm_candidate best = *at;
        double lowest;
        frame(walk, at->dy, at->dx);
        if (!PM_GPU_CALL(walk->gpu, l1, &walk->l1)) {
            return false;
        }
        walk->evaluations += (int64_t)PM_CUDA_SPAN * PM_CUDA_SPAN;
        lowest = mean_of(walk, PM_CUDA_SPAN / 2, PM_CUDA_SPAN / 2);
        for (int k = 0; k < PM_CUDA_SPAN * PM_CUDA_SPAN; k++) {
            int i = k / PM_CUDA_SPAN, j = k % PM_CUDA_SPAN;
            int dy = at->dy - PM_CUDA_SPAN / 2 + i, dx = at->dx - PM_CUDA_SPAN / 2 + j;
            double mean = mean_of(walk, i, j);
            if (pm_shift_better(mean, dy, dx, lowest, best.dy, best.dx)) {
                best = (struct pm_candidate){.dy = dy, .dx = dx};
                lowest = mean;
            }
        }
        best.score = isnan(lowest) ? -(double)INFINITY : -lowest;
        bool rests = best.dy == at->dy && best.dx == at->dx;
        *at = best;
        if (rests) {
            break;
        }
    }
    return true;
}

/* Puts at into a list that holds no shift twice. */
static int insert_once(struct pm_candidate *list, int count, int max, struct pm_candidate at)
{
    for (int i = 0; i < count; i++) {
        if (list[i].dy == at.dy && list[i].dx == at.dx) {
            return count;
        }
    }
    return pm_peaks_insert(list, count, max, at);
}

static int clamp(int v, int limit)
{
    return v > limit ? limit : v < -limit ? -limit : v;
}

/* Every peak on a sample of the rows, the best few on all of them. */
static bool follow(struct walk *walk, const struct pm_cuda_peak *peaks, int peak_count,
    struct pm_candidate *list, int max, int *count)
{
    struct pm_candidate sampled[PEAKS], full[FULL];
    int step = walk->query->gt->image->h / SAMPLED_ROWS;
    int sampled_count = 0, full_count = 0;

    step = step > 1 ? step : 1;
    for (int i = 0; i < peak_count; i++) {
        struct pm_candidate at = {
            .dy = clamp(peaks[i].dy, walk->range.dy), .dx = clamp(peaks[i].dx, walk->range.dx)};
        if (i > 0 && peaks[i].score < WORTH * peaks[0].score) {
            break;
        }
        if (!descend(walk, step, &at)) {
            return false;
        }
        sampled_count = insert_once(sampled, sampled_count, PEAKS, at);
    }
    for (int i = 0; i < sampled_count && i < FULL; i++) {
        struct pm_candidate at = sampled[i];
        if (step > 1 && !descend(walk, 1, &at)) {
            return false;
        }
        full_count = insert_once(full, full_count, FULL, at);
    }
    *count = 0;
    for (int i = 0; i < full_count && *count < max; i++) {
        list[(*count)++] = full[i];
    }
    for (int i = FULL; i < sampled_count && *count < max; i++) {
        list[(*count)++] = sampled[i];
    }
    return true;
}

bool pm_gpu_propose(struct pm_gpu *gpu, const struct pm_align_query *query, int64_t gt_key,
    struct pm_candidate *list, int max, int *count, int64_t *evaluations)
{
    const struct pm_image *gt = query->gt->image;
    struct walk walk = {
        .gpu = gpu, .query = query, .range = pm_align_range(gt->w, gt->h, query->max_shift)};
    struct pm_cuda_peak peaks[PEAKS];
    struct pm_cuda_status status;
    int found = 0;

    assert(max > 0);
    pm_gpu_end_pair(gpu);
    if (!pm_gpu_alive(gpu)) {
        return false;
    }
    if (pm_prep_non_finite(query->gt->prep) + pm_prep_non_finite(query->target->prep) > 0 ||
        !weigh(&walk)) {
        gpu->counts.refused++;
        gpu->refusal = "samples that are not finite, or an extreme gain";
        return false;
    }
    if (!bring_pair(gpu, query, gt_key) || !PM_GPU_CALL(gpu, search, peaks, PEAKS, &found) ||
        !follow(&walk, peaks, found, list, max, count)) {
        return false;
    }
    if (*count == 0) { /* even images: nothing rises above anything */
        list[(*count)++] = (struct pm_candidate){.dy = 0, .dx = 0};
    }
    gpu->gt = gt;
    gpu->target = query->target->image;
    gpu->strikes = 0;
    gpu->counts.pairs++;
    *evaluations = walk.evaluations;
    return true;
}
