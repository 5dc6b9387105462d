#include "worker/kernels/l1_variants.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include <math.h>

/* Functions here may use AVX2; cpu.c makes sure that they run only where the machine can. */
#define AVX2 __attribute__((target("avx2,f16c")))

#define FLUSH 16384    /* vectors: each adds at most 2 * 32767 to a 32-bit lane */
#define FLOAT_FLUSH 64 /* vectors summed in float before they go to double */

AVX2 static inline __m256i load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

AVX2 static inline uint64_t sum_u32(__m256i v)
{
    uint64_t lanes[4];
    __m256i low = _mm256_and_si256(v, _mm256_set1_epi64x(0xffffffff));
    _mm256_storeu_si256((__m256i *)lanes, _mm256_add_epi64(low, _mm256_srli_epi64(v, 32)));
    return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

AVX2 static inline double sum_f32(__m256 v)
{
    double lanes[4];
    _mm256_storeu_pd(lanes, _mm256_add_pd(_mm256_cvtps_pd(_mm256_castps256_ps128(v)),
                                _mm256_cvtps_pd(_mm256_extractf128_ps(v, 1))));
    return lanes[0] + lanes[1] + lanes[2] + lanes[3];
}

/* acc += |a - b| pairwise. */
AVX2 static inline __m256i add_diff(__m256i acc, __m256i a, __m256i b)
{
    __m256i d = _mm256_abs_epi16(_mm256_sub_epi16(a, b));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(d, _mm256_set1_epi16(1)));
}

static uint64_t tail_i16(const int16_t *a, const int16_t *b, size_t n)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        int d = a[i] - b[i];
        sum += (uint64_t)(d < 0 ? -d : d);
    }
    return sum;
}

static double tail_f32(const float *a, const float *b, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        sum += (double)fabsf(a[i] - b[i]);
    }
    return sum;
}

AVX2 static uint64_t row_i16(const int16_t *a, const int16_t *b, size_t n)
{
    uint64_t total = 0;
    size_t i = 0;

    while (n - i >= 16) {
        size_t vectors = (n - i) / 16;
        size_t end = i + 16 * (vectors > FLUSH ? FLUSH : vectors);
        __m256i acc = _mm256_setzero_si256();
        for (; i < end; i += 16) {
            acc = add_diff(acc, load(a + i), load(b + i));
        }
        total += sum_u32(acc);
    }
    return total + tail_i16(a + i, b + i, n - i);
}

AVX2 static void row3_i16(
    const int16_t *a, const int16_t *b, size_t step, size_t n, uint64_t sum[3])
{
    const int16_t *b1 = b + step;
    const int16_t *b2 = b1 + step;
    size_t i = 0;

    while (n - i >= 16) {
        size_t vectors = (n - i) / 16;
        size_t end = i + 16 * (vectors > FLUSH ? FLUSH : vectors);
        __m256i acc0 = _mm256_setzero_si256();
        __m256i acc1 = acc0;
        __m256i acc2 = acc0;
        for (; i < end; i += 16) {
            __m256i va = load(a + i);
            acc0 = add_diff(acc0, va, load(b + i));
            acc1 = add_diff(acc1, va, load(b1 + i));
            acc2 = add_diff(acc2, va, load(b2 + i));
        }
        sum[0] += sum_u32(acc0);
        sum[1] += sum_u32(acc1);
        sum[2] += sum_u32(acc2);
    }
    sum[0] += tail_i16(a + i, b + i, n - i);
    sum[1] += tail_i16(a + i, b1 + i, n - i);
    sum[2] += tail_i16(a + i, b2 + i, n - i);
}

AVX2 static inline __m256 add_diff_f32(__m256 acc, __m256 a, __m256 b)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    return _mm256_add_ps(acc, _mm256_andnot_ps(sign, _mm256_sub_ps(a, b)));
}

AVX2 static double row_f32(const float *a, const float *b, size_t n)
{
    double total = 0;
    size_t i = 0;

    while (n - i >= 8) {
        size_t vectors = (n - i) / 8;
        size_t end = i + 8 * (vectors > FLOAT_FLUSH ? FLOAT_FLUSH : vectors);
        __m256 acc = _mm256_setzero_ps();
        for (; i < end; i += 8) {
            acc = add_diff_f32(acc, _mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i));
        }
        total += sum_f32(acc);
    }
    return total + tail_f32(a + i, b + i, n - i);
}

AVX2 static void row3_f32(const float *a, const float *b, size_t step, size_t n, double sum[3])
{
    const float *b1 = b + step;
    const float *b2 = b1 + step;
    size_t i = 0;

    while (n - i >= 8) {
        size_t vectors = (n - i) / 8;
        size_t end = i + 8 * (vectors > FLOAT_FLUSH ? FLOAT_FLUSH : vectors);
        __m256 acc0 = _mm256_setzero_ps();
        __m256 acc1 = acc0;
        __m256 acc2 = acc0;
        for (; i < end; i += 8) {
            __m256 va = _mm256_loadu_ps(a + i);
            acc0 = add_diff_f32(acc0, va, _mm256_loadu_ps(b + i));
            acc1 = add_diff_f32(acc1, va, _mm256_loadu_ps(b1 + i));
            acc2 = add_diff_f32(acc2, va, _mm256_loadu_ps(b2 + i));
        }
        sum[0] += sum_f32(acc0);
        sum[1] += sum_f32(acc1);
        sum[2] += sum_f32(acc2);
    }
    sum[0] += tail_f32(a + i, b + i, n - i);
    sum[1] += tail_f32(a + i, b1 + i, n - i);
    sum[2] += tail_f32(a + i, b2 + i, n - i);
}

/* Exact sums: four vectors of four lanes. */
struct lanes {
    __m256d v[4];
};

AVX2 static inline __m256d abs_diff(__m256d g, __m256d t, __m256d gain)
{
    const __m256d sign = _mm256_set1_pd(-0.0);
    return _mm256_andnot_pd(sign, _mm256_sub_pd(g, _mm256_mul_pd(gain, t)));
}

/* Eight samples into lanes 0..7 (part 0) or 8..15 (part 2). */
AVX2 static inline void add_ints(struct lanes *acc, int part, __m256i g, __m256i t, __m256d gain)
{
    acc->v[part] =
        _mm256_add_pd(acc->v[part], abs_diff(_mm256_cvtepi32_pd(_mm256_castsi256_si128(g)),
                                        _mm256_cvtepi32_pd(_mm256_castsi256_si128(t)), gain));
    acc->v[part + 1] = _mm256_add_pd(
        acc->v[part + 1], abs_diff(_mm256_cvtepi32_pd(_mm256_extracti128_si256(g, 1)),
                              _mm256_cvtepi32_pd(_mm256_extracti128_si256(t, 1)), gain));
}

AVX2 static inline int add_masked(__m256d *acc, __m128 g, __m128 t, __m256d gain)
{
    __m256d d = abs_diff(_mm256_cvtps_pd(g), _mm256_cvtps_pd(t), gain);
    __m256d ok = _mm256_cmp_pd(d, _mm256_set1_pd(__builtin_inf()), _CMP_LT_OQ);
    *acc = _mm256_add_pd(*acc, _mm256_and_pd(d, ok));
    return __builtin_popcount((unsigned)_mm256_movemask_pd(ok));
}

AVX2 static inline int add_floats(struct lanes *acc, int part, __m256 g, __m256 t, __m256d gain)
{
    return add_masked(&acc->v[part], _mm256_castps256_ps128(g), _mm256_castps256_ps128(t), gain) +
           add_masked(
               &acc->v[part + 1], _mm256_extractf128_ps(g, 1), _mm256_extractf128_ps(t, 1), gain);
}

AVX2 static inline void spill(const struct lanes *acc, double lanes[PM_L1_LANES])
{
    for (size_t i = 0; i < 4; i++) {
        _mm256_storeu_pd(lanes + 4 * i, acc->v[i]);
    }
}

AVX2 static inline struct lanes zero_lanes(void)
{
    struct lanes acc;
    for (int i = 0; i < 4; i++) {
        acc.v[i] = _mm256_setzero_pd();
    }
    return acc;
}

AVX2 static struct pm_l1_sum exact_u8(const void *gt, const void *target, size_t n, double gain)
{
    const uint8_t *g = gt;
    const uint8_t *t = target;
    const __m256d k = _mm256_set1_pd(gain);
    struct lanes acc = zero_lanes();
    double lanes[PM_L1_LANES];
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        __m128i vg = _mm_loadu_si128((const __m128i *)(g + i));
        __m128i vt = _mm_loadu_si128((const __m128i *)(t + i));
        add_ints(&acc, 0, _mm256_cvtepu8_epi32(vg), _mm256_cvtepu8_epi32(vt), k);
        add_ints(&acc, 2, _mm256_cvtepu8_epi32(_mm_srli_si128(vg, 8)),
            _mm256_cvtepu8_epi32(_mm_srli_si128(vt, 8)), k);
    }
    spill(&acc, lanes);
    for (; i < n; i++) {
        lanes[i % PM_L1_LANES] += fabs((double)g[i] - gain * (double)t[i]);
    }
    return (struct pm_l1_sum){pm_l1_fold(lanes), (int64_t)n};
}

AVX2 static struct pm_l1_sum exact_u16(const void *gt, const void *target, size_t n, double gain)
{
    const uint16_t *g = gt;
    const uint16_t *t = target;
    const __m256d k = _mm256_set1_pd(gain);
    struct lanes acc = zero_lanes();
    double lanes[PM_L1_LANES];
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        __m256i vg = load(g + i);
        __m256i vt = load(t + i);
        add_ints(&acc, 0, _mm256_cvtepu16_epi32(_mm256_castsi256_si128(vg)),
            _mm256_cvtepu16_epi32(_mm256_castsi256_si128(vt)), k);
        add_ints(&acc, 2, _mm256_cvtepu16_epi32(_mm256_extracti128_si256(vg, 1)),
            _mm256_cvtepu16_epi32(_mm256_extracti128_si256(vt, 1)), k);
    }
    spill(&acc, lanes);
    for (; i < n; i++) {
        lanes[i % PM_L1_LANES] += fabs((double)g[i] - gain * (double)t[i]);
    }
    return (struct pm_l1_sum){pm_l1_fold(lanes), (int64_t)n};
}

/* One sample after the last full vector. */
static inline int add_tail(double lanes[PM_L1_LANES], size_t i, float g, float t, double gain)
{
    double d = fabs((double)g - gain * (double)t);
    if (d < (double)INFINITY) {
        lanes[i % PM_L1_LANES] += d;
        return 1;
    }
    return 0;
}

AVX2 static inline __m256 halves(const uint16_t *p)
{
    return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p));
}

AVX2 static struct pm_l1_sum exact_f16(const void *gt, const void *target, size_t n, double gain)
{
    const uint16_t *g = gt;
    const uint16_t *t = target;
    const __m256d k = _mm256_set1_pd(gain);
    struct lanes acc = zero_lanes();
    double lanes[PM_L1_LANES];
    int64_t count = 0;
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        count += add_floats(&acc, 0, halves(g + i), halves(t + i), k);
        count += add_floats(&acc, 2, halves(g + i + 8), halves(t + i + 8), k);
    }
    spill(&acc, lanes);
    for (; i < n; i++) {
        count += add_tail(lanes, i, _cvtsh_ss(g[i]), _cvtsh_ss(t[i]), gain);
    }
    return (struct pm_l1_sum){pm_l1_fold(lanes), count};
}

AVX2 static struct pm_l1_sum exact_f32(const void *gt, const void *target, size_t n, double gain)
{
    const float *g = gt;
    const float *t = target;
    const __m256d k = _mm256_set1_pd(gain);
    struct lanes acc = zero_lanes();
    double lanes[PM_L1_LANES];
    int64_t count = 0;
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        count += add_floats(&acc, 0, _mm256_loadu_ps(g + i), _mm256_loadu_ps(t + i), k);
        count += add_floats(&acc, 2, _mm256_loadu_ps(g + i + 8), _mm256_loadu_ps(t + i + 8), k);
    }
    spill(&acc, lanes);
    for (; i < n; i++) {
        count += add_tail(lanes, i, g[i], t[i], gain);
    }
    return (struct pm_l1_sum){pm_l1_fold(lanes), count};
}

AVX2 static void stage_u16(const uint16_t *in, size_t n, int up, uint16_t mul, int16_t *out)
{
    const __m256i m = _mm256_set1_epi16((int16_t)mul);
    const __m128i count = _mm_cvtsi32_si128(up);
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        __m256i v = _mm256_mulhi_epu16(_mm256_sll_epi16(load(in + i), count), m);
        _mm256_storeu_si256((__m256i *)(out + i), v);
    }
    for (; i < n; i++) {
        uint32_t v = (uint16_t)((uint32_t)in[i] << up);
        out[i] = (int16_t)(v * mul >> 16);
    }
}

AVX2 static void stage_u8(const uint8_t *in, size_t n, uint16_t mul, int16_t *out)
{
    const __m256i m = _mm256_set1_epi16((int16_t)mul);
    size_t i = 0;

    for (; i + 16 <= n; i += 16) {
        __m256i v = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(in + i)));
        v = _mm256_mulhi_epu16(_mm256_slli_epi16(v, 8), m);
        _mm256_storeu_si256((__m256i *)(out + i), v);
    }
    for (; i < n; i++) {
        out[i] = (int16_t)((uint32_t)in[i] * mul >> 8);
    }
}

AVX2 static void stage_i16(const int16_t *in, size_t n, int16_t mul, int16_t *out)
{
    for (size_t i = 0; i < n; i++) { /* the compiler makes vectors of this */
        out[i] = (int16_t)((in[i] * mul + 0x4000) >> 15);
    }
}

AVX2 static void moments(const int16_t *a, const int16_t *b, size_t n, struct pm_l1_moments *sums)
{
    pm_moments_body(a, b, n, sums);
}

AVX2 static void stage_f16(const uint16_t *in, size_t n, float mul, float *out)
{
    size_t i = 0;

    for (; i + 8 <= n; i += 8) {
        _mm256_storeu_ps(out + i, _mm256_mul_ps(halves(in + i), _mm256_set1_ps(mul)));
    }
    for (; i < n; i++) {
        out[i] = _cvtsh_ss(in[i]) * mul;
    }
}

AVX2 static void stage_f32(const float *in, size_t n, float mul, float *out)
{
    for (size_t i = 0; i < n; i++) { /* the compiler makes vectors of this */
        out[i] = in[i] * mul;
    }
}

const struct pm_l1_ops pm_l1_avx2 = {
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

#endif
