/*
 * motions: whether what an answer leaves unexplained is explained by a second motion. An object
 * that moved, or a foreground at another depth, has a shift of its own; the loss of the frame is
 * one mean and goes to whichever has more contrast, not to whichever is larger.
 * The frame, low-passed so that blocks of 8x8 values are parts of it, is compared at every second
 * shift of the range. The one that would help most, could each block choose between it and the
 * answer, is the second motion; a block belongs to one of the two when its loss there is less than
 * half of that at the other, the frame's noise taken off.
 *
 * Owns: the low-passed planes and the losses of blocks, grown and reused. Threads: one at a time.
 * Memory: 1 MB, for panoramas more. Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_MOTIONS_H
#define PM_WORKER_ALIGN_MOTIONS_H

#include "worker/align/levelsearch.h"

struct pm_motions;

/* What two motions share the frame by. blocks 0: too small to tell; no second motion: all blocks
 * are the answer's. */
struct pm_motion_shares {
    int dy, dx; /* px of the image, to one value of the low-passed frame: the second motion */
    int first, second; /* blocks that belong to the answer, and to the second motion */
    int blocks;        /* in view at both; some are neither's */
};

enum pm_code pm_motions_new(struct pm_motions **out, struct pm_err *err);
void pm_motions_free(struct pm_motions *motions); /* NULL is fine */

/* dy, dx: the answer, px of the image. level: begun with the query's pair; factor: its own. ratio:
 * mean(gt) / mean(gain * target) of the answer's overlap; NaN reads as 1. */
enum pm_code pm_motions_measure(struct pm_motions *motions, const struct pm_levelsearch *level,
    const struct pm_align_query *query, int dy, int dx, int factor, double ratio,
    struct pm_motion_shares *out, struct pm_err *err);

#endif
