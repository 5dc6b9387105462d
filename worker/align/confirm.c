#include "worker/align/confirm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/align/confirm_parts.h"
#include "worker/align/rivals.h"

#define CANDIDATES 63 /* followed at most */

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

/* Sums the rivals that the nine around the winner leave out. */
static enum pm_code sum_rivals(
    struct pm_confirm *confirm, const struct pm_confirm_hill *best, struct pm_err *err)
{
    struct pm_candidate rivals[PM_RIVALS_MOST];
    int n = pm_rivals_of(confirm->query->gt->image->channels, best->dy, best->dx, rivals);
    enum pm_code rc = PM_OK;

    for (int i = PM_CONFIRM_BESIDE; i < n && rc == PM_OK; i++) {
        if (pm_range_holds(confirm->range, rivals[i].dy, rivals[i].dx)) {
            rc = pm_bands_sum3(
                confirm->bands, rivals[i].dy, rivals[i].dx, confirm->step, false, err);
        }
    }
    return rc;
}

/* Everything that is told about the winner; its rivals are summed. */
static void report(
    struct pm_confirm *confirm, const struct pm_confirm_hill *best, struct pm_confirmed *out)
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
        struct pm_bands_difference d =
            pm_bands_compare(confirm->bands, (struct pm_bands_at){rivals[i].dy, rivals[i].dx},
                pm_confirm_at(best), confirm->step, best->dy);
        if (isnan(d.loss)) {
            continue;
        }
        out->noise = d.noise > out->noise && i < PM_CONFIRM_BESIDE ? d.noise : out->noise;
        if (!(d.loss / d.noise >= out->z_near)) { /* 0 / 0: two equal images; nothing separates */
            out->z_near = d.loss > 0 && d.noise <= 0 ? out->z_near : d.loss / d.noise;
        }
    }
    out->z_near = isnan(out->z_near) ? 0 : out->z_near;
}

/* The lowest hill that is not the winner's own. */
static void report_second(
    struct pm_confirm *confirm, const struct pm_confirm_hill *best, struct pm_confirmed *out)
{
    for (int i = 0; i < confirm->hill_count; i++) {
        const struct pm_confirm_hill *hill = &confirm->hills[i];
        struct pm_bands_difference d;
        if (isnan(hill->loss) || (abs(hill->dy - best->dy) <= 2 && abs(hill->dx - best->dx) <= 2)) {
            continue;
        }
        d = pm_bands_compare(
            confirm->bands, pm_confirm_at(hill), pm_confirm_at(best), hill->step, best->dy);
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
    struct pm_confirm_hill best;
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
        pm_confirm_add(confirm, candidates[i].dy, candidates[i].dx);
    }
    if (rc == PM_OK) {
        rc = pm_confirm_follow(confirm, err);
    }
    if (rc != PM_OK) {
        return rc;
    }
    best = *pm_confirm_best(confirm);
    if (confirm->step == 1) {
        rc = pm_confirm_grow(confirm, &best, err);
        pm_confirm_decide(confirm, &best);
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
