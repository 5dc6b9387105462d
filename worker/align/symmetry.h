/*
 * symmetry: whether the scene lies where the answer says, told without what a sensor adds to both
 * images in the same place.
 *
 * At the right shift the target is the gt but for noise, so the correlation of the two is an
 * autocorrelation: as large s beyond the answer as s before it, for every s and whatever the scene
 * shows, a wall of bricks included. A pattern that is the same in both images adds autocorrelation
 * of its own about (0,0), symmetric too, however strong it is. So where an answer is (0,0), nothing
 * but the scene can make one side larger, and the scene then lies on that side. Elsewhere on an
 * axis the pattern adds lines, which go with the means of rows and columns, and one spot, left out.
 *
 * What has no part in this: noise of its own in either image, sub-pixel shifts (they tilt the
 * correlation by their share of a cell), gain, softness.
 *
 * Owns: nothing. Threads: any. Memory: two small planes and a table, for the call. Errors:
 * PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_SYMMETRY_H
#define PM_WORKER_ALIGN_SYMMETRY_H

#include "worker/align/levelsearch.h"

struct pm_symmetry {
    double chance; /* one side's surplus / what cells that have nothing in common would differ by */
    /* Twice the share of the way by which the scene lies on one side of the answer: 0 at the
     * answer, 2 at (dy, dx) or beyond. 0 where nothing can be told. */
    double asymmetry;
    double z;     /* of the same, the parts of the frame being the witnesses; in standard errors */
    double cells; /* it is away from the answer at least, of 4 px or more each */
    int dy, dx;   /* px beyond the answer: where one side is larger by the most */
};

/* dy, dx: the answer, px of the image. level: begun with the query's pair. Looks as far beyond the
 * answer as the query's range reaches. */
enum pm_code pm_symmetry_measure(const struct pm_levelsearch *level,
    const struct pm_align_query *query, int dy, int dx, struct pm_symmetry *out,
    struct pm_err *err);

/* Whether that is reason enough to doubt the answer. */
bool pm_symmetry_broken(const struct pm_symmetry *symmetry);

#endif
