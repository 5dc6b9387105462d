#include "worker/align/hills.h"

#include <math.h>
#include <stdlib.h>

#include "worker/align/levelsearch.h"
#include "worker/align/prep_levels.h"

/* Scores are not trusted far: fine periodic texture can put a true peak 15% below a wrong one at
 * factor 8, so the level's L1 decides, and what that leaves open the pixels decide. */

#define PEAKS 64   /* of the correlation, */
#define WORTH 0.45 /* as long as they are not this far below the best */
#define GRID_MOST 32
#define HILLS (PEAKS + GRID_MOST + 1)
#define SMALL_PIXELS 4e6
#define COARSE_ROWS 100 /* rows of the level, spread evenly, that are looked at first, */
#define FINE_ROWS 400   /* and then */
#define GAIN_OFF 0.005  /* relative; a gain this different is worth a look of its own */
#define SMALLEST 16     /* px a side; smaller images have no level, and confirm tries every shift */

/* How far a search goes. Small images have little to average over, their luma says less about
 * colour, and a second look at them costs next to nothing. */
struct care {
    int followed;        /* hills of the level looked at a second time */
    double open;         /* a hill this far up from the best to unrelated places is still open */
    double more;         /* added to that at the first look at the level */
    int grid, grid_rows; /* level px between the shifts whose L1 is looked at besides, and rows */
    int grid_kept;       /* the lowest of them */
    int matched;         /* peaks looked at again with the gain of their own overlap, */
    double alike;        /* if not this far below the best */
    bool all_rows;
};
static const struct care usual_large = {16, 0.6, 0.1, 4, 32, 8, 4, 0.8, false};
static const struct care usual_small = {16, 0.9, 0.1, 4, 32, 8, 4, 0.8, false};
static const struct care usual_tiny = {56, 0.9, 0.1, 4, 2, 8, 4, 0.8, false}; /* factor 1, 2 */
static const struct care wide_large = {HILLS, 1, 0, 1, 8, GRID_MOST, 16, 0.5, true};
static const struct care wide_small = {HILLS, 1, 0, 1, 1, GRID_MOST, 16, 0.5, true};

struct pm_hills {
    struct pm_zncc *zncc;
    struct pm_levelsearch *level;
    int64_t evaluations;
};

enum pm_code pm_hills_new(struct pm_hills **out, struct pm_err *err)
{
    struct pm_hills *self = calloc(1, sizeof *self);
    enum pm_code rc;

    if (self == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to search for a shift");
    }
    rc = pm_zncc_new(&self->zncc, err);
    if (rc == PM_OK) {
        rc = pm_levelsearch_new(&self->level, err);
    }
    if (rc != PM_OK) {
        pm_hills_free(self);
        return rc;
    }
    *out = self;
    return PM_OK;
}

void pm_hills_free(struct pm_hills *hills)
{
    if (hills != NULL) {
        pm_zncc_free(hills->zncc);
        pm_levelsearch_free(hills->level);
        free(hills);
    }
}

int64_t pm_hills_evaluations(const struct pm_hills *hills)
{
    return hills->evaluations;
}

/* The factor at which the first search runs: as coarse as leaves some hundred values a side, since
 * noise and cost fall with it. */
static int coarse_factor(const struct pm_image *image)
{
    int side = image->w < image->h ? image->w : image->h;

    return side >= 1024 ? 8 : side >= 384 ? 4 : side >= 128 ? 2 : 1;
}

/* Peaks of the coarse correlation, px of the image. */
static enum pm_code coarse_peaks(struct pm_hills *self, const struct pm_align_query *query,
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

static const struct care *care_for(const struct pm_image *image, enum pm_hills_care care)
{
    bool large = (double)image->w * image->h >= SMALL_PIXELS;

    if (care == PM_HILLS_WIDE) {
        return large ? &wide_large : &wide_small;
    }
    return large ? &usual_large : pm_levelsearch_factor(image) == 4 ? &usual_small : &usual_tiny;
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
static int level_hills(struct pm_hills *self, const struct pm_align_query *query,
    const struct care *care, const struct pm_zncc_peak *peaks, int count,
    struct pm_level_hill hills[HILLS])
{
    int factor = pm_levelsearch_factor(query->gt->image);
    int rows = query->gt->image->h / factor;
    bool few = factor == 4 && rows > COARSE_ROWS && !care->all_rows;
    int row_step = few ? rows / COARSE_ROWS : 1;
    int fine_step = rows > FINE_ROWS && !care->all_rows ? rows / FINE_ROWS : 1;
    double reach;
    struct pm_level_hill coarse[HILLS];
    struct pm_level_at grid[GRID_MOST];
    int n = 0, kept = 0, found;

    for (int i = 0; i < count && (i == 0 || peaks[i].score >= WORTH * peaks[0].score); i++) {
        n = add_hill(coarse, n,
            pm_levelsearch_descend(self->level, (int)lrint(peaks[i].dy / factor),
                (int)lrint(peaks[i].dx / factor), row_step));
    }
    found = pm_levelsearch_grid(self->level, care->grid, care->grid_rows, grid, care->grid_kept);
    for (int i = 0; i < found; i++) {
        n = add_hill(
            coarse, n, pm_levelsearch_descend(self->level, grid[i].dy, grid[i].dx, row_step));
    }
    n = add_hill(coarse, n, pm_levelsearch_descend(self->level, 0, 0, row_step));
    qsort(coarse, (size_t)n, sizeof coarse[0], by_loss);
    reach = (care->open + care->more) * (pm_levelsearch_unrelated(self->level) - coarse[0].loss);
    for (int i = 0; i < n && i < care->followed; i++) {
        if (i == 0 || coarse[i].loss - coarse[0].loss <= reach) {
            kept = add_hill(hills, kept,
                pm_levelsearch_descend(self->level, coarse[i].dy, coarse[i].dx, fine_step));
        }
    }
    qsort(hills, (size_t)kept, sizeof hills[0], by_loss);
    return kept;
}

/* The hills full resolution has to decide between. */
static int open_candidates(struct pm_hills *self, const struct pm_align_query *query,
    const struct care *care, const struct pm_level_hill *hills, int count, struct pm_candidate *out)
{
    int factor = pm_levelsearch_factor(query->gt->image);
    double reach = care->open * (pm_levelsearch_unrelated(self->level) - hills[0].loss);
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
static enum pm_code add_matched(struct pm_hills *self, const struct pm_align_query *query,
    const struct care *care, const struct pm_zncc_peak *peaks, int peak_count,
    struct pm_candidate *out, int *count, struct pm_err *err)
{
    int factor = pm_levelsearch_factor(query->gt->image);
    double gain = query->gain; /* that the level is scaled with */

    for (int i = 0;
         i < peak_count && i < care->matched && peaks[i].score > care->alike * peaks[0].score;
         i++) {
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
        if (*count < PM_HILLS_MOST && !near_any(out, *count, dy, dx)) {
            out[(*count)++] = (struct pm_candidate){.dy = dy, .dx = dx, .score = peaks[i].score};
        }
    }
    return PM_OK;
}

static bool too_small(const struct pm_align_query *query)
{
    return query->gt->image->w < SMALLEST || query->gt->image->h < SMALLEST;
}

enum pm_code pm_hills_of_peaks(struct pm_hills *hills, const struct pm_align_query *query,
    enum pm_hills_care care, const struct pm_zncc_peak *peaks, int peak_count,
    struct pm_candidate out[PM_HILLS_MOST], int *count, struct pm_err *err)
{
    const struct care *how = care_for(query->gt->image, care);
    struct pm_level_hill found[HILLS];
    enum pm_code rc;

    hills->evaluations = 0;
    *count = 0;
    if (too_small(query)) {
        out[(*count)++] = (struct pm_candidate){.dy = 0, .dx = 0};
        return PM_OK;
    }
    rc = pm_levelsearch_begin(hills->level, query, err);
    if (rc == PM_OK) {
        int n = peak_count < PEAKS ? peak_count : PEAKS;
        n = level_hills(hills, query, how, peaks, n, found);
        hills->evaluations = pm_levelsearch_evaluations(hills->level);
        *count = open_candidates(hills, query, how, found, n, out);
        rc = add_matched(hills, query, how, peaks, peak_count, out, count, err);
    }
    return rc;
}

enum pm_code pm_hills_search(struct pm_hills *hills, const struct pm_align_query *query,
    enum pm_hills_care care, struct pm_candidate out[PM_HILLS_MOST], int *count, struct pm_err *err)
{
    struct pm_zncc_peak peaks[PEAKS];
    int peak_count = 0;
    enum pm_code rc = PM_OK;

    if (!too_small(query)) {
        rc = coarse_peaks(hills, query, peaks, &peak_count, err);
    }
    return rc == PM_OK ? pm_hills_of_peaks(hills, query, care, peaks, peak_count, out, count, err)
                       : rc;
}
