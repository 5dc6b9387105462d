/* gpupin: memory for images on their way to the device: pinned where that works, else ordinary. The
 * memory is pairmill's own and only registered with the plugin, so that it stays readable, for the
 * CPU to do the pair, whatever becomes of the device. */
#include <stdlib.h>

#include "common/bufpool.h"
#include "common/log.h"
#include "worker/gpu/gpu_parts.h"

static void pin(struct pm_gpu *gpu, void *data, size_t bytes)
{
    struct pm_cuda_status status;
    int code = gpu->api->pin(gpu->cuda, data, bytes, &status);

    gpu->holds = true;
    if (code == PM_CUDA_DEAD) {
        pm_gpu_check(gpu, code, &status);
    } else if (code != PM_CUDA_OK) { /* uploads from there are a little slower */
        gpu->counts.unpinned++;
        pm_log(PM_LOG_DEBUG, "event=gpu_unpinned message=\"%s\"", status.text);
    }
}

static void *take(void *ctx, size_t bytes)
{
    struct pm_gpu *gpu = ctx;
    void *data = pm_bufpool_pages(bytes);
    if (data != NULL && pm_gpu_alive(gpu)) {
        pin(gpu, data, bytes);
    }
    return data;
}

static void give_back(void *ctx, void *data, size_t bytes)
{
    struct pm_gpu *gpu = ctx;
    struct pm_cuda_status status;
    (void)bytes;
    if (pm_gpu_alive(gpu)) {
        PM_GPU_CALL(gpu, unpin, data);
    }
    free(data);
}

enum pm_code pm_gpu_pool(struct pm_gpu *gpu, size_t keep_bytes, struct pm_bufpool *plain,
    struct pm_bufpool **out, struct pm_err *err)
{
    const struct pm_bufsource source = {take, give_back, gpu};
    enum pm_code rc;

    pm_bufpool_free(gpu->images);
    gpu->images = NULL;
    rc = pm_bufpool_new_from(&gpu->images, keep_bytes, &source, plain, err);
    *out = gpu->images;
    return rc;
}
