/*
 * peaks: where a score over all shifts of a range has its local maxima.
 * Owns: nothing. Threads: any. Memory: none. Errors: none.
 */
#ifndef PM_WORKER_ALIGN_PEAKS_H
#define PM_WORKER_ALIGN_PEAKS_H

#include "worker/align/confirm.h"

/* The score of a shift, larger is better; -INFINITY: never a peak. */
struct pm_scored {
    double (*score)(const void *ctx, int dy, int dx);
    const void *ctx;
    struct pm_range range;
};

/* The local maxima (no neighbour in the range is higher; of equal neighbours the first in reading
 * order) with the highest scores, best first, equal ones nearer to (0,0) first; how many, at most
 * max. */
int pm_peaks_find(const struct pm_scored *scored, struct pm_candidate *list, int max);

/* Puts one into a list of count, kept in that order and at most max long; the new count. */
int pm_peaks_insert(struct pm_candidate *list, int count, int max, struct pm_candidate candidate);

#endif
