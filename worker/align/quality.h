/*
 * quality: how far a confirmed shift can be trusted, in numbers and flags; shared by all methods.
 *
 * confidence (0..1) is the estimated probability that no other shift is really better:
 *
 *     near * far * match * united * (0.45 when biased)
 *
 * - near: 1 - sum over the 8 neighbours (also those just outside the range) of P(noise turned the
 *   order round), from z_near at the whole images' gain or that of the overlap, whichever is surer
 *   (gaincheck.h); less where parts of the frame clearly prefer a neighbour, where only few columns
 *   decide (votes.h), where the tiles lie elsewhere, or where the residual says that another whole
 *   shift is the nearest (L1 is taken at the whole images' gain, and in a smooth scene may be
 *   smallest a pixel off).
 * - far: the same for the second best place, times a ramp that falls from 1 to 0 as that place
 *   becomes 60 to 90% as deep as the best (depth.h: repetition, a moving object); 80 to 100% where
 *   no part of the frame is for it.
 * - match: a ramp from 0 to 1 as the agreement of the two scenes, white noise taken out, goes from
 *   0.35 (different scenes reach 0.3) to 0.6.
 * - united: a ramp that falls from 1 to 0 as the blocks that a second motion explains become 40 to
 *   70% of those that the answer does (motions.h).
 * - biased: one translation does not describe the pair, the minimum moves when the gain of the
 *   overlap is taken instead of the whole images', or the sensor's own pattern may have made it
 *   (pattern.h).
 *
 * Below 0.5 the answer is the smallest loss, but should not be relied on. How often an answer of a
 * given confidence is right was counted on photographs no threshold was set by: the calibration
 * table of tests/bench/hard_suite.md.
 * Owns: tile buffers, tables of votes, reused. Threads: one at a time. Memory: ~1 MB, and a luma
 * level of a small image; two more for the call when a pattern is suspected. Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_QUALITY_H
#define PM_WORKER_ALIGN_QUALITY_H

#include "worker/align/confirm.h"

struct pm_quality;

enum pm_code pm_quality_new(struct pm_quality **out, struct pm_err *err);
void pm_quality_free(struct pm_quality *quality); /* NULL is fine */

/* Fills confidence, sub_dy, sub_dx and their errors, second_peak, warp, map and flags of shift
 * (whose dy, dx, gain are set) from what confirm found and from the two pyramids. Call it only when
 * query->quality. */
enum pm_code pm_quality_measure(struct pm_quality *quality, const struct pm_align_query *query,
    const struct pm_confirmed *confirmed, struct pm_shift *shift, struct pm_err *err);

#endif
