#include "worker/kernels/correlate.h"

#include "worker/kernels/correlate_body.h"
#include "worker/kernels/correlate_variants.h"

#define LANES 4 /* of PM_BINS at a time: sums of one shift stay in registers everywhere */

static struct pm_row_sums sum(const float *v, size_t n)
{
    return pm_sum(v, n);
}

static void take(float *gt, float *target, size_t n, const float mean[2], struct pm_columns columns,
    float (*line)[2])
{
    pm_take(gt, target, n, mean, columns, line);
}

static void split(
    const float (*lines)[2], int rows, size_t n, float *gt, float *target, size_t step)
{
    pm_split(lines, rows, n, gt, target, step);
}

/* Adds one shift's products over rows [y0, y1) of target. */
static void multiply(const float *gt, const float *target, int y0, int y1, int shift, float *out)
{
    for (size_t k = 0; k < PM_BINS; k += LANES) {
        float re[LANES] = {0}, im[LANES] = {0};
        for (int y = y0; y < y1; y++) {
            const float *g = gt + (ptrdiff_t)(y + shift) * (ptrdiff_t)PM_ROW + k;
            const float *t = target + (size_t)y * PM_ROW + k;
            for (size_t i = 0; i < LANES; i++) {
                re[i] += g[i] * t[i] + g[PM_BINS + i] * t[PM_BINS + i];
                im[i] += g[PM_BINS + i] * t[i] - g[i] * t[PM_BINS + i];
            }
        }
        for (size_t i = 0; i < LANES; i++) {
            out[k + i] += re[i];
            out[PM_BINS + k + i] += im[i];
        }
    }
}

static void products(const float *gt, const float *target, int h, int first, int count, float *out)
{
    memset(out, 0, (size_t)count * PM_ROW * sizeof *out);
    for (int y = 0; y < h; y += PM_STRETCH) {
        for (int i = 0; i < count; i++) {
            int y0, y1;
            pm_meeting(h, y, first + i, &y0, &y1);
            multiply(gt, target, y0, y1, first + i, out + (size_t)i * PM_ROW);
        }
    }
}

static const struct pm_correlate_ops plain = {
    .sum = sum, .take = take, .split = split, .products = products};

const struct pm_correlate_ops *pm_correlate_ops_of(enum pm_cpu level)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (level >= PM_CPU_AVX2) {
        return &pm_correlate_avx2;
    }
#endif
    (void)level;
    return &plain;
}

const struct pm_correlate_ops *pm_correlate(void)
{
    return pm_correlate_ops_of(pm_cpu_level());
}
