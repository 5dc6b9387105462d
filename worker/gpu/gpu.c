#include "worker/gpu/gpu.h"

#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/rect.h"
#include "worker/align/peaks.h"
#include "worker/gpu/gpuload.h"
#include "worker/kernels/l1.h"

#define STRIKES 3            /* failures in a row that turn it off */
#define PEAKS 32             /* followed downhill, as many as method fft's */
#define WORTH 0.6f           /* of the best peak's score; as method fft */
#define SAMPLED_ROWS 256     /* rows a peak is first followed on */
#define FULL 4               /* the best of them are followed on all rows */
#define MOVES 64             /* of one peak downhill, at most: 128 px */
#define MUL 32768            /* the larger weight of integer samples */
#define FLOAT_UNIT 1048576.0 /* what the mean becomes as an integer: 512 means fit */
#define CHECKED_ROWS 8       /* rows whose loss the CPU takes, too */

struct pm_gpu {
    const struct pm_cuda_api *api;
    struct pm_cuda *cuda;
    struct pm_cuda_info info;
    bool alive, was_alive;
    char state[800];
    const char *refusal;
    int strikes;
    struct pm_gpu_counts counts;
    /* on the device */
    int64_t gt_key;
    double gt_mean; /* of the gt under that key */
    struct pm_cuda_shape shape;
    bool gt_there;
    const struct pm_image *gt, *target; /* NULL: no pair at hand */
};

/* ---- life ---- */

static void turn_off(struct pm_gpu *gpu, const char *why)
{
    gpu->alive = false;
    gpu->gt_there = false;
    gpu->gt = gpu->target = NULL;
    gpu->refusal = "the GPU is off";
    snprintf(gpu->state, sizeof gpu->state, "off: %s", why);
    pm_log(gpu->was_alive ? PM_LOG_ERR : PM_LOG_INFO, "event=gpu_off message=\"%s\"", why);
}

static void open_device(struct pm_gpu *gpu, const struct pm_gpu_opts *opts)
{
    const struct pm_cuda_opts wanted = {
        .device = opts->device, .memory_max = opts->memory_max, .deadline_ms = opts->deadline_ms};
    struct pm_cuda_status status = {.code = PM_CUDA_OK};
    struct pm_err err;

    if (pm_gpu_load(opts->plugin, opts->driver, &gpu->api, &err) != PM_OK) {
        turn_off(gpu, err.text);
        return;
    }
    if (gpu->api->open(&gpu->cuda, &wanted, &gpu->info, &status) != PM_CUDA_OK) {
        turn_off(gpu, status.text);
        return;
    }
    gpu->alive = gpu->was_alive = true;
    snprintf(gpu->state, sizeof gpu->state, "%s (sm_%d%d, %llu MiB), driver %d.%d", gpu->info.name,
        gpu->info.major, gpu->info.minor, (unsigned long long)(gpu->info.memory_bytes >> 20),
        gpu->info.driver / 1000, gpu->info.driver % 1000 / 10);
}

enum pm_code pm_gpu_open(struct pm_gpu **out, const struct pm_gpu_opts *opts, struct pm_err *err)
{
    struct pm_gpu *gpu = calloc(1, sizeof *gpu);
    if (gpu == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a GPU");
    }
    open_device(gpu, opts);
    *out = gpu;
    return PM_OK;
}

void pm_gpu_close(struct pm_gpu *gpu)
{
    if (gpu != NULL) {
        if (gpu->cuda != NULL) {
            gpu->api->close(gpu->cuda);
        }
        free(gpu);
    }
}

bool pm_gpu_alive(const struct pm_gpu *gpu)
{
    return gpu != NULL && gpu->alive;
}

bool pm_gpu_lost(const struct pm_gpu *gpu)
{
    return gpu != NULL && gpu->was_alive && !gpu->alive;
}

const char *pm_gpu_state(const struct pm_gpu *gpu)
{
    return gpu->state;
}

const char *pm_gpu_refusal(const struct pm_gpu *gpu)
{
    return gpu == NULL ? "this worker has no GPU" : gpu->refusal;
}

const struct pm_cuda_info *pm_gpu_info(const struct pm_gpu *gpu)
{
    return &gpu->info;
}

struct pm_gpu_counts pm_gpu_counts(const struct pm_gpu *gpu)
{
    return gpu->counts;
}

const struct pm_cuda_api *pm_gpu_api(const struct pm_gpu *gpu)
{
    return gpu->api;
}

struct pm_cuda *pm_gpu_context(struct pm_gpu *gpu)
{
    return gpu->cuda;
}

void pm_gpu_count_mask(struct pm_gpu *gpu)
{
    gpu->counts.masks++;
}

void pm_gpu_distrust(struct pm_gpu *gpu, const char *why)
{
    if (gpu->alive) {
        turn_off(gpu, why);
    }
}

/* What is on the device is of no use to the next pair. */
static void forget(struct pm_gpu *gpu)
{
    gpu->gt_there = false;
    gpu->gt = gpu->target = NULL;
}

bool pm_gpu_check(struct pm_gpu *gpu, int code, const struct pm_cuda_status *status)
{
    switch (code) {
    case PM_CUDA_OK:
        return true;
    case PM_CUDA_CROWDED:
        gpu->counts.refused++;
        gpu->refusal = "too many pixels were too near to call";
        return false;
    case PM_CUDA_NOMEM:
        gpu->counts.refused++;
        gpu->refusal = "it did not fit into the GPU's memory";
        pm_log(PM_LOG_DEBUG, "event=gpu_refused message=\"%s\"", status->text);
        forget(gpu);
        return false;
    case PM_CUDA_DEAD:
        gpu->counts.failures++;
        turn_off(gpu, status->text);
        return false;
    default:
        gpu->counts.failures++;
        gpu->refusal = "it failed on the GPU";
        forget(gpu);
        if (++gpu->strikes >= STRIKES) {
            turn_off(gpu, status->text);
        } else {
            pm_log(PM_LOG_WARN, "event=gpu_failed message=\"%s\"", status->text);
        }
        return false;
    }
}

/* Runs one call of the table on a device that is alive. */
#define CALL(gpu, function, ...)                                                                   \
    pm_gpu_check((gpu), (gpu)->api->function((gpu)->cuda, __VA_ARGS__, &status), &status)

void pm_gpu_trim(struct pm_gpu *gpu)
{
    struct pm_cuda_status status = {.code = PM_CUDA_OK};
    if (pm_gpu_alive(gpu)) {
        forget(gpu);
        pm_gpu_check(gpu, gpu->api->trim(gpu->cuda, &status), &status);
    }
}

bool pm_gpu_has(const struct pm_gpu *gpu, const struct pm_image *gt, const struct pm_image *target)
{
    return pm_gpu_alive(gpu) && gt != NULL && gpu->gt == gt && gpu->target == target;
}

void pm_gpu_end_pair(struct pm_gpu *gpu)
{
    if (gpu != NULL) {
        gpu->gt = gpu->target = NULL;
    }
}

struct pm_cuda_times pm_gpu_times(struct pm_gpu *gpu)
{
    struct pm_cuda_times times = {0};
    if (gpu->cuda != NULL) {
        gpu->api->times(gpu->cuda, &times);
    }
    return times;
}

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

/* The device must have read the very samples the decoder summed; a copy that went wrong must not
 * look like a picture. (Float images have no such exact sum.) */
static bool check_total(struct pm_gpu *gpu, const struct pm_align_input *input, uint64_t total)
{
    const struct pm_image *image = input->image;
    double n = (double)image->w * image->h * image->channels;
    double sum = round(pm_prep_mean(input->prep) * n * pm_sample_full_scale(image->sample));

    if (is_integer(image->sample) && sum != (double)total) {
        gpu->counts.failures++;
        turn_off(gpu, "the pixels on the GPU are not those that were sent there");
        return false;
    }
    return true;
}

static bool bring(struct pm_gpu *gpu, int which, const struct pm_align_input *input)
{
    const struct pm_image *image = input->image;
    struct pm_cuda_status status;
    uint64_t total = 0;

    return CALL(gpu, upload, which, image->data, 0, image->h) &&
           CALL(gpu, reduce, which, pm_prep_mean(input->prep), &total) &&
           check_total(gpu, input, total);
}

/* Both images on the device; the gt perhaps since the last pair. */
static bool bring_pair(struct pm_gpu *gpu, const struct pm_align_query *query, int64_t gt_key)
{
    struct pm_cuda_shape shape = shape_of(query);
    struct pm_cuda_status status;
    double mean = pm_prep_mean(query->gt->prep);
    bool kept;

    if (!CALL(gpu, begin, &shape)) {
        return false;
    }
    kept = gpu->gt_there && gt_key != 0 && gt_key == gpu->gt_key && mean == gpu->gt_mean &&
           memcmp(&shape, &gpu->shape, sizeof shape) == 0;
    gpu->gt_there = false;
    if (!kept && !bring(gpu, PM_CUDA_GT, query->gt)) {
        return false;
    }
    gpu->counts.kept += kept;
    gpu->shape = shape;
    gpu->gt_key = gt_key;
    gpu->gt_mean = mean;
    gpu->gt_there = true;
    return bring(gpu, PM_CUDA_TARGET, query->target);
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
        if (!CALL(walk->gpu, l1, &walk->l1)) {
            return false;
        }
        walk->evaluations += PM_CUDA_SPAN * PM_CUDA_SPAN;
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
    if (!bring_pair(gpu, query, gt_key) || !CALL(gpu, search, peaks, PEAKS, &found) ||
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

/* ---- the reported loss ---- */

/* Whether rows spread over the overlap have the sums the CPU gives them. */
static bool check_rows(
    const struct pm_cuda_rows *rows, const struct pm_image *gt, const struct pm_image *target)
{
    size_t pixel = (size_t)gt->channels * pm_sample_bytes(gt->sample);
    for (int i = 0; i < CHECKED_ROWS; i++) {
        int y = (int)((int64_t)i * (rows->h - 1) / (CHECKED_ROWS - 1));
        const char *g = pm_image_row(gt, rows->gt_y + y);
        const char *t = pm_image_row(target, rows->target_y + y);
        struct pm_l1_sum sum = pm_l1()->exact[gt->sample](g + (size_t)rows->gt_x * pixel,
            t + (size_t)rows->target_x * pixel, (size_t)rows->w * (size_t)gt->channels, rows->gain);
        if (memcmp(&sum.sum, &rows->sum[y], sizeof sum.sum) != 0 || sum.count != rows->count[y]) {
            return false;
        }
    }
    return true;
}

bool pm_gpu_loss(struct pm_gpu *gpu, const struct pm_image *gt, const struct pm_image *target,
    double gain, int dy, int dx, double *loss)
{
    const struct pm_overlap o = pm_overlap_trimmed(gt->w, gt->h, dy, dx);
    struct pm_cuda_rows rows = {.gt_x = o.gt_x,
        .gt_y = o.gt_y,
        .target_x = o.target_x,
        .target_y = o.target_y,
        .w = o.w,
        .h = o.h,
        .gain = gain};
    struct pm_cuda_status status;
    double sum = 0;
    int64_t count = 0;
    bool done;

    *loss = (double)NAN;
    if (!pm_gpu_has(gpu, gt, target) || o.w <= 0 || o.h <= 0) {
        return false;
    }
    rows.sum = malloc((size_t)o.h * sizeof *rows.sum);
    rows.count = malloc((size_t)o.h * sizeof *rows.count);
    done = rows.sum != NULL && rows.count != NULL && CALL(gpu, loss, &rows);
    if (done && !check_rows(&rows, gt, target)) {
        gpu->counts.failures++;
        turn_off(gpu, "a row's loss differs from the CPU's");
        done = false;
    }
    for (int y = 0; done && y < o.h; y++) { /* in this order on every machine, loss.c */
        sum += rows.sum[y];
        count += rows.count[y];
    }
    *loss = done && count > 0 ? sum / (double)count / pm_sample_full_scale(gt->sample) : *loss;
    free(rows.sum);
    free(rows.count);
    return done;
}
