/*
 * correlate: the inner loops of zncc.h: two luma images, row by row, to sums and spectra, and the
 * products of the spectra's rows.
 * Owns: nothing; a const table of functions per SIMD variant. Threads: any. Memory: none.
 * Errors: none. sum and take give the same bits in every variant; products differ in their last
 * ones.
 *
 * A spectrum is kept in blocks of PM_BINS bins: in each block the rows of one image follow each
 * other, a row being PM_BINS real parts and then as many imaginary ones. So a block of both images
 * stays in the second cache while its rows are multiplied at many shifts.
 */
#ifndef PM_WORKER_KERNELS_CORRELATE_H
#define PM_WORKER_KERNELS_CORRELATE_H

#include <stddef.h>

#include "worker/kernels/cpu.h"

#define PM_BINS 16
/* Shifts multiplied at a time; gt's rows have PM_SHIFTS - 1 rows of zeros before and after. */
#define PM_SHIFTS 4

/* Sums of every column over the rows taken so far: of the values and of their squares. */
struct pm_columns {
    double *gt, *gt2, *target, *target2;
};

struct pm_row_sums {
    double sum, squares;
};

struct pm_correlate_ops {
    struct pm_row_sums (*sum)(const float *v, size_t n);
    /* One row of each image: takes mean[0] and mean[1] away in place, adds to columns, and puts gt
     * and target into line as the real and imaginary parts. */
    void (*take)(float *gt, float *target, size_t n, const float mean[2], struct pm_columns columns,
        float (*line)[2]);
    /* lines: the transforms of n such complex values each, of neighbouring rows. Twice the spectrum
     * of the real parts goes to gt, of the imaginary ones to target: bins 0..n/2, the rest of the
     * last block zeros. gt and target point to the first row in block 0; blocks are `step` floats
     * apart. */
    void (*split)(
        const float (*lines)[2], int rows, size_t n, float *gt, float *target, size_t step);
    /* out[i], i < count (a multiple of PM_SHIFTS): the sum over y of gt[y + first + i] *
     * conj(target[y]), 0 <= y < h, of one block; out: count rows of PM_BINS real, PM_BINS imaginary
     * parts. -h < first, first + count <= h + PM_SHIFTS. gt points to its row 0. */
    void (*products)(const float *gt, const float *target, int h, int first, int count, float *out);
};

const struct pm_correlate_ops *pm_correlate_ops_of(enum pm_cpu level);
const struct pm_correlate_ops *pm_correlate(void);

#endif
