/*
 * gaincheck: whether an answer stays the minimum when every place is compared at the gain of its
 * own overlap instead of the whole images' (RAWNIND.md 2.3). What enters the frame on one side and
 * leaves it on the other has its own brightness; in a smooth scene a gain a percent off moves the
 * minimum, and in a mosaic, or with a small overlap, by far.
 * Owns: nothing. Threads: any. Memory: as bands.h. Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_GAINCHECK_H
#define PM_WORKER_ALIGN_GAINCHECK_H

#include "worker/align/bands.h"

struct pm_gaincheck {
    bool stable;   /* neither a rival (rivals.h) at the gain of the answer's overlap, nor the second
                      best place at the gain of its own, is lower */
    bool off;      /* the gain of the answer's overlap is another than the whole images' */
    double z_near; /* off: as in struct pm_confirmed, at the gain of the overlap; else -INFINITY */
};

/* ratio, second_ratio: mean(gt) / mean(gain * target) of the two overlaps; NaN: not known, nothing
 * is said against the answer. bands: for the call. */
enum pm_code pm_gaincheck_run(struct pm_bands *bands, const struct pm_align_query *query,
    const struct pm_confirmed *confirmed, double ratio, double second_ratio,
    struct pm_gaincheck *check, struct pm_err *err);

#endif
