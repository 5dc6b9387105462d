#include "worker/align/residual.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/rect.h"
#include "worker/kernels/gradient.h"

#define HALO PM_GRADIENT_HALO
#define MOST_DOWN 8
#define MOST_ACROSS 15
#define MOST_HEIGHT 16
#define STRIDE (PM_GRADIENT_SIDE + 2 * HALO)
#define FEWEST 9      /* patches from which errors can be told */
#define STEPS 5       /* of Newton; 3 are usual */
#define CLOSE_PX 5e-4 /* a step shorter than this is the last */
/* With many patches every fourth leads to where all of them are looked at; from there a step this
 * short leaves less than CLOSE_PX, as steps shrink tenfold or faster. */
#define MANY 96
#define FEW_OF_MANY 4
#define CLOSE_FROM_FEW_PX 5e-3
#define FLAT 1e-14     /* mean squared slope, full scale 1 per px, that is rounding */
#define USUAL_PX 0.1   /* the usual pull is never taken to be less: clean patches must not fight */
#define MOST_LEVER 0.9 /* of the answer that one patch is taken to carry */
#define MOST_MEAN 1e6f /* full scales; brighter floats would overflow in the sums */
/* Errors of 9,000 residuals in photographs, of which whole shifts were made, were 1.3 to 1.5 times
 * (root mean square; 1.1 at 1600x1100) what the jackknife says: patches differ in texture, and
 * their weights were chosen by what they say. */
#define UNDERSTATED 1.4
#define MOST_ERROR_PX 0.2887 /* 1 / sqrt(12) */

/* The two images' gradients must have more in common than chance gives noise: the low-passed px are
 * worth one independent value in 12 (4 pi sigma^2). */
#define SURE 4.0 /* standard deviations */
#define PX_A_VALUE 12.0

/* Where patches lie, and what they said last. */
struct patches {
    const struct pm_image *gt, *target;
    const struct pm_gradient_ops *ops;
    double gain;
    struct pm_overlap overlap;
    int w, h, down, across;
    int n; /* of the last look: those without non-finite samples */
    struct pm_gradient_sums sums[PM_RESIDUAL_PATCHES];
    double weight[PM_RESIDUAL_PATCHES];
};

/* How many patches of `side` px lie beside each other, halo around all of them. */
static int room_for(int length, int side, int most)
{
    int n = (length - 2 * HALO) / side;

    return n < most ? n : most;
}

static bool lay_out(struct patches *p)
{
    for (p->w = PM_GRADIENT_SIDE; p->w > 8 && room_for(p->overlap.w, p->w, 5) < 5;) {
        p->w /= 2;
    }
    for (p->h = MOST_HEIGHT; p->h > 4 && room_for(p->overlap.h, p->h, 5) < 5;) {
        p->h /= 2;
    }
    p->across = room_for(p->overlap.w, p->w, MOST_ACROSS);
    p->down = room_for(p->overlap.h, p->h, MOST_DOWN);
    return p->across > 0 && p->down > 0 && p->across * p->down >= FEWEST;
}

/* The patch whose halo begins at (y, x); returns its mean. */
static float cut(
    const struct patches *p, const struct pm_image *image, double scale, int y, int x, float *out)
{
    size_t skip = (size_t)x * (size_t)image->channels * pm_sample_bytes(image->sample);

    return p->ops->cut(image->sample, (const char *)pm_image_row(image, y) + skip, image->stride,
        p->w + 2 * HALO, p->h + 2 * HALO, image->channels,
        (float)(scale / pm_sample_full_scale(image->sample)), out, STRIDE);
}

/* Asks for the rows of a patch ahead of its turn: they lie far apart, where no hardware follows. */
static void fetch(const struct patches *p, const struct pm_image *image, int y, int x)
{
    size_t px = (size_t)image->channels * pm_sample_bytes(image->sample);

    for (int r = 0; r < p->h + 2 * HALO; r++) {
        const char *row = (const char *)pm_image_row(image, y + r) + (size_t)x * px;
        for (size_t at = 0; at < (size_t)(p->w + 2 * HALO) * px; at += 64) {
            __builtin_prefetch(row + at);
        }
    }
}

/* Where patch i begins in the overlap, halo included. */
static void place(const struct patches *p, int i, int *y, int *x)
{
    int64_t room_y = p->overlap.h - p->h - 2 * HALO, room_x = p->overlap.w - p->w - 2 * HALO;

    *y = p->down > 1 ? (int)(room_y * (i / p->across) / (p->down - 1)) : 0;
    *x = p->across > 1 ? (int)(room_x * (i % p->across) / (p->across - 1)) : 0;
}

/* The next patch after i, in diagonals that are `every` apart. */
static int next_patch(const struct patches *p, int i, int every)
{
    do {
        i++;
    } while ((i % p->across + i / p->across) % every != 0);
    return i;
}

/* Sums of the patches (one in `every`) at the fraction (dy, dx). */
static void look(struct patches *p, double dy, double dx, int every)
{
    float gt[(MOST_HEIGHT + 2 * HALO) * STRIDE], target[(MOST_HEIGHT + 2 * HALO) * STRIDE];
    struct pm_gradient_taps taps;
    int y, x, next;

    pm_gradient_taps(dy, dx, &taps);
    p->n = 0;
    for (int i = 0; i < p->down * p->across; i = next) {
        next = next_patch(p, i, every);
        if (next < p->down * p->across) {
            place(p, next, &y, &x);
            fetch(p, p->gt, p->overlap.gt_y + y, p->overlap.gt_x + x);
            fetch(p, p->target, p->overlap.target_y + y, p->overlap.target_x + x);
        }
        place(p, i, &y, &x);
        float gt_mean = cut(p, p->gt, 1, p->overlap.gt_y + y, p->overlap.gt_x + x, gt);
        float target_mean =
            cut(p, p->target, p->gain, p->overlap.target_y + y, p->overlap.target_x + x, target);
        if (fabsf(gt_mean) < MOST_MEAN && fabsf(target_mean) < MOST_MEAN) {
            p->ops->sum(gt, target, STRIDE, p->w, p->h, 1, &taps, &p->sums[p->n++]);
        }
    }
}

/* How far a patch would go, px, if all that varies in it were scene. */
static double pull(const struct pm_gradient_sums *s)
{
    return s->energy > 0 ? 2 * hypot(s->y, s->x) / s->energy : 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void weigh(struct patches *p)
{
    double usual;

    for (int i = 0; i < p->n; i++) {
        p->weight[i] = pull(&p->sums[i]);
    }
    qsort(p->weight, (size_t)p->n, sizeof p->weight[0], by_value);
    usual = fmax(USUAL_PX, 2 * p->weight[p->n / 2]);
    for (int i = 0; i < p->n; i++) {
        double t = pull(&p->sums[i]) / usual;
        p->weight[i] = 1 / (1 + t * t);
    }
}

static struct pm_gradient_sums total(const struct patches *p)
{
    struct pm_gradient_sums all = {.yy = 0};

    for (int i = 0; i < p->n; i++) {
        const struct pm_gradient_sums *s = &p->sums[i];
        all.yy += p->weight[i] * s->yy;
        all.yx += p->weight[i] * s->yx;
        all.xx += p->weight[i] * s->xx;
        all.y += p->weight[i] * s->y;
        all.x += p->weight[i] * s->x;
        all.energy += p->weight[i] * s->energy;
    }
    return all;
}

static bool related(const struct patches *p, const struct pm_gradient_sums *all)
{
    double px = (double)p->n * p->w * p->h;

    return all->energy > FLAT * px &&
           all->yy + all->xx > SURE * all->energy / sqrt(px / PX_A_VALUE);
}

/* A^-1; false when A is nothing but noise or rounding. The ridge keeps an axis without structure
 * from making the other one unknown. */
static bool invert(const struct pm_gradient_sums *all, double inverse[3])
{
    double ridge = 1e-4 * all->energy;
    double yy = all->yy + ridge, xx = all->xx + ridge, det = yy * xx - all->yx * all->yx;

    if (!(yy > 0) || !(xx > 0) || !(det > 0)) {
        return false;
    }
    inverse[0] = xx / det;
    inverse[1] = -all->yx / det;
    inverse[2] = yy / det;
    return true;
}

/* trace: of sum w A. step: what was added since the sums were taken. */
static void put_errors(const struct patches *p, const double inverse[3], double trace,
    double step_y, double step_x, struct pm_residual *out)
{
    double yy = 0, xx = 0;

    for (int i = 0; i < p->n; i++) {
        const struct pm_gradient_sums *s = &p->sums[i];
        double y = p->weight[i] * (s->y - s->yy * step_y - s->yx * step_x);
        double lever = fmax(0, fmin(MOST_LEVER, p->weight[i] * (s->yy + s->xx) / trace));
        double x = p->weight[i] * (s->x - s->yx * step_y - s->xx * step_x);
        double a = inverse[0] * y + inverse[1] * x, b = inverse[1] * y + inverse[2] * x;
        yy += a * a / ((1 - lever) * (1 - lever));
        xx += b * b / ((1 - lever) * (1 - lever));
    }
    out->dy_error = UNDERSTATED * sqrt(yy * (p->n - 1) / p->n);
    out->dx_error = UNDERSTATED * sqrt(xx * (p->n - 1) / p->n);
    if (!(out->dy_error < MOST_ERROR_PX)) {
        out->dy = out->dy_error = NAN;
    }
    if (!(out->dx_error < MOST_ERROR_PX)) {
        out->dx = out->dx_error = NAN;
    }
}

/* Newton's steps from *out on. False: nothing can be said. */
static bool descend(struct patches *p, int every, double close_px, struct pm_residual *out)
{
    for (int i = 0; i < STEPS; i++) {
        double at_y = out->dy, at_x = out->dx, inverse[3], step_y, step_x;
        struct pm_gradient_sums all;

        look(p, at_y, at_x, every);
        if (p->n < FEWEST) {
            return false;
        }
        weigh(p);
        all = total(p);
        if (!related(p, &all) || !invert(&all, inverse)) {
            return false;
        }
        out->dy = fmax(-1, fmin(1, at_y + inverse[0] * all.y + inverse[1] * all.x));
        out->dx = fmax(-1, fmin(1, at_x + inverse[1] * all.y + inverse[2] * all.x));
        step_y = out->dy - at_y;
        step_x = out->dx - at_x;
        if (hypot(step_y, step_x) < close_px || i == STEPS - 1) {
            put_errors(p, inverse, all.yy + all.xx, step_y, step_x, out);
            break;
        }
    }
    return true;
}

bool pm_residual_measure(const struct pm_image *gt, const struct pm_image *target, double gain,
    int dy, int dx, struct pm_residual *out)
{
    const struct pm_residual nothing = {NAN, NAN, NAN, NAN};
    struct pm_residual few = {0};
    struct patches p = {.gt = gt,
        .target = target,
        .ops = pm_gradient(),
        .gain = gain,
        .overlap = pm_overlap_full(gt->w, gt->h, dy, dx)};
    bool led = false;

    *out = nothing;
    if (!lay_out(&p)) {
        return false;
    }
    if (p.down * p.across >= MANY) {
        led = descend(&p, FEW_OF_MANY, CLOSE_PX, &few) && isfinite(few.dy) && isfinite(few.dx);
    }
    *out = (struct pm_residual){.dy = led ? few.dy : 0, .dx = led ? few.dx : 0};
    if (!descend(&p, 1, led ? CLOSE_FROM_FEW_PX : CLOSE_PX, out)) {
        *out = nothing;
    }
    return true;
}
