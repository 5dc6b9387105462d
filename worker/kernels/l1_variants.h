/*
 * l1_variants: what l1.c and the SIMD files beside it share; nobody else includes it.
 * Owns: nothing. Threads: any. Memory: none. Errors: none.
 */
#ifndef PM_WORKER_KERNELS_L1_VARIANTS_H
#define PM_WORKER_KERNELS_L1_VARIANTS_H

#include "worker/kernels/l1.h"

/* Exact rows keep this many sums, sample i in lane i % PM_L1_LANES, in every variant. */
#define PM_L1_LANES 16

/* The lanes in one fixed order: what makes the variants bit-equal. */
double pm_l1_fold(const double lanes[PM_L1_LANES]);

/* One body for all variants, for the compiler to make vectors of. */
static inline __attribute__((always_inline)) void pm_moments_body(
    const int16_t *a, const int16_t *b, size_t n, struct pm_l1_moments *sums)
{
    int64_t sa = 0, sb = 0, ab = 0, aa = 0, aa1 = 0, bb1 = 0;

    for (size_t i = 0; i < n; i++) {
        sa += a[i];
        sb += b[i];
        ab += a[i] * b[i];
        aa += a[i] * a[i];
        aa1 += a[i] * a[i + 1];
        bb1 += b[i] * b[i + 1];
    }
    sums->n += (int64_t)n;
    sums->a += sa;
    sums->b += sb;
    sums->ab += ab;
    sums->aa += aa;
    sums->aa1 += aa1;
    sums->bb1 += bb1;
}

#if defined(__x86_64__) && defined(__GNUC__)
extern const struct pm_l1_ops pm_l1_avx2;
extern const struct pm_l1_ops pm_l1_avx512;
#endif

#endif
