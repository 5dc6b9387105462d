/*
 * depth: how deep the second best place of a pair lies compared with the best one, both measured
 * down from places that have nothing to do with each other. 1: as deep, so that a repetition or a
 * second motion may be the scene; 0: no deeper than anywhere.
 * Measured on the low-passed level (levelsearch.h), with the target brought to the brightness of gt
 * in each place's own overlap: what leaves the frame with a large shift changes the gain, and in a
 * smooth scene the whole images' gain makes places that are none.
 * Owns: nothing. Threads: any. Memory: one level row for the call. Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_DEPTH_H
#define PM_WORKER_ALIGN_DEPTH_H

#include "worker/align/levelsearch.h"

/* level: begun for the pair that confirmed is of. *depth: 0 also when there is no second place or
 * it runs down into the best one; above 1 when it is deeper; NaN: the best has no depth. */
enum pm_code pm_depth_of_second(const struct pm_levelsearch *level,
    const struct pm_confirmed *confirmed, int factor, double *depth, struct pm_err *err);

#endif
