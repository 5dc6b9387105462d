#include "worker/kernels/gradient.h"

#include <math.h>

#include "worker/kernels/gradient_body.h"
#include "worker/kernels/gradient_variants.h"

/* A Gaussian of 1 px around `at`, and the slope of what it smooths. The sampled taps are brought to
 * the sums and first moments that make a constant stay itself and a ramp have its slope. */
static void gaussian(double at, float taps[2][PM_GRADIENT_TAPS])
{
    double k[PM_GRADIENT_TAPS], sum = 0, mean = 0, variance = 0;

    for (int i = 0; i < PM_GRADIENT_TAPS; i++) {
        double u = i - PM_GRADIENT_HALO - at;
        k[i] = exp(-u * u / 2);
        sum += k[i];
        mean += k[i] * u;
    }
    mean /= sum;
    for (int i = 0; i < PM_GRADIENT_TAPS; i++) {
        double u = i - PM_GRADIENT_HALO - at - mean;
        variance += k[i] / sum * u * u;
    }
    for (int i = 0; i < PM_GRADIENT_TAPS; i++) {
        double u = i - PM_GRADIENT_HALO - at - mean;
        taps[0][i] = (float)(k[i] / sum * (1 - mean * u / variance)); /* centred at `at` */
        taps[1][i] = (float)(k[i] / sum * u / variance);
    }
}

void pm_gradient_taps(double dy, double dx, struct pm_gradient_taps *taps)
{
    gaussian(dy / 2, taps->gt_y);
    gaussian(dx / 2, taps->gt_x);
    gaussian(-dy / 2, taps->target_y);
    gaussian(-dx / 2, taps->target_x);
}

static float cut(enum pm_sample sample, const void *samples, size_t row_bytes, int w, int h,
    int channels, float scale, float *out, size_t stride)
{
    return pm_gradient_cut(sample, samples, row_bytes, w, h, channels, scale, out, stride);
}

static void sum(const float *gt, const float *target, size_t stride, int w, int h, int row_step,
    const struct pm_gradient_taps *taps, struct pm_gradient_sums *sums)
{
    pm_gradient_sum(gt, target, stride, w, h, row_step, taps, sums);
}

static const struct pm_gradient_ops plain = {.cut = cut, .sum = sum};

const struct pm_gradient_ops *pm_gradient_ops_of(enum pm_cpu level)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (level == PM_CPU_AVX512) {
        return &pm_gradient_avx512;
    }
    if (level == PM_CPU_AVX2) {
        return &pm_gradient_avx2;
    }
#endif
    (void)level;
    return &plain;
}

const struct pm_gradient_ops *pm_gradient(void)
{
    return pm_gradient_ops_of(pm_cpu_level());
}
