/*
 * pm_device: what the stages in pm_cuda.cu stand on: the context's state, telling errors apart,
 * waiting with a deadline, memory, copies through pinned buffers. Included by pm_cuda.cu only.
 */
#ifndef PM_WORKER_GPU_PM_DEVICE_CUH
#define PM_WORKER_GPU_PM_DEVICE_CUH

#include <cuda_runtime.h>
#include <cufft.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pm_kernels.cuh"

#define PM_POLL_SPINS 2000   /* looks at the device before the first sleep between two */
#define PM_POLL_NS 50000     /* of sleep between two looks */
#define PM_RESERVE_SHARE 16  /* of the device's memory is left to others when nothing limits it */
#define PM_BUFFERS 24

/* A stretch of device time. */
struct pm_span {
    cudaEvent_t from, to;
    double *ms;  /* where it is added */
    bool open, closed;
};

/* Host memory the device may read by itself. */
struct pm_pin {
    unsigned char *data;
    size_t bytes;
};

struct pm_plan {
    cufftHandle handle;
    bool made;
};

struct pm_cuda {
    struct pm_cuda_opts opts;
    int processors;
    bool dead, hung; /* for good */
    cudaStream_t work, copy;
    cudaEvent_t done, arrived;
    struct pm_pin pins[PM_CUDA_PINS]; /* the caller's */
    int pin_count;
    size_t chunk; /* bytes copied to the device at a time */
    /* pinned[0 .. CHUNKS) are the ring of uploads, a chunk each; the last one is for results */
    unsigned char *pinned[PM_CUDA_CHUNKS + 1];
    cudaEvent_t sent[PM_CUDA_CHUNKS];
    bool in_use[PM_CUDA_CHUNKS];
    int next;
    struct pm_span upload_span[2], fft_span[2], work_span; /* of two images under way */
    struct pm_cuda_times times;

    struct pm_cuda_shape shape;
    bool begun;
    struct pm_kargs args; /* what all launches of this shape share */
    unsigned char *pixels[2];
    bool complete[2], reduced[2];
    int rows[2]; /* uploaded so far */
    float2 *spectrum[2];
    double *border_sum[2], *border_square[2];
    uint32_t list_room;
    struct pm_plan forward, backward;
    void *work_area;
    void **buffers[PM_BUFFERS]; /* every device pointer above, in order of allocation */
    int buffer_count;
    uint64_t held_bytes;
};

#define PM_TRY(call)                                                                               \
    do {                                                                                           \
        int pm_try_code = (call);                                                                  \
        if (pm_try_code != PM_CUDA_OK) {                                                           \
            return pm_try_code;                                                                    \
        }                                                                                          \
    } while (0)
#define PM_RT(cuda, call) PM_TRY(pm_check(cuda, status, call, #call))
#define PM_FFT(cuda, call) PM_TRY(pm_check_fft(cuda, status, call, #call))

__attribute__((format(printf, 3, 4))) static int pm_say(
    struct pm_cuda_status *status, int code, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(status->text, sizeof status->text, fmt, args);
    va_end(args);
    return status->code = code;
}

/* "cudaMalloc" of "cudaMalloc(&p, n)". */
static int pm_name_length(const char *call)
{
    return (int)strcspn(call, "(");
}

/* After 700, 718, 719 and their like every further call says the same, and only a new process
 * mends it (CUDA's manual). So whether the context lives is asked of the context, not looked up in
 * a list that the next driver may outgrow. */
static bool pm_is_lost(struct pm_cuda *cuda)
{
    cudaError_t e;
    cudaGetLastError();
    e = cudaStreamQuery(cuda->work);
    return e != cudaSuccess && e != cudaErrorNotReady;
}

static int pm_check(
    struct pm_cuda *cuda, struct pm_cuda_status *status, cudaError_t e, const char *call)
{
    int code = PM_CUDA_FAILED;
    if (e == cudaSuccess) {
        return PM_CUDA_OK;
    }
    if (pm_is_lost(cuda)) {
        cuda->dead = true;
        code = PM_CUDA_DEAD;
    } else if (e == cudaErrorMemoryAllocation) {
        code = PM_CUDA_NOMEM;
    }
    return pm_say(status, code, "%.*s: %s (%d)", pm_name_length(call), call, cudaGetErrorString(e),
        (int)e);
}

static int pm_check_fft(
    struct pm_cuda *cuda, struct pm_cuda_status *status, cufftResult r, const char *call)
{
    int code = r == CUFFT_ALLOC_FAILED ? PM_CUDA_NOMEM : PM_CUDA_FAILED;
    if (r == CUFFT_SUCCESS) {
        return PM_CUDA_OK;
    }
    if (pm_is_lost(cuda)) {
        cuda->dead = true;
        code = PM_CUDA_DEAD;
    }
    return pm_say(status, code, "%.*s: cuFFT error %d", pm_name_length(call), call, (int)r);
}

static double pm_now_ms(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* cudaEventSynchronize() without its way of never coming back. */
static int pm_wait_event(
    struct pm_cuda *cuda, cudaEvent_t event, struct pm_cuda_status *status)
{
    double until = pm_now_ms() + cuda->opts.deadline_ms;
    for (int looks = 0;; looks++) {
        cudaError_t e = cudaEventQuery(event);
        if (e != cudaErrorNotReady) {
            return pm_check(cuda, status, e, "cudaEventQuery(");
        }
        if (looks > PM_POLL_SPINS) {
            const struct timespec nap = {0, PM_POLL_NS};
            nanosleep(&nap, NULL);
        }
        if (pm_now_ms() > until) {
            cuda->dead = cuda->hung = true;
            return pm_say(status, PM_CUDA_DEAD, "the device has not answered for %u ms",
                cuda->opts.deadline_ms);
        }
    }
}

static int pm_begin_span(struct pm_cuda *cuda, struct pm_span *span, cudaStream_t stream,
    struct pm_cuda_status *status)
{
    span->open = span->closed = false;
    PM_RT(cuda, cudaEventRecord(span->from, stream));
    span->open = true;
    return PM_CUDA_OK;
}

static int pm_end_span(struct pm_cuda *cuda, struct pm_span *span, cudaStream_t stream,
    struct pm_cuda_status *status)
{
    if (!span->open) {
        return PM_CUDA_OK;
    }
    PM_RT(cuda, cudaEventRecord(span->to, stream));
    span->open = false;
    span->closed = true;
    return PM_CUDA_OK;
}

static int pm_add_span(struct pm_cuda *cuda, struct pm_span *span, struct pm_cuda_status *status)
{
    float ms = 0;
    if (!span->closed) {
        return PM_CUDA_OK;
    }
    span->closed = false;
    PM_RT(cuda, cudaEventElapsedTime(&ms, span->from, span->to));
    *span->ms += (double)ms;
    return PM_CUDA_OK;
}

/* Work begins, unless it goes on. */
static int pm_begin_work(struct pm_cuda *cuda, struct pm_cuda_status *status)
{
    return cuda->work_span.open ? (int)PM_CUDA_OK
                                : pm_begin_span(cuda, &cuda->work_span, cuda->work, status);
}

/* Everything put on the work stream is done after this, and so is what that waited for, or an error
 * is told. */
static int pm_settle(struct pm_cuda *cuda, struct pm_cuda_status *status)
{
    PM_TRY(pm_end_span(cuda, &cuda->work_span, cuda->work, status));
    PM_RT(cuda, cudaEventRecord(cuda->done, cuda->work));
    PM_TRY(pm_wait_event(cuda, cuda->done, status));
    PM_TRY(pm_add_span(cuda, &cuda->work_span, status));
    for (int i = 0; i < 2; i++) {
        PM_TRY(pm_add_span(cuda, &cuda->fft_span[i], status));
        PM_TRY(pm_add_span(cuda, &cuda->upload_span[i], status));
    }
    return PM_CUDA_OK;
}

/* Nothing reads the host's memory after this. */
static int pm_settle_copies(struct pm_cuda *cuda, struct pm_cuda_status *status)
{
    PM_RT(cuda, cudaEventRecord(cuda->done, cuda->copy));
    return pm_wait_event(cuda, cuda->done, status);
}

/* ---- copies of results; the host's side of an asynchronous copy must be pinned ---- */

static int pm_fetch(struct pm_cuda *cuda, void *to, const void *from, size_t bytes,
    struct pm_cuda_status *status)
{
    unsigned char *through = cuda->pinned[PM_CUDA_CHUNKS];
    for (size_t at = 0; at < bytes; at += PM_CUDA_CHUNK) {
        size_t n = bytes - at < PM_CUDA_CHUNK ? bytes - at : PM_CUDA_CHUNK;
        PM_RT(cuda, cudaMemcpyAsync(through, (const unsigned char *)from + at, n,
                        cudaMemcpyDeviceToHost, cuda->work));
        PM_TRY(pm_settle(cuda, status));
        memcpy((unsigned char *)to + at, through, n);
    }
    return PM_CUDA_OK;
}

static int pm_send(struct pm_cuda *cuda, void *to, const void *from, size_t bytes,
    struct pm_cuda_status *status)
{
    unsigned char *through = cuda->pinned[PM_CUDA_CHUNKS];
    for (size_t at = 0; at < bytes; at += PM_CUDA_CHUNK) {
        size_t n = bytes - at < PM_CUDA_CHUNK ? bytes - at : PM_CUDA_CHUNK;
        memcpy(through, (const unsigned char *)from + at, n);
        PM_RT(cuda, cudaMemcpyAsync((unsigned char *)to + at, through, n, cudaMemcpyHostToDevice,
                        cuda->work));
        PM_TRY(pm_settle(cuda, status));
    }
    return PM_CUDA_OK;
}

static int pm_clear(
    struct pm_cuda *cuda, void *what, size_t bytes, struct pm_cuda_status *status)
{
    PM_RT(cuda, cudaMemsetAsync(what, 0, bytes, cuda->work));
    return PM_CUDA_OK;
}

/* As many blocks as keep the device busy; the kernels loop over the rest. */
static int pm_launch(struct pm_cuda *cuda, void (*kernel)(const struct pm_kargs),
    const struct pm_kargs *args, struct pm_cuda_status *status)
{
    struct pm_kargs copy = *args;
    void *list[] = {&copy};
    cudaLaunchConfig_t config = {};
    config.gridDim.x = (unsigned)(cuda->processors * 8);
    config.blockDim.x = PM_THREADS;
    config.dynamicSmemBytes = PM_THREADS * sizeof(pm_u64);
    config.stream = cuda->work;
    PM_RT(cuda, cudaLaunchKernelExC(&config, (const void *)kernel, list));
    return PM_CUDA_OK;
}

/* ---- memory ---- */

static void pm_release_plan(struct pm_plan *plan)
{
    if (plan->made) {
        cufftDestroy(plan->handle);
        plan->made = false;
    }
}

/* In any state, also a dead one: every release is tried, the answers are of no use. */
static void pm_release(struct pm_cuda *cuda)
{
    pm_release_plan(&cuda->forward);
    pm_release_plan(&cuda->backward);
    while (cuda->buffer_count > 0) {
        void **buffer = cuda->buffers[--cuda->buffer_count];
        cudaFree(*buffer);
        *buffer = NULL;
    }
    cuda->held_bytes = 0;
    cuda->begun = false;
    cuda->complete[0] = cuda->complete[1] = cuda->reduced[0] = cuda->reduced[1] = false;
    cuda->rows[0] = cuda->rows[1] = 0;
    cudaGetLastError();
}

static int pm_take(
    struct pm_cuda *cuda, void **buffer, uint64_t bytes, struct pm_cuda_status *status)
{
    if (cuda->buffer_count == PM_BUFFERS) {
        return pm_say(status, PM_CUDA_FAILED, "too many buffers");
    }
    PM_RT(cuda, cudaMalloc(buffer, (size_t)bytes));
    cuda->buffers[cuda->buffer_count++] = buffer;
    cuda->held_bytes += bytes;
    return PM_CUDA_OK;
}

static int pm_take_pinned(struct pm_cuda *cuda, struct pm_cuda_status *status)
{
    for (int i = 0; i <= PM_CUDA_CHUNKS; i++) {
        size_t bytes = i < PM_CUDA_CHUNKS ? cuda->chunk : PM_CUDA_CHUNK;
        if (cuda->pinned[i] == NULL) {
            PM_RT(cuda, cudaHostAlloc((void **)&cuda->pinned[i], bytes, cudaHostAllocDefault));
        }
    }
    return PM_CUDA_OK;
}

/* As pm_release(); no copy may be under way. */
static void pm_release_pinned(struct pm_cuda *cuda)
{
    for (int i = 0; i <= PM_CUDA_CHUNKS; i++) {
        if (cuda->pinned[i] != NULL) {
            cudaFreeHost(cuda->pinned[i]);
            cuda->pinned[i] = NULL;
        }
    }
    for (int i = 0; i < PM_CUDA_CHUNKS; i++) {
        cuda->in_use[i] = false;
    }
    cudaGetLastError();
}

/* What may be held in all, other programs' memory left alone. */
static int pm_allowance(struct pm_cuda *cuda, uint64_t *bytes, struct pm_cuda_status *status)
{
    size_t free_bytes = 0, total = 0;
    uint64_t reserve;
    PM_RT(cuda, cudaMemGetInfo(&free_bytes, &total));
    reserve = total / PM_RESERVE_SHARE;
    *bytes = cuda->held_bytes + (free_bytes > reserve ? free_bytes - reserve : 0);
    if (cuda->opts.memory_max != 0 && cuda->opts.memory_max < *bytes) {
        *bytes = cuda->opts.memory_max;
    }
    return PM_CUDA_OK;
}

/* ---- what a call may rely on ---- */

static int pm_refuse_dead(const struct pm_cuda *cuda, struct pm_cuda_status *status)
{
    status->text[0] = '\0';
    status->code = PM_CUDA_OK;
    return cuda->dead ? pm_say(status, PM_CUDA_DEAD, "the device was given up") : PM_CUDA_OK;
}

/* Every stage begins here. */
static int pm_ready(struct pm_cuda *cuda, bool gt, bool target, struct pm_cuda_status *status)
{
    PM_TRY(pm_refuse_dead(cuda, status));
    if (!cuda->begun || (gt && !cuda->reduced[PM_CUDA_GT]) ||
        (target && !cuda->reduced[PM_CUDA_TARGET])) {
        return pm_say(status, PM_CUDA_FAILED, "a stage was asked for out of order");
    }
    return pm_begin_work(cuda, status);
}

#endif
