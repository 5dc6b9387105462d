/*
 * pm_stages: what is asked of a pair on the device: proposals, integer L1, loss, mask. Included by
 * pm_cuda.cu only.
 */
#ifndef PM_WORKER_GPU_PM_STAGES_CUH
#define PM_WORKER_GPU_PM_STAGES_CUH

#include "pm_device.cuh"

static bool before(const struct pm_cuda_peak *a, const struct pm_cuda_peak *b)
{
    int64_t far_a = (int64_t)a->dy * a->dy + (int64_t)a->dx * a->dx;
    int64_t far_b = (int64_t)b->dy * b->dy + (int64_t)b->dx * b->dx;
    if (a->score > b->score || a->score < b->score) {
        return a->score > b->score;
    }
    if (far_a != far_b) {
        return far_a < far_b;
    }
    return a->dy != b->dy ? a->dy < b->dy : a->dx < b->dx;
}

/* The device lists peaks in no order; which ones are kept must not depend on that. */
static int keep_highest(
    struct pm_cuda_peak *list, int count, int max, const struct pm_cuda_peak *peak)
{
    int at = count < max ? count : max - 1;
    if (count == max && (max == 0 || !before(peak, &list[max - 1]))) {
        return count;
    }
    for (; at > 0 && before(peak, &list[at - 1]); at--) {
        list[at] = list[at - 1];
    }
    list[at] = *peak;
    return count < max ? count + 1 : max;
}

static int search(struct pm_cuda *cuda, struct pm_cuda_peak *peaks, int max, int *count,
    struct pm_cuda_status *status)
{
    struct pm_kargs a = cuda->args;
    unsigned found = 0;
    struct pm_cuda_peak piece[256];
    const unsigned most = sizeof piece / sizeof piece[0];

    *count = 0;
    PM_TRY(pm_ready(cuda, true, true, status));
    a.spectrum = cuda->spectrum[PM_CUDA_TARGET];
    a.spectrum_gt = cuda->spectrum[PM_CUDA_GT];
    a.border_sum = cuda->border_sum[PM_CUDA_TARGET];
    a.border_square = cuda->border_square[PM_CUDA_TARGET];
    a.border_sum_gt = cuda->border_sum[PM_CUDA_GT];
    a.border_square_gt = cuda->border_square[PM_CUDA_GT];
    PM_TRY(pm_clear(cuda, a.count, sizeof(unsigned), status));
    PM_TRY(pm_launch(cuda, pm_k_cross, &a, status));
    PM_TRY(pm_begin_span(cuda, &cuda->fft_span[0], cuda->work, status));
    PM_FFT(cuda, cufftExecC2R(cuda->backward.handle, (cufftComplex *)a.spectrum, a.real));
    PM_TRY(pm_end_span(cuda, &cuda->fft_span[0], cuda->work, status));
    PM_TRY(pm_launch(cuda, pm_k_score, &a, status));
    PM_TRY(pm_launch(cuda, pm_k_peaks, &a, status));
    PM_TRY(pm_fetch(cuda, &found, a.count, sizeof found, status));
    for (unsigned at = 0; at < found; at += most) {
        unsigned n = found - at < most ? found - at : most;
        PM_TRY(pm_fetch(cuda, piece, a.peaks + at, n * sizeof piece[0], status));
        for (unsigned i = 0; i < n; i++) {
            *count = keep_highest(peaks, *count, max, &piece[i]);
        }
    }
    return PM_CUDA_OK;
}

static void use_pair(const struct pm_cuda *cuda, struct pm_kargs *a)
{
    a->gt.data = cuda->pixels[PM_CUDA_GT];
    a->target.data = cuda->pixels[PM_CUDA_TARGET];
}

static int l1(struct pm_cuda *cuda, struct pm_cuda_l1 *l1, struct pm_cuda_status *status)
{
    struct pm_kargs a = cuda->args;
    PM_TRY(pm_ready(cuda, true, true, status));
    use_pair(cuda, &a);
    a.l1 = *l1;
    PM_TRY(pm_clear(cuda, a.sums, sizeof l1->sum, status));
    PM_TRY(pm_launch(cuda, pm_k_l1, &a, status));
    return pm_fetch(cuda, l1->sum, a.sums, sizeof l1->sum, status);
}

static int loss(struct pm_cuda *cuda, struct pm_cuda_rows *rows, struct pm_cuda_status *status)
{
    struct pm_kargs a = cuda->args;
    PM_TRY(pm_ready(cuda, true, true, status));
    use_pair(cuda, &a);
    a.gt_x = rows->gt_x;
    a.gt_y = rows->gt_y;
    a.target_x = rows->target_x;
    a.target_y = rows->target_y;
    a.w = rows->w;
    a.h = rows->h;
    a.gain_double = rows->gain;
    PM_TRY(pm_clear(cuda, a.row_count, (size_t)rows->h * sizeof(int64_t), status));
    PM_TRY(pm_launch(cuda, pm_k_loss, &a, status));
    PM_TRY(pm_fetch(cuda, rows->sum, a.row_sum, (size_t)rows->h * sizeof(double), status));
    return pm_fetch(cuda, rows->count, a.row_count, (size_t)rows->h * sizeof(int64_t), status);
}

static void use_mask(
    const struct pm_cuda *cuda, struct pm_kargs *a, const struct pm_cuda_mask *mask)
{
    use_pair(cuda, a);
    a->gt_x = mask->gt_x;
    a->gt_y = mask->gt_y;
    a->target_x = mask->target_x;
    a->target_y = mask->target_y;
    a->w = mask->w;
    a->h = mask->h;
    a->words = (mask->w + 63) / 64;
    a->gain = mask->gain;
    a->exposed_from = mask->exposed_from;
    a->exposed_limit = mask->exposed_limit;
    a->gather_from = mask->gather_from;
    a->threshold = mask->threshold;
    a->list_max = mask->list_max < cuda->list_room ? mask->list_max : cuda->list_room;
}

static int bounds(struct pm_cuda *cuda, struct pm_cuda_mask *mask, struct pm_cuda_status *status)
{
    struct pm_kargs a = cuda->args;
    PM_TRY(pm_ready(cuda, true, true, status));
    use_mask(cuda, &a, mask);
    PM_TRY(pm_clear(cuda, a.bins, PM_CUDA_BINS * sizeof(unsigned), status));
    PM_TRY(pm_clear(cuda, a.count, sizeof(unsigned), status));
    PM_TRY(pm_launch(cuda, pm_k_bins, &a, status));
    PM_TRY(pm_fetch(cuda, &mask->unknown, a.count, sizeof mask->unknown, status));
    return pm_fetch(cuda, mask->bins, a.bins, PM_CUDA_BINS * sizeof(unsigned), status);
}

/* The list a kernel has made. */
static int fetch_list(struct pm_cuda *cuda, const struct pm_kargs *a, struct pm_cuda_mask *mask,
    struct pm_cuda_status *status)
{
    PM_TRY(pm_fetch(cuda, &mask->list_count, a->count, sizeof mask->list_count, status));
    if (mask->list_count > a->list_max) {
        return pm_say(status, PM_CUDA_CROWDED, "%u pixels are too near to call", mask->list_count);
    }
    return pm_fetch(cuda, mask->list, a->list, mask->list_count * sizeof(uint32_t), status);
}

static int gather(struct pm_cuda *cuda, struct pm_cuda_mask *mask, struct pm_cuda_status *status)
{
    struct pm_kargs a = cuda->args;
    PM_TRY(pm_ready(cuda, true, true, status));
    use_mask(cuda, &a, mask);
    PM_TRY(pm_clear(cuda, a.count, sizeof(unsigned), status));
    PM_TRY(pm_launch(cuda, pm_k_gather, &a, status));
    return fetch_list(cuda, &a, mask, status);
}

static size_t mask_bytes(const struct pm_kargs *a)
{
    return (size_t)a->words * (size_t)a->h * sizeof(pm_u64);
}

static int decide(struct pm_cuda *cuda, struct pm_cuda_mask *mask, struct pm_cuda_status *status)
{
    struct pm_kargs a = cuda->args;
    PM_TRY(pm_ready(cuda, true, true, status));
    use_mask(cuda, &a, mask);
    PM_TRY(pm_clear(cuda, a.count, sizeof(unsigned), status));
    PM_TRY(pm_launch(cuda, pm_k_decide, &a, status));
    PM_TRY(fetch_list(cuda, &a, mask, status));
    return pm_fetch(cuda, mask->words, a.keep, mask_bytes(&a), status);
}

static int finish(struct pm_cuda *cuda, struct pm_cuda_mask *mask, struct pm_cuda_status *status)
{
    struct pm_kargs a = cuda->args;
    PM_TRY(pm_ready(cuda, true, true, status));
    use_mask(cuda, &a, mask);
    if (mask->list_count > 0) { /* else the device has the same words */
        PM_TRY(pm_send(cuda, a.keep, mask->words, mask_bytes(&a), status));
        PM_TRY(pm_begin_work(cuda, status));
    }
    PM_TRY(pm_launch(cuda, pm_k_erode, &a, status));
    PM_TRY(pm_launch(cuda, pm_k_dilate, &a, status));
    return pm_fetch(cuda, mask->words, a.keep, mask_bytes(&a), status);
}

#endif
