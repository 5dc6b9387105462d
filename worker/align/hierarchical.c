#include "worker/align/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/align/confirm.h"
#include "worker/align/levelsearch.h"
#include "worker/align/prep_levels.h"
#include "worker/align/quality.h"
#include "worker/align/zncc.h"
#include "worker/kernels/cpu.h"

/* From coarse to fine (the figures are for 24 MP RGB):
 *   1. correlation of the luma at factor 8 at every shift: all peaks        750 x 500
 *   2. L1 descent from every peak on the level at factor 4, few rows first  1500 x 1000
 *   3. confirm.h at full resolution from those the level cannot tell apart
 * Scores are not trusted far: fine periodic texture can put a true peak 15% below a wrong one at
 * factor 8, so the level's L1 decides, and what that leaves open the pixels decide. */

#define PEAKS 64          /* of the correlation, */
#define WORTH 0.45        /* as long as they are not this far below the best */
#define FOLLOWED 16       /* hills of the level looked at a second time; */
#define FOLLOWED_SMALL 56 /* with a level of factor 1 or 2, where luma says less about colour */
#define GRID 4            /* level px between the shifts whose L1 is looked at besides */
#define GRID_ROWS 32      /* level rows looked at: one in so many */
#define GRID_KEPT 8       /* the lowest of them */
/* A hill this far up from the best towards unrelated places is still open. Small images have little
 * to average over, and a second look at them costs next to nothing. */
#define OPEN 0.6
#define OPEN_SMALL 0.9
#define FOLLOW_MORE 0.1 /* added to it at the first look at the level */
#define SMALL_PIXELS 4e6
#define COARSE_ROWS 100 /* rows of the level, spread evenly, that are looked at first, */
#define FINE_ROWS 400   /* and then */

#define MATCHED 4      /* peaks looked at again with the gain of their own overlap, */
#define ALIKE 0.8      /* if not this far below the best, */
#define GAIN_OFF 0.005 /* and if that gain is this different */
#define HILLS (PEAKS + GRID_KEPT + MATCHED + 1)

struct hierarchical {
    struct pm_zncc *zncc;
    struct pm_levelsearch *level;
    struct pm_confirm *confirm;
    struct pm_quality *quality;
    int64_t evaluations; /* on the level */
};

static void stop(void *scratch)
{
    struct hierarchical *self = scratch;

    if (self != NULL) {
        pm_zncc_free(self->zncc);
        pm_levelsearch_free(self->level);
        pm_confirm_free(self->confirm);
        pm_quality_free(self->quality);
        free(self);
    }
}

static enum pm_code start(void **scratch, struct pm_err *err)
{
    struct hierarchical *self = calloc(1, sizeof *self);
    enum pm_code rc;

    if (self == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for the hierarchical search");
    }
    rc = pm_zncc_new(&self->zncc, err);
    if (rc == PM_OK) {
        rc = pm_levelsearch_new(&self->level, err);
    }
    if (rc == PM_OK) {
        rc = pm_confirm_new(&self->confirm, err);
    }
    if (rc == PM_OK) {
        rc = pm_quality_new(&self->quality, err);
    }
    if (rc != PM_OK) {
        stop(self);
        return rc;
    }
    *scratch = self;
    return PM_OK;
}

/* The factor at which the first search runs: as coarse as leaves some hundred values a side, since
 * noise and cost fall with it. */
static int coarse_factor(const struct pm_image *image)
{
    int side = image->w < image->h ? image->w : image->h;

    return side >= 1024 ? 8 : side >= 384 ? 4 : side >= 128 ? 2 : 1;
}

/* Peaks of the coarse correlation, in pixels of the full image. */
static enum pm_code coarse_peaks(struct hierarchical *self, const struct pm_align_query *query,
    struct pm_zncc_peak *peaks, int *count, struct pm_err *err)
{
    const struct pm_image *gt = query->gt->image;
    struct pm_range range = pm_align_range(gt->w, gt->h, query->max_shift);
    int factor = coarse_factor(gt);
    int w = gt->w / factor, h = gt->h / factor;
    int ry = range.dy / factor + 1, rx = range.dx / factor + 1;
    enum pm_code rc;
    size_t stride;
    float *out;

    ry = ry < h - 1 ? ry : h - 1;
    rx = rx < w - 1 ? rx : w - 1;
    rc = pm_zncc_size(self->zncc, query->plans, w, h, ry, rx, err);
    if (rc != PM_OK) {
        return rc;
    }
    out = pm_zncc_gt(self->zncc, &stride);
    pm_prep_luma(query->gt->prep, gt, factor, out, stride);
    out = pm_zncc_target(self->zncc, &stride);
    pm_prep_luma(query->target->prep, query->target->image, factor, out, stride);
    pm_zncc_run(self->zncc);
    *count = pm_zncc_peaks(self->zncc, peaks, PEAKS);
    for (int i = 0; i < *count; i++) {
        peaks[i].dy *= factor;
        peaks[i].dx *= factor;
    }
    return PM_OK;
}

static double open_share(const struct pm_image *image)
{
    return (double)image->w * image->h < SMALL_PIXELS ? OPEN_SMALL : OPEN;
}

static int by_loss(const void *a, const void *b)
{
    double x = ((const struct pm_level_hill *)a)->loss;
    double y = ((const struct pm_level_hill *)b)->loss;

    return x < y ? -1 : x > y;
}

/* Adds a hill unless it is there already; returns the new count. */
static int add_hill(struct pm_level_hill *hills, int count, struct pm_level_hill hill)
{
    for (int i = 0; i < count; i++) {
        if (hills[i].dy == hill.dy && hills[i].dx == hill.dx) {
            return count;
        }
    }
    hills[count] = hill;
    return count + 1;
}

/* Every peak, what L1 alone finds low, and (0,0), down to the level's minimum below it; best first.
 */
static int level_hills(struct hierarchical *self, const struct pm_image *image,
    const struct pm_zncc_peak *peaks, int count, struct pm_level_hill hills[HILLS])
{
    int factor = pm_levelsearch_factor(image);
    int rows = image->h / factor;
    int row_step = factor == 4 && rows > COARSE_ROWS ? rows / COARSE_ROWS : 1;
    int fine_step = rows > FINE_ROWS ? rows / FINE_ROWS : 1;
    double reach;
    struct pm_level_hill coarse[HILLS];
    struct pm_level_at grid[GRID_KEPT];
    int n = 0, kept = 0, found;

    for (int i = 0; i < count && (i == 0 || peaks[i].score >= WORTH * peaks[0].score); i++) {
        n = add_hill(coarse, n,
            pm_levelsearch_descend(self->level, (int)lrint(peaks[i].dy / factor),
                (int)lrint(peaks[i].dx / factor), row_step));
    }
    found = pm_levelsearch_grid(self->level, GRID, factor == 4 ? GRID_ROWS : 2, grid, GRID_KEPT);
    for (int i = 0; i < found; i++) {
        n = add_hill(
            coarse, n, pm_levelsearch_descend(self->level, grid[i].dy, grid[i].dx, row_step));
    }
    n = add_hill(coarse, n, pm_levelsearch_descend(self->level, 0, 0, row_step));
    qsort(coarse, (size_t)n, sizeof coarse[0], by_loss);
    reach = (open_share(image) + FOLLOW_MORE) *
            (pm_levelsearch_unrelated(self->level) - coarse[0].loss);
    for (int i = 0; i < n && i < (factor == 4 ? FOLLOWED : FOLLOWED_SMALL); i++) {
        if (i == 0 || coarse[i].loss - coarse[0].loss <= reach) {
            kept = add_hill(hills, kept,
                pm_levelsearch_descend(self->level, coarse[i].dy, coarse[i].dx, fine_step));
        }
    }
    qsort(hills, (size_t)kept, sizeof hills[0], by_loss);
    return kept;
}

/* The hills full resolution has to decide between. */
static int open_candidates(struct hierarchical *self, const struct pm_align_query *query,
    const struct pm_level_hill *hills, int count, struct pm_candidate *out)
{
    int factor = pm_levelsearch_factor(query->gt->image);
    double reach =
        open_share(query->gt->image) * (pm_levelsearch_unrelated(self->level) - hills[0].loss);
    int n = 0;

    for (int i = 0; i < count; i++) {
        if (i == 0 || hills[i].loss - hills[0].loss <= reach) {
            out[n++] = (struct pm_candidate){.dy = (int)lrint(factor * hills[i].top_dy),
                .dx = (int)lrint(factor * hills[i].top_dx),
                .score = -hills[i].loss};
        }
    }
    return n;
}

static bool near_any(const struct pm_candidate *list, int count, int dy, int dx)
{
    for (int i = 0; i < count; i++) {
        if (abs(list[i].dy - dy) <= 1 && abs(list[i].dx - dx) <= 1) {
            return true;
        }
    }
    return false;
}

/* The best peaks once more, each with the gain of its own overlap. What enters the frame on one
 * side and leaves it on the other has its own brightness, and in smooth scenes a gain a few percent
 * off tilts the low-passed L1 so far that nothing rolls down to the true place any more, while the
 * pixels still have a minimum there. */
static enum pm_code add_matched(struct hierarchical *self, const struct pm_align_query *query,
    const struct pm_zncc_peak *peaks, int peak_count, struct pm_candidate *out, int *count,
    struct pm_err *err)
{
    int factor = pm_levelsearch_factor(query->gt->image);

    double gain = query->gain; /* that the level is scaled with */

    for (int i = 0; i < peak_count && i < MATCHED && peaks[i].score > ALIKE * peaks[0].score; i++) {
        int dy = (int)lrint(peaks[i].dy / factor), dx = (int)lrint(peaks[i].dx / factor);
        double matched = gain * pm_levelsearch_ratio(self->level, dy, dx);
        struct pm_align_query query_matched = *query;
        struct pm_level_hill hill;
        enum pm_code rc;
        if (!(fabs(matched / query->gain - 1) > GAIN_OFF)) {
            continue;
        }
        query_matched.gain = gain = matched;
        rc = pm_levelsearch_begin(self->level, &query_matched, err);
        if (rc != PM_OK) {
            return rc;
        }
        hill = pm_levelsearch_descend(self->level, dy, dx, 1);
        dy = (int)lrint(factor * hill.top_dy);
        dx = (int)lrint(factor * hill.top_dx);
        if (!near_any(out, *count, dy, dx)) {
            out[(*count)++] = (struct pm_candidate){.dy = dy, .dx = dx, .score = peaks[i].score};
        }
    }
    return PM_OK;
}

static enum pm_code candidates(struct hierarchical *self, const struct pm_align_query *query,
    struct pm_candidate out[HILLS], int *count, struct pm_err *err)
{
    struct pm_zncc_peak peaks[PEAKS];
    struct pm_level_hill hills[HILLS];
    int peak_count;
    enum pm_code rc = coarse_peaks(self, query, peaks, &peak_count, err);

    if (rc != PM_OK) {
        return rc;
    }
    rc = pm_levelsearch_begin(self->level, query, err);
    if (rc == PM_OK) {
        int n = level_hills(self, query->gt->image, peaks, peak_count, hills);
        self->evaluations = pm_levelsearch_evaluations(self->level);
        *count = open_candidates(self, query, hills, n, out);
        rc = add_matched(self, query, peaks, peak_count, out, count, err);
    }
    return rc;
}

static enum pm_code run(
    void *scratch, const struct pm_align_query *query, struct pm_shift *shift, struct pm_err *err)
{
    struct hierarchical *self = scratch;
    struct pm_candidate found[HILLS];
    struct pm_confirmed confirmed;
    int count = 0;
    enum pm_code rc = PM_OK;

    self->evaluations = 0;
    if (query->gt->image->w < 16 || query->gt->image->h < 16) { /* confirm tries them all */
        found[count++] = (struct pm_candidate){.dy = 0, .dx = 0};
    } else {
        rc = candidates(self, query, found, &count, err);
    }
    if (rc == PM_OK) {
        rc = pm_confirm_run(self->confirm, query, found, count, &confirmed, err);
    }
    if (rc != PM_OK) {
        return rc;
    }
    shift->dy = confirmed.dy;
    shift->dx = confirmed.dx;
    shift->backend = pm_cpu_name(pm_cpu_level());
    shift->evaluations = confirmed.evaluations + self->evaluations;
    return query->quality ? pm_quality_measure(self->quality, query, &confirmed, shift, err)
                          : PM_OK;
}

const struct pm_align_ops pm_align_hierarchical = {
    .method = PM_METHOD_HIERARCHICAL, .start = start, .run = run, .stop = stop};
