#include "worker/gpu/gpu_parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/bufpool.h"
#include "common/log.h"
#include "worker/gpu/gpuload.h"

#define STRIKES 3 /* failures in a row that turn it off */

static void turn_off(struct pm_gpu *gpu, const char *why)
{
    gpu->alive = false;
    gpu->gt_there = false;
    gpu->gt = gpu->target = NULL;
    gpu->refusal = "the GPU is off";
    snprintf(gpu->state, sizeof gpu->state, "off: %s", why);
    pm_log(gpu->was_alive ? PM_LOG_ERR : PM_LOG_INFO, "event=gpu_off message=\"%s\"", why);
}

static void open_device(struct pm_gpu *gpu, const struct pm_gpu_opts *opts)
{
    const struct pm_cuda_opts wanted = {.device = opts->device,
        .memory_max = opts->memory_max,
        .deadline_ms = opts->deadline_ms,
        .chunk_bytes = opts->chunk_bytes,
        .luma_px = opts->luma_px};
    struct pm_cuda_status status = {.code = PM_CUDA_OK};
    struct pm_err err;

    if (pm_gpu_load(opts->plugin, opts->driver, &gpu->api, &err) != PM_OK) {
        turn_off(gpu, err.text);
        return;
    }
    if (gpu->api->open(&gpu->cuda, &wanted, &gpu->info, &status) != PM_CUDA_OK) {
        turn_off(gpu, status.text);
        return;
    }
    gpu->alive = gpu->was_alive = true;
    snprintf(gpu->device, sizeof gpu->device, "%s (sm_%d%d, %llu MiB), driver %d.%d",
        gpu->info.name, gpu->info.major, gpu->info.minor,
        (unsigned long long)(gpu->info.memory_bytes >> 20), gpu->info.driver / 1000,
        gpu->info.driver % 1000 / 10);
}

enum pm_code pm_gpu_open(struct pm_gpu **out, const struct pm_gpu_opts *opts, struct pm_err *err)
{
    struct pm_gpu *gpu = calloc(1, sizeof *gpu);
    if (gpu == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a GPU");
    }
    open_device(gpu, opts);
    *out = gpu;
    return PM_OK;
}

void pm_gpu_close(struct pm_gpu *gpu)
{
    if (gpu != NULL) {
        if (gpu->cuda != NULL) {
            gpu->api->close(gpu->cuda); /* unpins, before the memory is freed */
        }
        gpu->alive = false;
        pm_bufpool_free(gpu->images);
        free(gpu);
    }
}

bool pm_gpu_alive(const struct pm_gpu *gpu)
{
    return gpu != NULL && gpu->alive;
}

bool pm_gpu_lost(const struct pm_gpu *gpu)
{
    return gpu != NULL && gpu->was_alive && !gpu->alive;
}

const char *pm_gpu_state(struct pm_gpu *gpu)
{
    long long unfit = (long long)gpu->counts.unfit;
    if (gpu->alive && unfit == 0) {
        return gpu->device;
    }
    if (gpu->alive) {
        snprintf(gpu->state, sizeof gpu->state, "%s; %lld pair%s did not fit, done by the CPU",
            gpu->device, unfit, unfit == 1 ? "" : "s");
    }
    return gpu->state;
}

const char *pm_gpu_refusal(const struct pm_gpu *gpu)
{
    return gpu == NULL ? "this worker has no GPU" : gpu->refusal;
}

const struct pm_cuda_info *pm_gpu_info(const struct pm_gpu *gpu)
{
    return &gpu->info;
}

struct pm_gpu_counts pm_gpu_counts(const struct pm_gpu *gpu)
{
    return gpu->counts;
}

void pm_gpu_distrust(struct pm_gpu *gpu, const char *why)
{
    if (gpu->alive) {
        turn_off(gpu, why);
    }
}

/* What is on the device is of no use to the next pair. */
static void forget(struct pm_gpu *gpu)
{
    gpu->gt_there = false;
    gpu->gt = gpu->target = NULL;
}

bool pm_gpu_check(struct pm_gpu *gpu, int code, const struct pm_cuda_status *status)
{
    switch (code) {
    case PM_CUDA_OK:
        return true;
    case PM_CUDA_CROWDED:
        gpu->counts.refused++;
        gpu->refusal = "too many pixels were too near to call";
        return false;
    case PM_CUDA_NOMEM:
        gpu->counts.refused++;
        gpu->counts.unfit++;
        gpu->refusal = "it did not fit into the GPU's memory";
        pm_log(PM_LOG_DEBUG, "event=gpu_refused message=\"%s\"", status->text);
        forget(gpu);
        return false;
    case PM_CUDA_DEAD:
        gpu->counts.failures++;
        turn_off(gpu, status->text);
        return false;
    default:
        gpu->counts.failures++;
        gpu->refusal = "it failed on the GPU";
        forget(gpu);
        if (++gpu->strikes >= STRIKES) {
            turn_off(gpu, status->text);
        } else {
            pm_log(PM_LOG_WARN, "event=gpu_failed message=\"%s\"", status->text);
        }
        return false;
    }
}

void pm_gpu_trim(struct pm_gpu *gpu)
{
    struct pm_cuda_status status = {.code = PM_CUDA_OK};
    if (pm_gpu_alive(gpu)) {
        forget(gpu);
        gpu->holds = false;
        if (gpu->images != NULL) {
            pm_bufpool_trim(gpu->images);
        }
        pm_gpu_check(gpu, gpu->api->trim(gpu->cuda, &status), &status);
    }
}

bool pm_gpu_holds(const struct pm_gpu *gpu)
{
    return pm_gpu_alive(gpu) && gpu->holds;
}

bool pm_gpu_has(const struct pm_gpu *gpu, const struct pm_image *gt, const struct pm_image *target)
{
    return pm_gpu_alive(gpu) && gt != NULL && gpu->gt == gt && gpu->target == target;
}

void pm_gpu_end_pair(struct pm_gpu *gpu)
{
    if (gpu != NULL) {
        gpu->gt = gpu->target = NULL;
    }
}

struct pm_cuda_times pm_gpu_times(struct pm_gpu *gpu)
{
    struct pm_cuda_times times = {0};
    if (gpu->cuda != NULL) {
        gpu->api->times(gpu->cuda, &times);
    }
    return times;
}
