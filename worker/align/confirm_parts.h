/*
 * confirm_parts: what confirm.c, confirm_follow.c and confirm_grow.c share; nobody else includes
 * it.
 */
#ifndef PM_WORKER_ALIGN_CONFIRM_PARTS_H
#define PM_WORKER_ALIGN_CONFIRM_PARTS_H

#include "worker/align/bands.h"
#include "worker/align/confirm.h"

#define PM_CONFIRM_HILLS 96 /* followed, and the places that are always looked at */
#define PM_CONFIRM_BESIDE 8 /* rivals that every descent looks at */
/* Of the largest rounding: what it adds up to in a mean at most. */
#define PM_CONFIRM_ROUNDING 0.1

/* A candidate on its way down. */
struct pm_confirm_hill {
    int dy, dx;
    double loss;
    bool alive; /* false: safely worse than another, or merged with it */
    int step;   /* the bands it was last summed over */
};

struct pm_confirm {
    struct pm_bands *bands;
    const struct pm_align_query *query;
    struct pm_range range;
    struct pm_confirm_hill hills[PM_CONFIRM_HILLS];
    int hill_count;
    int step;
    /* Shifts whose neighbours were summed while growing. */
    struct pm_bands_at *grown;
    int grown_count, grown_capacity;
};

void pm_confirm_add(struct pm_confirm *confirm, int dy, int dx);
struct pm_bands_at pm_confirm_at(const struct pm_confirm_hill *hill);
/* The lowest hill that is still followed. */
struct pm_confirm_hill *pm_confirm_best(struct pm_confirm *confirm);
/* Coarse bands to fine until one hill is left and its neighbours are safely higher. */
enum pm_code pm_confirm_follow(struct pm_confirm *confirm, struct pm_err *err);
/* When all rows were summed. Noise makes small hollows of its own: as long as a summed shift is not
 * clearly (in noise) above the best, the true minimum may lie beside it. */
enum pm_code pm_confirm_grow(
    struct pm_confirm *confirm, struct pm_confirm_hill *best, struct pm_err *err);
/* The same: what the rounding of rows leaves open is decided by the exact loss. */
void pm_confirm_decide(struct pm_confirm *confirm, struct pm_confirm_hill *best);

#endif
