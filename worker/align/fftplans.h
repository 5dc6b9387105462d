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
struct pm_fft; /* a forward (complex) and a backward (to real) plan of one length */

enum pm_code pm_fftplans_new(struct pm_fftplans **out, const char *wisdom_path, struct pm_err *err);
void pm_fftplans_free(struct pm_fftplans *plans); /* saves the wisdom; NULL is fine */

/* The smallest size >= n that FFTW does fast (2^a 3^b 5^c 7^d). */
int pm_fft_smooth_size(int n);
/* Plans for n values; kept, so the second call is free. */
enum pm_code pm_fft_get(
    struct pm_fftplans *plans, int n, const struct pm_fft **out, struct pm_err *err);
/* n complex numbers to n. Every array starts as aligned as pm_fft_alloc makes it (16 bytes do). */
void pm_fft_forward(const struct pm_fft *fft, float (*line)[2], float (*spectrum)[2]);
/* n/2 + 1 complex numbers, those of a real line, to n real ones, n times too large; destroys
 * spectrum. */
void pm_fft_backward(const struct pm_fft *fft, float (*spectrum)[2], float *real);
void *pm_fft_alloc(size_t bytes); /* aligned for SIMD; NULL when out of memory */
void pm_fft_release(void *data);

#endif
