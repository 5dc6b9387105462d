/* The way down of the candidates, over more and more bands, until one is left. */
#include <math.h>
#include <stdlib.h>

#include "worker/align/confirm_parts.h"
#include "worker/align/rivals.h"

#define SAFE 5.0     /* standard errors of sampling that settle a comparison */
#define LOOK_BANDS 6 /* enough to see that a place is far from the answer */
#define ROUNDS 4     /* of looking one period of a mosaic further */

static int clamp(int v, int limit)
{
    return v > limit ? limit : v < -limit ? -limit : v;
}

void pm_confirm_add(struct pm_confirm *confirm, int dy, int dx)
{
    dy = clamp(dy, confirm->range.dy);
    dx = clamp(dx, confirm->range.dx);
    for (int i = 0; i < confirm->hill_count; i++) {
        if (confirm->hills[i].dy == dy && confirm->hills[i].dx == dx) {
            return;
        }
    }
    if (confirm->hill_count < PM_CONFIRM_HILLS) {
        confirm->hills[confirm->hill_count++] =
            (struct pm_confirm_hill){.dy = dy, .dx = dx, .loss = NAN, .alive = true};
    }
}

/* Moves hill to the lowest of the nine around it until that is the centre. */
static enum pm_code descend(
    struct pm_confirm *confirm, struct pm_confirm_hill *hill, struct pm_err *err)
{
    int moves =
        2 * (confirm->range.dy + confirm->range.dx) + 8; /* against going round in circles */

    while (moves-- > 0) {
        int dy = hill->dy, dx = hill->dx;
        enum pm_code rc = pm_bands_sum3(confirm->bands, dy, dx, confirm->step, true, err);
        if (rc != PM_OK) {
            return rc;
        }
        hill->loss = pm_bands_loss(confirm->bands, dy, dx, confirm->step, dy);
        for (int i = 0; i < 9; i++) {
            int ny = dy - 1 + i / 3, nx = dx - 1 + i % 3;
            double loss = pm_bands_loss(confirm->bands, ny, nx, confirm->step, dy);
            if (loss < hill->loss || (isnan(hill->loss) && !isnan(loss))) {
                *hill = (struct pm_confirm_hill){.dy = ny, .dx = nx, .loss = loss, .alive = true};
            }
        }
        if (hill->dy == dy && hill->dx == dx) {
            break;
        }
    }
    hill->step = confirm->step;
    return PM_OK;
}

struct pm_bands_at pm_confirm_at(const struct pm_confirm_hill *hill)
{
    return (struct pm_bands_at){hill->dy, hill->dx};
}

struct pm_confirm_hill *pm_confirm_best(struct pm_confirm *confirm)
{
    struct pm_confirm_hill *best = NULL;

    for (int i = 0; i < confirm->hill_count; i++) {
        struct pm_confirm_hill *hill = &confirm->hills[i];
        if (hill->alive && (best == NULL || pm_shift_better(hill->loss, hill->dy, hill->dx,
                                                best->loss, best->dy, best->dx))) {
            best = hill;
        }
    }
    return best;
}

static bool settled(const struct pm_confirm *confirm, struct pm_bands_difference d)
{
    return d.loss > SAFE * d.sampling + PM_CONFIRM_ROUNDING * pm_bands_rounding(confirm->bands);
}

/* Drops hills that met another or are safely higher; returns how many are left. */
static int prune(struct pm_confirm *confirm)
{
    struct pm_confirm_hill *best = pm_confirm_best(confirm);
    int left = 0;

    for (int i = 0; i < confirm->hill_count; i++) {
        struct pm_confirm_hill *hill = &confirm->hills[i];
        if (!hill->alive) {
            continue;
        }
        if (hill != best) {
            struct pm_bands_difference d = pm_bands_compare(
                confirm->bands, pm_confirm_at(hill), pm_confirm_at(best), confirm->step, best->dy);
            bool met = hill->dy == best->dy && hill->dx == best->dx;
            hill->alive = !met && !settled(confirm, d);
        }
        left += hill->alive;
    }
    return left;
}

/* Whether every neighbour of the best is safely higher. */
static bool neighbours_settled(const struct pm_confirm *confirm, const struct pm_confirm_hill *best)
{
    for (int i = 0; i < 9; i++) {
        int dy = best->dy - 1 + i / 3, dx = best->dx - 1 + i % 3;
        if (i == 4 || !pm_range_holds(confirm->range, dy, dx)) {
            continue;
        }
        if (!settled(confirm, pm_bands_compare(confirm->bands, (struct pm_bands_at){dy, dx},
                                  pm_confirm_at(best), confirm->step, best->dy))) {
            return false;
        }
    }
    return true;
}

/* A place that is no candidate: looked at alone, with even fewer bands when there are plenty, and
 * followed only when it is not safely higher than what was found. */
static enum pm_code look_at(struct pm_confirm *confirm, int dy, int dx, struct pm_err *err)
{
    struct pm_confirm_hill *best = pm_confirm_best(confirm);
    struct pm_bands_difference d;
    int step = confirm->step;
    enum pm_code rc;

    if (!pm_range_holds(confirm->range, dy, dx)) {
        return PM_OK;
    }
    while (pm_bands_count(confirm->bands) / (4 * step) >= LOOK_BANDS) {
        step *= 4;
    }
    rc = pm_bands_sum3(confirm->bands, dy, dx, step, false, err);
    if (rc != PM_OK) {
        return rc;
    }
    d = pm_bands_compare(
        confirm->bands, (struct pm_bands_at){dy, dx}, pm_confirm_at(best), step, best->dy);
    d.sampling *= 2; /* few bands: their spread is itself a guess */
    if (!settled(confirm, d)) {
        int before = confirm->hill_count;
        pm_confirm_add(confirm, dy, dx);
        if (confirm->hill_count > before) {
            rc = descend(confirm, &confirm->hills[before], err);
        }
    }
    return rc;
}

/* (0,0), where the old search begins; for grey images, which may be mosaics, also one period around
 * the best, as long as that finds a better one: between two hollows of a mosaic lies a ridge that
 * descent does not cross. (Colour images pay nothing: it costs a tenth of the search.) */
static enum pm_code look_around(struct pm_confirm *confirm, struct pm_err *err)
{
    enum pm_code rc = look_at(confirm, 0, 0, err);
    int channels = confirm->query->gt->image->channels;
    int rounds = channels == 1 ? ROUNDS : 0;

    for (int round = 0; round < rounds && rc == PM_OK; round++) {
        struct pm_bands_at from = pm_confirm_at(pm_confirm_best(confirm));
        struct pm_candidate rivals[PM_RIVALS_MOST];
        int n = pm_rivals_of(channels, from.dy, from.dx, rivals);
        for (int i = PM_CONFIRM_BESIDE; i < n && rc == PM_OK; i++) {
            rc = look_at(confirm, rivals[i].dy, rivals[i].dx, err);
        }
        if (pm_confirm_best(confirm)->dy == from.dy && pm_confirm_best(confirm)->dx == from.dx) {
            break;
        }
    }
    return rc;
}

/* The first px down every hill on a quarter of the first bands, when that is enough to see the way;
 * nothing is decided here. */
static enum pm_code approach(struct pm_confirm *confirm, struct pm_err *err)
{
    confirm->step = 4 * pm_bands_first_step(confirm->bands);
    if (pm_bands_count(confirm->bands) / confirm->step < LOOK_BANDS) {
        return PM_OK;
    }
    for (int i = 0; i < confirm->hill_count; i++) {
        enum pm_code rc = descend(confirm, &confirm->hills[i], err);
        if (rc != PM_OK) {
            return rc;
        }
    }
    return PM_OK;
}

enum pm_code pm_confirm_follow(struct pm_confirm *confirm, struct pm_err *err)
{
    enum pm_code begun = approach(confirm, err);

    if (begun != PM_OK) {
        return begun;
    }
    confirm->step = pm_bands_first_step(confirm->bands);
    for (bool first = true;; first = false) {
        int left;
        for (int i = 0; i < confirm->hill_count; i++) {
            if (confirm->hills[i].alive) {
                enum pm_code rc = descend(confirm, &confirm->hills[i], err);
                if (rc != PM_OK) {
                    return rc;
                }
            }
        }
        if (first) {
            enum pm_code rc = look_around(confirm, err);
            if (rc != PM_OK) {
                return rc;
            }
        }
        left = prune(confirm);
        if (confirm->step == 1 ||
            (left == 1 && neighbours_settled(confirm, pm_confirm_best(confirm)))) {
            return PM_OK;
        }
        confirm->step /= 4;
    }
}
