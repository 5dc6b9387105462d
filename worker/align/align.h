/*
 * align: finds the whole-pixel shift between two images of one scene; picks the method, falls back.
 * Owns: an aligner holds the scratch of every method it has used so far (grown, then reused).
 * Threads: one aligner per thread; images and preps are only read and may be shared.
 * Memory: scratch <= 15% of the decoded pair for hierarchical; freed by pm_aligner_free().
 * Errors: PM_ESIZE (sizes or channels differ), PM_EGAIN (a mean that is zero, negative or not
 * finite), PM_EOVERLAP (image too small to search), PM_ENOMEM.
 *
 * Sign and loss are DESIGN.md 2.2: gt[y+dy, x+dx] = target[y, x]; loss = mean |gt - gain * target|
 * over the trimmed overlap, all channels, full scale 1. Every method but `original` returns the
 * shift with the smallest loss with |dy|, |dx| <= max_shift.
 */
#ifndef PM_WORKER_ALIGN_ALIGN_H
#define PM_WORKER_ALIGN_ALIGN_H

#include "common/err.h"
#include "common/image.h"
#include "common/result.h"
#include "worker/align/prep.h"

struct pm_align_opts {
    enum pm_method method;      /* what was asked for; AUTO chooses */
    int max_shift;              /* px, each axis */
    int auto_bruteforce_below;  /* AUTO: shorter side below this (px) -> bruteforce */
    int auto_hierarchical_from; /* AUTO: shorter side from this (px) -> hierarchical; else fft */
    bool quality;               /* also confidence, flags, sub-pixel residual, tiles */
    int auto_gpu_from;          /* AUTO, with a GPU: shorter side from this (px) -> gpu */
    int64_t gt_key; /* equal keys mean the same gt, which a GPU then keeps; 0: not known */
};

/* One image as alignment sees it. */
struct pm_align_input {
    const struct pm_image *image;
    const struct pm_prep *prep; /* finished; made of this image */
};

struct pm_aligner;
struct pm_gpu; /* worker/gpu/gpu.h */

/* wisdom_path: file in the state folder that keeps FFTW's plans between runs; NULL: none kept. */
enum pm_code pm_aligner_new(struct pm_aligner **out, const char *wisdom_path, struct pm_err *err);
void pm_aligner_free(struct pm_aligner *aligner); /* NULL is fine */
/* For method gpu; gpu belongs to the same thread and outlives the aligner. NULL: there is none. */
void pm_aligner_use_gpu(struct pm_aligner *aligner, struct pm_gpu *gpu);

/* Whether images of this size (px) are to be searched on gpu, which may be NULL. */
bool pm_align_on_gpu(const struct pm_align_opts *opts, const struct pm_gpu *gpu, int w, int h);

/* gt and target must have the same size, channels and sample type (see common/convert.h for pairs
 * that do not). Fills everything in shift except loss and loss_ms. */
enum pm_code pm_align_find(struct pm_aligner *aligner, const struct pm_align_input *gt,
    const struct pm_align_input *target, const struct pm_align_opts *opts, struct pm_shift *shift,
    struct pm_err *err);

/* The reported loss at (dy, dx): double precision sums over the trimmed overlap; samples that are
 * not finite in either image are left out. NaN when the overlap is empty. */
double pm_align_loss(
    const struct pm_image *gt, const struct pm_image *target, double gain, int dy, int dx);

/* mean(gt) / mean(target) of RAWNIND.md 2.3, from the preps' sums; PM_EGAIN when unusable. */
enum pm_code pm_align_gain(
    const struct pm_prep *gt, const struct pm_prep *target, double *gain, struct pm_err *err);

#endif
