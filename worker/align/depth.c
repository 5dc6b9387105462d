#include "worker/align/depth.h"

#include <math.h>
#include <stdlib.h>

#include "worker/kernels/l1.h"

#define ROWS_MOST 128 /* looked at, spread over the overlap */
#define MOVES_MOST 64 /* a place at its own gain is where it was, or near */
#define KEEP 4        /* rows and columns of overlap a level shift leaves, as in levelsearch.c */

struct ground {
    const struct pm_levelsearch *level;
    const struct pm_l1_ops *l1;
    const int16_t *gt, *target; /* w x h, rows stride apart */
    int w, h;
    size_t stride;
    double unit;  /* full scale 1 per step */
    int16_t *row; /* brought to the brightness of another; w long */
};

/* Of the overlap at that place; 1 where it is too dark to tell. */
static double ratio_at(const struct ground *g, int dy, int dx)
{
    double ratio = pm_levelsearch_ratio(g->level, dy, dx);

    return isnan(ratio) ? 1 : ratio;
}

/* Losses at (dy - 1 + i, dx - 1 + j) over rows of the region all nine share; ratio: of gt's
 * brightness to target's. The darker of the two is not made brighter: steps of the other's. */
static void take_nine(const struct ground *g, int dy, int dx, double ratio, double loss[3][3])
{
    int x0 = dx + 1 > 0 ? dx + 1 : 0, x1 = dx - 1 < 0 ? g->w + dx - 1 : g->w;
    int y0 = dy + 1 > 0 ? dy + 1 : 0, y1 = dy - 1 < 0 ? g->h + dy - 1 : g->h;
    int step = 1 + (y1 - y0 - 1) / ROWS_MOST, from = x0 - dx - 1;
    size_t n = (size_t)(x1 - x0);
    bool scale_target = ratio <= 1;
    int16_t mul = (int16_t)fmin(32767, nearbyint(32768 * (scale_target ? ratio : 1 / ratio)));
    double unit = scale_target ? g->unit : g->unit * ratio;
    uint64_t sum[3][3] = {{0}};
    int64_t rows = 0;

    for (int y = y0; y < y1; y += step, rows++) {
        const int16_t *a = g->gt + (size_t)y * g->stride + x0;
        if (!scale_target) {
            g->l1->stage_i16(a, n, mul, g->row);
            a = g->row;
        }
        for (int i = 0; i < 3; i++) {
            const int16_t *b = g->target + (size_t)(y - (dy - 1 + i)) * g->stride + from;
            if (scale_target) {
                g->l1->stage_i16(b, n + 2, mul, g->row);
                b = g->row;
            }
            g->l1->row3_i16(a, b, 1, n, sum[i]);
        }
    }
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) { /* sum[i][k] belongs to dx + 1 - k */
            loss[i][2 - k] = (double)sum[i][k] * unit / ((double)rows * (double)n);
        }
    }
}

/* Down the slope from (dy, dx), at the gain of where it begins. */
static struct pm_level_at descend(const struct ground *g, int dy, int dx)
{
    int ry = g->h - KEEP, rx = g->w - KEEP;
    double ratio, loss[3][3];

    dy = dy > ry ? ry : dy < -ry ? -ry : dy;
    dx = dx > rx ? rx : dx < -rx ? -rx : dx;
    ratio = ratio_at(g, dy, dx);
    for (int moves = MOVES_MOST;; moves--) {
        int best = 4;
        take_nine(g, dy, dx, ratio, loss);
        for (int i = 0; i < 9; i++) {
            bool inside = abs(dy - 1 + i / 3) <= ry && abs(dx - 1 + i % 3) <= rx;
            best = inside && loss[i / 3][i % 3] < loss[best / 3][best % 3] ? i : best;
        }
        if (best == 4 || moves == 0) {
            return (struct pm_level_at){.dy = dy, .dx = dx, .loss = loss[1][1]};
        }
        dy += best / 3 - 1;
        dx += best % 3 - 1;
    }
}

/* The loss of places that have nothing to do with each other: shifts of a third of the image. */
static double unrelated(const struct ground *g)
{
    double sum = 0, loss[3][3];

    for (int i = 0; i < 9; i++) {
        int dy = (i / 3 - 1) * (g->h / 3), dx = (i % 3 - 1) * (g->w / 3);
        if (i != 4) {
            take_nine(g, dy, dx, ratio_at(g, dy, dx), loss);
            sum += loss[1][1];
        }
    }
    return sum / 8;
}

static double compare(const struct ground *g, const struct pm_confirmed *confirmed, int factor)
{
    struct pm_level_at best = descend(
        g, (int)lrint((double)confirmed->dy / factor), (int)lrint((double)confirmed->dx / factor));
    struct pm_level_at second = descend(g, (int)lrint((double)confirmed->second_dy / factor),
        (int)lrint((double)confirmed->second_dx / factor));
    double top = unrelated(g);

    if (abs(second.dy * factor - confirmed->dy) <= factor &&
        abs(second.dx * factor - confirmed->dx) <= factor) {
        return 0;
    }
    return best.loss < top ? fmax(0, (top - second.loss) / (top - best.loss)) : (double)NAN;
}

enum pm_code pm_depth_of_second(const struct pm_levelsearch *level,
    const struct pm_confirmed *confirmed, int factor, double *depth, struct pm_err *err)
{
    struct ground g = {.level = level, .l1 = pm_l1()};

    *depth = 0;
    if (isnan(confirmed->second_loss)) {
        return PM_OK;
    }
    pm_levelsearch_planes(level, &g.gt, &g.target, &g.w, &g.h, &g.stride, &g.unit);
    g.row = malloc((size_t)g.w * sizeof *g.row);
    if (g.row == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to compare two places");
    }
    *depth = compare(&g, confirmed, factor);
    free(g.row);
    return PM_OK;
}
