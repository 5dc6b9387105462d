/*
 * hills: the places that full resolution has to decide between. Correlates low-passed luma at every
 * shift of the range, follows the peaks, and what L1 alone finds low, down the L1 of the level that
 * levelsearch.h compares, and keeps what that cannot tell apart.
 * Owns: a correlation and a level, grown and reused. Threads: one at a time.
 * Memory: the coarse luma twice and its spectra. Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_HILLS_H
#define PM_WORKER_ALIGN_HILLS_H

#include "worker/align/confirm.h"
#include "worker/align/zncc.h"

struct pm_hills;

enum pm_code pm_hills_new(struct pm_hills **out, struct pm_err *err);
void pm_hills_free(struct pm_hills *hills); /* NULL is fine */

#define PM_HILLS_MOST 128 /* candidates at most */

/* How much is kept. */
enum pm_hills_care {
    PM_HILLS_USUAL,
    PM_HILLS_WIDE /* for pairs in doubt: all rows, and whatever is better than unrelated places */
};

/* Correlates, and leaves the candidates (px of the image, best first) in out. */
enum pm_code pm_hills_search(struct pm_hills *hills, const struct pm_align_query *query,
    enum pm_hills_care care, struct pm_candidate out[PM_HILLS_MOST], int *count,
    struct pm_err *err);
/* The same from the peaks of a correlation made elsewhere (px of the image, best first). */
enum pm_code pm_hills_of_peaks(struct pm_hills *hills, const struct pm_align_query *query,
    enum pm_hills_care care, const struct pm_zncc_peak *peaks, int peak_count,
    struct pm_candidate out[PM_HILLS_MOST], int *count, struct pm_err *err);
/* Shifts whose L1 was taken by the last search. */
int64_t pm_hills_evaluations(const struct pm_hills *hills);

#endif
