#include "worker/kernels/lossmap.h"

#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define CHANNELS 3
#define BUFFER (PM_LOSSMAP_CHUNK * CHANNELS)
#define WORD PM_LOSSMAP_WORD
#define LANES 8

/* Relative error of root_row() at most: 1.4e-6 (logarithm) + 3.8e-6 (exponential) + 2.1e-6
 * (float rounding where |log2| is near 60) + 0.1e-6 (scaling, gain) = 7.4e-6; the tests measure it
 * over all exponents. */
#define SLACK 1.0e-5f
/* Values below FLT_MIN are taken as FLT_MIN, whose root is 5.5e-18. */
#define SLACK_MIN 1.0e-16f

INLINE float madd(float a, float b, float c, bool fma)
{
    return fma ? __builtin_fmaf(a, b, c) : a * b + c;
}

INLINE uint32_t bits_of(float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    return bits;
}

INLINE float float_of(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* Exact, and free of branches so that it vectorises: the half's bits moved to a float's places are
 * worth 2^-112 of the value, subnormals included; infinities and NaNs get the full exponent. */
INLINE float half_to_float(uint16_t half)
{
    uint32_t magnitude = (uint32_t)(half & 0x7fff) << 13;
    uint32_t special = 0u - (uint32_t)(magnitude >= 0x0f800000u); /* all ones for inf and NaN */
    uint32_t value = bits_of(float_of(magnitude) * 0x1p112f);
    value = (value & ~special) | ((magnitude | 0x7f800000u) & special);
    return float_of(value | (uint32_t)(half & 0x8000) << 16);
}

INLINE void to_float(enum pm_sample sample, const void *row, int n, float scale, float *out)
{
    const uint8_t *u8 = row;
    const uint16_t *u16 = row;
    const float *f32 = row;
    switch (sample) {
    case PM_U8:
        for (int i = 0; i < n; i++) {
            out[i] = (float)u8[i] * (scale * (1.0f / 255.0f));
        }
        break;
    case PM_U16:
        for (int i = 0; i < n; i++) {
            out[i] = (float)u16[i] * (scale * (1.0f / 65535.0f));
        }
        break;
    case PM_F16:
        for (int i = 0; i < n; i++) {
            out[i] = half_to_float(u16[i]) * scale;
        }
        break;
    case PM_F32:
        for (int i = 0; i < n; i++) {
            out[i] = f32[i] * scale;
        }
        break;
    }
}

/* v^(1/2.2) for v > 0, v otherwise: 2^(log2(v) / 2.2) with minimax polynomials (degree 6 on
 * [sqrt(1/2), sqrt(2)], degree 4 on [-1/2, 1/2]). Infinities become NaN. */
INLINE void root_row(float *row, int n, bool fma)
{
    for (int i = 0; i < n; i++) {
        float v = row[i];
        int32_t order = (int32_t)bits_of(v); /* positive floats, NaN included, are positive here */
        uint32_t bits = (uint32_t)(order > 0x00800000 ? order : 0x00800000); /* at least FLT_MIN */
        /* The exponent that leaves a mantissa in [sqrt(1/2), sqrt(2)). */
        /* cppcheck-suppress shiftNegativeLHS ; GCC and Clang define it as arithmetic */
        uint32_t e = (uint32_t)((int32_t)(bits - 0x3f3504f3u) >> 23);
        float t = float_of(bits - (e << 23)) - 1.0f;
        float p = madd(t, -0.21153565f, 0.31982782f, fma);
        p = madd(t, p, -0.36585504f, fma);
        p = madd(t, p, 0.47967112f, fma);
        p = madd(t, p, -0.72122353f, fma);
        p = madd(t, p, 1.4427030f, fma);
        float y = madd(t, p, (float)(int32_t)e, fma) * (float)(1 / 2.2);
        float shifted = y + 12582912.0f; /* 1.5 * 2^23: the whole part lands in the low bits */
        float f = y - (shifted - 12582912.0f);
        float q = madd(f, 0.009685711f, 0.055922024f, fma);
        q = madd(f, q, 0.24021865f, fma);
        q = madd(f, q, 0.69312102f, fma);
        q = madd(f, q, 1.0000001f, fma);
        float r = float_of(bits_of(q) + (bits_of(shifted) << 23)) + v * 0.0f;
        uint32_t keep = order > 0 ? 0 : 0xffffffffu; /* a mask, since a branch stops vectorising */
        row[i] = float_of((bits_of(v) & keep) | (bits_of(r) & ~keep));
    }
}

/* The analyzer does not see that to_float() has filled n * channels of a and b. */
INLINE void difference_row(const float *a, const float *b, int n, struct pm_lossmap *out)
{
    for (int i = 0; i < n; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.CallAndMessage) */
        float slack = (fabsf(a[i]) + fabsf(b[i])) * SLACK + SLACK_MIN;
        float map = fabsf(a[i] - b[i]);
        out->lower[i] = map - slack;
        out->upper[i] = map + slack;
    }
}

INLINE void difference_row3(const float *a, const float *b, int n, struct pm_lossmap *out)
{
    for (int i = 0; i < n; i++) {
        /* NOLINTBEGIN(*.uninitialized.Assign,*-of-multiplication-result): 3 * i < BUFFER */
        float a0 = a[3 * i], a1 = a[3 * i + 1], a2 = a[3 * i + 2];
        float b0 = b[3 * i], b1 = b[3 * i + 1], b2 = b[3 * i + 2];
        /* NOLINTEND(*.uninitialized.Assign,*-of-multiplication-result) */
        float all = fabsf(a0) + fabsf(b0) + fabsf(a1) + fabsf(b1) + fabsf(a2) + fabsf(b2);
        float slack = all * SLACK + SLACK_MIN;
        float map = fabsf(a0 - b0) + fabsf(a1 - b1) + fabsf(a2 - b2);
        out->lower[i] = map - slack;
        out->upper[i] = map + slack;
    }
}

/* Largest upper and slack of one word. Integer maxima, since those vectorise: floats that are not
 * negative order as their bits do, and NaN lies above all of them. */
INLINE void word_max(struct pm_lossmap *out, int word, int n)
{
    const float *upper = out->upper + (size_t)word * WORD;
    const float *lower = out->lower + (size_t)word * WORD;
    int32_t top = 0, slack = 0;
    for (int i = 0; i < n; i++) {
        int32_t u = (int32_t)(bits_of(upper[i]) & 0x7fffffffu);
        int32_t s = (int32_t)(bits_of(upper[i] - lower[i]) & 0x7fffffffu);
        top = u > top ? u : top;
        s &= -(int32_t)(u < 0x7f800000);
        slack = s > slack ? s : slack;
    }
    /* Rounding of upper and lower may have taken an ulp of either. */
    float half = float_of((uint32_t)slack) * 0.5f;
    out->word_max[word] = top < 0x7f800000 ? float_of((uint32_t)top) : INFINITY;
    out->slack_max = half > out->slack_max ? half : out->slack_max;
}

INLINE void chunk_body(enum pm_sample sample, const void *gt, const void *target, int n,
    int channels, float gain, struct pm_lossmap *out, bool fma)
{
    _Alignas(64) float a[BUFFER];
    _Alignas(64) float b[BUFFER];

    to_float(sample, gt, n * channels, 1.0f, a);
    to_float(sample, target, n * channels, gain, b);
    root_row(a, n * channels, fma);
    root_row(b, n * channels, fma);
    if (channels == CHANNELS) {
        difference_row3(a, b, n, out);
    } else {
        difference_row(a, b, n, out);
    }
    out->slack_max = 0;
    for (int word = 0; word * WORD < n; word++) {
        word_max(out, word, n - word * WORD < WORD ? n - word * WORD : WORD);
    }
}

/* By groups of LANES, since one sum would wait for its own last addition every time. */
INLINE void add_body(enum pm_sample sample, const void *row, int n, double *sum, int64_t *count)
{
    const uint16_t *f16 = row;
    const float *f32 = row;
    double lanes[LANES] = {0};
    int64_t finite[LANES] = {0};
    for (int i = 0; i < n; i += LANES) {
        float v[LANES] = {0};
        int take = n - i < LANES ? n - i : LANES;
        if (take == LANES) {
            for (int j = 0; j < LANES; j++) {
                v[j] = sample == PM_F16 ? half_to_float(f16[i + j]) : f32[i + j];
            }
        } else {
            for (int j = 0; j < take; j++) {
                v[j] = sample == PM_F16 ? half_to_float(f16[i + j]) : f32[i + j];
            }
            *count -= LANES - take; /* the zeros that fill the group up */
        }
        for (int j = 0; j < LANES; j++) {
            uint32_t bits = bits_of(v[j]);
            uint32_t is_finite = 0u - (uint32_t)((bits & 0x7fffffffu) < 0x7f800000u);
            lanes[j] += (double)float_of(bits & is_finite);
            finite[j] += is_finite & 1;
        }
    }
    for (int j = 0; j < LANES; j++) {
        *sum += lanes[j];
        *count += finite[j];
    }
}

/* First integer sample value that is not below limit; count when all are. */
INLINE uint32_t first_not_below(double limit, uint32_t count)
{
    double scale = count - 1;
    double near = floor(limit * scale) - 1; /* at most one below; the division decides */
    uint32_t v = near <= 0 ? 0 : near >= scale ? count - 1 : (uint32_t)near;
    while (v < count && (double)v / scale < limit) {
        v++;
    }
    return v;
}

INLINE bool below_body(enum pm_sample sample, const void *row, int n, double limit)
{
    const uint8_t *u8 = row;
    const uint16_t *u16 = row;
    const float *f32 = row;
    int bad = 0;
    switch (sample) {
    case PM_U8:
        for (int i = 0, first = (int)first_not_below(limit, 256); i < n; i++) {
            bad |= u8[i] >= first;
        }
        break;
    case PM_U16:
        for (int i = 0, first = (int)first_not_below(limit, 65536); i < n; i++) {
            bad |= u16[i] >= first;
        }
        break;
    case PM_F16:
        for (int i = 0; i < n; i++) {
            bad |= !((double)half_to_float(u16[i]) < limit);
        }
        break;
    case PM_F32:
        for (int i = 0; i < n; i++) {
            bad |= !((double)f32[i] < limit);
        }
        break;
    }
    return bad == 0;
}

bool pm_sample_below(enum pm_sample sample, const void *row, int i, double limit)
{
    size_t bytes = pm_sample_bytes(sample);
    return below_body(sample, (const char *)row + (size_t)i * bytes, 1, limit);
}

/* NOLINTBEGIN(bugprone-macro-parentheses): an attribute cannot stand in any */
#define VARIANT(suffix, attribute, fma)                                                            \
    attribute static void chunk_##suffix(enum pm_sample sample, const void *gt,                    \
        const void *target, int n, int channels, float gain, struct pm_lossmap *out)               \
    {                                                                                              \
        chunk_body(sample, gt, target, n, channels, gain, out, fma);                               \
    }                                                                                              \
    attribute static bool below_##suffix(                                                          \
        enum pm_sample sample, const void *row, int n, double limit)                               \
    {                                                                                              \
        return below_body(sample, row, n, limit);                                                  \
    }                                                                                              \
    attribute static void add_##suffix(                                                            \
        enum pm_sample sample, const void *row, int n, double *sum, int64_t *count)                \
    {                                                                                              \
        add_body(sample, row, n, sum, count);                                                      \
    }                                                                                              \
    static const struct pm_lossmap_ops ops_##suffix = {                                            \
        chunk_##suffix, add_##suffix, below_##suffix};
/* NOLINTEND(bugprone-macro-parentheses) */

VARIANT(plain, , false)
#ifdef __x86_64__
VARIANT(avx2, __attribute__((target("avx2,fma"))), true)
VARIANT(avx512, __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), true)
#endif

const struct pm_lossmap_ops *pm_lossmap_ops_of(enum pm_cpu level)
{
#ifdef __x86_64__
    if (level >= PM_CPU_AVX512 && __builtin_cpu_supports("avx512f") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
        return &ops_avx512;
    }
    if (level >= PM_CPU_AVX2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        return &ops_avx2;
    }
#endif
    (void)level;
    return &ops_plain;
}

const struct pm_lossmap_ops *pm_lossmap_ops(void)
{
    return pm_lossmap_ops_of(pm_cpu_level());
}
