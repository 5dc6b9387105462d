/*
 * tileplace: the fraction of a level px between a tile of gt and the target at a whole shift, by
 * two steps of Newton on kernels/gradient.h.
 * Owns: nothing. Threads: any. Memory: the stack, 42 KB. Errors: none.
 */
#ifndef PM_WORKER_ALIGN_TILEPLACE_H
#define PM_WORKER_ALIGN_TILEPLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pm_gradient_ops;

/* Two planes of w x h, rows stride apart, and a tile of `side` px (at most 64) at (y, x) of gt. */
struct pm_tile_pair {
    const struct pm_gradient_ops *ops; /* pm_gradient(), asked once: cpuid is slow in a guest */
    const int16_t *gt, *target;
    size_t stride;
    int w, h, side;
    int y, x;
    int dy, dx;   /* gt[y + dy, x + dx] = target[y, x], whole */
    double ratio; /* target is taken times this; NaN: 1 */
};

/* *dy, *dx: beyond the whole shift, px of the plane. False, and nothing set: the tile and what is
 * needed around it reach out of a plane, it has no structure on an axis, or lies over a px off. */
bool pm_tile_fraction(const struct pm_tile_pair *pair, double *dy, double *dx);

#endif
