/*
 * blocks8: mean absolute difference of blocks of 8x8 values, a row of blocks at a time, and the
 * joining of k x k values of a finer plane into one that comes before it.
 * Owns: nothing. Threads: any. Memory: the stack. Errors: none.
 * Plain C that compilers turn into 16-bit SIMD on any machine: sums of 8 values stay below 2^15.
 */
#ifndef PM_WORKER_KERNELS_BLOCKS8_H
#define PM_WORKER_KERNELS_BLOCKS8_H

#include <stddef.h>
#include <stdint.h>

#define PM_BLOCKS8_SIDE 8
#define PM_BLOCKS8_MOST 4095 /* largest value; the smallest is 0 */

/* a, b: 8 rows of 8 * blocks values, rows `stride` apart. out: one mean a block. */
void pm_blocks8_row(const int16_t *a, const int16_t *b, size_t stride, int blocks, float *out);

#define PM_BLOCKS8_JOIN_MOST 64 /* k at most */

/* out[x] = the sum of the k x k values at k * x; level: k rows of k * n values, `stride` apart. */
void pm_blocks8_join(const int16_t *level, size_t stride, int k, int n, int32_t *out);

#endif
