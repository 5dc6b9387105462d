#include "worker/align/gaincheck.h"

#include <math.h>
#include <stdlib.h>

#include "worker/align/bands.h"
#include "worker/align/rivals.h"

#define GAIN_OFF 0.004 /* relative; a gain this wrong may move the minimum */

static bool off(double ratio)
{
    return fabs(ratio - 1) >= GAIN_OFF; /* false: NaN */
}

/* The loss of one shift, over few bands, at the gain of the query; query outlives the bands' use.
 */
static enum pm_code loss_at(struct pm_bands *bands, const struct pm_align_query *query, int dy,
    int dx, double *loss, struct pm_err *err)
{
    enum pm_code rc = pm_bands_begin(bands, query, err);
    int step = pm_bands_first_step(bands);

    if (rc == PM_OK) {
        rc = pm_bands_sum3(bands, dy, dx, step, false, err);
    }
    *loss = rc == PM_OK ? pm_bands_loss(bands, dy, dx, step, dy) : (double)NAN;
    return rc;
}

/* Two equal losses without noise: nothing separates them. */
static double z_of(struct pm_bands_difference d)
{
    if (isnan(d.loss) || d.noise > 0) {
        return d.loss / d.noise;
    }
    return d.loss > 0 ? (double)INFINITY : 0;
}

/* The lowest rival at the gain of this query, which is that of the answer's overlap. */
static enum pm_code compare_rivals(struct pm_bands *bands, const struct pm_align_query *query,
    const struct pm_confirmed *confirmed, struct pm_gaincheck *check, struct pm_err *err)
{
    struct pm_candidate rivals[PM_RIVALS_MOST];
    int n = pm_rivals_of(query->gt->image->channels, confirmed->dy, confirmed->dx, rivals);
    enum pm_code rc = pm_bands_begin(bands, query, err);
    int step = pm_bands_first_step(bands);
    double z = NAN;

    if (rc == PM_OK) {
        rc = pm_bands_sum3(bands, confirmed->dy, confirmed->dx, step, true, err);
    }
    for (int i = 0; rc == PM_OK && i < n; i++) {
        struct pm_bands_at here = {confirmed->dy, confirmed->dx};
        struct pm_bands_at there = {rivals[i].dy, rivals[i].dx};
        if (abs(there.dy - here.dy) > 1 || abs(there.dx - here.dx) > 1) {
            rc = pm_bands_sum3(bands, there.dy, there.dx, step, false, err);
        }
        if (rc == PM_OK) {
            struct pm_bands_difference d =
                pm_bands_compare(bands, there, here, step, confirmed->dy);
            check->stable = check->stable && !(d.loss < 0);
            z = fmin(z, z_of(d)); /* NaN is passed over */
        }
    }
    check->z_near = isnan(z) ? -(double)INFINITY : z;
    return rc;
}

enum pm_code pm_gaincheck_run(struct pm_bands *bands, const struct pm_align_query *query,
    const struct pm_confirmed *confirmed, double ratio, double second_ratio,
    struct pm_gaincheck *check, struct pm_err *err)
{
    struct pm_align_query first = *query, second = *query;
    enum pm_code rc = PM_OK;
    double here, there;

    *check = (struct pm_gaincheck){.stable = true, .off = off(ratio), .z_near = -INFINITY};
    first.gain *= isnan(ratio) ? 1 : ratio;
    second.gain *= isnan(second_ratio) ? 1 : second_ratio;
    if (check->off) {
        rc = compare_rivals(bands, &first, confirmed, check, err);
    }
    if (rc != PM_OK || !check->stable || isnan(confirmed->second_loss) ||
        !(check->off || off(second_ratio))) {
        return rc;
    }
    rc = loss_at(bands, &first, confirmed->dy, confirmed->dx, &here, err);
    if (rc == PM_OK) {
        rc = loss_at(bands, &second, confirmed->second_dy, confirmed->second_dx, &there, err);
    }
    check->stable = rc == PM_OK && !(there < here);
    return rc;
}
