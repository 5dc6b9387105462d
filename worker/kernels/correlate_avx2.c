#include "worker/kernels/correlate_variants.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include "worker/kernels/correlate_body.h"

/* Functions here may use what the name says; cpu.c makes sure that the machine can. AVX-512 would
 * gain nothing: two 256-bit multiply-adds a cycle are as many as one 512-bit one. */
#define AVX2 __attribute__((target("avx2,fma")))

AVX2 static struct pm_row_sums sum(const float *v, size_t n)
{
    return pm_sum(v, n);
}

AVX2 static void take(float *gt, float *target, size_t n, const float mean[2],
    struct pm_columns columns, float (*line)[2])
{
    pm_take(gt, target, n, mean, columns, line);
}

AVX2 static void split(
    const float (*lines)[2], int rows, size_t n, float *gt, float *target, size_t step)
{
    pm_split(lines, rows, n, gt, target, step);
}

/* Adds PM_SHIFTS shifts' products over rows [y0, y1) of target, for 8 of the block's bins: eight
 * sums that do not wait for each other. */
AVX2 static void multiply(
    const float *gt, const float *target, int y0, int y1, int shift, float *out)
{
    __m256 re[PM_SHIFTS], im[PM_SHIFTS];

    for (int i = 0; i < PM_SHIFTS; i++) {
        re[i] = im[i] = _mm256_setzero_ps();
    }
    for (int y = y0; y < y1; y++) {
        const float *g = gt + (ptrdiff_t)(y + shift) * (ptrdiff_t)PM_ROW;
        const float *t = target + (size_t)y * PM_ROW;
        __m256 tr = _mm256_loadu_ps(t), ti = _mm256_loadu_ps(t + PM_BINS);
        for (int i = 0; i < PM_SHIFTS; i++) {
            __m256 gr = _mm256_loadu_ps(g + (size_t)i * PM_ROW);
            __m256 gi = _mm256_loadu_ps(g + (size_t)i * PM_ROW + PM_BINS);
            re[i] = _mm256_fmadd_ps(gr, tr, re[i]);
            im[i] = _mm256_fmadd_ps(gi, tr, im[i]);
            re[i] = _mm256_fmadd_ps(gi, ti, re[i]);
            im[i] = _mm256_fnmadd_ps(gr, ti, im[i]);
        }
    }
    for (int i = 0; i < PM_SHIFTS; i++) {
        float *to = out + (size_t)i * PM_ROW;
        _mm256_storeu_ps(to, _mm256_add_ps(_mm256_loadu_ps(to), re[i]));
        _mm256_storeu_ps(to + PM_BINS, _mm256_add_ps(_mm256_loadu_ps(to + PM_BINS), im[i]));
    }
}

AVX2 static void products(
    const float *gt, const float *target, int h, int first, int count, float *out)
{
    memset(out, 0, (size_t)count * PM_ROW * sizeof *out);
    for (int y = 0; y < h; y += PM_STRETCH) {
        for (int i = 0; i < count; i += PM_SHIFTS) {
            int y0, y1;
            pm_meeting(h, y, first + i, &y0, &y1);
            for (size_t k = 0; k < PM_BINS; k += 8) {
                multiply(gt + k, target + k, y0, y1, first + i, out + (size_t)i * PM_ROW + k);
            }
        }
    }
}

const struct pm_correlate_ops pm_correlate_avx2 = {
    .sum = sum, .take = take, .split = split, .products = products};

#endif
