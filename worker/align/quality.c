#include "worker/align/quality.h"

#include <math.h>
#include <stdlib.h>

#include "worker/align/depth.h"
#include "worker/align/gaincheck.h"
#include "worker/align/levelsearch.h"
#include "worker/align/motions.h"
#include "worker/align/pattern.h"
#include "worker/align/residual.h"
#include "worker/align/rivals.h"
#include "worker/align/tilerecord.h"
#include "worker/align/tiles.h"
#include "worker/align/votes.h"

/* Thresholds: set on the photographs with even numbers of the suite that tests/bench describes,
 * judged on the others. */
#define OVERCONFIDENT 2.0     /* bands of one scene are not independent: z is this much too large */
#define RESIDUAL_BIAS_PX 0.05 /* what pulls all patches alike is not in the residual's errors */
#define SECOND_OPEN 0.60      /* depth of the second peak, of the best's, from which doubt begins */
#define SECOND_EQUAL 0.90     /* and from which the two are one as good as the other */
/* The same where no part of the frame is for the second: the low-passed level, on which depth is
 * measured, has lost what tells them apart. */
#define UNITED_OPEN 0.80
#define UNITED_EQUAL 1.00
#define UNITED 0.02    /* opposition that counts as none, */
#define UNITED_Z 3.0   /* when the differences are also this sure */
#define UNRELATED 0.35 /* agreement below this: not the same scene */
#define RELATED 0.60   /* agreement from which nothing is held against it */
/* Rotation and scale that move the corners less are no matter, and less than tiles of a level px of
 * 4 px can be trusted with. */
#define CORNER_PX 1.5
#define SPREAD_PX 1.25 /* median distance of tiles from one motion: parallax */
#define DRIFT 0.05     /* linear change of the brightness ratio over the frame */
#define SURE 5.0       /* standard errors that make a trend real */
/* The tiles' median lies within the first of right answers (0.5 px, 1 in mosaics that cannot meet;
 * 5,000 counted), and from the second on elsewhere. Fewer tiles than this have no median. */
#define TILES_AT_HOME 1.1
#define TILES_ELSEWHERE 1.4
#define TILES_LEAST 3
#define FEW_TILES 8   /* fewer say nothing about rotation and scale, */
#define MANY_TILES 16 /* and fewer than this nothing about parallax */
#define DOUBTED 0.45  /* of the confidence is left when the minimum is known to be biased */
/* Opposition (votes.h) up to the first is found in nearly every good pair; from the second on
 * the parts of the frame contradict each other. */
#define NEAR_UNITED 0.2
#define NEAR_SPLIT 0.8
#define FAR_UNITED 0.1
#define FAR_SPLIT 0.6
/* Blocks of a second motion, as a share of the answer's own: up to the first it is an object that
 * moved, from the second on it may as well be the scene. Fewer blocks of the frame than the last
 * share are none. */
#define MOTION_OBJECT 0.4
#define MOTION_SCENE 0.7
#define MOTION_LEAST 0.1
#define SMALLEST 16 /* px; smaller images have no luma level */

struct pm_quality {
    struct pm_levelsearch *level;
    struct pm_tiles *tiles;
    struct pm_bands *bands;
    struct pm_motions *motions;
    struct pm_votes *votes;
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
    if (rc == PM_OK) {
        rc = pm_motions_new(&quality->motions, err);
    }
    if (rc == PM_OK) {
        rc = pm_votes_new(&quality->votes, err);
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
    pm_motions_free(quality->motions);
    pm_votes_free(quality->votes);
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

/* P(the fraction of a pixel on one axis lies within half a pixel); NaN: nothing known of it. */
static double within(double fraction, double error)
{
    double wide = hypot(error, RESIDUAL_BIAS_PX);

    return isnan(fraction) || isnan(error) ? 1 : 1 - above((0.5 - fabs(fraction)) / wide);
}

/* The smallest difference, in standard errors, to the shifts just outside the range: at the edge of
 * it the slope may go on down. INFINITY: the answer is not at the edge. */
static double z_outside(const struct pm_align_query *query, const struct pm_confirmed *confirmed)
{
    const struct pm_image *gt = query->gt->image, *target = query->target->image;
    struct pm_range range = pm_align_range(gt->w, gt->h, query->max_shift);
    struct pm_candidate rivals[PM_RIVALS_MOST];
    int n = pm_rivals_of(gt->channels, confirmed->dy, confirmed->dx, rivals);
    double here = NAN, least = INFINITY;

    for (int i = 0; i < n; i++) {
        double there;
        if (pm_range_holds(range, rivals[i].dy, rivals[i].dx)) {
            continue;
        }
        if (isnan(here)) {
            here = pm_align_loss(gt, target, query->gain, confirmed->dy, confirmed->dx);
        }
        there = pm_align_loss(gt, target, query->gain, rivals[i].dy, rivals[i].dx);
        least = fmin(least, there - here);
    }
    if (isinf(least) || !(confirmed->noise > 0)) {
        return least > 0 ? (double)INFINITY : 0;
    }
    return least / confirmed->noise;
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

/* What the parts of the frame leave of near. */
static enum pm_code vote_near(struct pm_quality *quality, const struct pm_align_query *query,
    const struct pm_confirmed *confirmed, double *near, struct pm_err *err)
{
    const struct pm_image *gt = query->gt->image;
    struct pm_range range = pm_align_range(gt->w, gt->h, query->max_shift);
    struct pm_candidate rivals[PM_RIVALS_MOST];
    struct pm_vote votes[PM_RIVALS_MOST];
    double opposed = 0, z = INFINITY;
    int all = pm_rivals_of(gt->channels, confirmed->dy, confirmed->dx, rivals), n = 0;
    enum pm_code rc;

    for (int i = 0; i < all; i++) {
        if (pm_range_holds(range, rivals[i].dy, rivals[i].dx)) {
            rivals[n++] = rivals[i];
        }
    }
    rc = pm_votes_take(quality->votes, query, confirmed->dy, confirmed->dx, rivals, n, votes, err);
    for (int i = 0; rc == PM_OK && i < n; i++) {
        opposed = fmax(opposed, votes[i].opposed);
        z = fmin(z, votes[i].z_columns);
    }
    *near *= ramp(opposed, NEAR_UNITED, NEAR_SPLIT) * fmax(0, 1 - 4 * above(z));
    return rc;
}

/* How sure it is that the second best place, of that depth, is not the right one. */
static enum pm_code vote_far(struct pm_quality *quality, const struct pm_align_query *query,
    const struct pm_confirmed *confirmed, double depth, double *far, struct pm_err *err)
{
    double z = confirmed->z_second / OVERCONFIDENT;
    struct pm_candidate second = {.dy = confirmed->second_dy, .dx = confirmed->second_dx};
    struct pm_vote vote;
    enum pm_code rc =
        pm_votes_take(quality->votes, query, confirmed->dy, confirmed->dx, &second, 1, &vote, err);

    if (rc == PM_OK) {
        double columns = vote.z_columns / OVERCONFIDENT;
        /* Lines of the sensor unite all parts as well: on one axis, not the other. */
        bool axis = (confirmed->dy == 0) != (confirmed->dx == 0);
        bool united = !axis && vote.opposed < UNITED && fmin(z, columns) > UNITED_Z;
        *far = united ? ramp(depth, UNITED_OPEN, UNITED_EQUAL)
                      : ramp(depth, SECOND_OPEN, SECOND_EQUAL) *
                            ramp(vote.opposed, FAR_UNITED, FAR_SPLIT) * fmax(0, 1 - 2 * above(z)) *
                            fmax(0, 1 - 2 * above(columns));
    }
    return rc;
}

/* How far the tiles agree with the answer: each was placed on its own. */
static double at_home(const struct pm_tile_fit *fit, const struct pm_confirmed *confirmed)
{
    double apart = fmax(fabs(fit->dy - confirmed->dy), fabs(fit->dx - confirmed->dx));

    return fit->tiles < TILES_LEAST ? 1 : ramp(apart, TILES_AT_HOME, TILES_ELSEWHERE);
}

/* The parts of the confidence, and what the tiles say. */
struct verdict {
    struct pm_align_query matched; /* at the gain of the answer's overlap, where that is another */
    double z_near;                 /* as in struct pm_confirmed, at the gain that is surer */
    double near, far, match, united;
    double depth; /* of the second best place, of the best's */
    bool biased;
    struct pm_tile_fit fit;
};

/* How sure it is of the places beside the answer, before the parts of the frame are asked. */
static double near_alone(const struct pm_align_query *query, const struct pm_confirmed *confirmed,
    const struct pm_shift *shift, const struct verdict *v)
{
    double z = fmin(v->z_near, z_outside(query, confirmed)) / OVERCONFIDENT;

    return fmax(0, 1 - 8 * above(z)) * within(shift->sub_dy, shift->sub_dy_error) *
           within(shift->sub_dx, shift->sub_dx_error) * at_home(&v->fit, confirmed);
}

/* How sure it is that no second motion has as much of the frame as the answer. */
static enum pm_code judge_motions(struct pm_quality *quality, const struct pm_align_query *query,
    const struct pm_confirmed *confirmed, int factor, struct verdict *v, struct pm_err *err)
{
    struct pm_motion_shares shares;
    enum pm_code rc = pm_motions_measure(quality->motions, quality->level, query, confirmed->dy,
        confirmed->dx, factor, v->fit.gain_ratio, &shares, err);

    if (rc == PM_OK && shares.second > MOTION_LEAST * shares.blocks) {
        double first = shares.first > 0 ? shares.first : 1;
        v->united = ramp(shares.second, MOTION_OBJECT * first, MOTION_SCENE * first);
    }
    return rc;
}

/* What needs the luma level. */
static enum pm_code judge_level(struct pm_quality *quality, const struct pm_align_query *query,
    const struct pm_confirmed *confirmed, struct verdict *v, struct pm_err *err)
{
    int factor = pm_levelsearch_factor(query->gt->image);
    bool pattern = false;
    double second_ratio = NAN;
    struct pm_gaincheck check = {.stable = true};
    enum pm_code rc = pm_levelsearch_begin(quality->level, query, err);

    if (rc == PM_OK) {
        rc = pm_depth_of_second(quality->level, confirmed, factor, &v->depth, err);
    }
    if (rc == PM_OK) {
        rc = pm_tiles_measure(
            quality->tiles, quality->level, confirmed->dy, confirmed->dx, factor, &v->fit, err);
    }
    if (rc == PM_OK && isnan(v->fit.gain_ratio)) { /* too small for a tile */
        v->fit.gain_ratio = pm_levelsearch_ratio(quality->level,
            (int)lrint((double)confirmed->dy / factor), (int)lrint((double)confirmed->dx / factor));
    }
    if (rc == PM_OK) {
        if (!isnan(confirmed->second_loss)) {
            second_ratio = pm_levelsearch_ratio(quality->level,
                (int)lrint((double)confirmed->second_dy / factor),
                (int)lrint((double)confirmed->second_dx / factor));
        }
        rc = pm_gaincheck_run(
            quality->bands, query, confirmed, v->fit.gain_ratio, second_ratio, &check, err);
        v->z_near = fmax(v->z_near, check.z_near);
        v->matched.gain *= check.off ? v->fit.gain_ratio : 1;
    }
    if (rc == PM_OK) {
        rc = pm_pattern_suspected(
            quality->level, quality->bands, query, confirmed, v->depth, &pattern, err);
    }
    if (rc == PM_OK) {
        rc = judge_motions(quality, query, confirmed, factor, v, err);
    }
    v->biased = !check.stable || pattern;
    return rc;
}

enum pm_code pm_quality_measure(struct pm_quality *quality, const struct pm_align_query *query,
    const struct pm_confirmed *confirmed, struct pm_shift *shift, struct pm_err *err)
{
    const struct pm_image *gt = query->gt->image;
    struct verdict v = {.matched = *query,
        .z_near = confirmed->z_near,
        .far = 1,
        .united = 1,
        .fit = {.agreement = NAN, .gain_ratio = NAN}};
    enum pm_code rc = PM_OK;

    put_residual(query, confirmed, shift);
    if (gt->w >= SMALLEST && gt->h >= SMALLEST) {
        rc = judge_level(quality, query, confirmed, &v, err);
        if (rc == PM_OK) {
            shift->second_peak = isnan(v.depth) ? v.depth : fmin(1, v.depth);
            pm_tilerecord_fill(quality->tiles, &v.fit, gt->w, gt->h, shift);
        }
    }
    v.near = near_alone(query, confirmed, shift, &v);
    if (rc == PM_OK && v.near > 0) {
        rc = vote_near(quality, &v.matched, confirmed, &v.near, err);
    }
    if (rc == PM_OK && v.near > 0 && !isnan(confirmed->second_loss)) {
        rc = vote_far(quality, query, confirmed, v.depth, &v.far, err);
    }
    v.match = isnan(v.fit.agreement) ? 1 : ramp(v.fit.agreement, RELATED, UNRELATED);
    shift->flags |= tile_flags(&v.fit);
    shift->confidence = v.near * v.far * v.match * v.united;
    if (v.biased || (shift->flags & PM_FLAG_NOT_TRANSLATION) != 0) {
        shift->confidence *= DOUBTED; /* the L1 minimum, but not where the scene lies */
    }
    if (v.fit.significance > SURE && v.fit.agreement < UNRELATED) {
        shift->flags |= PM_FLAG_NO_OVERLAP_MATCH;
    }
    if (v.near < 0.5 || v.far < 0.5 || v.united < 0.5 ||
        (shift->confidence < 0.5 && shift->flags == 0)) {
        shift->flags |= PM_FLAG_AMBIGUOUS; /* what should not be relied on never comes unflagged */
    }
    return rc;
}
