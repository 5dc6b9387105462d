/*
 * bands: L1 of a pair at full resolution for 3x3 neighbourhoods of shifts, over as many bands of
 * rows as asked for, remembered per shift and band so that nothing is summed twice.
 *
 * The rows of gt are cut into bands of PM_BAND_ROWS on a fixed grid, so that different shifts are
 * compared on the same part of the scene. With step s, every s-th band that lies wholly inside the
 * overlap is summed and stands for its s - 1 neighbours; the cut bands at the top and bottom, where
 * the overlaps of neighbouring shifts differ, are always summed. With step 1 the mean is the one of
 * RAWNIND.md 2.4, over the shift's own trimmed overlap, up to the rounding of staged rows.
 * Owns: row buffers and the table of shifts, reused. Threads: one at a time.
 * Memory: 16 bytes per band and shift. Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_BANDS_H
#define PM_WORKER_ALIGN_BANDS_H

#include "worker/align/confirm.h"

#define PM_BAND_ROWS 8 /* in images of 512 rows and more; fewer in smaller ones, down to 1 */

struct pm_bands;

enum pm_code pm_bands_new(struct pm_bands **out, struct pm_err *err);
void pm_bands_free(struct pm_bands *bands); /* NULL is fine */

/* Forgets the last pair; query outlives the use. The images are at least 8x8. */
enum pm_code pm_bands_begin(
    struct pm_bands *bands, const struct pm_align_query *query, struct pm_err *err);

struct pm_range pm_bands_range(const struct pm_bands *bands);
/* The largest step (a power of 4, at most 16) that still leaves enough bands for statistics. */
int pm_bands_first_step(const struct pm_bands *bands);
/* Bands in all, and shifts in the table. */
int pm_bands_count(const struct pm_bands *bands);
int pm_bands_shifts(const struct pm_bands *bands);
/* Largest error of a loss with step 1, full scale 1. */
double pm_bands_rounding(const struct pm_bands *bands);
/* Share of the rows summed so far at most for any shift with this step. */
double pm_bands_share(const struct pm_bands *bands, int step);

struct pm_bands_at {
    int dy, dx;
};
/* Shift i of the table, and whether all its bands are summed. */
struct pm_bands_at pm_bands_shift(const struct pm_bands *bands, int i);
bool pm_bands_complete(const struct pm_bands *bands, int i);

/* Sums the shifts around (dy, dx) (itself, or all nine) over the bands of step. */
enum pm_code pm_bands_sum3(
    struct pm_bands *bands, int dy, int dx, int step, bool all_nine, struct pm_err *err);

struct pm_bands_difference {
    double loss;     /* a - b, full scale 1; NaN when either is unknown */
    double sampling; /* its standard error because not all bands were summed; 0 with step 1 */
    double noise;    /* its standard error as a measurement of the scene, however many were summed;
                        INFINITY: too few bands to tell */
};

/* The loss of a summed shift over the bands of step; NaN: never summed, or no finite sample.
 * frame: the dy of the 3x3 centre it was summed around; one frame for all that is compared. */
double pm_bands_loss(const struct pm_bands *bands, int dy, int dx, int step, int frame);
/* Over the bands of step that both shifts have. */
struct pm_bands_difference pm_bands_compare(
    const struct pm_bands *bands, struct pm_bands_at a, struct pm_bands_at b, int step, int frame);

#endif
