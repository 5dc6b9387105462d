/*
 * fftplans: FFTW plans, made under one lock and used by any thread; the only place that includes
 * fftw3.h.
 * Owns: the plans of every size asked for, and FFTW's wisdom for them.
 * Threads: any; planning is serialised inside the process by one lock (FFTW's planner is not
 * thread-safe), executing is not.
 * Memory: plans are counted per process and small; work arrays come from pm_fft_alloc().
 * Errors: PM_ENOMEM. Wisdom that cannot be read or written costs time, never a job.
 */
#ifndef PM_WORKER_ALIGN_FFTPLANS_H
#define PM_WORKER_ALIGN_FFTPLANS_H

#include <stddef.h>

#include "common/err.h"

struct pm_fftplans;
struct pm_fft; /* a forward (r2c) and a backward (c2r) plan of one 2-D size */

enum pm_code pm_fftplans_new(struct pm_fftplans **out, const char *wisdom_path, struct pm_err *err);
void pm_fftplans_free(struct pm_fftplans *plans); /* saves the wisdom; NULL is fine */

/* The smallest size >= n that FFTW does fast (2^a 3^b 5^c 7^d). */
int pm_fft_smooth_size(int n);
/* Plans for real arrays of h x w floats (out of place); kept, so the second call is free. */
enum pm_code pm_fft_get(
    struct pm_fftplans *plans, int w, int h, const struct pm_fft **out, struct pm_err *err);
/* real: h*w floats; spectrum: h*(w/2+1) complex pairs; both from pm_fft_alloc. forward keeps real,
 * backward destroys spectrum and does not normalise (values come out w*h times too large). */
void pm_fft_forward(const struct pm_fft *fft, float *real, float (*spectrum)[2]);
void pm_fft_backward(const struct pm_fft *fft, float (*spectrum)[2], float *real);
/* As pm_fft_forward for an array that is zero from row `rows` on; only the rows of the blocks of 16
 * that hold the first `rows` are read. */
void pm_fft_forward_rows(const struct pm_fft *fft, float *real, int rows, float (*spectrum)[2]);
/* As pm_fft_backward, but only the first `first` and the last `last` rows of real are sure to be
 * made: those that shifts around 0 are read from. */
void pm_fft_backward_rows(
    const struct pm_fft *fft, float (*spectrum)[2], int first, int last, float *real);
void *pm_fft_alloc(size_t bytes); /* aligned for SIMD; NULL when out of memory */
void pm_fft_release(void *data);

#endif
