#include "worker/align/pattern.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/rect.h"
#include "worker/align/rivals.h"
#include "worker/align/stage.h"
#include "worker/align/symmetry.h"
#include "worker/kernels/l1.h"

#define BOX_PX 8 /* averaged along a line, which leaves an eighth of a pixel pattern's variance */
#define REACH 5  /* px beside the answer looked at; a scene further off is lower there too */
#define SHIFTS 7
static const int beside[SHIFTS] = {0, -5, -2, -1, 1, 2, 5};
#define PLACES_MOST 96 /* looked at, spread over the frame; */
#define PLACES_LEAST 8 /* as many between as make */
#define SAMPLES 300000 /* so many samples of one image; */
#define SAMPLES_LARGE 60000
#define LARGE_PIXELS 4e6
#define SEGMENT_PX 1024 /* of a row at one place, at most */
#define PARTS 8         /* of a place, each a witness of its own */
#define CLEAR 4.0       /* standard errors */
#define GOLDEN 0.6180339887498949
#define AWAY_PX 4 /* an answer this far from (0,0) leaves no hollow of the scene there */
/* A second place this deep is compared without lines, and is where the scene lies when it is this
 * much (relative) lower then. */
#define DEEP 0.3
#define MARGIN 0.05

/* One answer in question. Values are luma in staged units. */
struct lines {
    const struct pm_align_query *query;
    struct pm_stage stage;
    bool columns; /* lines of columns are in question, else lines of rows */
    int dy, dx;
    struct pm_overlap o; /* of the whole; x and w: of the segment at one place */
    void *staged;
    float *luma;                         /* of a row */
    float *gt, *target;                  /* what is left without the lines, at one place */
    double sum[SHIFTS][PARTS];           /* of the place */
    double mean[SHIFTS], square[SHIFTS]; /* sums of differences to shift 0 over parts and places */
    int n;
};

/* The luma of n px of a row. */
static void read_row(const struct lines *l, bool target, int x, int y, int n, float *out)
{
    int channels = l->query->gt->image->channels;

    if (target) {
        pm_stage_target(&l->stage, x, y, n, l->staged);
    } else {
        pm_stage_gt(&l->stage, x, y, n, l->staged);
    }
    for (int i = 0; i < n && l->stage.is_float; i++) {
        const float *s = (const float *)l->staged + (size_t)i * (size_t)channels;
        out[i] = channels == 3 ? s[0] + s[1] + s[2] : s[0];
    }
    for (int i = 0; i < n && !l->stage.is_float; i++) {
        const int16_t *s = (const int16_t *)l->staged + (size_t)i * (size_t)channels;
        out[i] = (float)(channels == 3 ? s[0] + s[1] + s[2] : s[0]);
    }
}

/* Differences of neighbouring boxes along a row: what the whole row has in common is gone. */
static int along_row(const struct lines *l, bool target, int x, int y, int n, float *out)
{
    int boxes = n / BOX_PX;

    read_row(l, target, x, y, n, l->luma);
    for (int b = 0; b < boxes; b++) {
        out[b] = 0;
        for (int i = 0; i < BOX_PX; i++) {
            out[b] += l->luma[b * BOX_PX + i];
        }
    }
    for (int b = 0; b + 1 < boxes; b++) {
        out[b] = out[b + 1] - out[b];
    }
    return boxes - 1;
}

/* Differences of two boxes down the columns, from row y: what whole columns share is gone. */
static int down_columns(const struct lines *l, bool target, int x, int y, int n, float *out)
{
    memset(out, 0, (size_t)n * sizeof *out);
    for (int r = 0; r < 2 * BOX_PX; r++) {
        read_row(l, target, x, y + r, n, l->luma);
        for (int i = 0; i < n; i++) {
            out[i] += r < BOX_PX ? -l->luma[i] : l->luma[i];
        }
    }
    return n;
}

static void compare(struct lines *l, int shift, const float *gt, const float *target, int n)
{
    for (int p = 0; p < PARTS; p++) {
        double sum = 0;
        for (int i = n * p / PARTS; i < n * (p + 1) / PARTS; i++) {
            sum += (double)fabsf(gt[i] - target[i]);
        }
        l->sum[shift][p] = sum;
    }
}

/* Row y of gt against the rows beside the one the answer says. */
static void place_row(struct lines *l, int y)
{
    int n = along_row(l, false, l->o.gt_x, y, l->o.w, l->gt);

    for (int k = 0; k < SHIFTS; k++) {
        along_row(l, true, l->o.target_x, y - l->dy - beside[k], l->o.w, l->target);
        compare(l, k, l->gt, l->target, n);
    }
}

/* The columns of gt at rows y .. against the columns beside those the answer says. */
static void place_columns(struct lines *l, int y)
{
    down_columns(l, false, l->o.gt_x, y, l->o.w, l->gt);
    down_columns(l, true, l->o.target_x, y - l->dy, l->o.w, l->target);
    for (int k = 0; k < SHIFTS; k++) {
        compare(l, k, l->gt + REACH, l->target + REACH - beside[k], l->o.w - 2 * REACH);
    }
}

static void add_place(struct lines *l)
{
    for (int p = 0; p < PARTS; p++) {
        for (int k = 1; k < SHIFTS; k++) {
            double d = l->sum[0][p] - l->sum[k][p];
            l->mean[k] += d;
            l->square[k] += d * d;
        }
    }
    l->n += PARTS;
}

/* Whether another shift is clearly lower. */
static bool other_is_lower(const struct lines *l)
{
    for (int k = 1; k < SHIFTS && l->n > 1; k++) {
        double mean = l->mean[k] / l->n;
        double variance = l->square[k] / l->n - mean * mean;
        if (mean > 0 && mean * mean * l->n > CLEAR * CLEAR * variance) {
            return true;
        }
    }
    return false;
}

/* Rows (or columns) at places spread over the overlap, which is put back. */
static bool look(struct lines *l)
{
    const struct pm_overlap whole = l->o;
    const struct pm_image *gt = l->query->gt->image;
    int height = l->columns ? 2 * BOX_PX : 1;
    int y0 = whole.gt_y + (l->columns ? 0 : REACH);
    int y1 = whole.gt_y + whole.h - height + 1 - (l->columns ? 0 : REACH);
    int w = whole.w < SEGMENT_PX ? whole.w : SEGMENT_PX;
    double samples = (double)gt->w * gt->h < LARGE_PIXELS ? SAMPLES : SAMPLES_LARGE;
    int places =
        (int)fmin(PLACES_MOST, fmax(PLACES_LEAST, samples / ((double)height * w * gt->channels)));

    l->n = 0;
    memset(l->mean, 0, sizeof l->mean);
    memset(l->square, 0, sizeof l->square);
    places = places < y1 - y0 ? places : y1 - y0;
    for (int i = 0; i < places; i++) {
        int y = y0 + (int)(((int64_t)2 * i + 1) * (y1 - y0) / (2 * (int64_t)places));
        int x = (int)(fmod(i * GOLDEN, 1) * (whole.w - w)); /* spread evenly however many */
        l->o.w = w;
        l->o.gt_x = whole.gt_x + x;
        l->o.target_x = whole.target_x + x;
        if (l->columns) {
            place_columns(l, y);
        } else {
            place_row(l, y);
        }
        add_place(l);
    }
    l->o = whole;
    return other_is_lower(l);
}

enum pm_code pm_pattern_lines(
    const struct pm_align_query *query, int dy, int dx, bool *lines, struct pm_err *err)
{
    const struct pm_image *gt = query->gt->image;
    size_t w = (size_t)gt->w;
    struct lines l = {.query = query, .dy = dy, .dx = dx};
    float *memory;

    *lines = false;
    l.o = pm_overlap_full(gt->w, gt->h, dy, dx);
    pm_stage_init(&l.stage, query);
    if ((dy != 0 && dx != 0) || l.stage.exact_only || l.o.w < 2 * PARTS * BOX_PX ||
        l.o.h < 4 * BOX_PX) {
        return PM_OK;
    }
    memory = malloc(w * (3 + (size_t)gt->channels) * sizeof *memory);
    if (memory == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to look for a sensor's pattern");
    }
    l.luma = memory;
    l.gt = memory + w;
    l.target = memory + 2 * w;
    l.staged = memory + 3 * w;
    for (int columns = 0; columns < 2 && !*lines; columns++) {
        l.columns = columns == 1;
        if ((l.columns ? dx : dy) == 0) {
            *lines = look(&l);
        }
    }
    free(memory);
    return PM_OK;
}

/* A copy without the means of rows and columns. */
static int16_t *flattened(const int16_t *in, int w, int h, size_t stride)
{
    size_t n = (size_t)w * (size_t)h;
    int16_t *out = malloc(n * sizeof *out);
    double *column = calloc((size_t)w, sizeof *column);
    double all = 0;

    for (int y = 0; out != NULL && column != NULL && y < h; y++) {
        for (int x = 0; x < w; x++) {
            column[x] += in[(size_t)y * stride + (size_t)x];
        }
    }
    for (int x = 0; column != NULL && x < w; x++) {
        column[x] /= h;
        all += column[x] / w;
    }
    for (int y = 0; out != NULL && column != NULL && y < h; y++) {
        const int16_t *row = in + (size_t)y * stride;
        double mean = 0;
        for (int x = 0; x < w; x++) {
            mean += (double)row[x] / w;
        }
        for (int x = 0; x < w; x++) { /* half: what both means take away may add up */
            out[(size_t)y * (size_t)w + (size_t)x] =
                (int16_t)lrint((row[x] - mean - column[x] + all) / 2);
        }
    }
    if (column == NULL) {
        free(out);
        out = NULL;
    }
    free(column);
    return out;
}

/* The smallest mean difference within 1 level px of (dy, dx). */
static double lowest(const int16_t *gt, const int16_t *target, int w, int h, int dy, int dx)
{
    double least = INFINITY;

    for (int i = 0; i < 9; i++) {
        struct pm_overlap o = pm_overlap_full(w, h, dy - 1 + i / 3, dx - 1 + i % 3);
        uint64_t sum = 0;
        for (int y = 0; y < o.h; y++) {
            sum += pm_l1()->row_i16(gt + (size_t)(o.gt_y + y) * (size_t)w + o.gt_x,
                target + (size_t)(o.target_y + y) * (size_t)w + o.target_x, (size_t)o.w);
        }
        if (o.w > 0 && o.h > 0) {
            least = fmin(least, (double)sum / ((double)o.w * o.h));
        }
    }
    return least;
}

double pm_pattern_prefers(
    const struct pm_levelsearch *level, int dy, int dx, int other_dy, int other_dx)
{
    const int16_t *gt, *target;
    int16_t *flat[2];
    int w, h;
    size_t stride;
    double unit, here, there, result = 0;

    pm_levelsearch_planes(level, &gt, &target, &w, &h, &stride, &unit);
    flat[0] = flattened(gt, w, h, stride);
    flat[1] = flattened(target, w, h, stride);
    if (flat[0] != NULL && flat[1] != NULL) {
        here = lowest(flat[0], flat[1], w, h, dy, dx);
        there = lowest(flat[0], flat[1], w, h, other_dy, other_dx);
        result = isfinite(here) && isfinite(there) && here + there > 0
                     ? (here - there) / fmax(here, there)
                     : 0;
    }
    free(flat[0]);
    free(flat[1]);
    return result;
}

enum pm_code pm_pattern_resting(
    struct pm_bands *bands, const struct pm_align_query *query, bool *resting, struct pm_err *err)
{
    static const struct pm_bands_at here = {0, 0};
    struct pm_candidate rivals[PM_RIVALS_MOST];
    int n = pm_rivals_of(query->gt->image->channels, 0, 0, rivals);
    enum pm_code rc = pm_bands_begin(bands, query, err);
    int step = pm_bands_first_step(bands);

    *resting = false;
    if (rc == PM_OK) {
        rc = pm_bands_sum3(bands, 0, 0, step, false, err);
    }
    for (int i = n - 8; rc == PM_OK && i < n; i++) { /* of a mosaic, those a period away */
        struct pm_bands_at there = {rivals[i].dy, rivals[i].dx};
        struct pm_bands_difference d;
        rc = pm_bands_sum3(bands, there.dy, there.dx, step, false, err);
        d = pm_bands_compare(bands, there, here, step, 0);
        if (!(d.loss > CLEAR * d.noise)) {
            return rc; /* unrelated places have a slope, which goes down on one side */
        }
    }
    *resting = rc == PM_OK;
    return rc;
}

enum pm_code pm_pattern_suspected(struct pm_levelsearch *level, struct pm_bands *bands,
    const struct pm_align_query *query, const struct pm_confirmed *confirmed, double depth,
    bool *suspected, struct pm_err *err)
{
    int factor = pm_levelsearch_factor(query->gt->image);
    struct pm_symmetry symmetry;
    enum pm_code rc = PM_OK;

    *suspected = false;
    if (confirmed->dy != 0 && confirmed->dx != 0) {
        return PM_OK;
    }
    if (depth > DEEP) {
        double prefers = pm_pattern_prefers(level, (int)lrint((double)confirmed->dy / factor),
            (int)lrint((double)confirmed->dx / factor),
            (int)lrint((double)confirmed->second_dy / factor),
            (int)lrint((double)confirmed->second_dx / factor));
        if (prefers > MARGIN) {
            *suspected = true;
            return PM_OK;
        }
    }
    if (abs(confirmed->dy) + abs(confirmed->dx) >= AWAY_PX) {
        rc = pm_pattern_resting(bands, query, suspected, err);
    }
    if (rc == PM_OK && !*suspected) {
        rc = pm_pattern_lines(query, confirmed->dy, confirmed->dx, suspected, err);
    }
    if (rc == PM_OK && !*suspected) {
        rc = pm_symmetry_measure(level, query, confirmed->dy, confirmed->dx, &symmetry, err);
        *suspected = rc == PM_OK && pm_symmetry_broken(&symmetry);
    }
    return rc;
}
