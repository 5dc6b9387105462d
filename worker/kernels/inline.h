/*
 * inline: what the bodies that are compiled once for each kind of machine ask of the compiler.
 * Owns: nothing. Threads: any. Memory: none. Errors: none.
 */
#ifndef PM_WORKER_KERNELS_INLINE_H
#define PM_WORKER_KERNELS_INLINE_H

/* Into each variant, so that the compiler makes vectors of that variant's width. */
#if defined(__GNUC__)
#define PM_INLINE static inline __attribute__((always_inline))
#else
#define PM_INLINE static inline
#endif

/* Joins an AVX-512 target string: vectors of 512 bits, where the compiler would take 256. */
#ifdef __clang__ /* knows no such target option and would ignore all of them */
#define PM_WIDE
#else
#define PM_WIDE ",prefer-vector-width=512"
#endif

#endif
