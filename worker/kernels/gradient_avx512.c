#include "worker/kernels/gradient_variants.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include "worker/kernels/gradient_body.h"

/* Functions here may use what the name says; cpu.c makes sure that the machine can. */
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl" PM_WIDE)))

AVX512 static float cut(enum pm_sample sample, const void *samples, size_t row_bytes, int w, int h,
    int channels, float scale, float *out, size_t stride)
{
    return pm_gradient_cut(sample, samples, row_bytes, w, h, channels, scale, out, stride);
}

AVX512 static void sum(const float *gt, const float *target, size_t stride, int w, int h,
    int row_step, const struct pm_gradient_taps *taps, struct pm_gradient_sums *sums)
{
    pm_gradient_sum(gt, target, stride, w, h, row_step, taps, sums);
}

const struct pm_gradient_ops pm_gradient_avx512 = {.cut = cut, .sum = sum};

#endif
