/*
 * gpu: one CUDA device as a worker uses it: opened once, asked pair by pair, given up for good when
 * it fails. Everything it cannot or must not do is done by the CPU from the host's own copy; a
 * caller that is told `false` has lost nothing.
 *
 *     off <--open fails-- (start) --opens--> alive --+-- a pair too large, too crowded: that pair
 *                                              |  ^--+      on the CPU
 *                                              +--lost context, hang, wrong numbers, 3 failures in
 *                                                 a row--> off until the process ends
 *
 * What is reported of a pair never rests on a float of the device: pm_cuda.h says how.
 * Owns: the plugin's context, its device memory, the pool for images.
 * Threads: the one that opened it. Memory: 20 MiB pinned; on the device what pm_gpu_opts allows.
 * Errors: ENOMEM at open only; what fails later turns it off and is logged once.
 */
#ifndef PM_WORKER_GPU_GPU_H
#define PM_WORKER_GPU_GPU_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/image.h"
#include "worker/align/confirm.h"
#include "worker/gpu/pm_cuda.h"

struct pm_bufpool;
struct pm_gpu;
struct pm_mask_scan; /* worker/mask_scan.h */
struct pm_bitmap;    /* worker/bitmap.h */

struct pm_gpu_opts {
    const char *plugin; /* see gpuload.h */
    const char *driver;
    int device;
    uint64_t memory_max;  /* bytes of device memory at most; 0: what is free but a sixteenth */
    uint32_t deadline_ms; /* a device that does not answer for so long is given up */
    uint32_t chunk_bytes, luma_px; /* for tests: see pm_cuda.h */
};

struct pm_gpu_counts {
    int64_t pairs;    /* proposals made */
    int64_t kept;     /* of them with the gt already on the device */
    int64_t masks;    /* masks made */
    int64_t refused;  /* too large or too crowded: the CPU did it */
    int64_t unfit;    /* of them too large */
    int64_t unpinned; /* buffers for images that could not be pinned */
    int64_t failures; /* calls that failed */
};

enum pm_code pm_gpu_open(struct pm_gpu **out, const struct pm_gpu_opts *opts, struct pm_err *err);
void pm_gpu_close(struct pm_gpu *gpu); /* NULL is fine */

bool pm_gpu_alive(const struct pm_gpu *gpu); /* NULL: false */
/* Whether it was alive once and no new process has begun since: a restart may bring it back. */
bool pm_gpu_lost(const struct pm_gpu *gpu);
/* One line: the device and how many pairs did not fit, or "off: why". Valid until the next call. */
const char *pm_gpu_state(struct pm_gpu *gpu);
/* Constant text: why the last pair was not done here; for pm_shift.fallback. */
const char *pm_gpu_refusal(const struct pm_gpu *gpu);
const struct pm_cuda_info *pm_gpu_info(const struct pm_gpu *gpu);
struct pm_gpu_counts pm_gpu_counts(const struct pm_gpu *gpu);
/* Turns it off for good: its numbers are wrong. */
void pm_gpu_distrust(struct pm_gpu *gpu, const char *why);
/* Gives device memory and pinned memory back until the next pair. */
void pm_gpu_trim(struct pm_gpu *gpu);
/* Whether there is something to give back. NULL: false. */
bool pm_gpu_holds(const struct pm_gpu *gpu);

/* gpupin.c: makes the pool for images that are this worker's alone and about to be uploaded, whose
 * pinned memory the device reads where the decoder wrote it; it is ordinary memory where pinning
 * fails, and from the end of the gpu on. Only the gpu's thread may use it. keep_bytes, plain: see
 * bufpool.h. The gpu owns it until it is closed or asked for another; then all must be back. */
enum pm_code pm_gpu_pool(struct pm_gpu *gpu, size_t keep_bytes, struct pm_bufpool *plain,
    struct pm_bufpool **out, struct pm_err *err);

/* gpusearch.c: proposes shifts, best first, at most max; (0, 0) is not added. gt_key: equal keys
 * mean the same gt, which then stays on the device; 0: not known. False: let the CPU do it. */
bool pm_gpu_propose(struct pm_gpu *gpu, const struct pm_align_query *query, int64_t gt_key,
    struct pm_candidate *list, int max, int *count, int64_t *evaluations);
/* gpuloss.c: pm_align_loss() of the pair last proposed for, to the bit. */
bool pm_gpu_loss(struct pm_gpu *gpu, const struct pm_image *gt, const struct pm_image *target,
    double gain, int dy, int dx, double *loss);
/* Whether exactly these images are on the device since the last pm_gpu_propose(). */
bool pm_gpu_has(const struct pm_gpu *gpu, const struct pm_image *gt, const struct pm_image *target);
/* The pair at hand is over: its images may go, and others may come to lie where they were. */
void pm_gpu_end_pair(struct pm_gpu *gpu);
struct pm_cuda_times pm_gpu_times(struct pm_gpu *gpu);

/* gpumask.c: what pm_mask_scan_run(), pm_bitmap_open() and the exposure test make of the pair last
 * proposed for, to the bit; fills scan's results. mask comes zeroed. */
bool pm_gpu_mask(struct pm_gpu *gpu, struct pm_mask_scan *scan, struct pm_bitmap *mask);

#endif
