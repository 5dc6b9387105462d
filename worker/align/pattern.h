/*
 * pattern: whether an answer may be where the sensor's own pattern meets itself instead of where
 * the scene does. A pattern is in the same place in both images, so only answers with dy or dx 0
 * are in question: lines of rows fit at dy = 0 whatever dx, lines of columns at dx = 0.
 * Owns: nothing. Threads: any. Memory: a few rows, or two levels, for the call. Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_PATTERN_H
#define PM_WORKER_ALIGN_PATTERN_H

#include "worker/align/bands.h"
#include "worker/align/levelsearch.h"

/* *lines: seen without what whole rows (dy 0) or whole columns (dx 0) have in common, and with
 * single pixels averaged away, the scene clearly lies beside the answer. */
enum pm_code pm_pattern_lines(
    const struct pm_align_query *query, int dy, int dx, bool *lines, struct pm_err *err);

/* By how much the loss of a low-passed luma without rows' and columns' means is larger at the
 * answer than at the other place, relative to either's; near each the smallest counts. Shifts in
 * level px. 0 when there is no memory to tell. */
double pm_pattern_prefers(
    const struct pm_levelsearch *level, int dy, int dx, int other_dy, int other_dx);

/* *resting: something lies in the same place in both images: the loss has a hollow of its own at
 * (0,0). For answers some px away, whose scene has none there. bands: for the call. */
enum pm_code pm_pattern_resting(
    struct pm_bands *bands, const struct pm_align_query *query, bool *resting, struct pm_err *err);

/* *suspected: the sensor's own pattern may have made the minimum; cheaply excluded off the axes,
 * and in scenes without a second place of note. depth: of that place, of the answer's. level: begun
 * with the pair. bands: as above. */
enum pm_code pm_pattern_suspected(struct pm_levelsearch *level, struct pm_bands *bands,
    const struct pm_align_query *query, const struct pm_confirmed *confirmed, double depth,
    bool *suspected, struct pm_err *err);

#endif
