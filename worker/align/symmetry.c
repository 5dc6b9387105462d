#include "worker/align/symmetry.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/rect.h"

#define CELL_PX 4    /* of the image at least; noise and a pattern of pixels average down in it */
#define ROWS 2       /* level rows of a cell that are added up */
#define PRODUCTS 3e7 /* at most, for the table: 1 to 2 ms; cells grow until it is enough */
#define MANY_CELLS 50000 /* every second row of more is enough */
#define FEW_CELLS 12     /* a side; fewer say nothing */
#define LEAST_REACH 3    /* cells looked at to either side at least */
#define LOCAL 7          /* cells a side of the surroundings that are taken away */
#define STEPS 256        /* a standard deviation; */
#define STEPS_MOST 2047
#define CHUNK 256 /* products of STEPS_MOST^2 that fit 31 bits */
#define PARTS 8   /* of the frame, a side */
/* From half of the full asymmetry the scene is a quarter of the way to the other place at least:
 * 2 px and more of cells of 4. Ordinary pairs with shift 0 stayed far below: under 0.02 from a
 * megapixel on, under 0.25 at 0.06 megapixels and heavy noise (before LOCAL means were taken away;
 * with them, none of 60 pairs of a megapixel was doubted). */
#define BROKEN 0.5
#define BROKEN_Z 1.5
/* The largest of some hundred differences that are nothing but chance is 3 to 4 standard errors. */
#define BROKEN_CHANCE 5.0
/* Cells that the scene is at least away from the answer. A fraction of a pixel is up to an eighth;
 * in a periodic scene it alone makes one side much larger than the other beside each repetition. */
#define BROKEN_CELLS 0.35

/* Both images in cells, over what they share at the answer; the tables are in cells. */
struct cells {
    const int16_t *plane; /* of the level, at the overlap's corner */
    size_t stride;
    int16_t *gt, *target; /* h rows of w, scaled to STEPS */
    bool at_origin;       /* the answer is (0,0) */
    int w, h, k;          /* k: level px a side of a cell */
    int ry, rx;
    int away_dy, away_dx; /* where the sensor's (0,0) lies, from the answer; cells */
    double *table;        /* (2 ry + 1) x (2 rx + 1) */
};

/* Sums of k x k level px, or of as many columns in some of the rows; and the sums' means by row and
 * by column. line: of w * k. */
static void add_up(const struct cells *c, float *sum, double *row, double *column, int32_t *line)
{
    int w = c->w, h = c->h, k = c->k, step = k > ROWS ? k / ROWS : 1;

    for (int y = 0; y < h; y++) {
        memset(line, 0, (size_t)w * (size_t)k * sizeof *line);
        for (int i = 0; i < k; i += step) {
            const int16_t *in = c->plane + (size_t)(y * k + i) * c->stride;
            for (int x = 0; x < w * k; x++) {
                line[x] += in[x];
            }
        }
        for (int x = 0; x < w; x++) {
            int32_t s = 0;
            for (int i = 0; i < k; i++) {
                s += line[x * k + i];
            }
            sum[(size_t)y * (size_t)w + (size_t)x] = (float)s;
            row[y] += (double)s / w;
            column[x] += (double)s / h;
        }
    }
}

/* Takes the means of rows and columns away. */
static void flatten(const struct cells *c, float *sum, const double *row, const double *column)
{
    double all = 0;

    for (int y = 0; y < c->h; y++) {
        all += row[y] / c->h;
    }
    for (int y = 0; y < c->h; y++) {
        float *s = sum + (size_t)y * (size_t)c->w;
        for (int x = 0; x < c->w; x++) {
            s[x] = (float)((double)s[x] - row[y] - column[x] + all);
        }
    }
}

/* out: the sum of LOCAL cells of a row about each; outside counts as 0. */
static void add_along(const float *in, int w, float *out)
{
    double sum = 0;

    for (int x = 0; x < w + LOCAL / 2; x++) {
        sum += x < w ? (double)in[x] : 0;
        sum -= x >= LOCAL ? (double)in[x - LOCAL] : 0;
        if (x >= LOCAL / 2) {
            out[x - LOCAL / 2] = (float)sum;
        }
    }
}

/* At (0,0), takes the mean of LOCAL x LOCAL cells about each away: a bright and blurred part of the
 * frame would outweigh all detail. (Elsewhere the answer is not a whole number of level px, which
 * counts for more in detail alone.) along: of w * h; column: of w. Returns the variance of what is
 * left.
 */
static double take_local(const struct cells *c, float *sum, float *along, double *column)
{
    size_t w = (size_t)c->w;
    int h = c->h;
    double share = c->at_origin ? 1.0 / (LOCAL * LOCAL) : 0, squares = 0;

    assert(c->w > 0 && h > 0);
    for (int y = 0; y < h; y++) {
        add_along(sum + (size_t)y * w, c->w, along + (size_t)y * w);
    }
    memset(column, 0, w * sizeof *column);
    for (int y = 0; y < h + LOCAL / 2; y++) {
        for (size_t x = 0; x < w; x++) {
            column[x] += y < h ? (double)along[(size_t)y * w + x] : 0;
            column[x] -= y >= LOCAL ? (double)along[(size_t)(y - LOCAL) * w + x] : 0;
            if (y >= LOCAL / 2) {
                float *out = &sum[(size_t)(y - LOCAL / 2) * w + x];
                *out -= (float)(column[x] * share);
                squares += (double)*out * (double)*out;
            }
        }
    }
    return squares / ((double)w * h);
}

/* Cells without what rows, columns and surroundings share, scaled. Without contrast above the
 * rounding of the level all are 0. */
static bool fill(const struct cells *c, int16_t *out)
{
    size_t w = (size_t)c->w, h = (size_t)c->h;
    double *row = calloc(w + h, sizeof *row), variance, unit;
    float *sum = malloc(2 * w * h * sizeof *sum);
    int32_t *line = malloc(w * (size_t)c->k * sizeof *line);
    bool ok = row != NULL && sum != NULL && line != NULL;

    if (ok) {
        add_up(c, sum, row, row + h, line);
        flatten(c, sum, row, row + h);
        variance = take_local(c, sum, sum + w * h, row + h);
        unit = variance > (double)c->k * c->k ? STEPS / sqrt(variance) : 0;
        for (size_t i = 0; i < w * h; i++) {
            double v = (double)sum[i] * unit;
            v = v > STEPS_MOST ? STEPS_MOST : v < -STEPS_MOST ? -STEPS_MOST : v;
            out[i] = (int16_t)v;
        }
    }
    free(row);
    free(sum);
    free(line);
    return ok;
}

static int64_t dot(const int16_t *a, const int16_t *b, int n)
{
    int64_t sum = 0;

    for (int from = 0; from < n; from += CHUNK) {
        int to = n - from < CHUNK ? n : from + CHUNK;
        int32_t part = 0;
        for (int i = from; i < to; i++) {
            part += a[i] * b[i];
        }
        sum += part;
    }
    return sum;
}

/* The mean product of a block of the target's cells with gt's (dy, dx) further on. */
static double mean_product(const struct cells *c, int x, int y, int w, int h, int dy, int dx)
{
    int step = c->w * c->h > MANY_CELLS ? 2 : 1;
    int rows = (h + step - 1) / step;
    int64_t sum = 0;

    for (int r = y; r < y + h; r += step) {
        sum += dot(c->gt + (size_t)(r + dy) * (size_t)c->w + (x + dx),
            c->target + (size_t)r * (size_t)c->w + x, w);
    }
    return (double)sum / ((double)w * rows * STEPS * STEPS);
}

static double *at(const struct cells *c, int dy, int dx)
{
    return &c->table[(size_t)(dy + c->ry) * (size_t)(2 * c->rx + 1) + (size_t)(dx + c->rx)];
}

static void correlate(const struct cells *c)
{
    for (int dy = -c->ry; dy <= c->ry; dy++) {
        for (int dx = -c->rx; dx <= c->rx; dx++) {
            struct pm_overlap o = pm_overlap_full(c->w, c->h, dy, dx);
            *at(c, dy, dx) = mean_product(c, o.target_x, o.target_y, o.w, o.h, dy, dx);
        }
    }
}

/* Where the pattern of pixels meets itself, unless that is the answer: nothing to compare with. */
static bool spot(const struct cells *c, int dy, int dx)
{
    if (c->away_dy == 0 && c->away_dx == 0) {
        return false;
    }
    return (abs(dy - c->away_dy) <= 1 && abs(dx - c->away_dx) <= 1) ||
           (abs(dy + c->away_dy) <= 1 && abs(dx + c->away_dx) <= 1);
}

/* The shift, 2 cells or more beyond the answer, whose opposite is lower by the most. */
static bool find(const struct cells *c, int *at_dy, int *at_dx)
{
    double most = 0;

    for (int dy = 1 - c->ry; dy < c->ry; dy++) {
        for (int dx = 1 - c->rx; dx < c->rx; dx++) {
            double d = *at(c, dy, dx) - *at(c, -dy, -dx);
            bool near = abs(dy) <= 1 && abs(dx) <= 1;
            if (!near && d > most && *at(c, dy, dx) > 0 && !spot(c, dy, dx)) {
                most = d;
                *at_dy = dy;
                *at_dx = dx;
            }
        }
    }
    return most > 0;
}

/* The correlation beside the answer, without the answer: a pattern of pixels is not in it. */
static double beside(const struct cells *c)
{
    double most = -INFINITY;

    for (int i = 0; i < 9; i++) {
        most = i == 4 ? most : fmax(most, *at(c, i / 3 - 1, i % 3 - 1));
    }
    return most;
}

/* The mean of both sides: what the correlation were, nearly, with the scene at the answer. */
static double even(const struct cells *c, int dy, int dx)
{
    return (*at(c, dy, dx) + *at(c, -dy, -dx)) / 2;
}

/* By how many cells the scene would have to move to make the two sides that different, by the slope
 * of the mean of both there: never more than it is away, where the correlation falls straight. */
static double cells_away(const struct cells *c, int dy, int dx)
{
    double sy = (even(c, dy + 1, dx) - even(c, dy - 1, dx)) / 2;
    double sx = (even(c, dy, dx + 1) - even(c, dy, dx - 1)) / 2;

    return (*at(c, dy, dx) - *at(c, -dy, -dx)) / 2 / fmax(hypot(sy, sx), 1e-12);
}

/* Mean over parts of the frame of one side's surplus / its standard error. */
static double witness(const struct cells *c, int dy, int dx)
{
    int y0 = abs(dy), x0 = abs(dx), h = c->h - 2 * y0, w = c->w - 2 * x0;
    double mean = 0, square = 0;
    const int n = PARTS * PARTS;

    if (h < PARTS || w < PARTS) {
        return 0;
    }
    for (int i = 0; i < n; i++) {
        int y = y0 + h * (i / PARTS) / PARTS, y1 = y0 + h * (i / PARTS + 1) / PARTS;
        int x = x0 + w * (i % PARTS) / PARTS, x1 = x0 + w * (i % PARTS + 1) / PARTS;
        double d = mean_product(c, x, y, x1 - x, y1 - y, dy, dx) -
                   mean_product(c, x, y, x1 - x, y1 - y, -dy, -dx);
        mean += d / n;
        square += d * d / n;
    }
    return mean / sqrt(fmax(square - mean * mean, 1e-12) / (n - 1));
}

static int reach(int wanted, int cells, int k)
{
    int r = wanted / k;

    r = r < LEAST_REACH ? LEAST_REACH : r;
    return r < cells / 3 ? r : cells / 3;
}

/* The smallest cells whose table is affordable. False: too few. */
static bool size(struct cells *c, const struct pm_overlap *o, int least, int ry, int rx)
{
    for (c->k = least;; c->k *= 2) {
        c->w = o->w / c->k;
        c->h = o->h / c->k;
        if (c->w < FEW_CELLS || c->h < FEW_CELLS) {
            return false;
        }
        c->ry = reach(ry, c->h, c->k);
        c->rx = reach(rx, c->w, c->k);
        if ((2.0 * c->ry + 1) * (2.0 * c->rx + 1) * c->w * c->h <= PRODUCTS) {
            return true;
        }
    }
}

static void compare(const struct cells *c, struct pm_symmetry *out)
{
    int dy = 0, dx = 0;
    double with, against, top;

    correlate(c);
    if (!find(c, &dy, &dx)) {
        return;
    }
    with = *at(c, dy, dx);
    against = *at(c, -dy, -dx);
    top = fmax(with, beside(c));
    out->asymmetry = (with - against) / (top - (with + against) / 2); /* top >= with > against */
    out->chance = (with - against) / sqrt(2.0 / ((double)c->w * c->h));
    out->cells = cells_away(c, dy, dx);
    out->z = witness(c, dy, dx);
    out->dy = dy * c->k;
    out->dx = dx * c->k;
}

static bool grow(struct cells *c)
{
    size_t n = (size_t)c->w * (size_t)c->h;

    c->gt = malloc(2 * n * sizeof *c->gt);
    c->target = c->gt != NULL ? c->gt + n : NULL;
    c->table = malloc((2 * (size_t)c->ry + 1) * (2 * (size_t)c->rx + 1) * sizeof *c->table);
    return c->gt != NULL && c->table != NULL;
}

enum pm_code pm_symmetry_measure(const struct pm_levelsearch *level,
    const struct pm_align_query *query, int dy, int dx, struct pm_symmetry *out, struct pm_err *err)
{
    const struct pm_image *image = query->gt->image;
    struct pm_range range = pm_align_range(image->w, image->h, query->max_shift);
    int factor = pm_levelsearch_factor(image), w, h;
    int least = factor < CELL_PX ? CELL_PX / factor : 1;
    const int16_t *gt, *target;
    struct cells c = {.at_origin = dy == 0 && dx == 0};
    struct pm_overlap o;
    double unit, rounding; /* px; of the answer to the level */
    bool ok;

    *out = (struct pm_symmetry){.asymmetry = 0};
    rounding = hypot(
        dy - factor * nearbyint((double)dy / factor), dx - factor * nearbyint((double)dx / factor));
    dy = (int)nearbyint((double)dy / factor);
    dx = (int)nearbyint((double)dx / factor);
    pm_levelsearch_planes(level, &gt, &target, &w, &h, &c.stride, &unit);
    o = pm_overlap_full(w, h, dy, dx);
    if (!size(&c, &o, least, range.dy / factor, range.dx / factor)) {
        return PM_OK;
    }
    c.away_dy = (int)lrint((double)-dy / c.k);
    c.away_dx = (int)lrint((double)-dx / c.k);
    ok = grow(&c);
    if (ok) {
        c.plane = gt + (size_t)o.gt_y * c.stride + o.gt_x;
        ok = fill(&c, c.gt);
        c.plane = target + (size_t)o.target_y * c.stride + o.target_x;
        ok = ok && fill(&c, c.target);
    }
    if (ok) {
        compare(&c, out);
        out->cells = fmax(0, out->cells - rounding / (c.k * factor));
        out->dy *= factor;
        out->dx *= factor;
    }
    free(c.gt);
    free(c.table);
    return ok ? PM_OK : pm_err_set(err, PM_ENOMEM, "no memory to look for a sensor's pattern");
}

bool pm_symmetry_broken(const struct pm_symmetry *symmetry)
{
    return symmetry->chance > BROKEN_CHANCE && symmetry->asymmetry > BROKEN &&
           symmetry->z > BROKEN_Z && symmetry->cells > BROKEN_CELLS;
}
