/*
 * confirm: the exact full-resolution end of every search but `original`. Takes candidate shifts,
 * descends from each by the L1 of RAWNIND.md 2.4 through 3x3 neighbourhoods until the best is the
 * centre, and says which one has the smallest loss and how sure that is.
 * Rows are read in bands, few first; more are added until the differences are statistically safe or
 * all rows were used. What all rows cannot separate beyond the rounding of the fast kernels is
 * decided by pm_align_loss() itself, ties by pm_shift_better().
 * Owns: row buffers and a memory of evaluated shifts, reused from pair to pair.
 * Threads: one thread at a time. Memory: a few rows, and 16 bytes per shift and band of 8 rows.
 * Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_CONFIRM_H
#define PM_WORKER_ALIGN_CONFIRM_H

#include "worker/align/ops.h"

struct pm_confirm;

/* The shifts a search may answer. */
struct pm_range {
    int dy, dx; /* |dy|, |dx| at most these */
};

/* Per axis the smaller of max_shift and what leaves an overlap of max(8, n / 4) px: less than that
 * compares so few pixels that the smallest mean is chance, not the scene. Every method uses this.
 */
struct pm_range pm_align_range(int w, int h, int max_shift);
bool pm_range_holds(struct pm_range range, int dy, int dx);

/* True when shift a is the better answer: smaller loss; equal: nearer to (0,0); equal: smaller dy,
 * then dx. The one order all methods use. */
bool pm_shift_better(double loss_a, int dy_a, int dx_a, double loss_b, int dy_b, int dx_b);

struct pm_candidate {
    int dy, dx;   /* px, full resolution */
    double score; /* the search's own, larger is better; only for reports */
};

struct pm_confirmed {
    int dy, dx;
    double loss;         /* full scale 1; estimate unless exact */
    bool exact;          /* all rows were used */
    double rows_used;    /* share of the rows, 0..1 */
    double around[3][3]; /* loss at (dy - 1 + i, dx - 1 + j), same rows for all; NaN outside the
                            range */
    double z_near;       /* smallest (loss difference / its standard error) to a rival (rivals.h) */
    double z_second;     /* the same to the second best distinct candidate; INFINITY: only one */
    int second_dy, second_dx;
    double second_loss;  /* NaN: only one */
    double noise;        /* standard error of a difference to a neighbour, full scale 1 */
    int64_t evaluations; /* shifts whose L1 was taken here */
};

enum pm_code pm_confirm_new(struct pm_confirm **out, struct pm_err *err);
void pm_confirm_free(struct pm_confirm *confirm); /* NULL is fine */

/* candidates: 1 or more, best guess first; (0,0) is always added. Those outside the range are moved
 * to its edge. */
enum pm_code pm_confirm_run(struct pm_confirm *confirm, const struct pm_align_query *query,
    const struct pm_candidate *candidates, int count, struct pm_confirmed *out, struct pm_err *err);

#endif
