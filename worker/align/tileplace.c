#include "worker/align/tileplace.h"

#include <math.h>

#include "worker/kernels/gradient.h"

#define HALO PM_GRADIENT_HALO
#define WIDE (PM_GRADIENT_SIDE + 2 * HALO)
#define ROUNDED 0.3    /* squared step of the level per px: slopes below are its rounding */
#define ONE_SIDED 1e-3 /* det A / (tr A)^2 below which all edges run one way */

static void widen(const int16_t *in, size_t stride, int n, float factor, float *out)
{
    for (int r = 0; r < n; r++) {
        for (int i = 0; i < n; i++) {
            out[r * WIDE + i] = factor * (float)in[(size_t)r * stride + (size_t)i];
        }
    }
}

static bool inside(const struct pm_tile_pair *pair, int y, int x)
{
    return y >= HALO && x >= HALO && y + pair->side + HALO <= pair->h &&
           x + pair->side + HALO <= pair->w;
}

bool pm_tile_fraction(const struct pm_tile_pair *pair, double *dy, double *dx)
{
    static const int row_steps[] = {8, 4}; /* coarse, then fine: the first only has to be near */
    float gt[WIDE * WIDE], target[WIDE * WIDE];
    int ty = pair->y - pair->dy, tx = pair->x - pair->dx, n = pair->side + 2 * HALO;
    double at_y = 0, at_x = 0;

    if (!inside(pair, pair->y, pair->x) || !inside(pair, ty, tx)) {
        return false;
    }
    widen(pair->gt + (size_t)(pair->y - HALO) * pair->stride + (pair->x - HALO), pair->stride, n, 1,
        gt);
    widen(pair->target + (size_t)(ty - HALO) * pair->stride + (tx - HALO), pair->stride, n,
        isnan(pair->ratio) ? 1 : (float)pair->ratio, target);
    for (size_t i = 0; i < sizeof row_steps / sizeof row_steps[0]; i++) {
        struct pm_gradient_taps taps;
        struct pm_gradient_sums s;
        pm_gradient_taps(at_y, at_x, &taps);
        pair->ops->sum(gt, target, WIDE, pair->side, pair->side, row_steps[i], &taps, &s);
        double det = s.yy * s.xx - s.yx * s.yx, trace = s.yy + s.xx;
        if (!(trace > ROUNDED * pair->side * pair->side / row_steps[i]) ||
            !(det > ONE_SIDED * trace * trace)) {
            return false;
        }
        at_y += (s.xx * s.y - s.yx * s.x) / det;
        at_x += (s.yy * s.x - s.yx * s.y) / det;
        if (!(fabs(at_y) < 1) || !(fabs(at_x) < 1)) {
            return false;
        }
    }
    *dy = at_y;
    *dx = at_x;
    return true;
}
