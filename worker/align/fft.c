#include <math.h>
#include <stdlib.h>

#include "worker/align/finish.h"
#include "worker/align/ops.h"
#include "worker/align/prep_levels.h"
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
    struct pm_finish *finish;
};

static void fft_stop(void *scratch)
{
    struct fft *self = scratch;
    if (self == NULL) {
        return;
    }
    pm_finish_free(self->finish);
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
        rc = pm_finish_new(&self->finish, err);
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

/* The peaks worth a look, px of the image, best first; how many. */
static int peaks_of(const struct fft *self, int factor, struct pm_zncc_peak peaks[CANDIDATES])
{
    int found = pm_zncc_peaks(self->zncc, peaks, CANDIDATES);
    int count = 0;

    for (int i = 0; i < found && (i == 0 || peaks[i].score >= WORTH * peaks[0].score); i++) {
        peaks[i].dy *= factor;
        peaks[i].dx *= factor;
        count++;
    }
    return count;
}

/* The peaks themselves, and where they and L1 lead on the level: a gain that is off and noise put a
 * peak beside the minimum of L1, or have none where one is. */
static enum pm_code candidates(struct fft *self, const struct pm_align_query *query, int factor,
    struct pm_candidate out[CANDIDATES + PM_HILLS_MOST], int *count, struct pm_err *err)
{
    struct pm_zncc_peak peaks[CANDIDATES];
    int peak_count = peaks_of(self, factor, peaks), more;
    enum pm_code rc;

    for (*count = 0; *count < peak_count; ++*count) {
        out[*count] = (struct pm_candidate){.dy = (int)lrint(peaks[*count].dy),
            .dx = (int)lrint(peaks[*count].dx),
            .score = peaks[*count].score};
    }
    rc = pm_hills_of_peaks(pm_finish_hills(self->finish), query, PM_HILLS_USUAL, peaks, peak_count,
        out + *count, &more, err);
    *count += rc == PM_OK ? more : 0;
    return rc;
}

static enum pm_code fft_run(
    void *scratch, const struct pm_align_query *query, struct pm_shift *shift, struct pm_err *err)
{
    struct fft *self = scratch;
    int factor = factor_for(query->gt->image->w, query->gt->image->h), count;
    struct pm_candidate list[CANDIDATES + PM_HILLS_MOST];
    enum pm_code rc = correlate(self, query, factor, err);

    if (rc == PM_OK) {
        rc = candidates(self, query, factor, list, &count, err);
    }
    if (rc != PM_OK) {
        return rc;
    }
    shift->evaluations = pm_hills_evaluations(pm_finish_hills(self->finish));
    return pm_finish_run(self->finish, query, list, count, shift, err);
}

const struct pm_align_ops pm_align_fft = {
    .method = PM_METHOD_FFT,
    .start = fft_start,
    .run = fft_run,
    .stop = fft_stop,
};
