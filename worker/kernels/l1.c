#include "worker/kernels/l1.h"

#include <math.h>

#include "worker/kernels/l1_variants.h"

#define FLOAT_BLOCK 512 /* samples summed in float before they go to a double */

double pm_l1_fold(const double lanes[PM_L1_LANES])
{
    double sum[PM_L1_LANES];

    for (int i = 0; i < PM_L1_LANES; i++) {
        sum[i] = lanes[i];
    }
    for (int half = PM_L1_LANES / 2; half > 0; half /= 2) {
        for (int i = 0; i < half; i++) {
            sum[i] += sum[i + half];
        }
    }
    return sum[0];
}

static uint64_t row_i16(const int16_t *a, const int16_t *b, size_t n)
{
    uint64_t total = 0;

    for (size_t i = 0; i < n;) {
        size_t end = n - i > 65536 ? i + 65536 : n; /* 65536 * 32767 fits 32 bits */
        uint32_t sum = 0;
        for (; i < end; i++) {
            int d = a[i] - b[i];
            sum += (uint32_t)(d < 0 ? -d : d);
        }
        total += sum;
    }
    return total;
}

static void row3_i16(const int16_t *a, const int16_t *b, size_t step, size_t n, uint64_t sum[3])
{
    for (size_t k = 0; k < 3; k++) {
        sum[k] += row_i16(a, b + k * step, n);
    }
}

static double row_f32(const float *a, const float *b, size_t n)
{
    double total = 0;

    for (size_t i = 0; i < n;) {
        size_t end = n - i > FLOAT_BLOCK ? i + FLOAT_BLOCK : n;
        float lanes[8] = {0};
        for (; i + 8 <= end; i += 8) {
            for (size_t k = 0; k < 8; k++) {
                lanes[k] += fabsf(a[i + k] - b[i + k]);
            }
        }
        for (; i < end; i++) {
            lanes[0] += fabsf(a[i] - b[i]);
        }
        for (size_t k = 0; k < 8; k++) {
            total += (double)lanes[k];
        }
    }
    return total;
}

static void row3_f32(const float *a, const float *b, size_t step, size_t n, double sum[3])
{
    for (size_t k = 0; k < 3; k++) {
        sum[k] += row_f32(a, b + k * step, n);
    }
}

static struct pm_l1_sum exact_u8(const void *gt, const void *target, size_t n, double gain)
{
    const uint8_t *g = gt;
    const uint8_t *t = target;
    double lanes[PM_L1_LANES] = {0};

    for (size_t i = 0; i < n; i++) {
        lanes[i % PM_L1_LANES] += fabs((double)g[i] - gain * (double)t[i]);
    }
    return (struct pm_l1_sum){pm_l1_fold(lanes), (int64_t)n};
}

static struct pm_l1_sum exact_u16(const void *gt, const void *target, size_t n, double gain)
{
    const uint16_t *g = gt;
    const uint16_t *t = target;
    double lanes[PM_L1_LANES] = {0};

    for (size_t i = 0; i < n; i++) {
        lanes[i % PM_L1_LANES] += fabs((double)g[i] - gain * (double)t[i]);
    }
    return (struct pm_l1_sum){pm_l1_fold(lanes), (int64_t)n};
}

static struct pm_l1_sum exact_f16(const void *gt, const void *target, size_t n, double gain)
{
    const uint16_t *g = gt;
    const uint16_t *t = target;
    double lanes[PM_L1_LANES] = {0};
    int64_t count = 0;

    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)pm_half_to_float(g[i]) - gain * (double)pm_half_to_float(t[i]));
        if (d < (double)INFINITY) { /* false for NaN too: either sample was not finite */
            lanes[i % PM_L1_LANES] += d;
            count++;
        }
    }
    return (struct pm_l1_sum){pm_l1_fold(lanes), count};
}

static struct pm_l1_sum exact_f32(const void *gt, const void *target, size_t n, double gain)
{
    const float *g = gt;
    const float *t = target;
    double lanes[PM_L1_LANES] = {0};
    int64_t count = 0;

    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)g[i] - gain * (double)t[i]);
        if (d < (double)INFINITY) {
            lanes[i % PM_L1_LANES] += d;
            count++;
        }
    }
    return (struct pm_l1_sum){pm_l1_fold(lanes), count};
}

static void stage_u16(const uint16_t *in, size_t n, int up, uint16_t mul, int16_t *out)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t v = (uint16_t)((uint32_t)in[i] << up);
        out[i] = (int16_t)(v * mul >> 16);
    }
}

static void stage_u8(const uint8_t *in, size_t n, uint16_t mul, int16_t *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (int16_t)((uint32_t)in[i] * mul >> 8);
    }
}

static void stage_i16(const int16_t *in, size_t n, int16_t mul, int16_t *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (int16_t)((in[i] * mul + 0x4000) >> 15);
    }
}

static void moments(const int16_t *a, const int16_t *b, size_t n, struct pm_l1_moments *sums)
{
    pm_moments_body(a, b, n, sums);
}

static void stage_f16(const uint16_t *in, size_t n, float mul, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = pm_half_to_float(in[i]) * mul;
    }
}

static void stage_f32(const float *in, size_t n, float mul, float *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = in[i] * mul;
    }
}

static const struct pm_l1_ops plain = {
    .row_i16 = row_i16,
    .row3_i16 = row3_i16,
    .row_f32 = row_f32,
    .row3_f32 = row3_f32,
    .exact = {[PM_U8] = exact_u8, [PM_U16] = exact_u16, [PM_F16] = exact_f16, [PM_F32] = exact_f32},
    .stage_u16 = stage_u16,
    .stage_u8 = stage_u8,
    .stage_i16 = stage_i16,
    .moments = moments,
    .stage_f16 = stage_f16,
    .stage_f32 = stage_f32,
};

const struct pm_l1_ops *pm_l1_ops_of(enum pm_cpu level)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (level == PM_CPU_AVX512) {
        return &pm_l1_avx512;
    }
    if (level == PM_CPU_AVX2) {
        return &pm_l1_avx2;
    }
#endif
    (void)level;
    return &plain;
}

const struct pm_l1_ops *pm_l1(void)
{
    return pm_l1_ops_of(pm_cpu_level());
}
