/*
 * correlate_variants: what correlate.c and the SIMD file beside it share; nobody else includes it.
 * Owns: nothing. Threads: any. Memory: none. Errors: none.
 */
#ifndef PM_WORKER_KERNELS_CORRELATE_VARIANTS_H
#define PM_WORKER_KERNELS_CORRELATE_VARIANTS_H

#include "worker/kernels/correlate.h"

#if defined(__x86_64__) && defined(__GNUC__)
extern const struct pm_correlate_ops pm_correlate_avx2;
#endif

#endif
