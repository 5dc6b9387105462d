/*
 * pm_kargs: the one signature of all kernels, and the sizes they and their callers agree on.
 */
#ifndef PM_WORKER_GPU_PM_KARGS_CUH
#define PM_WORKER_GPU_PM_KARGS_CUH

#include <cuda_runtime.h>

#include "pm_cuda.h"

#define PM_THREADS 256  /* of every block; a power of two, a multiple of 64 */
#define PM_LOSS_LANES 16 /* sums of a row side by side: PM_L1_LANES of l1_variants.h */
#define PM_LOSS_ROWS (PM_THREADS / PM_LOSS_LANES)
#define PM_SHIFTS (PM_CUDA_SPAN * PM_CUDA_SPAN)

typedef unsigned long long pm_u64;

struct pm_kimage {
    const unsigned char *data;
    pm_u64 pitch; /* bytes */
};

struct pm_kargs {
    struct pm_kimage gt, target; /* kernels on one image take it as gt */
    int image_w, image_h;        /* px */
    int channels, sample;
    /* an area both images share */
    int gt_x, gt_y, target_x, target_y, w, h;
    /* luma and its correlation; lw x lh px in arrays of pad_w x pad_h */
    int factor, lw, lh, pad_w, pad_h, ry, rx;
    int row_from, row_to;   /* of the image: those a band has brought */
    int luma_from, luma_to; /* rows of the padded luma that are made of them */
    float unit, mean;
    float *real;
    float2 *spectrum, *spectrum_gt;
    double *column_sum, *column_square; /* [2 ry + 1][lw]: of columns without the first or last rows */
    double *border_sum, *border_square; /* [2 ry + 1][2 rx + 1] of this image */
    const double *border_sum_gt, *border_square_gt;
    float *score; /* [2 ry + 1][2 rx + 1] */
    struct pm_cuda_peak *peaks;
    /* integer L1 */
    struct pm_cuda_l1 l1;
    /* loss, mask */
    double gain_double;
    double *row_sum;
    long long *row_count;
    float gain, gather_from;
    double threshold, exposed_limit;
    unsigned exposed_from, list_max;
    unsigned *bins, *list;
    pm_u64 *keep, *ok, *opened;
    int words; /* of a row */
    /* results */
    pm_u64 *sums;    /* PM_SHIFTS of them */
    unsigned *count; /* one */
};

#endif
