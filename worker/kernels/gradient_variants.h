/*
 * gradient_variants: what gradient.c and the SIMD files beside it share; nobody else includes it.
 * Owns: nothing. Threads: any. Memory: none. Errors: none.
 */
#ifndef PM_WORKER_KERNELS_GRADIENT_VARIANTS_H
#define PM_WORKER_KERNELS_GRADIENT_VARIANTS_H

#include "worker/kernels/gradient.h"

#if defined(__x86_64__) && defined(__GNUC__)
extern const struct pm_gradient_ops pm_gradient_avx2;
extern const struct pm_gradient_ops pm_gradient_avx512;
#endif

#endif
