/*
 * zncc: how well two luma images agree (zero-mean normalised cross-correlation, -1..1) at every
 * shift of a range, by FFT; and where the peaks are. Both sums and both variances are those of each
 * shift's own overlap, so neither brightness, gain nor a bright border pulls a peak towards (0,0).
 * Used by fft and by every search that starts from a small level.
 * Owns: the FFT arrays and score table, grown and reused from pair to pair.
 * Threads: one thread at a time. Memory: 8 bytes a pixel of either image and as much again for the
 * padding of rx columns, and the table. Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_ZNCC_H
#define PM_WORKER_ALIGN_ZNCC_H

#include <stddef.h>

#include "common/err.h"

struct pm_fftplans;
struct pm_zncc;

struct pm_zncc_peak {
    double dy, dx; /* px of the images given; a parabola's top, within 0.5 of a whole shift */
    double score;  /* -1..1, at the whole shift */
};

enum pm_code pm_zncc_new(struct pm_zncc **out, struct pm_err *err);
void pm_zncc_free(struct pm_zncc *zncc); /* NULL is fine */

/* Makes room for two w x h images and shifts |dy| <= ry, |dx| <= rx (ry < h, rx < w). */
enum pm_code pm_zncc_size(struct pm_zncc *zncc, struct pm_fftplans *plans, int w, int h, int ry,
    int rx, struct pm_err *err);
/* Where to put the luma of gt and target: h rows of w floats, *stride elements apart. The means
 * need not be removed. The contents are used up by pm_zncc_run. */
float *pm_zncc_gt(struct pm_zncc *zncc, size_t *stride);
float *pm_zncc_target(struct pm_zncc *zncc, size_t *stride);
/* Fills the table of scores; a shift whose overlap is even in either image scores 0. */
void pm_zncc_run(struct pm_zncc *zncc);
/* The score of gt[y+dy, x+dx] against target[y, x]; |dy| <= ry, |dx| <= rx. */
double pm_zncc_score(const struct pm_zncc *zncc, int dy, int dx);
#define PM_ZNCC_PEAKS 256

/* The local maxima with the highest scores, best first; returns how many: at most max, and
 * at most PM_ZNCC_PEAKS. Equal
 * scores: the one nearer to (0,0). At least one when max > 0. */
int pm_zncc_peaks(const struct pm_zncc *zncc, struct pm_zncc_peak *peaks, int max);

#endif
