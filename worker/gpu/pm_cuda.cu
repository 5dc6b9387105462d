/* pm_cuda: the host side of the CUDA plugin: opening, closing and its table; pm_cuda.h says what it
 * does and in which order. pm_shape.cuh makes room, pm_bring.cuh brings images, pm_stages.cuh
 * computes, all on pm_device.cuh. The same text is compiled by nvcc and, for the tests, by a host
 * compiler against tests/fakecuda. */
#include "pm_cuda.h"

#include "pm_shape.cuh"
#include "pm_bring.cuh"
#include "pm_stages.cuh"

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
    PM_TRY(make_span(cuda, &cuda->work_span, &cuda->times.kernel_ms, status));
    for (int i = 0; i < 2; i++) {
        PM_TRY(make_span(cuda, &cuda->upload_span[i], &cuda->times.upload_ms, status));
        PM_TRY(make_span(cuda, &cuda->fft_span[i], &cuda->times.fft_ms, status));
    }
    for (int i = 0; i < PM_CUDA_CHUNKS; i++) {
        PM_RT(cuda, cudaEventCreateWithFlags(&cuda->sent[i], cudaEventDisableTiming));
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
    struct pm_span *spans[] = {&cuda->upload_span[0], &cuda->upload_span[1], &cuda->fft_span[0],
        &cuda->fft_span[1], &cuda->work_span};
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

static void drop_pins(struct pm_cuda *cuda)
{
    while (cuda->pin_count > 0) {
        cudaHostUnregister(cuda->pins[--cuda->pin_count].data);
    }
}

/* What a hung device still uses must stay, pinned buffers too; the process ends soon. */
static void close_cuda(struct pm_cuda *cuda)
{
    struct pm_cuda_status ignored;
    if (cuda == NULL) {
        return;
    }
    if (!cuda->dead && cuda->work != NULL && cuda->copy != NULL) {
        (void)pm_settle_copies(cuda, &ignored); /* of a pair given up half-way */
    }
    if (!cuda->hung) {
        pm_release(cuda);
        pm_release_pinned(cuda);
        drop_pins(cuda);
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
    cuda->chunk = opts->chunk_bytes != 0 ? opts->chunk_bytes : PM_CUDA_CHUNK;
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
    pin,
    unpin,
    upload,
    reduce,
    total,
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
