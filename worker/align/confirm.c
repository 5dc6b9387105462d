#include "worker/align/confirm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/align/bands.h"
#include "worker/align/rivals.h"

#define CANDIDATES 63      /* followed at most */
#define HILLS 96           /* these and the places that are always looked at */
#define SAFE 5.0           /* standard errors of sampling that settle a comparison */
#define ROUNDING_SHARE 0.1 /* of the largest rounding: what it adds up to in a mean at most */
#define EXACT_MOST 24      /* shifts compared by pm_align_loss() at most */
#define LOOK_BANDS 6       /* enough to see that a place is far from the answer */
#define BESIDE 8           /* rivals that every descent looks at */
#define ROUNDS 4           /* of looking one period of a mosaic further */
#define GROW_Z 4.0         /* shifts this near to the best (in noise) get their neighbours summed */
#define GROW_SAMPLES 6e9   /* and this many sample differences are spent on it: ~0.3 s, */
#define GROW_MOST 60       /* or this many neighbourhoods */

/* A candidate on its way down. */
struct hill {
    int dy, dx;
    double loss;
    bool alive; /* false: safely worse than another, or merged with it */
    int step;   /* the bands it was last summed over */
};

struct pm_confirm {
    struct pm_bands *bands;
    const struct pm_align_query *query;
    struct pm_range range;
    struct hill hills[HILLS];
    int hill_count;
    int step;
    /* Shifts whose neighbours were summed while growing. */
    struct pm_bands_at *grown;
    int grown_count, grown_capacity;
};

struct pm_range pm_align_range(int w, int h, int max_shift)
{
    int keep_y = h / 4 > 8 ? (h + 3) / 4 : 8;
    int keep_x = w / 4 > 8 ? (w + 3) / 4 : 8;
    int dy = h - keep_y > 0 ? h - keep_y : 0;
    int dx = w - keep_x > 0 ? w - keep_x : 0;

    return (struct pm_range){
        .dy = dy < max_shift ? dy : max_shift, .dx = dx < max_shift ? dx : max_shift};
}

bool pm_range_holds(struct pm_range range, int dy, int dx)
{
    return abs(dy) <= range.dy && abs(dx) <= range.dx;
}

bool pm_shift_better(double loss_a, int dy_a, int dx_a, double loss_b, int dy_b, int dx_b)
{
    long far_a = (long)dy_a * dy_a + (long)dx_a * dx_a;
    long far_b = (long)dy_b * dy_b + (long)dx_b * dx_b;

    if (isnan(loss_a) || isnan(loss_b)) {
        return !isnan(loss_a) && isnan(loss_b);
    }
    if (loss_a < loss_b || loss_a > loss_b) {
        return loss_a < loss_b;
    }
    if (far_a != far_b) {
        return far_a < far_b;
    }
    return dy_a != dy_b ? dy_a < dy_b : dx_a < dx_b;
}

enum pm_code pm_confirm_new(struct pm_confirm **out, struct pm_err *err)
{
    struct pm_confirm *confirm = calloc(1, sizeof *confirm);
    enum pm_code rc;

    if (confirm == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to confirm a shift");
    }
    rc = pm_bands_new(&confirm->bands, err);
    if (rc != PM_OK) {
        free(confirm);
        return rc;
    }
    *out = confirm;
    return PM_OK;
}

void pm_confirm_free(struct pm_confirm *confirm)
{
    if (confirm == NULL) {
        return;
    }
    pm_bands_free(confirm->bands);
    free(confirm->grown);
    free(confirm);
}

static int clamp(int v, int limit)
{
    return v > limit ? limit : v < -limit ? -limit : v;
}

static void add_hill(struct pm_confirm *confirm, int dy, int dx)
{
    dy = clamp(dy, confirm->range.dy);
    dx = clamp(dx, confirm->range.dx);
    for (int i = 0; i < confirm->hill_count; i++) {
        if (confirm->hills[i].dy == dy && confirm->hills[i].dx == dx) {
            return;
        }
    }
    if (confirm->hill_count < HILLS) {
        confirm->hills[confirm->hill_count++] =
            (struct hill){.dy = dy, .dx = dx, .loss = NAN, .alive = true};
    }
}

/* Moves hill to the lowest of the nine around it until that is the centre. */
static enum pm_code descend(struct pm_confirm *confirm, struct hill *hill, struct pm_err *err)
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
                *hill = (struct hill){.dy = ny, .dx = nx, .loss = loss, .alive = true};
            }
        }
        if (hill->dy == dy && hill->dx == dx) {
            break;
        }
    }
    hill->step = confirm->step;
    return PM_OK;
}

static struct pm_bands_at at(const struct hill *hill)
{
    return (struct pm_bands_at){hill->dy, hill->dx};
}

/* The lowest hill that is still followed. */
static struct hill *best_hill(struct pm_confirm *confirm)
{
    struct hill *best = NULL;

    for (int i = 0; i < confirm->hill_count; i++) {
        struct hill *hill = &confirm->hills[i];
        if (hill->alive && (best == NULL || pm_shift_better(hill->loss, hill->dy, hill->dx,
                                                best->loss, best->dy, best->dx))) {
            best = hill;
        }
    }
    return best;
}

static bool settled(const struct pm_confirm *confirm, struct pm_bands_difference d)
{
    return d.loss > SAFE * d.sampling + ROUNDING_SHARE * pm_bands_rounding(confirm->bands);
}

/* Drops hills that met another or are safely higher; returns how many are left. */
static int prune(struct pm_confirm *confirm)
{
    struct hill *best = best_hill(confirm);
    int left = 0;

    for (int i = 0; i < confirm->hill_count; i++) {
        struct hill *hill = &confirm->hills[i];
        if (!hill->alive) {
            continue;
        }
        if (hill != best) {
            struct pm_bands_difference d =
                pm_bands_compare(confirm->bands, at(hill), at(best), confirm->step, best->dy);
            bool met = hill->dy == best->dy && hill->dx == best->dx;
            hill->alive = !met && !settled(confirm, d);
        }
        left += hill->alive;
    }
    return left;
}

/* Whether every neighbour of the best is safely higher. */
static bool neighbours_settled(const struct pm_confirm *confirm, const struct hill *best)
{
    for (int i = 0; i < 9; i++) {
        int dy = best->dy - 1 + i / 3, dx = best->dx - 1 + i % 3;
        if (i == 4 || !pm_range_holds(confirm->range, dy, dx)) {
            continue;
        }
        if (!settled(confirm, pm_bands_compare(confirm->bands, (struct pm_bands_at){dy, dx},
                                  at(best), confirm->step, best->dy))) {
            return false;
        }
    }
    return true;
}

/* A place that is no candidate: looked at alone, with even fewer bands when there are plenty, and
 * followed only when it is not safely higher than what was found. */
static enum pm_code look_at(struct pm_confirm *confirm, int dy, int dx, struct pm_err *err)
{
    struct hill *best = best_hill(confirm);
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
    d = pm_bands_compare(confirm->bands, (struct pm_bands_at){dy, dx}, at(best), step, best->dy);
    d.sampling *= 2; /* few bands: their spread is itself a guess */
    if (!settled(confirm, d)) {
        int before = confirm->hill_count;
        add_hill(confirm, dy, dx);
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
        struct pm_bands_at from = at(best_hill(confirm));
        struct pm_candidate rivals[PM_RIVALS_MOST];
        int n = pm_rivals_of(channels, from.dy, from.dx, rivals);
        for (int i = BESIDE; i < n && rc == PM_OK; i++) {
            rc = look_at(confirm, rivals[i].dy, rivals[i].dx, err);
        }
        if (best_hill(confirm)->dy == from.dy && best_hill(confirm)->dx == from.dx) {
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

/* Coarse bands to fine until one hill is left and its neighbours are safely higher. */
static enum pm_code follow(struct pm_confirm *confirm, struct pm_err *err)
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
        if (confirm->step == 1 || (left == 1 && neighbours_settled(confirm, best_hill(confirm)))) {
            return PM_OK;
        }
        confirm->step /= 4;
    }
}

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
static bool next_to_grow(struct pm_confirm *confirm, struct hill *best, struct pm_bands_at *out)
{
    double lowest = INFINITY;
    int n = pm_bands_shifts(confirm->bands);

    for (int i = 0; i < n; i++) {
        struct pm_bands_at s = pm_bands_shift(confirm->bands, i);
        double loss = pm_bands_loss(confirm->bands, s.dy, s.dx, 1, best->dy);
        if (pm_bands_complete(confirm->bands, i) &&
            pm_shift_better(loss, s.dy, s.dx, best->loss, best->dy, best->dx)) {
            *best = (struct hill){.dy = s.dy, .dx = s.dx, .loss = loss, .alive = true, .step = 1};
        }
    }
    for (int i = 0; i < n; i++) {
        struct pm_bands_at s = pm_bands_shift(confirm->bands, i);
        struct pm_bands_difference d;
        if (!pm_bands_complete(confirm->bands, i) || was_grown(confirm, s.dy, s.dx)) {
            continue;
        }
        d = pm_bands_compare(confirm->bands, s, at(best), 1, best->dy);
        if (d.loss <= GROW_Z * d.noise && d.loss < lowest) {
            lowest = d.loss;
            *out = s;
        }
    }
    return lowest < (double)INFINITY;
}

/* Noise makes small hollows of its own: as long as a summed shift is not clearly (in noise) above
 * the best, the true minimum may lie beside it. */
static enum pm_code grow(struct pm_confirm *confirm, struct hill *best, struct pm_err *err)
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

/* All rows were summed: what their rounding leaves open is decided by the exact loss. */
static void decide_exactly(struct pm_confirm *confirm, struct hill *best)
{
    double margin = 2 * ROUNDING_SHARE * pm_bands_rounding(confirm->bands);
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
            *best = (struct hill){.dy = s.dy, .dx = s.dx, .loss = loss, .alive = true, .step = 1};
            exact = loss;
        }
    }
}

/* Sums the rivals that the nine around the winner leave out. */
static enum pm_code sum_rivals(
    struct pm_confirm *confirm, const struct hill *best, struct pm_err *err)
{
    struct pm_candidate rivals[PM_RIVALS_MOST];
    int n = pm_rivals_of(confirm->query->gt->image->channels, best->dy, best->dx, rivals);
    enum pm_code rc = PM_OK;

    for (int i = BESIDE; i < n && rc == PM_OK; i++) {
        if (pm_range_holds(confirm->range, rivals[i].dy, rivals[i].dx)) {
            rc = pm_bands_sum3(
                confirm->bands, rivals[i].dy, rivals[i].dx, confirm->step, false, err);
        }
    }
    return rc;
}

/* Everything that is told about the winner; its rivals are summed. */
static void report(struct pm_confirm *confirm, const struct hill *best, struct pm_confirmed *out)
{
    struct pm_candidate rivals[PM_RIVALS_MOST];
    int n = pm_rivals_of(confirm->query->gt->image->channels, best->dy, best->dx, rivals);

    *out = (struct pm_confirmed){.dy = best->dy,
        .dx = best->dx,
        .loss = best->loss,
        .exact = confirm->step == 1,
        .rows_used = pm_bands_share(confirm->bands, confirm->step),
        .z_near = INFINITY,
        .z_second = INFINITY,
        .second_loss = NAN,
        .evaluations = pm_bands_shifts(confirm->bands)};
    for (int i = 0; i < 9; i++) {
        out->around[i / 3][i % 3] = pm_bands_loss(
            confirm->bands, best->dy - 1 + i / 3, best->dx - 1 + i % 3, confirm->step, best->dy);
    }
    for (int i = 0; i < n; i++) {
        struct pm_bands_difference d = pm_bands_compare(confirm->bands,
            (struct pm_bands_at){rivals[i].dy, rivals[i].dx}, at(best), confirm->step, best->dy);
        if (isnan(d.loss)) {
            continue;
        }
        out->noise = d.noise > out->noise && i < BESIDE ? d.noise : out->noise;
        if (!(d.loss / d.noise >= out->z_near)) { /* 0 / 0: two equal images; nothing separates */
            out->z_near = d.loss > 0 && d.noise <= 0 ? out->z_near : d.loss / d.noise;
        }
    }
    out->z_near = isnan(out->z_near) ? 0 : out->z_near;
}

/* The lowest hill that is not the winner's own. */
static void report_second(
    struct pm_confirm *confirm, const struct hill *best, struct pm_confirmed *out)
{
    for (int i = 0; i < confirm->hill_count; i++) {
        const struct hill *hill = &confirm->hills[i];
        struct pm_bands_difference d;
        if (isnan(hill->loss) || (abs(hill->dy - best->dy) <= 2 && abs(hill->dx - best->dx) <= 2)) {
            continue;
        }
        d = pm_bands_compare(confirm->bands, at(hill), at(best), hill->step, best->dy);
        if (isnan(out->second_loss) || hill->loss < out->second_loss) {
            out->second_loss = hill->loss;
            out->second_dy = hill->dy;
            out->second_dx = hill->dx;
            out->z_second = d.noise > 0 ? d.loss / d.noise : d.loss > 0 ? (double)INFINITY : 0;
        }
    }
}

/* Too small for bands: every shift of the range has its exact loss taken. */
static void tiny(struct pm_confirm *confirm, struct pm_confirmed *out)
{
    *out = (struct pm_confirmed){.loss = NAN, .exact = true, .rows_used = 1, .second_loss = NAN};
    for (int dy = -confirm->range.dy; dy <= confirm->range.dy; dy++) {
        for (int dx = -confirm->range.dx; dx <= confirm->range.dx; dx++) {
            double loss = pm_align_loss(confirm->query->gt->image, confirm->query->target->image,
                confirm->query->gain, dy, dx);
            out->evaluations++;
            if (pm_shift_better(loss, dy, dx, out->loss, out->dy, out->dx)) {
                out->loss = loss;
                out->dy = dy;
                out->dx = dx;
            }
        }
    }
    for (int i = 0; i < 9; i++) {
        out->around[i / 3][i % 3] = i == 4 ? out->loss : (double)NAN;
    }
}

enum pm_code pm_confirm_run(struct pm_confirm *confirm, const struct pm_align_query *query,
    const struct pm_candidate *candidates, int count, struct pm_confirmed *out, struct pm_err *err)
{
    const struct pm_image *gt = query->gt->image;
    struct hill best;
    enum pm_code rc;

    confirm->query = query;
    confirm->range = pm_align_range(gt->w, gt->h, query->max_shift);
    confirm->hill_count = 0;
    if (gt->w < 8 || gt->h < 8) {
        tiny(confirm, out);
        return PM_OK;
    }
    rc = pm_bands_begin(confirm->bands, query, err);
    for (int i = 0; i < count && i < CANDIDATES; i++) {
        add_hill(confirm, candidates[i].dy, candidates[i].dx);
    }
    if (rc == PM_OK) {
        rc = follow(confirm, err);
    }
    if (rc != PM_OK) {
        return rc;
    }
    best = *best_hill(confirm);
    if (confirm->step == 1) {
        rc = grow(confirm, &best, err);
        decide_exactly(confirm, &best);
        if (rc == PM_OK) {
            rc = pm_bands_sum3(confirm->bands, best.dy, best.dx, 1, true, err);
        }
    }
    if (rc == PM_OK) {
        rc = sum_rivals(confirm, &best, err);
    }
    report(confirm, &best, out);
    report_second(confirm, &best, out);
    return rc;
}
