#include "worker/align/quality.h"

#include <math.h>
#include <stdlib.h>

#include "worker/align/bands.h"
#include "worker/align/levelsearch.h"
#include "worker/align/residual.h"
#include "worker/align/tilerecord.h"
#include "worker/align/tiles.h"

/* Thresholds: set on the photographs with even numbers of the suite that tests/bench describes,
 * judged on the others. */
#define OVERCONFIDENT 2.0 /* bands of one scene are not independent: z is this much too large */
#define SECOND_OPEN 0.60  /* depth of the second peak, of the best's, from which doubt begins */
#define SECOND_EQUAL 0.90 /* and from which the two are one as good as the other */
#define UNRELATED 0.35    /* agreement below this: not the same scene */
#define RELATED 0.60      /* agreement from which nothing is held against it */
#define CORNER_PX 1.0     /* rotation and scale that move the corners less are no matter */
#define SPREAD_PX 1.25    /* median distance of tiles from one motion: parallax */
#define DRIFT 0.05        /* linear change of the brightness ratio over the frame */
#define SURE 5.0          /* standard errors that make a trend real */
#define FEW_TILES 8       /* fewer say nothing about rotation and scale, */
#define MANY_TILES 16     /* and fewer than this nothing about parallax */
#define GAIN_OFF 0.004    /* relative; a gain this wrong may move the minimum */
#define DOUBTED 0.45      /* of the confidence is left when the minimum is known to be biased */
#define SMALLEST 16       /* px; smaller images have no luma level */

struct pm_quality {
    struct pm_levelsearch *level;
    struct pm_tiles *tiles;
    struct pm_bands *bands;
};

enum pm_code pm_quality_new(struct pm_quality **out, struct pm_err *err)
{
    struct pm_quality *quality = calloc(1, sizeof *quality);
    enum pm_code rc;

    if (quality == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to judge a shift");
    }
    rc = pm_levelsearch_new(&quality->level, err);
    if (rc == PM_OK) {
        rc = pm_tiles_new(&quality->tiles, err);
    }
    if (rc == PM_OK) {
        rc = pm_bands_new(&quality->bands, err);
    }
    if (rc != PM_OK) {
        pm_quality_free(quality);
        return rc;
    }
    *out = quality;
    return PM_OK;
}

void pm_quality_free(struct pm_quality *quality)
{
    if (quality == NULL) {
        return;
    }
    pm_levelsearch_free(quality->level);
    pm_tiles_free(quality->tiles);
    pm_bands_free(quality->bands);
    free(quality);
}

/* P(a standard normal value is above z). */
static double above(double z)
{
    return 0.5 * erfc(z / sqrt(2));
}

/* 1 up to `good`, 0 from `bad` on, straight between. */
static double ramp(double v, double good, double bad)
{
    double t = (v - bad) / (good - bad);

    return isnan(t) ? 0 : fmax(0, fmin(1, t));
}

/* Where the two slopes of L1 meet beside the best whole shift. NaN when a neighbour is missing. */
static double sub_pixel(double before, double here, double after)
{
    double high = before > after ? before : after;

    if (isnan(before) || isnan(after) || !(high > here)) {
        return NAN;
    }
    return fmax(-0.5, fmin(0.5, 0.5 * (before - after) / (high - here)));
}

/* Images too small for errors have the residual alone. */
static void put_residual(const struct pm_align_query *query, const struct pm_confirmed *confirmed,
    struct pm_shift *shift)
{
    struct pm_residual residual;

    if (pm_residual_measure(
            query->gt->image, query->target->image, query->gain, shift->dy, shift->dx, &residual)) {
        shift->sub_dy = residual.dy;
        shift->sub_dx = residual.dx;
        shift->sub_dy_error = residual.dy_error;
        shift->sub_dx_error = residual.dx_error;
        return;
    }
    shift->sub_dy =
        sub_pixel(confirmed->around[0][1], confirmed->around[1][1], confirmed->around[2][1]);
    shift->sub_dx =
        sub_pixel(confirmed->around[1][0], confirmed->around[1][1], confirmed->around[1][2]);
}

/* How deep the second best place is compared with the best one, both measured down from places that
 * have nothing to do with each other; 0: there is no second; NaN: the best has no depth. */
static double second_depth(
    struct pm_quality *quality, const struct pm_confirmed *confirmed, int factor)
{
    double unrelated, best, second;
    struct pm_level_hill hill;

    if (isnan(confirmed->second_loss)) {
        return 0;
    }
    unrelated = pm_levelsearch_unrelated(quality->level);
    best = pm_levelsearch_descend(quality->level, (int)lrint((double)confirmed->dy / factor),
        (int)lrint((double)confirmed->dx / factor), 1)
               .loss;
    hill = pm_levelsearch_descend(quality->level, (int)lrint((double)confirmed->second_dy / factor),
        (int)lrint((double)confirmed->second_dx / factor), 1);
    second = hill.loss;
    if (abs(hill.dy * factor - confirmed->dy) <= factor &&
        abs(hill.dx * factor - confirmed->dx) <= factor) {
        return 0; /* it runs down into the best one: no place of its own */
    }
    return best < unrelated ? fmax(0, (unrelated - second) / (unrelated - best)) : (double)NAN;
}

/* Whether the answer stays the minimum when the gain is that of the overlap instead of the whole
 * images: what enters the frame on one side and leaves it on the other has its own brightness, and
 * in a smooth scene a gain a percent off moves the minimum. */
static enum pm_code gain_stable(struct pm_quality *quality, const struct pm_align_query *query,
    const struct pm_shift *shift, double ratio, bool *stable, struct pm_err *err)
{
    struct pm_align_query corrected = *query;
    int step;
    enum pm_code rc;

    *stable = true;
    if (isnan(ratio) || fabs(ratio - 1) < GAIN_OFF) {
        return PM_OK;
    }
    corrected.gain *= ratio;
    rc = pm_bands_begin(quality->bands, &corrected, err);
    step = pm_bands_first_step(quality->bands);
    if (rc == PM_OK) {
        rc = pm_bands_sum3(quality->bands, shift->dy, shift->dx, step, true, err);
    }
    for (int i = 0; rc == PM_OK && i < 9; i++) {
        struct pm_bands_at here = {shift->dy, shift->dx};
        struct pm_bands_at there = {shift->dy - 1 + i / 3, shift->dx - 1 + i % 3};
        if (i != 4 && pm_bands_compare(quality->bands, there, here, step, shift->dy).loss < 0) {
            *stable = false;
        }
    }
    return rc;
}

static unsigned tile_flags(const struct pm_tile_fit *fit)
{
    unsigned flags = 0;
    bool turned = fit->tiles >= FEW_TILES && fit->corner_px > CORNER_PX &&
                  fit->corner_px > SURE * fit->corner_error_px;
    bool spread = fit->tiles >= MANY_TILES && fit->spread_px > SPREAD_PX;

    if (turned || spread) {
        flags |= PM_FLAG_NOT_TRANSLATION;
    }
    if (fit->drift > DRIFT && fit->drift > SURE * fit->drift_error) {
        flags |= PM_FLAG_GAIN_DRIFT;
    }
    return flags;
}

enum pm_code pm_quality_measure(struct pm_quality *quality, const struct pm_align_query *query,
    const struct pm_confirmed *confirmed, struct pm_shift *shift, struct pm_err *err)
{
    const struct pm_image *gt = query->gt->image;
    double z = confirmed->z_near / OVERCONFIDENT;
    double near = fmax(0, 1 - 8 * above(z)), far = 1, match = 1;
    int factor = pm_levelsearch_factor(gt);
    struct pm_tile_fit fit = {.agreement = NAN, .gain_ratio = NAN};
    bool stable = true;
    enum pm_code rc = PM_OK;

    put_residual(query, confirmed, shift);
    if (gt->w >= SMALLEST && gt->h >= SMALLEST) {
        rc = pm_levelsearch_begin(quality->level, query, err);
        if (rc == PM_OK) {
            double depth = second_depth(quality, confirmed, factor);
            far = ramp(depth, SECOND_OPEN, SECOND_EQUAL) *
                  fmax(0, 1 - 2 * above(confirmed->z_second / OVERCONFIDENT));
            shift->second_peak = isnan(depth) ? depth : fmin(1, depth);
            rc = pm_tiles_measure(
                quality->tiles, quality->level, shift->dy, shift->dx, factor, &fit, err);
        }
        if (rc == PM_OK) {
            pm_tilerecord_fill(quality->tiles, &fit, gt->w, gt->h, shift);
        }
        if (rc == PM_OK && isnan(fit.gain_ratio)) { /* too small for a tile */
            fit.gain_ratio = pm_levelsearch_ratio(quality->level,
                (int)lrint((double)shift->dy / factor), (int)lrint((double)shift->dx / factor));
        }
        if (rc == PM_OK) {
            rc = gain_stable(quality, query, shift, fit.gain_ratio, &stable, err);
        }
    }
    match = isnan(fit.agreement) ? 1 : ramp(fit.agreement, RELATED, UNRELATED);
    shift->flags |= tile_flags(&fit);
    shift->confidence = near * far * match;
    if (!stable || (shift->flags & PM_FLAG_NOT_TRANSLATION) != 0) {
        shift->confidence *= DOUBTED; /* the L1 minimum, but not where the scene lies */
    }
    if (fit.significance > SURE && fit.agreement < UNRELATED) {
        shift->flags |= PM_FLAG_NO_OVERLAP_MATCH;
    }
    if (near < 0.5 || far < 0.5 || (shift->confidence < 0.5 && shift->flags == 0)) {
        shift->flags |= PM_FLAG_AMBIGUOUS; /* what should not be relied on never comes unflagged */
    }
    return rc;
}
