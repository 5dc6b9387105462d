/*
 * gpuload: finds and opens the CUDA plugin. First the driver is looked for, so that a machine
 * without one never maps the plugin and cuFFT behind it (hundreds of megabytes).
 * Owns: nothing that is given back: what was opened stays open until the process ends, since a
 * library that has registered kernels and thread-locals cannot be unmapped safely.
 * Threads: any. Memory: none. Errors: PM_EUNSUPPORTED with one clear line.
 */
#ifndef PM_WORKER_GPU_GPULOAD_H
#define PM_WORKER_GPU_GPULOAD_H

#include "common/err.h"
#include "worker/gpu/pm_cuda.h"

#define PM_GPU_DRIVER "libcuda.so.1"

/* plugin: a path; NULL or "": what the environment's PAIRMILL_CUDA names, else pairmill-cuda.so
 * beside the program, else in ../lib/pairmill or
 * ../../lib/pairmill from there. driver: a library that must be there; NULL: PM_GPU_DRIVER. */
enum pm_code pm_gpu_load(
    const char *plugin, const char *driver, const struct pm_cuda_api **api, struct pm_err *err);

#endif
