#include "cuda_runtime.h"

#include <fftw3.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "cufft.h"
#include "fake_run.h"
#include "fakecuda.h"

#define PROCESSORS 1   /* so that grids are small: 8 blocks */
#define BUSY_ANSWERS 2 /* a lazy stream says "not ready" so often before it gets on */

struct CUevent_st {
    CUstream_st *stream;
    long recorded, done; /* numbers of records */
    int busy;
};

struct op {
    std::function<void()> run;
    CUevent_st *after; /* it waits for this record of this event; NULL: for nothing */
    long record;
};

struct CUstream_st {
    long number; /* of creation */
    std::deque<op> queue;
    bool draining;
};

namespace
{

struct plan {
    fftwf_plan fftw;
    cufftType type;
    int nx, ny;
    bool automatic;
    size_t work_bytes;
    void *work;
    CUstream_st *stream;
};

struct state {
    int order; /* enum fake_order */
    bool hang;
    uint64_t random;
    int devices, device_error;
    size_t memory, pinnable;
    std::map<void *, size_t> device, pinned, registered;
    std::set<CUstream_st *> streams;
    std::set<CUevent_st *> events;
    std::map<int, plan *> plans;
    int next_plan;
    long next_stream;
    std::vector<const char *> calls;
    long fail_at;
    int fail_mode;
    std::string fail_name;
    cudaError_t sticky, last;
    bool poison_next; /* the next thing put on a stream fails when it runs */
    long violations, launches, done;
    std::string violation;
    std::map<const void *, std::string> names; /* host stubs of an nvcc-built plugin */
};

state &g = *new state(); /* what a hanging device holds is still there when the last test ends */

/* ---- streams ---- */

/* What the first thing on a stream waits for. */
bool blocked(const CUstream_st *stream)
{
    const op &first = stream->queue.front();
    return g.sticky == cudaSuccess && first.after != NULL && first.after->done < first.record;
}

void step(CUstream_st *stream)
{
    op first = std::move(stream->queue.front());
    stream->queue.pop_front();
    if (g.sticky == cudaSuccess) { /* a lost context runs nothing any more */
        first.run();
        g.done++;
    }
}

/* Runs one thing on this stream, or, when that must wait, one on the stream it waits for. */
void advance(CUstream_st *stream)
{
    while (blocked(stream)) {
        CUstream_st *other = stream->queue.front().after->stream;
        if (other == stream || other->queue.empty()) {
            fake_violate("a stream waits for what nobody will do");
            break;
        }
        stream = other;
    }
    step(stream);
}

void drain(CUstream_st *stream)
{
    while (!stream->queue.empty() && !g.hang) {
        advance(stream);
    }
}

uint64_t random_below(uint64_t n)
{
    g.random ^= g.random << 13;
    g.random ^= g.random >> 7;
    g.random ^= g.random << 17;
    return g.random % n;
}

/* The device gets on by itself, now on this stream, now on that. */
void run_some()
{
    std::vector<CUstream_st *> all(g.streams.begin(), g.streams.end());
    if (g.order != FAKE_ANY || g.hang || all.empty()) {
        return;
    }
    std::sort(all.begin(), all.end(), [](auto a, auto b) { return a->number < b->number; });
    for (uint64_t n = random_below(4); n > 0; n--) {
        CUstream_st *stream = all[random_below(all.size())];
        if (!stream->queue.empty() && !blocked(stream)) {
            step(stream);
        }
    }
}

/* ---- errors ---- */

cudaError_t say(cudaError_t e)
{
    if (e != cudaSuccess && e != cudaErrorNotReady) {
        g.last = e;
    }
    return e;
}

/* For a daemon, which no test can reach into: the device is lost once a file of this name is there. */
bool lost_by_file()
{
    static const char *const path = getenv("FAKE_CUDA_LOST");
    return path != NULL && access(path, F_OK) == 0;
}

/* Every call begins here. */
cudaError_t enter(const char *name, cudaError_t once)
{
    g.calls.push_back(name);
    run_some();
    if (g.sticky == cudaSuccess && lost_by_file()) {
        g.sticky = cudaErrorIllegalAddress;
    }
    if (g.sticky != cudaSuccess) {
        return say(g.sticky);
    }
    bool now = (long)g.calls.size() == g.fail_at || g.fail_name == name;
    if (!now) {
        return cudaSuccess;
    }
    g.fail_name.clear();
    switch (g.fail_mode) {
    case FAKE_ONCE:
        return say(once);
    case FAKE_STICKY:
        g.sticky = cudaErrorIllegalAddress;
        return say(g.sticky);
    default:
        g.poison_next = true;
        return cudaSuccess;
    }
}

#define ENTER()                                                                                    \
    do {                                                                                           \
        cudaError_t entered = enter(__func__, cudaErrorInvalidValue);                              \
        if (entered != cudaSuccess) {                                                              \
            return entered;                                                                        \
        }                                                                                          \
    } while (0)

void drain_all()
{
    for (CUstream_st *stream : g.streams) {
        drain(stream);
    }
}

void put(CUstream_st *stream, std::function<void()> run, CUevent_st *after = NULL, long record = 0)
{
    if (g.streams.count(stream) == 0) {
        fake_violate("%s: a stream that does not exist", g.calls.back());
        return;
    }
    if (g.poison_next) {
        g.poison_next = false;
        run = []() { g.sticky = cudaErrorLaunchFailure; };
    }
    stream->queue.push_back(op{std::move(run), after, record});
    if (g.order == FAKE_EAGER) {
        drain(stream);
    }
}

bool inside(const std::map<void *, size_t> &memory, const void *at, size_t bytes)
{
    const char *p = (const char *)at;
    for (const auto &m : memory) {
        const char *from = (const char *)m.first;
        if (p >= from && p + bytes <= from + m.second) {
            return true;
        }
    }
    return false;
}

void need(bool ok, const char *what)
{
    if (!ok) {
        fake_violate("%s: %s", g.calls.back(), what);
    }
}

size_t sum_of(const std::map<void *, size_t> &memory)
{
    size_t all = 0;
    for (const auto &m : memory) {
        all += m.second;
    }
    return all;
}

} // namespace

void fake_violate(const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (g.violations++ == 0) {
        g.violation = text;
    }
}

extern "C" {

/* ---- devices ---- */

cudaError_t cudaGetDeviceCount(int *count)
{
    ENTER();
    if (g.device_error != 0) {
        return say((cudaError_t)g.device_error); /* and count is not written */
    }
    *count = g.devices;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device)
{
    ENTER();
    return device >= 0 && device < g.devices ? cudaSuccess : say(cudaErrorInvalidDevice);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *prop, int device)
{
    ENTER();
    (void)device;
    memset((void *)prop, 0xFF, sizeof *prop);
    strcpy(prop->name, "Fake GPU");
    return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attr, int device)
{
    ENTER();
    (void)device;
    *value = attr == cudaDevAttrMultiProcessorCount     ? PROCESSORS
             : attr == cudaDevAttrComputeCapabilityMajor ? 7
                                                         : 5;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    ENTER();
    *version = 13000;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    ENTER();
    *version = 13000;
    return cudaSuccess;
}

/* ---- memory ---- */

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    ENTER();
    *total = g.memory;
    *free_bytes = g.memory - sum_of(g.device);
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **ptr, size_t size)
{
    cudaError_t entered = enter(__func__, cudaErrorMemoryAllocation);
    if (entered != cudaSuccess) {
        return entered;
    }
    if (sum_of(g.device) + size > g.memory || size == 0) {
        return say(size == 0 ? cudaErrorInvalidValue : cudaErrorMemoryAllocation);
    }
    *ptr = malloc(size);
    memset(*ptr, 0xFF, size);
    g.device[*ptr] = size;
    return cudaSuccess;
}

cudaError_t cudaFree(void *ptr)
{
    cudaError_t e = enter(__func__, cudaErrorInvalidValue);
    if (ptr == NULL) {
        return e;
    }
    drain_all();
    need(g.device.erase(ptr) == 1, "not device memory");
    free(ptr);
    return e != cudaSuccess ? e : say(g.sticky);
}

cudaError_t cudaHostAlloc(void **ptr, size_t size, unsigned int flags)
{
    cudaError_t entered = enter(__func__, cudaErrorMemoryAllocation);
    (void)flags;
    if (entered != cudaSuccess) {
        return entered;
    }
    *ptr = malloc(size);
    memset(*ptr, 0xFF, size);
    g.pinned[*ptr] = size;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *ptr)
{
    cudaError_t e = enter(__func__, cudaErrorInvalidValue);
    drain_all();
    need(g.pinned.erase(ptr) == 1, "not pinned memory");
    free(ptr);
    return e != cudaSuccess ? e : say(g.sticky);
}

cudaError_t cudaHostRegister(void *ptr, size_t size, unsigned int flags)
{
    cudaError_t entered = enter(__func__, cudaErrorMemoryAllocation);
    const uintptr_t page = 4096, from = (uintptr_t)ptr;
    (void)flags;
    if (entered != cudaSuccess) {
        return entered;
    }
    need(from % page == 0, "memory that begins within a page");
    for (const auto &m : g.registered) {
        uintptr_t other = (uintptr_t)m.first;
        need(from + size <= other / page * page || from >= other + m.second,
            "memory that is registered already");
    }
    if (sum_of(g.registered) + size > g.pinnable) {
        return say(cudaErrorMemoryAllocation);
    }
    g.registered[ptr] = size;
    return cudaSuccess;
}

cudaError_t cudaHostUnregister(void *ptr)
{
    cudaError_t e = enter(__func__, cudaErrorInvalidValue);
    need(g.registered.erase(ptr) == 1, "not registered memory");
    return e != cudaSuccess ? e : say(g.sticky);
}

static bool is_pinned(const void *at, size_t bytes)
{
    return inside(g.pinned, at, bytes) || inside(g.registered, at, bytes);
}

static void copy(void *dst, const void *src, size_t count, enum cudaMemcpyKind kind)
{
    bool up = kind == cudaMemcpyHostToDevice;
    bool ok = is_pinned(up ? src : dst, count) && inside(g.device, up ? dst : src, count);
    need(ok, "a copy outside live device memory or pinned host memory");
    if (ok) {
        memcpy(dst, src, count);
    }
}

cudaError_t cudaMemcpyAsync(
    void *dst, const void *src, size_t count, enum cudaMemcpyKind kind, cudaStream_t stream)
{
    ENTER();
    put(stream, [=]() { copy(dst, src, count, kind); });
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *ptr, int value, size_t count, cudaStream_t stream)
{
    ENTER();
    put(stream, [=]() {
        need(inside(g.device, ptr, count), "memset outside device memory");
        if (inside(g.device, ptr, count)) {
            memset(ptr, value, count);
        }
    });
    return cudaSuccess;
}

/* ---- streams and events ---- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags)
{
    ENTER();
    (void)flags;
    *stream = new CUstream_st();
    (*stream)->number = ++g.next_stream;
    g.streams.insert(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    cudaError_t e = enter(__func__, cudaErrorInvalidValue);
    drain(stream);
    need(g.streams.erase(stream) == 1, "no such stream");
    delete stream;
    return e;
}

cudaError_t cudaStreamQuery(cudaStream_t stream)
{
    ENTER();
    if (stream == NULL) { /* the default stream: nothing is ever put on it */
        return cudaSuccess;
    }
    need(g.streams.count(stream) == 1, "no such stream");
    return stream->queue.empty() ? cudaSuccess : cudaErrorNotReady;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags)
{
    ENTER();
    (void)flags;
    need(g.events.count(event) == 1, "no such event");
    put(
        stream, []() {}, event, event->recorded);
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags)
{
    ENTER();
    (void)flags;
    *event = new CUevent_st();
    g.events.insert(*event);
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    cudaError_t e = enter(__func__, cudaErrorInvalidValue);
    drain_all();
    need(g.events.erase(event) == 1, "no such event");
    delete event;
    return e;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    ENTER();
    need(g.events.count(event) == 1, "no such event");
    long number = ++event->recorded;
    event->stream = stream;
    event->busy = BUSY_ANSWERS;
    put(stream, [=]() { event->done = number; });
    return cudaSuccess;
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    ENTER();
    need(g.events.count(event) == 1, "no such event");
    if (event->done < event->recorded && (event->busy-- > 0 || g.hang)) {
        return cudaErrorNotReady;
    }
    while (event->done < event->recorded && !event->stream->queue.empty()) {
        advance(event->stream);
    }
    return say(g.sticky);
}

cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end)
{
    ENTER();
    if (start->done == 0 || end->done < end->recorded) {
        return say(start->done == 0 ? cudaErrorInvalidValue : cudaErrorNotReady);
    }
    *ms = 0.25f;
    return cudaSuccess;
}

/* ---- kernels ---- */

extern "C" __attribute__((weak)) fake_kernel fake_kernel_of(const char *name);

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *func, void **args)
{
    ENTER();
    struct pm_kargs copy_of_args = *(const struct pm_kargs *)args[0];
    cudaLaunchConfig_t c = *config;
    fake_kernel kernel = (fake_kernel)func;
    if (g.names.count(func) == 1) {
        kernel = fake_kernel_of(g.names[func].c_str());
    }
    need(kernel != NULL && c.attrs == NULL && c.gridDim.y == 1 && c.blockDim.y == 1,
        "an odd launch");
    g.launches++;
    put(config->stream, [=]() {
        fake_run_kernel(kernel, &copy_of_args, c.gridDim.x, c.blockDim.x, c.dynamicSmemBytes);
    });
    return cudaSuccess;
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t e = g.sticky != cudaSuccess ? g.sticky : g.last;
    g.last = cudaSuccess;
    return e;
}

const char *cudaGetErrorString(cudaError_t error)
{
    return error == cudaErrorMemoryAllocation ? "out of memory" : "an error of the double's making";
}

/* ---- what nvcc's host code calls when the program starts ---- */

void **__cudaRegisterFatBinary(void *binary)
{
    static void *handle;
    (void)binary;
    return &handle;
}

void __cudaRegisterFatBinaryEnd(void **handle)
{
    (void)handle;
}

void __cudaUnregisterFatBinary(void **handle)
{
    (void)handle;
}

char __cudaInitModule(void **handle)
{
    (void)handle;
    return 1;
}

void __cudaRegisterFunction(void **handle, const char *host, char *device, const char *name,
    int limit, uint3 *tid, uint3 *bid, dim3 *block, dim3 *grid, int *size)
{
    (void)handle, (void)device, (void)limit, (void)tid, (void)bid, (void)block, (void)grid,
        (void)size;
    g.names[host] = name;
}

cudaError_t __cudaLaunchKernel(
    const void *kernel, dim3 grid, dim3 block, void **args, size_t shared, cudaStream_t stream)
{
    (void)kernel, (void)grid, (void)block, (void)args, (void)shared, (void)stream;
    fake_violate("a launch by <<<>>>");
    return cudaErrorInvalidValue;
}

cudaError_t __cudaPopCallConfiguration(dim3 *grid, dim3 *block, size_t *shared, void *stream)
{
    (void)grid, (void)block, (void)shared, (void)stream;
    fake_violate("a launch by <<<>>>");
    return cudaErrorInvalidValue;
}

cudaError_t __cudaGetKernel(void **kernel, const void *host)
{
    *kernel = (void *)host;
    return cudaSuccess;
}

/* ---- cuFFT ---- */

#define ENTER_FFT(handle)                                                                          \
    if (enter(__func__, cudaErrorInvalidValue) != cudaSuccess) {                                   \
        g.last = cudaSuccess; /* cuFFT tells its errors only by itself */                          \
        return g.sticky != cudaSuccess ? CUFFT_EXEC_FAILED : CUFFT_INTERNAL_ERROR;                 \
    }                                                                                              \
    need(g.plans.count(handle) == 1, "no such plan");                                              \
    plan *p = g.plans[handle]

cufftResult cufftCreate(cufftHandle *handle)
{
    if (enter(__func__, cudaErrorInvalidValue) != cudaSuccess) {
        return CUFFT_INTERNAL_ERROR;
    }
    *handle = ++g.next_plan;
    g.plans[*handle] = new plan();
    g.plans[*handle]->automatic = true;
    return CUFFT_SUCCESS;
}

cufftResult cufftDestroy(cufftHandle handle)
{
    cudaError_t e = enter(__func__, cudaErrorInvalidValue);
    drain_all();
    need(g.plans.count(handle) == 1, "no such plan");
    plan *p = g.plans[handle];
    if (p->fftw != NULL) {
        fftwf_destroy_plan(p->fftw);
    }
    delete p;
    g.plans.erase(handle);
    return e == cudaSuccess ? CUFFT_SUCCESS : CUFFT_INTERNAL_ERROR;
}

cufftResult cufftSetAutoAllocation(cufftHandle handle, int automatic)
{
    ENTER_FFT(handle);
    p->automatic = automatic != 0;
    return CUFFT_SUCCESS;
}

cufftResult cufftMakePlan2d(cufftHandle handle, int nx, int ny, cufftType type, size_t *work)
{
    ENTER_FFT(handle);
    need(!p->automatic, "the work area is to be shared");
    size_t n = (size_t)nx * (size_t)ny, m = (size_t)nx * (size_t)(ny / 2 + 1);
    float *real = fftwf_alloc_real(n);
    fftwf_complex *complex = fftwf_alloc_complex(m);
    p->type = type;
    p->nx = nx;
    p->ny = ny;
    p->fftw = type == CUFFT_R2C
                  ? fftwf_plan_dft_r2c_2d(nx, ny, real, complex, FFTW_ESTIMATE | FFTW_UNALIGNED)
                  : fftwf_plan_dft_c2r_2d(nx, ny, complex, real,
                        FFTW_ESTIMATE | FFTW_UNALIGNED | FFTW_DESTROY_INPUT);
    fftwf_free(real);
    fftwf_free(complex);
    *work = p->work_bytes = n * sizeof(float) / 2;
    return CUFFT_SUCCESS;
}

cufftResult cufftSetStream(cufftHandle handle, cudaStream_t stream)
{
    ENTER_FFT(handle);
    p->stream = stream;
    return CUFFT_SUCCESS;
}

cufftResult cufftSetWorkArea(cufftHandle handle, void *work)
{
    ENTER_FFT(handle);
    p->work = work;
    return CUFFT_SUCCESS;
}

static void transform(plan *p, float *real, float2 *complex)
{
    size_t n = (size_t)p->nx * (size_t)p->ny, m = (size_t)p->nx * (size_t)(p->ny / 2 + 1);
    bool ok = inside(g.device, real, n * sizeof(float)) &&
              inside(g.device, complex, m * sizeof(float2)) && p->work != NULL &&
              inside(g.device, p->work, p->work_bytes);
    need(ok, "a transform without its arrays or its work area");
    if (!ok) {
        return;
    }
    memset(p->work, 0xFF, p->work_bytes);
    if (p->type == CUFFT_R2C) {
        fftwf_execute_dft_r2c(p->fftw, real, (fftwf_complex *)complex);
    } else {
        fftwf_execute_dft_c2r(p->fftw, (fftwf_complex *)complex, real);
        memset(complex, 0xFF, m * sizeof(float2));
    }
}

cufftResult cufftExecR2C(cufftHandle handle, cufftReal *in, cufftComplex *out)
{
    ENTER_FFT(handle);
    need(p->type == CUFFT_R2C, "a plan of the other direction");
    g.launches++;
    put(p->stream, [=]() { transform(p, in, out); });
    return CUFFT_SUCCESS;
}

cufftResult cufftExecC2R(cufftHandle handle, cufftComplex *in, cufftReal *out)
{
    ENTER_FFT(handle);
    need(p->type == CUFFT_C2R, "a plan of the other direction");
    g.launches++;
    put(p->stream, [=]() { transform(p, out, in); });
    return CUFFT_SUCCESS;
}

} // extern "C"

/* ---- control ---- */

static void control_reset(uint64_t seed, int order)
{
    fake_seed(seed);
    g.random = seed * 0x9e3779b97f4a7c15u | 1;
    g.order = order;
    g.hang = false;
    g.devices = 1;
    g.device_error = 0;
    g.memory = g.pinnable = (size_t)1 << 30;
    g.calls.clear();
    g.fail_at = 0;
    g.fail_name.clear();
    g.sticky = g.last = cudaSuccess;
    g.poison_next = false;
    g.violations = g.launches = g.done = 0;
    g.violation.clear();
}

static const struct fake_control control = {
    control_reset,
    [](int count, int error) {
        g.devices = count;
        g.device_error = error;
    },
    [](size_t total) { g.memory = total; },
    [](size_t total) { g.pinnable = total; },
    [](long at, int mode) {
        g.fail_at = at;
        g.fail_mode = mode;
    },
    [](const char *name, int mode) {
        g.fail_name = name;
        g.fail_mode = mode;
    },
    [](int on) { g.hang = on != 0; },
    []() { return (long)g.calls.size(); },
    [](long at) { return at > 0 && at <= (long)g.calls.size() ? g.calls[(size_t)at - 1] : ""; },
    []() {
        return (long)(g.device.size() + g.pinned.size() + g.registered.size() + g.streams.size() +
                      g.events.size() + g.plans.size());
    },
    []() { return sum_of(g.device); },
    []() { return sum_of(g.pinned) + sum_of(g.registered); },
    []() { return g.violations; },
    []() { return g.violation.c_str(); },
    []() { return g.launches; },
    []() { return g.done; },
};

extern "C" const struct fake_control *fake_cuda(void)
{
    return &control;
}

/* A program that does not know it runs on a double finds it ready; after g, which is above. */
static const bool ready = (fftwf_make_planner_thread_safe(), control_reset(1, 0), true);
