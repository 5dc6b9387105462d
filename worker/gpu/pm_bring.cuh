/*
 * pm_bring: an image on its way to the device, and what is made of it there at once: luma, spectrum,
 * border sums. Included by pm_cuda.cu only.
 */
#ifndef PM_WORKER_GPU_PM_BRING_CUH
#define PM_WORKER_GPU_PM_BRING_CUH

#include "pm_device.cuh"

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

    PM_TRY(pm_refuse_dead(cuda, status));
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
    PM_TRY(pm_ready(cuda, false, false, status));
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

#endif
