/*
 * pm_bring: an image on its way to the device, and what is made of it there: band by band on the
 * copy stream, while the work stream makes luma of the bands that have arrived and the spectrum of
 * the image before. Included by pm_cuda.cu only.
 */
#ifndef PM_WORKER_GPU_PM_BRING_CUH
#define PM_WORKER_GPU_PM_BRING_CUH

#include "pm_device.cuh"

/* ---- the host's memory ---- */

static struct pm_pin *find_pin(struct pm_cuda *cuda, const void *at, size_t bytes)
{
    const unsigned char *from = (const unsigned char *)at;
    for (int i = 0; i < cuda->pin_count; i++) {
        struct pm_pin *pin = &cuda->pins[i];
        if (from >= pin->data && from + bytes <= pin->data + pin->bytes) {
            return pin;
        }
    }
    return NULL;
}

static int pin(struct pm_cuda *cuda, void *data, size_t bytes, struct pm_cuda_status *status)
{
    PM_TRY(pm_refuse_dead(cuda, status));
    if (cuda->pin_count == PM_CUDA_PINS) {
        return pm_say(status, PM_CUDA_NOMEM, "%d buffers are pinned already", PM_CUDA_PINS);
    }
    PM_RT(cuda, cudaHostRegister(data, bytes, cudaHostRegisterDefault));
    cuda->pins[cuda->pin_count++] = {(unsigned char *)data, bytes};
    return PM_CUDA_OK;
}

static int unpin(struct pm_cuda *cuda, void *data, struct pm_cuda_status *status)
{
    struct pm_pin *pin;
    int code;

    PM_TRY(pm_refuse_dead(cuda, status));
    pin = find_pin(cuda, data, 1);
    if (pin == NULL) {
        return PM_CUDA_OK;
    }
    code = pm_settle_copies(cuda, status); /* a pair given up half-way may still be sent from it */
    if (code == PM_CUDA_DEAD) {
        return code;
    }
    *pin = cuda->pins[--cuda->pin_count];
    PM_RT(cuda, cudaHostUnregister(data));
    return code;
}

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

/* From pinned memory as it lies, else through the ring. */
static int send_rows(struct pm_cuda *cuda, unsigned char *to, const unsigned char *from, size_t bytes,
    struct pm_cuda_status *status)
{
    cuda->times.upload_bytes += bytes;
    if (find_pin(cuda, from, bytes) != NULL) {
        PM_RT(cuda, cudaMemcpyAsync(to, from, bytes, cudaMemcpyHostToDevice, cuda->copy));
        return PM_CUDA_OK;
    }
    cuda->times.staged_bytes += bytes;
    for (size_t at = 0; at < bytes; at += cuda->chunk) {
        size_t n = bytes - at < cuda->chunk ? bytes - at : cuda->chunk;
        PM_TRY(send_chunk(cuda, to + at, from + at, n, status));
    }
    return PM_CUDA_OK;
}

/* ---- bands ---- */

/* The work stream goes on when what the copy stream has been given so far has arrived. */
static int await_copies(struct pm_cuda *cuda, struct pm_cuda_status *status)
{
    PM_RT(cuda, cudaEventRecord(cuda->arrived, cuda->copy));
    PM_RT(cuda, cudaStreamWaitEvent(cuda->work, cuda->arrived, 0));
    return PM_CUDA_OK;
}

static struct pm_kargs args_of(const struct pm_cuda *cuda, int which)
{
    struct pm_kargs a = cuda->args;
    a.gt.data = cuda->pixels[which];
    a.border_sum = cuda->border_sum[which];
    a.border_square = cuda->border_square[which];
    a.sums += which; /* both images may be on their way */
    return a;
}

/* Sum and luma of the rows that came last, up to row `to`: a row of luma when the last of its rows
 * is there, and the padding with the last of all. */
static int take_band(
    struct pm_cuda *cuda, int which, int to, double mean, struct pm_cuda_status *status)
{
    struct pm_kargs a = args_of(cuda, which);
    a.row_from = cuda->rows[which];
    a.row_to = to;
    a.luma_from = a.row_from / a.factor;
    a.luma_to = to == a.image_h ? a.pad_h : to / a.factor;
    a.mean = (float)mean;
    cuda->rows[which] = to;
    PM_TRY(await_copies(cuda, status));
    PM_TRY(pm_launch(cuda, pm_k_total, &a, status));
    return pm_launch(cuda, pm_k_luma, &a, status);
}

static int begin_image(struct pm_cuda *cuda, int which, struct pm_cuda_status *status)
{
    cuda->rows[which] = 0;
    cuda->complete[which] = cuda->reduced[which] = false;
    PM_TRY(pm_begin_span(cuda, &cuda->upload_span[which], cuda->copy, status));
    PM_TRY(pm_begin_work(cuda, status));
    return pm_clear(cuda, cuda->args.sums + which, sizeof(pm_u64), status);
}

/* Rows copied at a time: a chunk's. */
static int band_rows(const struct pm_cuda *cuda)
{
    int rows = (int)(cuda->chunk / cuda->shape.pitch);
    return rows > 0 ? rows : 1;
}

static int upload(struct pm_cuda *cuda, int which, const void *rows, int y0, int y1, double mean,
    struct pm_cuda_status *status)
{
    const unsigned char *from = (const unsigned char *)rows;
    size_t pitch = cuda->shape.pitch;

    PM_TRY(pm_refuse_dead(cuda, status));
    if (!cuda->begun || y1 > cuda->shape.h || (y0 != 0 && y0 != cuda->rows[which])) {
        return pm_say(status, PM_CUDA_FAILED, "rows were uploaded out of order");
    }
    if (y0 == 0) {
        PM_TRY(begin_image(cuda, which, status));
    }
    for (int y = y0, end; y < y1; y = end) {
        end = y1 - y > band_rows(cuda) ? y + band_rows(cuda) : y1;
        PM_TRY(send_rows(cuda, cuda->pixels[which] + (size_t)y * pitch, from + (size_t)(y - y0) * pitch,
            (size_t)(end - y) * pitch, status));
        PM_TRY(take_band(cuda, which, end, mean, status));
    }
    cuda->complete[which] = y1 == cuda->shape.h;
    return PM_CUDA_OK;
}

/* Border sums and spectrum; nobody waits here. */
static int reduce(struct pm_cuda *cuda, int which, struct pm_cuda_status *status)
{
    struct pm_kargs a = args_of(cuda, which);
    struct pm_span *span = &cuda->fft_span[which];
    PM_TRY(pm_ready(cuda, false, false, status));
    if (!cuda->complete[which]) {
        return pm_say(status, PM_CUDA_FAILED, "rows are missing");
    }
    PM_TRY(pm_end_span(cuda, &cuda->upload_span[which], cuda->copy, status));
    PM_TRY(await_copies(cuda, status)); /* the span's end, too, before anybody reads its clock */
    PM_TRY(pm_launch(cuda, pm_k_columns, &a, status));
    PM_TRY(pm_launch(cuda, pm_k_borders, &a, status));
    PM_TRY(pm_begin_span(cuda, span, cuda->work, status));
    PM_FFT(cuda, cufftExecR2C(cuda->forward.handle, a.real, (cufftComplex *)cuda->spectrum[which]));
    PM_TRY(pm_end_span(cuda, span, cuda->work, status));
    cuda->reduced[which] = true;
    return PM_CUDA_OK;
}

static int total(struct pm_cuda *cuda, int which, uint64_t *total, struct pm_cuda_status *status)
{
    PM_TRY(pm_ready(cuda, which == PM_CUDA_GT, which == PM_CUDA_TARGET, status));
    return pm_fetch(cuda, total, cuda->args.sums + which, sizeof *total, status);
}

#endif
