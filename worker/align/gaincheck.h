/*
 * gaincheck: whether an answer stays the minimum when every place is compared at the gain of its
 * own overlap instead of the whole images' (RAWNIND.md 2.3). What enters the frame on one side and
 * leaves it on the other has its own brightness; in a smooth scene a gain a percent off moves the
 * minimum, and in a mosaic, or with a small overlap, by far.
 * Owns: a table of bands, reused. Threads: one at a time. Memory: as bands.h. Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_GAINCHECK_H
#define PM_WORKER_ALIGN_GAINCHECK_H

#include "worker/align/confirm.h"

struct pm_gaincheck;

enum pm_code pm_gaincheck_new(struct pm_gaincheck **out, struct pm_err *err);
void pm_gaincheck_free(struct pm_gaincheck *check); /* NULL is fine */

/* *stable: neither a rival (rivals.h) at the gain of the answer's overlap, nor the second best
 * place at the gain of its own, is lower. ratio, second_ratio: mean(gt) / mean(gain * target) of
 * the two overlaps; NaN: not known, nothing is said against the answer. */
enum pm_code pm_gaincheck_run(struct pm_gaincheck *check, const struct pm_align_query *query,
    const struct pm_confirmed *confirmed, double ratio, double second_ratio, bool *stable,
    struct pm_err *err);

#endif
