#include "worker/align/finish.h"

#include <stdlib.h>

#include "worker/align/ops.h"
#include "worker/align/quality.h"

#define DOUBT 0.5 /* confidence below this has the pair looked at again; DESIGN.md 2.2 */
/* Sample differences that every shift may cost when none can be left out: 2 to 10 s, mostly a
 * tenth of that. 640x480 RGB with a range of 128 is 6e10. */
#define EVERY_SHIFT 7e10
/* Samples that are not finite leave only the slow kernels. */
#define EVERY_SHIFT_SLOW 4e9
#define OPEN_Z 3.2 /* the same doubt in standard errors, where no confidence is asked for */

struct pm_finish {
    struct pm_confirm *confirm;
    struct pm_quality *quality;
    struct pm_hills *hills;
    void *brute; /* NULL until first needed */
};

enum pm_code pm_finish_new(struct pm_finish **out, struct pm_err *err)
{
    struct pm_finish *self = calloc(1, sizeof *self);
    enum pm_code rc;

    if (self == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to finish a search");
    }
    rc = pm_confirm_new(&self->confirm, err);
    if (rc == PM_OK) {
        rc = pm_quality_new(&self->quality, err);
    }
    if (rc == PM_OK) {
        rc = pm_hills_new(&self->hills, err);
    }
    if (rc != PM_OK) {
        pm_finish_free(self);
        return rc;
    }
    *out = self;
    return PM_OK;
}

void pm_finish_free(struct pm_finish *finish)
{
    if (finish != NULL) {
        pm_confirm_free(finish->confirm);
        pm_quality_free(finish->quality);
        pm_hills_free(finish->hills);
        pm_align_bruteforce.stop(finish->brute);
        free(finish);
    }
}

struct pm_hills *pm_finish_hills(struct pm_finish *finish)
{
    return finish->hills;
}

/* Confirms and judges; shift is filled as if nothing had been found before. */
static enum pm_code judge(struct pm_finish *self, const struct pm_align_query *query,
    const struct pm_candidate *candidates, int count, struct pm_confirmed *confirmed,
    struct pm_shift *shift, struct pm_err *err)
{
    enum pm_code rc = pm_confirm_run(self->confirm, query, candidates, count, confirmed, err);

    if (rc != PM_OK) {
        return rc;
    }
    shift->dy = confirmed->dy;
    shift->dx = confirmed->dx;
    shift->evaluations += confirmed->evaluations;
    shift->flags = 0;
    return query->quality ? pm_quality_measure(self->quality, query, confirmed, shift, err) : PM_OK;
}

static bool doubted(const struct pm_align_query *query, const struct pm_confirmed *confirmed,
    const struct pm_shift *shift)
{
    if (query->quality) {
        return shift->confidence < DOUBT;
    }
    return !(confirmed->z_near > OPEN_Z && confirmed->z_second > OPEN_Z);
}

/* Whether trying every shift of the range is a matter of seconds. */
static bool affordable(const struct pm_align_query *query)
{
    const struct pm_image *gt = query->gt->image;
    struct pm_range range = pm_align_range(gt->w, gt->h, query->max_shift);
    double shifts = (2.0 * range.dy + 1) * (2.0 * range.dx + 1);
    bool slow = pm_prep_non_finite(query->gt->prep) + pm_prep_non_finite(query->target->prep) > 0;

    return shifts * gt->w * gt->h * gt->channels <= (slow ? EVERY_SHIFT_SLOW : EVERY_SHIFT);
}

/* The smallest loss of the range, as one more candidate. */
static enum pm_code try_every_shift(struct pm_finish *self, const struct pm_align_query *query,
    struct pm_candidate *out, int *count, struct pm_shift *shift, struct pm_err *err)
{
    struct pm_align_query plain = *query;
    struct pm_shift found = {.dy = 0};
    enum pm_code rc = PM_OK;

    plain.quality = false;
    if (self->brute == NULL) {
        rc = pm_align_bruteforce.start(&self->brute, err);
    }
    if (rc == PM_OK) {
        rc = pm_align_bruteforce.run(self->brute, &plain, &found, err);
    }
    if (rc == PM_OK) {
        out[(*count)++] = (struct pm_candidate){.dy = found.dy, .dx = found.dx};
        shift->evaluations += found.evaluations;
    }
    return rc;
}

enum pm_code pm_finish_run(struct pm_finish *finish, const struct pm_align_query *query,
    const struct pm_candidate *candidates, int count, struct pm_shift *shift, struct pm_err *err)
{
    struct pm_candidate more[PM_HILLS_MOST + 2];
    struct pm_confirmed confirmed;
    int n = 0;
    enum pm_code rc = judge(finish, query, candidates, count, &confirmed, shift, err);

    if (rc != PM_OK || !doubted(query, &confirmed, shift)) {
        return rc;
    }
    more[n++] = (struct pm_candidate){.dy = shift->dy, .dx = shift->dx};
    if (affordable(query)) {
        rc = try_every_shift(finish, query, more, &n, shift, err);
    }
    if (rc == PM_OK) {
        int wide;
        rc = pm_hills_search(finish->hills, query, PM_HILLS_WIDE, more + n, &wide, err);
        n += wide;
        shift->evaluations += pm_hills_evaluations(finish->hills);
    }
    return rc == PM_OK ? judge(finish, query, more, n, &confirmed, shift, err) : rc;
}
