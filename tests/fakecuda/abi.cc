/* The signatures and numbers of the double, compiled against it and, where a toolkit is installed,
 * against NVIDIA's headers: what holds for both keeps the double honest. Compiled, never run. */
#include <cuda_runtime.h>
#include <cufft.h>

#include <type_traits>

#define SAME(function, ...)                                                                        \
    static_assert(std::is_same<decltype(&function), __VA_ARGS__>::value, #function)

SAME(cudaGetDeviceCount, cudaError_t (*)(int *));
SAME(cudaSetDevice, cudaError_t (*)(int));
SAME(cudaGetDeviceProperties, cudaError_t (*)(cudaDeviceProp *, int));
SAME(cudaDeviceGetAttribute, cudaError_t (*)(int *, cudaDeviceAttr, int));
SAME(cudaDriverGetVersion, cudaError_t (*)(int *));
SAME(cudaRuntimeGetVersion, cudaError_t (*)(int *));
SAME(cudaMemGetInfo, cudaError_t (*)(size_t *, size_t *));
/* NVIDIA overloads these two for typed pointers. */
static_assert(std::is_same<decltype(static_cast<cudaError_t (*)(void **, size_t)>(&cudaMalloc)),
                  cudaError_t (*)(void **, size_t)>::value,
    "cudaMalloc");
static_assert(
    std::is_same<decltype(static_cast<cudaError_t (*)(void **, size_t, unsigned)>(&cudaHostAlloc)),
        cudaError_t (*)(void **, size_t, unsigned)>::value,
    "cudaHostAlloc");
SAME(cudaFree, cudaError_t (*)(void *));
SAME(cudaFreeHost, cudaError_t (*)(void *));
SAME(cudaHostRegister, cudaError_t (*)(void *, size_t, unsigned));
SAME(cudaHostUnregister, cudaError_t (*)(void *));
SAME(cudaStreamCreateWithFlags, cudaError_t (*)(cudaStream_t *, unsigned));
SAME(cudaStreamDestroy, cudaError_t (*)(cudaStream_t));
SAME(cudaStreamQuery, cudaError_t (*)(cudaStream_t));
SAME(cudaStreamWaitEvent, cudaError_t (*)(cudaStream_t, cudaEvent_t, unsigned));
SAME(cudaEventCreateWithFlags, cudaError_t (*)(cudaEvent_t *, unsigned));
SAME(cudaEventDestroy, cudaError_t (*)(cudaEvent_t));
SAME(cudaEventRecord, cudaError_t (*)(cudaEvent_t, cudaStream_t));
SAME(cudaEventQuery, cudaError_t (*)(cudaEvent_t));
SAME(cudaEventElapsedTime, cudaError_t (*)(float *, cudaEvent_t, cudaEvent_t));
SAME(cudaMemcpyAsync, cudaError_t (*)(void *, const void *, size_t, cudaMemcpyKind, cudaStream_t));
SAME(cudaMemsetAsync, cudaError_t (*)(void *, int, size_t, cudaStream_t));
static_assert(std::is_same<decltype(static_cast<cudaError_t (*)(const cudaLaunchConfig_t *,
                               const void *, void **)>(&cudaLaunchKernelExC)),
                  cudaError_t (*)(const cudaLaunchConfig_t *, const void *, void **)>::value,
    "cudaLaunchKernelExC");
SAME(cudaGetLastError, cudaError_t (*)());
SAME(cudaGetErrorString, const char *(*)(cudaError_t));
SAME(cufftCreate, cufftResult (*)(cufftHandle *));
SAME(cufftDestroy, cufftResult (*)(cufftHandle));
SAME(cufftSetAutoAllocation, cufftResult (*)(cufftHandle, int));
SAME(cufftMakePlan2d, cufftResult (*)(cufftHandle, int, int, cufftType, size_t *));
SAME(cufftSetStream, cufftResult (*)(cufftHandle, cudaStream_t));
SAME(cufftSetWorkArea, cufftResult (*)(cufftHandle, void *));
SAME(cufftExecR2C, cufftResult (*)(cufftHandle, cufftReal *, cufftComplex *));
SAME(cufftExecC2R, cufftResult (*)(cufftHandle, cufftComplex *, cufftReal *));

#define IS(name, value) static_assert((int)(name) == (value), #name)

IS(cudaSuccess, 0);
IS(cudaErrorInvalidValue, 1);
IS(cudaErrorMemoryAllocation, 2);
IS(cudaErrorInsufficientDriver, 35);
IS(cudaErrorNoDevice, 100);
IS(cudaErrorInvalidDevice, 101);
IS(cudaErrorNotReady, 600);
IS(cudaErrorIllegalAddress, 700);
IS(cudaErrorLaunchFailure, 719);
IS(cudaMemcpyHostToDevice, 1);
IS(cudaMemcpyDeviceToHost, 2);
IS(cudaDevAttrMultiProcessorCount, 16);
IS(cudaDevAttrComputeCapabilityMajor, 75);
IS(cudaDevAttrComputeCapabilityMinor, 76);
IS(cudaEventDefault, 0);
IS(cudaEventDisableTiming, 2);
IS(cudaStreamNonBlocking, 1);
IS(cudaHostAllocDefault, 0);
IS(cudaHostRegisterDefault, 0);
IS(CUFFT_SUCCESS, 0);
IS(CUFFT_ALLOC_FAILED, 2);
IS(CUFFT_INTERNAL_ERROR, 5);
IS(CUFFT_EXEC_FAILED, 6);
IS(CUFFT_R2C, 0x2a);
IS(CUFFT_C2R, 0x2c);
IS(sizeof(cudaDeviceProp), 1008);
IS(offsetof(cudaDeviceProp, name), 0);
IS(sizeof(cudaLaunchConfig_t), 56);
IS(offsetof(cudaLaunchConfig_t, blockDim), 12);
IS(offsetof(cudaLaunchConfig_t, dynamicSmemBytes), 24);
IS(offsetof(cudaLaunchConfig_t, stream), 32);
IS(sizeof(cufftComplex), 8);
