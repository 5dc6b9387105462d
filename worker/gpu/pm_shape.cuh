/*
 * pm_shape: device memory and FFT plans for pairs of one shape. Included by pm_cuda.cu only.
 */
#ifndef PM_WORKER_GPU_PM_SHAPE_CUH
#define PM_WORKER_GPU_PM_SHAPE_CUH

#include "pm_device.cuh"

#define PM_LUMA_PX 8000000 /* luma of more pixels is made coarser: x2 at 24 megapixels */
#define PM_FACTOR_MAX 8
#define PM_LIST_SHARE 64 /* one pixel in so many may be listed for the CPU to settle */
#define PM_LIST_LEAST 16384

/* The least n' >= n with no prime factor above 7: cuFFT's fast sizes. */
static int smooth(int n)
{
    for (;; n++) {
        int left = n;
        for (int prime = 2; prime <= 7; prime++) {
            while (left % prime == 0) {
                left /= prime;
            }
        }
        if (left == 1) {
            return n;
        }
    }
}

/* In luma px, rounded up: the true shift may lie between the last two. */
static int coarse_range(int range, int factor, int n)
{
    int coarse = (range + factor - 1) / factor;
    return coarse < n ? coarse : n - 1;
}

static double full_scale(int sample)
{
    return sample == PM_CUDA_U8 ? 255.0 : sample == PM_CUDA_U16 ? 65535.0 : 1.0;
}

static void lay_out(struct pm_cuda *cuda, const struct pm_cuda_shape *shape)
{
    struct pm_kargs *a = &cuda->args;
    int64_t luma_px = cuda->opts.luma_px != 0 ? (int64_t)cuda->opts.luma_px : PM_LUMA_PX;
    memset(a, 0, sizeof *a);
    a->image_w = shape->w;
    a->image_h = shape->h;
    a->channels = shape->channels;
    a->sample = shape->sample;
    a->gt.pitch = a->target.pitch = shape->pitch;
    a->factor = 1;
    while (a->factor < PM_FACTOR_MAX &&
           (int64_t)shape->w * shape->h > luma_px * a->factor * a->factor) {
        a->factor *= 2;
    }
    a->lw = shape->w / a->factor;
    a->lh = shape->h / a->factor;
    a->rx = coarse_range(shape->range_dx, a->factor, a->lw);
    a->ry = coarse_range(shape->range_dy, a->factor, a->lh);
    a->pad_w = smooth(a->lw + a->rx);
    a->pad_h = smooth(a->lh + a->ry);
    a->unit = (float)(1 / (full_scale(shape->sample) * a->factor * a->factor * a->channels));
    a->words = (shape->w + 63) / 64;
}

static int take_buffers(struct pm_cuda *cuda, struct pm_cuda_status *status)
{
    struct pm_kargs *a = &cuda->args;
    const struct pm_cuda_shape *shape = &cuda->shape;
    uint64_t pixels = shape->pitch * (uint64_t)shape->h;
    uint64_t real = (uint64_t)a->pad_w * (uint64_t)a->pad_h * sizeof(float);
    uint64_t spectrum = (uint64_t)(a->pad_w / 2 + 1) * (uint64_t)a->pad_h * sizeof(float2);
    uint64_t columns = (uint64_t)(2 * a->ry + 1) * (uint64_t)a->lw * sizeof(double);
    uint64_t shifts = (uint64_t)(2 * a->ry + 1) * (uint64_t)(2 * a->rx + 1);
    uint64_t words = (uint64_t)a->words * (uint64_t)shape->h * sizeof(pm_u64);
    uint64_t list = (uint64_t)shape->w * (uint64_t)shape->h / PM_LIST_SHARE + PM_LIST_LEAST;
    struct {
        void **at;
        uint64_t bytes;
    } wanted[] = {
        {(void **)&cuda->pixels[PM_CUDA_GT], pixels},
        {(void **)&cuda->pixels[PM_CUDA_TARGET], pixels},
        {(void **)&a->real, real},
        {(void **)&cuda->spectrum[PM_CUDA_GT], spectrum},
        {(void **)&cuda->spectrum[PM_CUDA_TARGET], spectrum},
        {(void **)&a->column_sum, columns},
        {(void **)&a->column_square, columns},
        {(void **)&cuda->border_sum[PM_CUDA_GT], shifts * sizeof(double)},
        {(void **)&cuda->border_square[PM_CUDA_GT], shifts * sizeof(double)},
        {(void **)&cuda->border_sum[PM_CUDA_TARGET], shifts * sizeof(double)},
        {(void **)&cuda->border_square[PM_CUDA_TARGET], shifts * sizeof(double)},
        {(void **)&a->score, shifts * sizeof(float)},
        {(void **)&a->peaks,
            (uint64_t)(a->ry + 1) * (uint64_t)(a->rx + 1) * sizeof(struct pm_cuda_peak)},
        {(void **)&a->row_sum, (uint64_t)shape->h * sizeof(double)},
        {(void **)&a->row_count, (uint64_t)shape->h * sizeof(int64_t)},
        {(void **)&a->bins, PM_CUDA_BINS * sizeof(unsigned)},
        {(void **)&a->list, list * sizeof(unsigned)},
        {(void **)&a->keep, words},
        {(void **)&a->ok, words},
        {(void **)&a->opened, words},
        {(void **)&a->sums, PM_SHIFTS * sizeof(pm_u64)},
        {(void **)&a->count, sizeof(unsigned)},
    };
    uint64_t all = 0, allowed;

    for (auto &want : wanted) {
        all += want.bytes;
    }
    PM_TRY(pm_allowance(cuda, &allowed, status));
    if (all > allowed) {
        return pm_say(status, PM_CUDA_NOMEM, "the pair needs %llu MiB of device memory, %llu are there",
            (unsigned long long)(all >> 20), (unsigned long long)(allowed >> 20));
    }
    for (auto &want : wanted) {
        PM_TRY(pm_take(cuda, want.at, want.bytes, status));
    }
    cuda->list_room = (uint32_t)list;
    return PM_CUDA_OK;
}

static int make_plan(struct pm_cuda *cuda, struct pm_plan *plan, cufftType type, size_t *work,
    struct pm_cuda_status *status)
{
    PM_FFT(cuda, cufftCreate(&plan->handle));
    plan->made = true;
    PM_FFT(cuda, cufftSetAutoAllocation(plan->handle, 0));
    PM_FFT(cuda, cufftMakePlan2d(plan->handle, cuda->args.pad_h, cuda->args.pad_w, type, work));
    PM_FFT(cuda, cufftSetStream(plan->handle, cuda->work));
    return PM_CUDA_OK;
}

/* Both directions work in one area, since they never run at the same time. */
static int make_plans(struct pm_cuda *cuda, struct pm_cuda_status *status)
{
    size_t forward = 0, backward = 0, larger;
    uint64_t allowed;
    PM_TRY(make_plan(cuda, &cuda->forward, CUFFT_R2C, &forward, status));
    PM_TRY(make_plan(cuda, &cuda->backward, CUFFT_C2R, &backward, status));
    larger = forward > backward ? forward : backward;
    PM_TRY(pm_allowance(cuda, &allowed, status));
    if (cuda->held_bytes + larger > allowed) {
        return pm_say(status, PM_CUDA_NOMEM, "cuFFT needs %zu MiB of device memory more than there are",
            larger >> 20);
    }
    if (larger > 0) {
        PM_TRY(pm_take(cuda, &cuda->work_area, larger, status));
        PM_FFT(cuda, cufftSetWorkArea(cuda->forward.handle, cuda->work_area));
        PM_FFT(cuda, cufftSetWorkArea(cuda->backward.handle, cuda->work_area));
    }
    return PM_CUDA_OK;
}

static bool same_shape(const struct pm_cuda_shape *a, const struct pm_cuda_shape *b)
{
    return a->w == b->w && a->h == b->h && a->channels == b->channels && a->sample == b->sample &&
           a->pitch == b->pitch && a->range_dy == b->range_dy && a->range_dx == b->range_dx;
}

static int begin(
    struct pm_cuda *cuda, const struct pm_cuda_shape *shape, struct pm_cuda_status *status)
{
    int code;
    PM_TRY(pm_refuse_dead(cuda, status));
    if (cuda->begun && same_shape(&cuda->shape, shape)) {
        return PM_CUDA_OK;
    }
    if ((uint64_t)shape->w * (uint64_t)shape->h > UINT32_MAX) {
        return pm_say(status, PM_CUDA_NOMEM, "more pixels than the device part can number");
    }
    PM_TRY(pm_settle(cuda, status));
    pm_release(cuda);
    cuda->shape = *shape;
    lay_out(cuda, shape);
    code = take_buffers(cuda, status);
    if (code == PM_CUDA_OK) {
        code = make_plans(cuda, status);
    }
    if (code == PM_CUDA_OK) {
        code = pm_take_pinned(cuda, status);
    }
    if (code != PM_CUDA_OK) {
        pm_release(cuda);
        return code;
    }
    cuda->begun = true;
    return PM_CUDA_OK;
}

static int trim(struct pm_cuda *cuda, struct pm_cuda_status *status)
{
    PM_TRY(pm_refuse_dead(cuda, status));
    PM_TRY(pm_settle_copies(cuda, status));
    PM_TRY(pm_settle(cuda, status));
    pm_release(cuda);
    pm_release_pinned(cuda);
    return PM_CUDA_OK;
}

#endif
