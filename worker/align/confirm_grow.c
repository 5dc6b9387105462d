/* Around the lowest hill, all rows summed: whether a lower shift lies beside it after all. */
#include <math.h>
#include <stdlib.h>

#include "worker/align/confirm_parts.h"

#define EXACT_MOST 24    /* shifts compared by pm_align_loss() at most */
#define GROW_Z 4.0       /* shifts this near to the best (in noise) get their neighbours summed */
#define GROW_SAMPLES 6e9 /* and this many sample differences are spent on it: ~0.3 s, */
#define GROW_MOST 60     /* or this many neighbourhoods */

static bool was_grown(const struct pm_confirm *confirm, int dy, int dx)
{
    for (int i = 0; i < confirm->grown_count; i++) {
        if (confirm->grown[i].dy == dy && confirm->grown[i].dx == dx) {
            return true;
        }
    }
    return false;
}

static bool remember_grown(struct pm_confirm *confirm, int dy, int dx)
{
    if (confirm->grown_count == confirm->grown_capacity) {
        int more = confirm->grown_capacity > 0 ? 2 * confirm->grown_capacity : 64;
        struct pm_bands_at *larger = realloc(confirm->grown, (size_t)more * sizeof *confirm->grown);
        if (larger == NULL) {
            return false;
        }
        confirm->grown = larger;
        confirm->grown_capacity = more;
    }
    confirm->grown[confirm->grown_count++] = (struct pm_bands_at){dy, dx};
    return true;
}

/* The summed shift with the smallest loss that noise does not put far above the best and whose
 * neighbours are not summed yet. Also moves *best when a lower one is there. */
static bool next_to_grow(
    struct pm_confirm *confirm, struct pm_confirm_hill *best, struct pm_bands_at *out)
{
    double lowest = INFINITY;
    int n = pm_bands_shifts(confirm->bands);

    for (int i = 0; i < n; i++) {
        struct pm_bands_at s = pm_bands_shift(confirm->bands, i);
        double loss = pm_bands_loss(confirm->bands, s.dy, s.dx, 1, best->dy);
        if (pm_bands_complete(confirm->bands, i) &&
            pm_shift_better(loss, s.dy, s.dx, best->loss, best->dy, best->dx)) {
            *best = (struct pm_confirm_hill){
                .dy = s.dy, .dx = s.dx, .loss = loss, .alive = true, .step = 1};
        }
    }
    for (int i = 0; i < n; i++) {
        struct pm_bands_at s = pm_bands_shift(confirm->bands, i);
        struct pm_bands_difference d;
        if (!pm_bands_complete(confirm->bands, i) || was_grown(confirm, s.dy, s.dx)) {
            continue;
        }
        d = pm_bands_compare(confirm->bands, s, pm_confirm_at(best), 1, best->dy);
        if (d.loss <= GROW_Z * d.noise && d.loss < lowest) {
            lowest = d.loss;
            *out = s;
        }
    }
    return lowest < (double)INFINITY;
}

enum pm_code pm_confirm_grow(
    struct pm_confirm *confirm, struct pm_confirm_hill *best, struct pm_err *err)
{
    const struct pm_image *gt = confirm->query->gt->image;
    double samples = (double)gt->w * gt->h * gt->channels;
    double spent = 0;
    struct pm_bands_at s = {0};

    confirm->grown_count = 0;
    while (spent < GROW_SAMPLES && confirm->grown_count < GROW_MOST &&
           next_to_grow(confirm, best, &s)) {
        int before = pm_bands_shifts(confirm->bands);
        enum pm_code rc = pm_bands_sum3(confirm->bands, s.dy, s.dx, 1, true, err);
        if (rc != PM_OK) {
            return rc;
        }
        if (!remember_grown(confirm, s.dy, s.dx)) {
            return pm_err_set(err, PM_ENOMEM, "no memory to compare shifts");
        }
        spent += samples * (pm_bands_shifts(confirm->bands) - before + 0.5);
    }
    return PM_OK;
}

void pm_confirm_decide(struct pm_confirm *confirm, struct pm_confirm_hill *best)
{
    double margin = 2 * PM_CONFIRM_ROUNDING * pm_bands_rounding(confirm->bands);
    double low = best->loss;
    double exact = NAN;
    int compared = 0;
    int n = pm_bands_shifts(confirm->bands);

    for (int i = 0; i < n && compared < EXACT_MOST; i++) {
        struct pm_bands_at s = pm_bands_shift(confirm->bands, i);
        double loss = pm_bands_loss(confirm->bands, s.dy, s.dx, 1, best->dy);
        bool self = s.dy == best->dy && s.dx == best->dx;
        if (self || !pm_bands_complete(confirm->bands, i) || !(loss <= low + margin)) {
            continue;
        }
        if (compared++ == 0) {
            exact = pm_align_loss(confirm->query->gt->image, confirm->query->target->image,
                confirm->query->gain, best->dy, best->dx);
        }
        loss = pm_align_loss(confirm->query->gt->image, confirm->query->target->image,
            confirm->query->gain, s.dy, s.dx);
        if (pm_shift_better(loss, s.dy, s.dx, exact, best->dy, best->dx)) {
            *best = (struct pm_confirm_hill){
                .dy = s.dy, .dx = s.dx, .loss = loss, .alive = true, .step = 1};
            exact = loss;
        }
    }
}
