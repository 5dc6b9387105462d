/*
 * gpu_parts: what the files of the gpu share; for them only.
 * Owns, threads, memory, errors: see gpu.h.
 */
#ifndef PM_WORKER_GPU_GPU_PARTS_H
#define PM_WORKER_GPU_GPU_PARTS_H

#include "worker/gpu/gpu.h"

struct pm_gpu {
    const struct pm_cuda_api *api;
    struct pm_cuda *cuda;
    struct pm_cuda_info info;
    bool alive, was_alive;
    char device[400];
    char state[800];
    const char *refusal;
    int strikes;
    struct pm_gpu_counts counts;
    struct pm_bufpool *images; /* NULL until asked for */
    bool holds;                /* memory there or pinned here */
    /* on the device */
    int64_t gt_key;
    double gt_mean; /* of the gt under that key */
    struct pm_cuda_shape shape;
    bool gt_there;
    const struct pm_image *gt, *target; /* NULL: no pair at hand */
};

/* True when code is PM_CUDA_OK, otherwise draws the consequences. */
bool pm_gpu_check(struct pm_gpu *gpu, int code, const struct pm_cuda_status *status);

/* Runs one call of the table on a device that is alive; true: it worked. */
#define PM_GPU_CALL(gpu, function, ...)                                                            \
    pm_gpu_check((gpu), (gpu)->api->function((gpu)->cuda, __VA_ARGS__, &status), &status)

#endif
