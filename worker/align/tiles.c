#include "worker/align/tiles.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/align/tileplace.h"
#include "worker/kernels/gradient.h"
#include "worker/kernels/l1.h"

#define ROW_STEP 2    /* rows of a tile looked at for its place: one in so many, */
#define MOMENT_STEP 4 /* and for its moments */
#define MOVES 6       /* a tile may lie this many level px from the whole */
#define MARGIN (MOVES + 1)
#define MIN_CONTRAST                                                                               \
    0.03            /* kink of a tile's L1, relative to L1 itself, below which it says nothing */
#define ROUNDS 6    /* of reweighting */
#define SOFT_PX 0.5 /* level px; distance from the fit at which a tile's weight is halved */
#define FEW_RATIOS 4.0
#define DARK 4 /* level steps; a ratio of darker tiles is rounding */

struct pm_tiles {
    struct pm_tile *map;
    int rows, columns, capacity;
    double *scratch; /* one value a tile */
};

/* The planes compared, and where tiles lie in them. */
struct view {
    const struct pm_l1_ops *l1;
    const struct pm_gradient_ops *gradient;
    const int16_t *gt, *target;
    int w, h, dy, dx; /* level px */
    size_t stride;
    double unit;
};

enum pm_code pm_tiles_new(struct pm_tiles **out, struct pm_err *err)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? PM_OK : pm_err_set(err, PM_ENOMEM, "no memory for a map of tiles");
}

void pm_tiles_free(struct pm_tiles *tiles)
{
    if (tiles != NULL) {
        free(tiles->map);
        free(tiles->scratch);
        free(tiles);
    }
}

const struct pm_tile *pm_tiles_map(const struct pm_tiles *tiles, int *rows, int *columns)
{
    *rows = tiles->rows;
    *columns = tiles->columns;
    return tiles->map;
}

static bool grow(struct pm_tiles *tiles, int count)
{
    if (count > tiles->capacity) {
        free(tiles->map);
        free(tiles->scratch);
        tiles->map = malloc((size_t)count * sizeof *tiles->map);
        tiles->scratch = malloc((size_t)count * sizeof *tiles->scratch);
        tiles->capacity = tiles->map != NULL && tiles->scratch != NULL ? count : 0;
    }
    return count <= tiles->capacity;
}

/* One tile of gt, and of the target as far as the tile may move, brought to one brightness: where
 * the light changes over the frame, L1 would pull smooth tiles to where the other is brighter. */
struct patch {
    int16_t gt[PM_TILE / ROW_STEP][PM_TILE];
    int16_t target[PM_TILE + 2 * MARGIN][PM_TILE + 2 * MARGIN];
};

/* The tile with its corner at (y, x) of gt; false when its surroundings leave the target. */
static bool cut_patch(const struct view *v, int y, int x, double ratio, struct patch *patch)
{
    int ty = y - v->dy - MARGIN, tx = x - v->dx - MARGIN, side = PM_TILE + 2 * MARGIN;
    double gt = isnan(ratio) || ratio <= 1 ? 1 : 1 / ratio;
    double target = isnan(ratio) || ratio > 1 ? 1 : ratio;

    if (ty < 0 || ty + side > v->h || tx < 0 || tx + side > v->w) {
        return false;
    }
    for (int r = 0; r < PM_TILE / ROW_STEP; r++) {
        v->l1->stage_i16(v->gt + (size_t)(y + r * ROW_STEP) * v->stride + x, PM_TILE,
            (int16_t)fmin(32767, 32768 * gt), patch->gt[r]);
    }
    for (int r = 0; r < side; r++) {
        v->l1->stage_i16(v->target + (size_t)(ty + r) * v->stride + tx, (size_t)side,
            (int16_t)fmin(32767, 32768 * target), patch->target[r]);
    }
    return true;
}

/* Sums of the nine shifts around (dy, dx), counted from where the whole lies. */
static void patch_nine(
    const struct view *v, const struct patch *patch, int dy, int dx, uint64_t sum[3][3])
{
    memset(sum, 0, 9 * sizeof sum[0][0]);
    for (int r = 0; r < PM_TILE / ROW_STEP; r++) {
        for (int i = 0; i < 3; i++) {
            const int16_t *b = patch->target[r * ROW_STEP + MARGIN - (dy - 1 + i)];
            v->l1->row3_i16(patch->gt[r], b + (MARGIN - dx - 1), 1, PM_TILE, sum[i]);
        }
    }
}

/* How sharp the kink of L1 is, on the axis where it is least. */
static void narrow(double *sharpness, uint64_t before, uint64_t here, uint64_t after)
{
    double rise = (double)before + (double)after - 2 * (double)here;

    *sharpness = fmin(*sharpness, here > 0 ? rise / (double)here : rise);
}

/* Where a tile lies best, by descent from where the whole lies. */
static void place_tile(const struct view *v, int y, int x, int factor, struct pm_tile *tile)
{
    int dy = 0, dx = 0;
    uint64_t sum[3][3]; /* [i][k]: dy - 1 + i, dx + 1 - k */
    double sharpness = INFINITY, fy, fx;
    struct patch patch;
    struct pm_tile_pair pair = {.ops = v->gradient,
        .gt = v->gt,
        .target = v->target,
        .stride = v->stride,
        .w = v->w,
        .h = v->h,
        .side = PM_TILE,
        .y = y,
        .x = x,
        .ratio = tile->ratio};

    tile->weight = 0;
    if (!cut_patch(v, y, x, tile->ratio, &patch)) {
        return;
    }
    for (;;) {
        int best = 4;
        if (abs(dy) > MOVES || abs(dx) > MOVES) {
            return;
        }
        patch_nine(v, &patch, dy, dx, sum);
        for (int i = 0; i < 9; i++) {
            best = sum[i / 3][i % 3] < sum[best / 3][best % 3] ? i : best;
        }
        if (best == 4) {
            break;
        }
        dy += best / 3 - 1;
        dx += 1 - best % 3;
    }
    narrow(&sharpness, sum[0][1], sum[1][1], sum[2][1]);
    narrow(&sharpness, sum[1][2], sum[1][1], sum[1][0]);
    pair.dy = v->dy + dy;
    pair.dx = v->dx + dx;
    if (!pm_tile_fraction(&pair, &fy, &fx)) {
        return;
    }
    tile->dy = factor * (dy + fy);
    tile->dx = factor * (dx + fx);
    tile->weight = sharpness > MIN_CONTRAST ? fmin(1, sharpness) : 0;
}

static struct pm_l1_moments tile_moments(const struct view *v, int y, int x)
{
    struct pm_l1_moments m = {.n = 0};

    for (int r = 0; r < PM_TILE; r += MOMENT_STEP) {
        v->l1->moments(v->gt + (size_t)(y + r) * v->stride + x,
            v->target + (size_t)(y + r - v->dy) * v->stride + (x - v->dx), PM_TILE - 1, &m);
    }
    return m;
}

/* Sums over all tiles. */
struct agreement {
    double ab, aa, bb;    /* covariances inside tiles, free of white noise */
    double variance;      /* of gt inside tiles, noise included */
    double gt, target, n; /* for the means */
};

static void add_tile(struct agreement *sum, const struct pm_l1_moments *m, struct pm_tile *tile)
{
    double n = (double)m->n, a = (double)m->a / n, b = (double)m->b / n;

    sum->ab += (double)m->ab - n * a * b;
    sum->aa += (double)m->aa1 - n * a * a; /* the last column's share in the mean is negligible */
    sum->variance += (double)m->aa - n * a * a;
    sum->bb += (double)m->bb1 - n * b * b;
    sum->gt += (double)m->a;
    sum->target += (double)m->b;
    sum->n += n;
    tile->ratio = b > DARK && a > DARK ? a / b : (double)NAN;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n > 0 ? v[n / 2] : 0;
}

/* Translation, rotation r and scale s: dy = ty + s y - r x, dx = tx + s x + r y. */
struct model {
    double ty, tx, s, r;
    double weight, moment; /* sums of weights, and of weights times squared distance */
    double error;          /* weighted mean squared distance from the model, per axis */
};

static double distance(const struct model *m, const struct pm_tile *t)
{
    return hypot(
        t->dy - (m->ty + m->s * t->y - m->r * t->x), t->dx - (m->tx + m->s * t->x + m->r * t->y));
}

/* One weighted least-squares fit; the weights fall with the distance from the last model. */
static struct model refit(const struct pm_tiles *tiles, const struct model *last, double soft)
{
    struct model m = {.weight = 0};
    double my = 0, mx = 0, ry = 0, rx = 0, cross = 0, dot = 0;
    int count = tiles->rows * tiles->columns;

    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < count; i++) {
            const struct pm_tile *t = &tiles->map[i];
            double d = last != NULL ? distance(last, t) / soft : 0;
            double w = t->weight / (1 + d * d);
            double y = t->y - my, x = t->x - mx;
            if (!(w > 0)) {
                continue;
            }
            if (pass == 0) {
                m.weight += w;
                my += w * t->y;
                mx += w * t->x;
                ry += w * t->dy;
                rx += w * t->dx;
            } else {
                m.moment += w * (y * y + x * x);
                dot += w * (y * (t->dy - ry) + x * (t->dx - rx));
                cross += w * (y * (t->dx - rx) - x * (t->dy - ry));
            }
        }
        if (pass == 0 && m.weight > 0) {
            my /= m.weight;
            mx /= m.weight;
            ry /= m.weight;
            rx /= m.weight;
        }
    }
    m.s = m.moment > 0 ? dot / m.moment : 0;
    m.r = m.moment > 0 ? cross / m.moment : 0;
    m.ty = ry - m.s * my + m.r * mx;
    m.tx = rx - m.s * mx - m.r * my;
    return m;
}

/* Where most of the frame lies. */
static void place_frame(struct pm_tiles *tiles, struct pm_tile_fit *fit)
{
    for (int axis = 0; axis < 2; axis++) {
        int n = 0;
        for (int i = 0; i < tiles->rows * tiles->columns; i++) {
            const struct pm_tile *t = &tiles->map[i];
            if (t->weight > 0) {
                tiles->scratch[n++] = axis == 0 ? t->dy : t->dx;
            }
        }
        if (n > 0) {
            *(axis == 0 ? &fit->dy : &fit->dx) =
                (axis == 0 ? fit->base_dy : fit->base_dx) + median(tiles->scratch, n);
        }
    }
}

static void fit_motion(struct pm_tiles *tiles, int factor, double radius, struct pm_tile_fit *fit)
{
    int count = tiles->rows * tiles->columns;
    double soft = SOFT_PX * factor, squares = 0, weights = 0;
    struct model m = refit(tiles, NULL, 1);

    fit->tiles = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct model next = refit(tiles, &m, soft * (ROUNDS - i));
        m = next;
    }
    for (int i = 0; i < count; i++) {
        const struct pm_tile *t = &tiles->map[i];
        if (t->weight > 0) {
            double d = distance(&m, t);
            double w = t->weight / (1 + d * d / (soft * soft));
            tiles->scratch[fit->tiles++] = d;
            squares += w * d * d / 2;
            weights += w;
        }
    }
    fit->spread_px = median(tiles->scratch, fit->tiles); /* sorts them */
    fit->outer_px = fit->tiles > 0 ? tiles->scratch[(fit->tiles - 1) * 9 / 10] : 0;
    fit->rotation_deg = m.r * 180 / acos(-1);
    fit->scale = 1 + m.s;
    fit->corner_px = hypot(m.r, m.s) * radius;
    fit->slope_error = m.moment > 0 && weights > 0
                           ? sqrt(squares / weights * (weights / fit->tiles) / m.moment)
                           : (double)INFINITY;
    fit->corner_error_px = fit->slope_error * radius;
}

/* The linear trend of the brightness ratio over the frame, by least squares. */
static void fit_drift(struct pm_tiles *tiles, double half_h, double half_w, struct pm_tile_fit *fit)
{
    double yy = 0, xx = 0, yr = 0, xr = 0, mean = 0, my = 0, mx = 0, squares = 0;
    int count = tiles->rows * tiles->columns, n = 0;

    for (int i = 0; i < count; i++) {
        const struct pm_tile *t = &tiles->map[i];
        if (!isnan(t->ratio)) {
            mean += log(t->ratio);
            my += t->y;
            mx += t->x;
            n++;
        }
    }
    if (n < 6) {
        return;
    }
    mean /= n;
    my /= n;
    mx /= n;
    for (int i = 0; i < count; i++) {
        const struct pm_tile *t = &tiles->map[i];
        if (!isnan(t->ratio)) {
            double r = log(t->ratio) - mean;
            yy += (t->y - my) * (t->y - my);
            xx += (t->x - mx) * (t->x - mx);
            yr += (t->y - my) * r;
            xr += (t->x - mx) * r;
        }
    }
    double a = yy > 0 ? yr / yy : 0, b = xx > 0 ? xr / xx : 0;
    for (int i = 0; i < count; i++) {
        const struct pm_tile *t = &tiles->map[i];
        if (!isnan(t->ratio)) {
            double d = log(t->ratio) - mean - a * (t->y - my) - b * (t->x - mx);
            squares += d * d;
        }
    }
    fit->drift = 2 * (fabs(a) * half_h + fabs(b) * half_w);
    fit->drift_error = 2 * sqrt(squares / (n - 3)) *
                       hypot(yy > 0 ? half_h / sqrt(yy) : 0, xx > 0 ? half_w / sqrt(xx) : 0);
    fit->drift_error *= 1 + FEW_RATIOS / (n - 3); /* the spread of few tiles is itself a guess */
}

static void summarise(const struct agreement *sum, double unit, struct pm_tile_fit *fit)
{
    double power = sum->aa > 0 && sum->bb > 0 ? sqrt(sum->aa * sum->bb) : 0;

    fit->agreement = power > 0 ? sum->ab / power : 0;
    fit->structure = sum->n > 0 && sum->aa > 0 ? sqrt(sum->aa / sum->n) * unit : 0;
    /* White noise of that variance would give a covariance of variance / sqrt(n) by chance. */
    fit->significance = sum->variance > 0 ? sum->aa / sum->variance * sqrt(sum->n) : 0;
    fit->gain_ratio = sum->target > 0 ? sum->gt / sum->target : (double)NAN;
}

/* How many tiles lie along an overlap, and where the first begins: in the middle, so that those at
 * its ends have what room there is to move. */
static int tiles_along(int overlap, int *first)
{
    *first += overlap % PM_TILE / 2;
    return overlap / PM_TILE;
}

enum pm_code pm_tiles_measure(struct pm_tiles *tiles, const struct pm_levelsearch *search, int dy,
    int dx, int factor, struct pm_tile_fit *fit, struct pm_err *err)
{
    struct view v = {.l1 = pm_l1(),
        .gradient = pm_gradient(),
        .dy = (int)lrint((double)dy / factor),
        .dx = (int)lrint((double)dx / factor)};
    struct agreement sum = {.n = 0};
    int y0 = v.dy > 0 ? v.dy : 0, x0 = v.dx > 0 ? v.dx : 0;

    pm_levelsearch_planes(search, &v.gt, &v.target, &v.w, &v.h, &v.stride, &v.unit);
    tiles->rows = tiles_along(v.h - abs(v.dy), &y0);
    tiles->columns = tiles_along(v.w - abs(v.dx), &x0);
    *fit = (struct pm_tile_fit){.scale = 1,
        .tile_px = factor * PM_TILE,
        .base_dy = factor * v.dy,
        .base_dx = factor * v.dx,
        .slope_error = INFINITY,
        .corner_error_px = INFINITY,
        .drift_error = INFINITY,
        .gain_ratio = NAN,
        .agreement = NAN,
        .dy = NAN,
        .dx = NAN};
    if (tiles->rows <= 0 || tiles->columns <= 0) {
        tiles->rows = tiles->columns = 0;
        return PM_OK;
    }
    if (!grow(tiles, tiles->rows * tiles->columns)) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a map of tiles");
    }
    for (int i = 0; i < tiles->rows * tiles->columns; i++) {
        int y = y0 + i / tiles->columns * PM_TILE, x = x0 + i % tiles->columns * PM_TILE;
        struct pm_l1_moments m = tile_moments(&v, y, x);
        tiles->map[i] = (struct pm_tile){.y = factor * (y + PM_TILE / 2.0 - v.h / 2.0),
            .x = factor * (x + PM_TILE / 2.0 - v.w / 2.0)};
        add_tile(&sum, &m, &tiles->map[i]);
        place_tile(&v, y, x, factor, &tiles->map[i]);
    }
    summarise(&sum, v.unit, fit);
    place_frame(tiles, fit);
    fit_motion(tiles, factor, factor * hypot(v.w, v.h) / 2, fit);
    fit_drift(tiles, factor * v.h / 2.0, factor * v.w / 2.0, fit);
    return PM_OK;
}
