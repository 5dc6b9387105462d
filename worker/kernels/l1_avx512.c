#include "worker/kernels/l1_variants.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

/* Functions here may use AVX-512; cpu.c makes sure that they run only where the machine can. */
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,f16c")))

#define FLUSH 16384    /* vectors: each adds at most 2 * 32767 to a 32-bit lane */
#define FLOAT_FLUSH 64 /* vectors summed in float before they go to double */

/* Masks of the first n lanes; all when there are more. */
static inline __mmask16 first_16(size_t n)
{
    return (__mmask16)(n >= 16 ? 0xffffu : (1u << n) - 1);
}

static inline __mmask32 first_32(size_t n)
{
    return n >= 32 ? 0xffffffffu : (1u << n) - 1;
}

AVX512 static inline uint64_t sum_u32(__m512i v)
{
    __m512i low = _mm512_and_si512(v, _mm512_set1_epi64(0xffffffff));
    return (uint64_t)_mm512_reduce_add_epi64(_mm512_add_epi64(low, _mm512_srli_epi64(v, 32)));
}

AVX512 static inline double sum_f32(__m512 v)
{
    __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(v));
    __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(v, 1));
    return _mm512_reduce_add_pd(_mm512_add_pd(low, high));
}

/* acc += |a - b| pairwise. */
AVX512 static inline __m512i add_diff(__m512i acc, __m512i a, __m512i b)
{
    __m512i d = _mm512_abs_epi16(_mm512_sub_epi16(a, b));
    return _mm512_dpwssd_epi32(acc, d, _mm512_set1_epi16(1));
}

AVX512 static uint64_t row_i16(const int16_t *a, const int16_t *b, size_t n)
{
    uint64_t total = 0;
    size_t i = 0;

    while (n - i >= 32) {
        size_t vectors = (n - i) / 32;
        size_t end = i + 32 * (vectors > FLUSH ? FLUSH : vectors);
        __m512i acc = _mm512_setzero_si512();
        for (; i < end; i += 32) {
            acc = add_diff(acc, _mm512_loadu_si512(a + i), _mm512_loadu_si512(b + i));
        }
        total += sum_u32(acc);
    }
    if (i < n) {
        __mmask32 m = first_32(n - i);
        total += sum_u32(add_diff(_mm512_setzero_si512(), _mm512_maskz_loadu_epi16(m, a + i),
            _mm512_maskz_loadu_epi16(m, b + i)));
    }
    return total;
}

AVX512 static void row3_i16(
    const int16_t *a, const int16_t *b, size_t step, size_t n, uint64_t sum[3])
{
    const int16_t *b1 = b + step;
    const int16_t *b2 = b1 + step;
    size_t i = 0;

    while (n - i >= 32) {
        size_t vectors = (n - i) / 32;
        size_t end = i + 32 * (vectors > FLUSH ? FLUSH : vectors);
        __m512i acc0 = _mm512_setzero_si512();
        __m512i acc1 = acc0;
        __m512i acc2 = acc0;
        for (; i < end; i += 32) {
            __m512i va = _mm512_loadu_si512(a + i);
            acc0 = add_diff(acc0, va, _mm512_loadu_si512(b + i));
            acc1 = add_diff(acc1, va, _mm512_loadu_si512(b1 + i));
            acc2 = add_diff(acc2, va, _mm512_loadu_si512(b2 + i));
        }
        sum[0] += sum_u32(acc0);
        sum[1] += sum_u32(acc1);
        sum[2] += sum_u32(acc2);
    }
    if (i < n) {
        sum[0] += row_i16(a + i, b + i, n - i);
        sum[1] += row_i16(a + i, b1 + i, n - i);
        sum[2] += row_i16(a + i, b2 + i, n - i);
    }
}

AVX512 static inline __m512 add_diff_f32(__m512 acc, __m512 a, __m512 b)
{
    return _mm512_add_ps(acc, _mm512_abs_ps(_mm512_sub_ps(a, b)));
}

AVX512 static double row_f32(const float *a, const float *b, size_t n)
{
    double total = 0;
    size_t i = 0;

    while (n - i >= 16) {
        size_t vectors = (n - i) / 16;
        size_t end = i + 16 * (vectors > FLOAT_FLUSH ? FLOAT_FLUSH : vectors);
        __m512 acc = _mm512_setzero_ps();
        for (; i < end; i += 16) {
            acc = add_diff_f32(acc, _mm512_loadu_ps(a + i), _mm512_loadu_ps(b + i));
        }
        total += sum_f32(acc);
    }
    if (i < n) {
        __mmask16 m = first_16(n - i);
        total += sum_f32(add_diff_f32(
            _mm512_setzero_ps(), _mm512_maskz_loadu_ps(m, a + i), _mm512_maskz_loadu_ps(m, b + i)));
    }
    return total;
}

AVX512 static void row3_f32(const float *a, const float *b, size_t step, size_t n, double sum[3])
{
    const float *b1 = b + step;
    const float *b2 = b1 + step;
    size_t i = 0;

    while (n - i >= 16) {
        size_t vectors = (n - i) / 16;
        size_t end = i + 16 * (vectors > FLOAT_FLUSH ? FLOAT_FLUSH : vectors);
        __m512 acc0 = _mm512_setzero_ps();
        __m512 acc1 = acc0;
        __m512 acc2 = acc0;
        for (; i < end; i += 16) {
            __m512 va = _mm512_loadu_ps(a + i);
            acc0 = add_diff_f32(acc0, va, _mm512_loadu_ps(b + i));
            acc1 = add_diff_f32(acc1, va, _mm512_loadu_ps(b1 + i));
            acc2 = add_diff_f32(acc2, va, _mm512_loadu_ps(b2 + i));
        }
        sum[0] += sum_f32(acc0);
        sum[1] += sum_f32(acc1);
        sum[2] += sum_f32(acc2);
    }
    if (i < n) {
        sum[0] += row_f32(a + i, b + i, n - i);
        sum[1] += row_f32(a + i, b1 + i, n - i);
        sum[2] += row_f32(a + i, b2 + i, n - i);
    }
}

/* Lanes 0..7 and 8..15 of the exact sums. */
struct lanes {
    __m512d low, high;
};

AVX512 static inline __m512d abs_diff(__m512d g, __m512d t, __m512d gain)
{
    return _mm512_abs_pd(_mm512_sub_pd(g, _mm512_mul_pd(gain, t)));
}

AVX512 static inline void add_ints(struct lanes *acc, __m512i g, __m512i t, __m512d gain)
{
    acc->low = _mm512_add_pd(acc->low, abs_diff(_mm512_cvtepi32_pd(_mm512_castsi512_si256(g)),
                                           _mm512_cvtepi32_pd(_mm512_castsi512_si256(t)), gain));
    acc->high =
        _mm512_add_pd(acc->high, abs_diff(_mm512_cvtepi32_pd(_mm512_extracti32x8_epi32(g, 1)),
                                     _mm512_cvtepi32_pd(_mm512_extracti32x8_epi32(t, 1)), gain));
}

/* Returns how many of the 16 samples counted. */
AVX512 static inline int add_floats(struct lanes *acc, __m512 g, __m512 t, __m512d gain)
{
    const __m512d inf = _mm512_set1_pd(__builtin_inf());
    __m512d low = abs_diff(_mm512_cvtps_pd(_mm512_castps512_ps256(g)),
        _mm512_cvtps_pd(_mm512_castps512_ps256(t)), gain);
    __m512d high = abs_diff(_mm512_cvtps_pd(_mm512_extractf32x8_ps(g, 1)),
        _mm512_cvtps_pd(_mm512_extractf32x8_ps(t, 1)), gain);
    __mmask8 m_low = _mm512_cmp_pd_mask(low, inf, _CMP_LT_OQ);
    __mmask8 m_high = _mm512_cmp_pd_mask(high, inf, _CMP_LT_OQ);

    acc->low = _mm512_mask_add_pd(acc->low, m_low, acc->low, low);
    acc->high = _mm512_mask_add_pd(acc->high, m_high, acc->high, high);
    return __builtin_popcount(m_low) + __builtin_popcount(m_high);
}

AVX512 static inline double fold(const struct lanes *acc)
{
    double lanes[PM_L1_LANES];
    _mm512_storeu_pd(lanes, acc->low);
    _mm512_storeu_pd(lanes + 8, acc->high);
    return pm_l1_fold(lanes);
}

/* Masked-off samples are 0 in both rows and add |0 - gain * 0| = 0. */
AVX512 static struct pm_l1_sum exact_u8(const void *gt, const void *target, size_t n, double gain)
{
    const uint8_t *g = gt;
    const uint8_t *t = target;
    const __m512d k = _mm512_set1_pd(gain);
    struct lanes acc = {_mm512_setzero_pd(), _mm512_setzero_pd()};

    for (size_t i = 0; i < n; i += 16) {
        __mmask16 m = first_16(n - i);
        add_ints(&acc, _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(m, g + i)),
            _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(m, t + i)), k);
    }
    return (struct pm_l1_sum){fold(&acc), (int64_t)n};
}

AVX512 static struct pm_l1_sum exact_u16(const void *gt, const void *target, size_t n, double gain)
{
    const uint16_t *g = gt;
    const uint16_t *t = target;
    const __m512d k = _mm512_set1_pd(gain);
    struct lanes acc = {_mm512_setzero_pd(), _mm512_setzero_pd()};

    for (size_t i = 0; i < n; i += 16) {
        __mmask16 m = first_16(n - i);
        add_ints(&acc, _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, g + i)),
            _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(m, t + i)), k);
    }
    return (struct pm_l1_sum){fold(&acc), (int64_t)n};
}

AVX512 static struct pm_l1_sum exact_f16(const void *gt, const void *target, size_t n, double gain)
{
    const uint16_t *g = gt;
    const uint16_t *t = target;
    const __m512d k = _mm512_set1_pd(gain);
    struct lanes acc = {_mm512_setzero_pd(), _mm512_setzero_pd()};
    int64_t count = 0;

    for (size_t i = 0; i < n; i += 16) {
        size_t left = n - i >= 16 ? 16 : n - i;
        __mmask16 m = first_16(left);
        count += add_floats(&acc, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, g + i)),
            _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, t + i)), k);
        count -= (int64_t)(16 - left); /* the masked-off zeros are finite */
    }
    return (struct pm_l1_sum){fold(&acc), count};
}

AVX512 static struct pm_l1_sum exact_f32(const void *gt, const void *target, size_t n, double gain)
{
    const float *g = gt;
    const float *t = target;
    const __m512d k = _mm512_set1_pd(gain);
    struct lanes acc = {_mm512_setzero_pd(), _mm512_setzero_pd()};
    int64_t count = 0;

    for (size_t i = 0; i < n; i += 16) {
        size_t left = n - i >= 16 ? 16 : n - i;
        __mmask16 m = first_16(left);
        count +=
            add_floats(&acc, _mm512_maskz_loadu_ps(m, g + i), _mm512_maskz_loadu_ps(m, t + i), k);
        count -= (int64_t)(16 - left);
    }
    return (struct pm_l1_sum){fold(&acc), count};
}

AVX512 static void stage_u16(const uint16_t *in, size_t n, int up, uint16_t mul, int16_t *out)
{
    const __m512i m = _mm512_set1_epi16((int16_t)mul);
    const __m128i count = _mm_cvtsi32_si128(up);

    for (size_t i = 0; i < n; i += 32) {
        __mmask32 k = first_32(n - i);
        __m512i v = _mm512_sll_epi16(_mm512_maskz_loadu_epi16(k, in + i), count);
        _mm512_mask_storeu_epi16(out + i, k, _mm512_mulhi_epu16(v, m));
    }
}

AVX512 static void stage_u8(const uint8_t *in, size_t n, uint16_t mul, int16_t *out)
{
    const __m512i m = _mm512_set1_epi16((int16_t)mul);

    for (size_t i = 0; i < n; i += 32) {
        __mmask32 k = first_32(n - i);
        __m512i v = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(k, in + i));
        _mm512_mask_storeu_epi16(out + i, k, _mm512_mulhi_epu16(_mm512_slli_epi16(v, 8), m));
    }
}

AVX512 static void stage_i16(const int16_t *in, size_t n, int16_t mul, int16_t *out)
{
    for (size_t i = 0; i < n; i++) { /* the compiler makes vectors of this */
        out[i] = (int16_t)((in[i] * mul + 0x4000) >> 15);
    }
}

AVX512 static void moments(const int16_t *a, const int16_t *b, size_t n, struct pm_l1_moments *sums)
{
    pm_moments_body(a, b, n, sums);
}

AVX512 static void stage_f16(const uint16_t *in, size_t n, float mul, float *out)
{
    const __m512 m = _mm512_set1_ps(mul);

    for (size_t i = 0; i < n; i += 16) {
        __mmask16 k = first_16(n - i);
        __m512 v = _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(k, in + i));
        _mm512_mask_storeu_ps(out + i, k, _mm512_mul_ps(v, m));
    }
}

AVX512 static void stage_f32(const float *in, size_t n, float mul, float *out)
{
    const __m512 m = _mm512_set1_ps(mul);

    for (size_t i = 0; i < n; i += 16) {
        __mmask16 k = first_16(n - i);
        _mm512_mask_storeu_ps(out + i, k, _mm512_mul_ps(_mm512_maskz_loadu_ps(k, in + i), m));
    }
}

const struct pm_l1_ops pm_l1_avx512 = {
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
