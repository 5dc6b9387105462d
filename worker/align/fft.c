#include <math.h>
#include <stdlib.h>

#include "worker/align/confirm.h"
#include "worker/align/ops.h"
#include "worker/align/prep_levels.h"
#include "worker/align/quality.h"
#include "worker/align/zncc.h"

/* Correlates the whole range at once by FFT, on luma small enough to be fast, and leaves the last
 * word to confirm.h at full resolution: a low-passed luma loses no decision that the L1 of
 * neighbours does not make better, and its peak is broader, so that a whole shift between two
 * coarse ones is not missed. */

/* Luma of more pixels than this is halved once more: x2 up to 6 megapixels, x4 at 24. */
#define MANY_PIXELS 1600000
#define LARGEST_FACTOR 8

/* An image whose shorter side is smaller has so few pixels that none is given away. */
#define SMALL_SIDE 256

/* Repetitive scenes have many peaks nearly as high as the true one, and a coarse grid that misses
 * a sharp peak's top can cost it 15% (PERF.md), so the list is long and pruned with care. */
#define CANDIDATES 32
#define WORTH 0.6 /* of the best peak's score */

struct fft {
    struct pm_zncc *zncc;
    struct pm_confirm *confirm;
    struct pm_quality *quality;
};

static void fft_stop(void *scratch)
{
    struct fft *self = scratch;
    if (self == NULL) {
        return;
    }
    pm_quality_free(self->quality);
    pm_confirm_free(self->confirm);
    pm_zncc_free(self->zncc);
    free(self);
}

static enum pm_code fft_start(void **scratch, struct pm_err *err)
{
    struct fft *self = calloc(1, sizeof *self);
    enum pm_code rc;
    if (self == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for method fft");
    }
    rc = pm_zncc_new(&self->zncc, err);
    if (rc == PM_OK) {
        rc = pm_confirm_new(&self->confirm, err);
    }
    if (rc == PM_OK) {
        rc = pm_quality_new(&self->quality, err);
    }
    if (rc != PM_OK) {
        fft_stop(self);
        return rc;
    }
    *scratch = self;
    return PM_OK;
}

/* 1, 2, 4 or 8: 1 for small images, else the finest from 2 that is small enough. */
static int factor_for(int w, int h)
{
    int factor = 2;
    if (w < SMALL_SIDE || h < SMALL_SIDE) {
        return 1;
    }
    while (factor < LARGEST_FACTOR && (int64_t)(w / factor) * (h / factor) > MANY_PIXELS) {
        factor *= 2;
    }
    return factor;
}

/* The range in luma px, rounded up: the true shift may lie between the last two. */
static int coarse_range(int range, int factor, int n)
{
    int coarse = (range + factor - 1) / factor;
    return coarse < n ? coarse : n - 1;
}

static enum pm_code correlate(
    struct fft *self, const struct pm_align_query *query, int factor, struct pm_err *err)
{
    const struct pm_image *gt = query->gt->image, *target = query->target->image;
    struct pm_range range = pm_align_range(gt->w, gt->h, query->max_shift);
    int w = gt->w / factor, h = gt->h / factor;
    size_t stride;
    float *luma;
    enum pm_code rc = pm_zncc_size(self->zncc, query->plans, w, h,
        coarse_range(range.dy, factor, h), coarse_range(range.dx, factor, w), err);

    if (rc != PM_OK) {
        return rc;
    }
    luma = pm_zncc_gt(self->zncc, &stride);
    pm_prep_luma(query->gt->prep, gt, factor, luma, stride);
    luma = pm_zncc_target(self->zncc, &stride);
    pm_prep_luma(query->target->prep, target, factor, luma, stride);
    pm_zncc_run(self->zncc);
    return PM_OK;
}

/* The peaks worth a look, as full-resolution shifts, best first. */
static int candidates(const struct fft *self, int factor, struct pm_candidate *out)
{
    struct pm_zncc_peak peaks[CANDIDATES];
    int found = pm_zncc_peaks(self->zncc, peaks, CANDIDATES);
    int count = 0;
    for (int i = 0; i < found; i++) {
        if (i > 0 && peaks[i].score < WORTH * peaks[0].score) {
            break;
        }
        out[count++] = (struct pm_candidate){
            .dy = (int)lrint(peaks[i].dy * factor),
            .dx = (int)lrint(peaks[i].dx * factor),
            .score = peaks[i].score,
        };
    }
    return count;
}

static enum pm_code fft_run(
    void *scratch, const struct pm_align_query *query, struct pm_shift *shift, struct pm_err *err)
{
    struct fft *self = scratch;
    const struct pm_image *gt = query->gt->image;
    int factor = factor_for(gt->w, gt->h);
    struct pm_candidate list[CANDIDATES];
    struct pm_confirmed confirmed;
    enum pm_code rc;

    rc = correlate(self, query, factor, err);
    if (rc == PM_OK) {
        int count = candidates(self, factor, list);
        rc = pm_confirm_run(self->confirm, query, list, count, &confirmed, err);
    }
    if (rc != PM_OK) {
        return rc;
    }
    shift->dy = confirmed.dy;
    shift->dx = confirmed.dx;
    shift->evaluations = confirmed.evaluations;
    if (query->quality) {
        rc = pm_quality_measure(self->quality, query, &confirmed, shift, err);
    }
    return rc;
}

const struct pm_align_ops pm_align_fft = {
    .method = PM_METHOD_FFT,
    .start = fft_start,
    .run = fft_run,
    .stop = fft_stop,
};
