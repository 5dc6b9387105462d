/*
 * A test double of the part of the CUDA runtime that pairmill's plugin uses: the same signatures,
 * for a host compiler. fake_abi.cc holds them against NVIDIA's headers where those are installed.
 * What it does beyond running the kernels: fakecuda.h.
 */
#ifndef PM_TESTS_FAKECUDA_CUDA_RUNTIME_H
#define PM_TESTS_FAKECUDA_CUDA_RUNTIME_H

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define __global__
#define __device__
#define __shared__ __thread /* one array a block; see fake_run.cc */
#define __launch_bounds__(...)
#define CUDARTAPI

struct uint3 {
    unsigned int x, y, z;
};
struct dim3 {
    unsigned int x = 1, y = 1, z = 1;
};
struct float2 {
    float x, y;
};

/* Asked each time, since the reading thread is another fiber each time; never seen by TSan. The
 * kernels use the first dimension only. */
unsigned fake_thread_index();
unsigned fake_block_index();
unsigned fake_block_size();
unsigned fake_grid_size();
void fake_barrier(int line);
template <unsigned (*ask)()> struct fake_index {
    struct {
        operator unsigned() const
        {
            return ask();
        }
    } x;
};
static const fake_index<fake_thread_index> threadIdx = {};
static const fake_index<fake_block_index> blockIdx = {};
static const fake_index<fake_block_size> blockDim = {};
static const fake_index<fake_grid_size> gridDim = {};
#define __syncthreads() fake_barrier(__LINE__)

/* ---- device functions; rounding is to nearest, and the compiler may not contract ---- */

static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline double __dmul_rn(double a, double b) { return a * b; }
static inline double __dadd_rn(double a, double b) { return a + b; }
static inline double __dsub_rn(double a, double b) { return a - b; }
static inline int __float2int_rn(float v) { return (int)lrintf(v); }
static inline int __float_as_int(float v)
{
    int bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}
static inline unsigned __float_as_uint(float v)
{
    unsigned bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}
static inline float __uint_as_float(unsigned bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}
static inline unsigned atomicAdd(unsigned *at, unsigned v)
{
    return __atomic_fetch_add(at, v, __ATOMIC_RELAXED);
}
static inline unsigned long long atomicAdd(unsigned long long *at, unsigned long long v)
{
    return __atomic_fetch_add(at, v, __ATOMIC_RELAXED);
}

/* ---- host functions ---- */

enum cudaError {
    cudaSuccess = 0,
    cudaErrorInvalidValue = 1,
    cudaErrorMemoryAllocation = 2,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice = 101,
    cudaErrorNotReady = 600,
    cudaErrorIllegalAddress = 700,
    cudaErrorLaunchFailure = 719,
};
typedef enum cudaError cudaError_t;
enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2 };
enum cudaDeviceAttr {
    cudaDevAttrMultiProcessorCount = 16,
    cudaDevAttrComputeCapabilityMajor = 75,
    cudaDevAttrComputeCapabilityMinor = 76,
};
#define cudaEventDefault 0x00
#define cudaEventDisableTiming 0x02
#define cudaStreamNonBlocking 0x01
#define cudaHostAllocDefault 0x00
#define cudaHostRegisterDefault 0x00

typedef struct CUstream_st *cudaStream_t;
typedef struct CUevent_st *cudaEvent_t;
typedef struct cudaLaunchAttribute_st cudaLaunchAttribute;
struct cudaDeviceProp {
    char name[256];
    char rest[1008 - 256]; /* the size is NVIDIA's: a plugin built by nvcc may run on this double */
};
typedef struct cudaLaunchConfig_st {
    dim3 gridDim;
    dim3 blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
    cudaLaunchAttribute *attrs;
    unsigned int numAttrs;
} cudaLaunchConfig_t;

extern "C" {
cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *prop, int device);
cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attr, int device);
cudaError_t cudaDriverGetVersion(int *version);
cudaError_t cudaRuntimeGetVersion(int *version);
cudaError_t cudaMemGetInfo(size_t *free, size_t *total);
cudaError_t cudaMalloc(void **ptr, size_t size);
cudaError_t cudaFree(void *ptr);
cudaError_t cudaHostAlloc(void **ptr, size_t size, unsigned int flags);
cudaError_t cudaFreeHost(void *ptr);
cudaError_t cudaHostRegister(void *ptr, size_t size, unsigned int flags);
cudaError_t cudaHostUnregister(void *ptr);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned int flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamQuery(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned int flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaEventQuery(cudaEvent_t event);
cudaError_t cudaEventElapsedTime(float *ms, cudaEvent_t start, cudaEvent_t end);
cudaError_t cudaMemcpyAsync(
    void *dst, const void *src, size_t count, enum cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *ptr, int value, size_t count, cudaStream_t stream);
cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t *config, const void *func, void **args);
cudaError_t cudaGetLastError(void);
const char *cudaGetErrorString(cudaError_t error);
}

#endif
