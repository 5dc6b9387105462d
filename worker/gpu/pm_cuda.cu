/* pm_cuda: the host side of the CUDA plugin; pm_cuda.h says what it does and in which order. The
 * same text is compiled by nvcc and, for the tests, by a host compiler against tests/fakecuda. */
#include "pm_cuda.h"

#include "pm_device.cuh"

#define PM_LUMA_PX 8000000 /* luma of more pixels is made coarser: x2 at 24 megapixels */
#define PM_FACTOR_MAX 8
#define PM_LIST_SHARE 64 /* one pixel in so many may be listed for the CPU to settle */
#define PM_LIST_LEAST 16384

/* ---- opening and closing ---- */

static int open_device(
    struct pm_cuda *cuda, struct pm_cuda_info *info, struct pm_cuda_status *status)
{
    struct cudaDeviceProp properties;
    size_t free_bytes = 0, total = 0;
    int count = 0; /* not written on errors */
    cudaError_t e = cudaGetDeviceCount(&count);

    if (e != cudaSuccess || cuda->opts.device >= count) {
        cudaGetLastError();
        return pm_say(status, PM_CUDA_NONE, "%s (%d)",
            e == cudaSuccess                       ? "no such CUDA device"
            : e == cudaErrorInsufficientDriver     ? "the NVIDIA driver is missing or too old"
            : e == cudaErrorNoDevice               ? "no CUDA device"
                                                   : cudaGetErrorString(e),
            (int)e);
    }
    PM_RT(cuda, cudaSetDevice(cuda->opts.device));
    PM_RT(cuda, cudaDriverGetVersion(&info->driver));
    PM_RT(cuda, cudaRuntimeGetVersion(&info->runtime));
    PM_RT(cuda, cudaGetDeviceProperties(&properties, cuda->opts.device));
    PM_RT(cuda,
        cudaDeviceGetAttribute(&info->major, cudaDevAttrComputeCapabilityMajor, cuda->opts.device));
    PM_RT(cuda,
        cudaDeviceGetAttribute(&info->minor, cudaDevAttrComputeCapabilityMinor, cuda->opts.device));
    PM_RT(cuda, cudaDeviceGetAttribute(
                    &info->processors, cudaDevAttrMultiProcessorCount, cuda->opts.device));
    PM_RT(cuda, cudaMemGetInfo(&free_bytes, &total));
    snprintf(info->name, sizeof info->name, "%s", properties.name);
    info->memory_bytes = total;
    info->free_bytes = free_bytes;
    cuda->processors = info->processors > 0 ? info->processors : 1;
    return PM_CUDA_OK;
}

static int make_span(
    struct pm_cuda *cuda, struct pm_span *span, double *ms, struct pm_cuda_status *status)
{
    span->ms = ms;
    PM_RT(cuda, cudaEventCreateWithFlags(&span->from, cudaEventDefault));
    PM_RT(cuda, cudaEventCreateWithFlags(&span->to, cudaEventDefault));
    return PM_CUDA_OK;
}

static int make_tools(struct pm_cuda *cuda, struct pm_cuda_status *status)
{
    PM_RT(cuda, cudaStreamCreateWithFlags(&cuda->work, cudaStreamNonBlocking));
    PM_RT(cuda, cudaStreamCreateWithFlags(&cuda->copy, cudaStreamNonBlocking));
    PM_RT(cuda, cudaEventCreateWithFlags(&cuda->done, cudaEventDisableTiming));
    PM_RT(cuda, cudaEventCreateWithFlags(&cuda->arrived, cudaEventDisableTiming));
    PM_TRY(make_span(cuda, &cuda->upload_span, &cuda->times.upload_ms, status));
    PM_TRY(make_span(cuda, &cuda->fft_span, &cuda->times.fft_ms, status));
    PM_TRY(make_span(cuda, &cuda->work_span, &cuda->times.kernel_ms, status));
    for (int i = 0; i < PM_CUDA_CHUNKS; i++) {
        PM_RT(cuda, cudaEventCreateWithFlags(&cuda->sent[i], cudaEventDisableTiming));
    }
    for (int i = 0; i <= PM_CUDA_CHUNKS; i++) {
        PM_RT(cuda, cudaHostAlloc((void **)&cuda->pinned[i], PM_CUDA_CHUNK, cudaHostAllocDefault));
    }
    return PM_CUDA_OK;
}

static void drop_event(cudaEvent_t event)
{
    if (event != NULL) {
        cudaEventDestroy(event);
    }
}

static void drop_tools(struct pm_cuda *cuda)
{
    struct pm_span *spans[] = {&cuda->upload_span, &cuda->fft_span, &cuda->work_span};
    for (int i = 0; i <= PM_CUDA_CHUNKS; i++) {
        if (cuda->pinned[i] != NULL) {
            cudaFreeHost(cuda->pinned[i]);
        }
    }
    for (int i = 0; i < PM_CUDA_CHUNKS; i++) {
        drop_event(cuda->sent[i]);
    }
    for (struct pm_span *span : spans) {
        drop_event(span->from);
        drop_event(span->to);
    }
    drop_event(cuda->arrived);
    drop_event(cuda->done);
    if (cuda->copy != NULL) {
        cudaStreamDestroy(cuda->copy);
    }
    if (cuda->work != NULL) {
        cudaStreamDestroy(cuda->work);
    }
    cudaGetLastError();
}

/* What a hung device still uses must stay, pinned buffers too; the process ends soon. */
static void close_cuda(struct pm_cuda *cuda)
{
    struct pm_cuda_status ignored;
    if (cuda == NULL) {
        return;
    }
    if (!cuda->dead && cuda->work != NULL && cuda->copy != NULL) {
        /* A pair given up half-way may have copies under way. */
        if (cudaEventRecord(cuda->done, cuda->copy) == cudaSuccess) {
            (void)pm_wait_event(cuda, cuda->done, &ignored);
        }
    }
    if (!cuda->hung) {
        pm_release(cuda);
        drop_tools(cuda);
    }
    free(cuda);
}

static int open_cuda(struct pm_cuda **out, const struct pm_cuda_opts *opts,
    struct pm_cuda_info *info, struct pm_cuda_status *status)
{
    struct pm_cuda *cuda = (struct pm_cuda *)calloc(1, sizeof *cuda);
    int code;

    *out = NULL;
    memset(info, 0, sizeof *info);
    status->text[0] = '\0';
    if (cuda == NULL) {
        return pm_say(status, PM_CUDA_NOMEM, "out of memory");
    }
    cuda->opts = *opts;
    code = open_device(cuda, info, status);
    if (code == PM_CUDA_OK) {
        code = make_tools(cuda, status);
    }
    if (code != PM_CUDA_OK) {
        cuda->dead = true; /* nothing is under way */
        close_cuda(cuda);
        return code;
    }
    *out = cuda;
    return status->code = PM_CUDA_OK;
}

/* ---- a shape's memory ---- */

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
    memset(a, 0, sizeof *a);
    a->image_w = shape->w;
    a->image_h = shape->h;
    a->channels = shape->channels;
    a->sample = shape->sample;
    a->gt.pitch = a->target.pitch = shape->pitch;
    a->factor = 1;
    while (a->factor < PM_FACTOR_MAX && (int64_t)shape->w * shape->h >
                                            (int64_t)PM_LUMA_PX * a->factor * a->factor) {
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

static int refuse_dead(const struct pm_cuda *cuda, struct pm_cuda_status *status)
{
    status->text[0] = '\0';
    status->code = PM_CUDA_OK;
    return cuda->dead ? pm_say(status, PM_CUDA_DEAD, "the device was given up") : PM_CUDA_OK;
}

static int begin(
    struct pm_cuda *cuda, const struct pm_cuda_shape *shape, struct pm_cuda_status *status)
{
    int code;
    PM_TRY(refuse_dead(cuda, status));
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
    if (code != PM_CUDA_OK) {
        pm_release(cuda);
        return code;
    }
    cuda->begun = true;
    return PM_CUDA_OK;
}

static int trim(struct pm_cuda *cuda, struct pm_cuda_status *status)
{
    PM_TRY(refuse_dead(cuda, status));
    PM_RT(cuda, cudaEventRecord(cuda->done, cuda->copy));
    PM_TRY(pm_wait_event(cuda, cuda->done, status));
    PM_TRY(pm_settle(cuda, status));
    pm_release(cuda);
    return PM_CUDA_OK;
}

/* ---- stages ---- */

/* Every stage begins here. */
static int ready(struct pm_cuda *cuda, bool gt, bool target, struct pm_cuda_status *status)
{
    PM_TRY(refuse_dead(cuda, status));
    if (!cuda->begun || (gt && !cuda->reduced[PM_CUDA_GT]) ||
        (target && !cuda->reduced[PM_CUDA_TARGET])) {
        return pm_say(status, PM_CUDA_FAILED, "a stage was asked for out of order");
    }
    return pm_begin_span(cuda, &cuda->work_span, cuda->work, status);
}

/* One chunk through the ring: the host copies into one buffer while the device reads others. */
static int send_chunk(struct pm_cuda *cuda, unsigned char *to, const unsigned char *from,
    size_t bytes, struct pm_cuda_status *status)
{
    int slot = cuda->next;
    if (cuda->in_use[slot]) {
        PM_TRY(pm_wait_event(cuda, cuda->sent[slot], status));
        cuda->in_use[slot] = false;
    }
    memcpy(cuda->pinned[slot], from, bytes);
    PM_RT(cuda,
        cudaMemcpyAsync(to, cuda->pinned[slot], bytes, cudaMemcpyHostToDevice, cuda->copy));
    PM_RT(cuda, cudaEventRecord(cuda->sent[slot], cuda->copy));
    cuda->in_use[slot] = true;
    cuda->next = (slot + 1) % PM_CUDA_CHUNKS;
    return PM_CUDA_OK;
}

static int upload(struct pm_cuda *cuda, int which, const void *rows, int y0, int y1,
    struct pm_cuda_status *status)
{
    const unsigned char *from = (const unsigned char *)rows;
    size_t bytes = (size_t)(y1 - y0) * cuda->shape.pitch;
    unsigned char *to;

    PM_TRY(refuse_dead(cuda, status));
    if (!cuda->begun || y1 > cuda->shape.h || (y0 != 0 && y0 != cuda->rows[which])) {
        return pm_say(status, PM_CUDA_FAILED, "rows were uploaded out of order");
    }
    if (y0 == 0) {
        cuda->complete[which] = cuda->reduced[which] = false;
        PM_TRY(pm_begin_span(cuda, &cuda->upload_span, cuda->copy, status));
    }
    to = cuda->pixels[which] + (size_t)y0 * cuda->shape.pitch;
    for (size_t at = 0; at < bytes; at += PM_CUDA_CHUNK) {
        size_t n = bytes - at < PM_CUDA_CHUNK ? bytes - at : PM_CUDA_CHUNK;
        PM_TRY(send_chunk(cuda, to + at, from + at, n, status));
    }
    cuda->times.upload_bytes += bytes;
    cuda->rows[which] = y1;
    cuda->complete[which] = y1 == cuda->shape.h;
    return PM_CUDA_OK;
}

/* Luma, its border sums, its spectrum; the work stream waits for the upload, not the host. */
static int reduce(struct pm_cuda *cuda, int which, double mean, uint64_t *total,
    struct pm_cuda_status *status)
{
    struct pm_kargs a = cuda->args;
    PM_TRY(ready(cuda, false, false, status));
    if (!cuda->complete[which]) {
        return pm_say(status, PM_CUDA_FAILED, "rows are missing");
    }
    cuda->reduced[which] = false;
    a.gt.data = cuda->pixels[which];
    a.mean = (float)mean;
    a.border_sum = cuda->border_sum[which];
    a.border_square = cuda->border_square[which];
    PM_TRY(pm_end_span(cuda, &cuda->upload_span, cuda->copy, status));
    PM_RT(cuda, cudaEventRecord(cuda->arrived, cuda->copy));
    PM_RT(cuda, cudaStreamWaitEvent(cuda->work, cuda->arrived, 0));
    PM_TRY(pm_clear(cuda, a.sums, PM_SHIFTS * sizeof(pm_u64), status));
    PM_TRY(pm_launch(cuda, pm_k_total, &a, status));
    PM_TRY(pm_launch(cuda, pm_k_luma, &a, status));
    PM_TRY(pm_launch(cuda, pm_k_columns, &a, status));
    PM_TRY(pm_launch(cuda, pm_k_borders, &a, status));
    PM_TRY(pm_begin_span(cuda, &cuda->fft_span, cuda->work, status));
    PM_FFT(cuda, cufftExecR2C(cuda->forward.handle, a.real, (cufftComplex *)cuda->spectrum[which]));
    PM_TRY(pm_end_span(cuda, &cuda->fft_span, cuda->work, status));
    PM_TRY(pm_fetch(cuda, total, a.sums, sizeof *total, status));
    cuda->reduced[which] = true;
    return PM_CUDA_OK;
}

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
    PM_TRY(ready(cuda, true, true, status));
    a.spectrum = cuda->spectrum[PM_CUDA_TARGET];
    a.spectrum_gt = cuda->spectrum[PM_CUDA_GT];
    a.border_sum = cuda->border_sum[PM_CUDA_TARGET];
    a.border_square = cuda->border_square[PM_CUDA_TARGET];
    a.border_sum_gt = cuda->border_sum[PM_CUDA_GT];
    a.border_square_gt = cuda->border_square[PM_CUDA_GT];
    PM_TRY(pm_clear(cuda, a.count, sizeof(unsigned), status));
    PM_TRY(pm_launch(cuda, pm_k_cross, &a, status));
    PM_TRY(pm_begin_span(cuda, &cuda->fft_span, cuda->work, status));
    PM_FFT(cuda, cufftExecC2R(cuda->backward.handle, (cufftComplex *)a.spectrum, a.real));
    PM_TRY(pm_end_span(cuda, &cuda->fft_span, cuda->work, status));
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
    PM_TRY(ready(cuda, true, true, status));
    use_pair(cuda, &a);
    a.l1 = *l1;
    PM_TRY(pm_clear(cuda, a.sums, sizeof l1->sum, status));
    PM_TRY(pm_launch(cuda, pm_k_l1, &a, status));
    return pm_fetch(cuda, l1->sum, a.sums, sizeof l1->sum, status);
}

static int loss(struct pm_cuda *cuda, struct pm_cuda_rows *rows, struct pm_cuda_status *status)
{
    struct pm_kargs a = cuda->args;
    PM_TRY(ready(cuda, true, true, status));
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
    PM_TRY(ready(cuda, true, true, status));
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
    PM_TRY(ready(cuda, true, true, status));
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
    PM_TRY(ready(cuda, true, true, status));
    use_mask(cuda, &a, mask);
    PM_TRY(pm_clear(cuda, a.count, sizeof(unsigned), status));
    PM_TRY(pm_launch(cuda, pm_k_decide, &a, status));
    PM_TRY(fetch_list(cuda, &a, mask, status));
    return pm_fetch(cuda, mask->words, a.keep, mask_bytes(&a), status);
}

static int finish(struct pm_cuda *cuda, struct pm_cuda_mask *mask, struct pm_cuda_status *status)
{
    struct pm_kargs a = cuda->args;
    PM_TRY(ready(cuda, true, true, status));
    use_mask(cuda, &a, mask);
    if (mask->list_count > 0) { /* else the device has the same words */
        PM_TRY(pm_send(cuda, a.keep, mask->words, mask_bytes(&a), status));
        PM_TRY(pm_begin_span(cuda, &cuda->work_span, cuda->work, status));
    }
    PM_TRY(pm_launch(cuda, pm_k_erode, &a, status));
    PM_TRY(pm_launch(cuda, pm_k_dilate, &a, status));
    return pm_fetch(cuda, mask->words, a.keep, mask_bytes(&a), status);
}

static void times(struct pm_cuda *cuda, struct pm_cuda_times *times)
{
    *times = cuda->times;
    cuda->times = {};
}

static const struct pm_cuda_api api = {
    PM_CUDA_ABI,
    (uint32_t)sizeof(struct pm_cuda_api),
    open_cuda,
    close_cuda,
    begin,
    trim,
    upload,
    reduce,
    search,
    l1,
    loss,
    bounds,
    gather,
    decide,
    finish,
    times,
};

extern "C" const struct pm_cuda_api *pm_cuda_plugin(void)
{
    return &api;
}
