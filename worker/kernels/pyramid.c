#include "worker/kernels/pyramid.h"

#include "worker/kernels/pyramid_body.h"
#include "worker/kernels/pyramid_variants.h"

static void quad_u16(const uint16_t *const rows[4], int w, int channels, uint32_t *out,
    uint64_t channel_sum[3], uint32_t *max)
{
    if (channels == 3) { /* constants, so that the block sums unroll */
        pm_quad_u16(rows, w, 3, out, channel_sum, max);
    } else {
        pm_quad_u16(rows, w, 1, out, channel_sum, max);
    }
}

static void quad_u8(const uint8_t *const rows[4], int w, int channels, uint32_t *out,
    uint64_t channel_sum[3], uint32_t *max)
{
    if (channels == 3) {
        pm_quad_u8(rows, w, 3, out, channel_sum, max);
    } else {
        pm_quad_u8(rows, w, 1, out, channel_sum, max);
    }
}

static void quad_f32(const float *const rows[4], int w, int channels, float *out,
    double channel_sum[3], int64_t bad[3])
{
    if (channels == 3) {
        pm_quad_f32(rows, w, 3, out, channel_sum, bad);
    } else {
        pm_quad_f32(rows, w, 1, out, channel_sum, bad);
    }
}

static uint32_t narrow(const uint32_t *sums, size_t n, int shift, int16_t *out)
{
    return pm_narrow(sums, n, shift, out);
}

static void halve(const int16_t *r0, const int16_t *r1, size_t n, float scale, float *out)
{
    pm_halve(r0, r1, n, scale, out);
}

static void widen(const int16_t *in, size_t n, float scale, float *out)
{
    pm_widen(in, n, scale, out);
}

static const struct pm_pyramid_ops plain = {.quad_u16 = quad_u16,
    .quad_u8 = quad_u8,
    .quad_f32 = quad_f32,
    .narrow = narrow,
    .halve = halve,
    .widen = widen};

const struct pm_pyramid_ops *pm_pyramid_ops_of(enum pm_cpu level)
{
#if defined(__x86_64__) && defined(__GNUC__)
    if (level == PM_CPU_AVX512) {
        return &pm_pyramid_avx512;
    }
    if (level == PM_CPU_AVX2) {
        return &pm_pyramid_avx2;
    }
#endif
    (void)level;
    return &plain;
}

const struct pm_pyramid_ops *pm_pyramid(void)
{
    return pm_pyramid_ops_of(pm_cpu_level());
}
