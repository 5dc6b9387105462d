/*
 * pyramid_variants: what pyramid.c and the SIMD files beside it share; nobody else includes it.
 * Owns: nothing. Threads: any. Memory: none. Errors: none.
 */
#ifndef PM_WORKER_KERNELS_PYRAMID_VARIANTS_H
#define PM_WORKER_KERNELS_PYRAMID_VARIANTS_H

#include "worker/kernels/pyramid.h"

#if defined(__x86_64__) && defined(__GNUC__)
extern const struct pm_pyramid_ops pm_pyramid_avx2;
extern const struct pm_pyramid_ops pm_pyramid_avx512;
#endif

#endif
