#include "worker/kernels/pyramid_variants.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include "worker/kernels/pyramid_body.h"

/* Functions here may use what the name says; cpu.c makes sure that the machine can. */
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni" PM_WIDE)))

#define FLUSH 4096 /* chunks: each adds at most 8 * 65535 to a 32-bit lane */

/* What one pass keeps in registers: sums of even and odd samples by their place in 96 (a multiple
 * of 3, so that a lane always holds the same channel), and the largest sample. */
struct pass {
    __m512i even[3], odd[3], high;
};

/* Four rows of 32 samples: sums over the rows of each pair of neighbours, 16 dwords. */
AVX512 PM_INLINE __m512i take_32(
    struct pass *pass, int place, const uint16_t *const rows[4], size_t i, uintptr_t ahead)
{
    const __m512i low = _mm512_set1_epi32(0xffff);
    __m512i even = _mm512_setzero_si512();
    __m512i odd = even;

    for (int r = 0; r < 4; r++) {
        __m512i v = _mm512_loadu_si512(rows[r] + i);
        _mm_prefetch((const char *)((uintptr_t)(rows[r] + i) + ahead), _MM_HINT_T1);
        even = _mm512_add_epi32(even, _mm512_and_si512(v, low));
        odd = _mm512_add_epi32(odd, _mm512_srli_epi32(v, 16));
        pass->high = _mm512_max_epu16(pass->high, v);
    }
    pass->even[place] = _mm512_add_epi32(pass->even[place], even);
    pass->odd[place] = _mm512_add_epi32(pass->odd[place], odd);
    return _mm512_add_epi32(even, odd);
}

/* 32 pair sums to 16 sums of four samples. */
AVX512 PM_INLINE __m512i fours(__m512i a, __m512i b)
{
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);

    a = _mm512_add_epi32(a, _mm512_srli_epi64(a, 32));
    b = _mm512_add_epi32(b, _mm512_srli_epi64(b, 32));
    return _mm512_permutex2var_epi32(a, even, b);
}

/* 48 sums of four samples to 16 sums of twelve: out[b] = u[3b] + u[3b + 1] + u[3b + 2]. */
AVX512 PM_INLINE __m512i threes(__m512i u0, __m512i u1, __m512i u2)
{
    /* From u0 and u1 what is there; then lanes whose index is 32 or more from u2. */
    const __m512i i0 = _mm512_setr_epi32(0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0, 0, 0, 0, 0);
    const __m512i i1 = _mm512_setr_epi32(1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 0, 0, 0, 0, 0);
    const __m512i i2 = _mm512_setr_epi32(2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 0, 0, 0, 0, 0);
    const __m512i j0 = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29);
    const __m512i j1 = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30);
    const __m512i j2 = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31);
    __m512i s0 = _mm512_permutex2var_epi32(_mm512_permutex2var_epi32(u0, i0, u1), j0, u2);
    __m512i s1 = _mm512_permutex2var_epi32(_mm512_permutex2var_epi32(u0, i1, u1), j1, u2);
    __m512i s2 = _mm512_permutex2var_epi32(_mm512_permutex2var_epi32(u0, i2, u1), j2, u2);

    return _mm512_add_epi32(s0, _mm512_add_epi32(s1, s2));
}

AVX512 static void spill(
    const struct pass *pass, int channels, uint64_t channel_sum[3], uint32_t *max)
{
    uint32_t lanes[32];
    uint16_t high[32];

    for (int place = 0; place < 3; place++) {
        _mm512_storeu_si512(lanes, pass->even[place]);
        _mm512_storeu_si512(lanes + 16, pass->odd[place]);
        for (int k = 0; k < 32; k++) {
            int sample = 32 * place + 2 * (k % 16) + k / 16;
            channel_sum[sample % channels] += lanes[k];
        }
    }
    _mm512_storeu_si512(high, pass->high);
    for (int k = 0; k < 32; k++) {
        *max = high[k] > *max ? high[k] : *max;
    }
}

/* Whole chunks by hand, since the compiler does not find the block sums; returns the samples done.
 */
AVX512 PM_INLINE size_t chunks_u16(const uint16_t *const rows[4], size_t n, int channels,
    uint32_t *out, uint64_t channel_sum[3], uint32_t *max)
{
    /* One group of four rows ahead: their lines arrive while this group is summed. As numbers: a
     * last group may hold a row from elsewhere, and asking for a line that is not there does no
     * harm. */
    const uintptr_t ahead = 4 * ((uintptr_t)rows[3] - (uintptr_t)rows[2]);
    size_t i = 0;

    while (i + PM_CHUNK <= n) {
        size_t left = (n - i) / PM_CHUNK;
        size_t end = i + PM_CHUNK * (left > FLUSH ? FLUSH : left);
        struct pass pass = {.high = _mm512_setzero_si512()};
        for (int place = 0; place < 3; place++) {
            pass.even[place] = pass.odd[place] = pass.high;
        }
        for (; i < end; i += PM_CHUNK) {
            __m512i p0 = take_32(&pass, 0, rows, i, ahead);
            __m512i p1 = take_32(&pass, 1, rows, i + 32, ahead);
            __m512i u0 = fours(p0, p1);
            __m512i p2 = take_32(&pass, 2, rows, i + 64, ahead);
            __m512i p3 = take_32(&pass, 0, rows, i + 96, ahead);
            __m512i u1 = fours(p2, p3);
            __m512i p4 = take_32(&pass, 1, rows, i + 128, ahead);
            __m512i p5 = take_32(&pass, 2, rows, i + 160, ahead);
            __m512i u2 = fours(p4, p5);
            uint32_t *to = out + i / (4 * (size_t)channels);
            if (channels == 3) {
                _mm512_storeu_si512(to, threes(u0, u1, u2));
            } else {
                _mm512_storeu_si512(to, u0);
                _mm512_storeu_si512(to + 16, u1);
                _mm512_storeu_si512(to + 32, u2);
            }
        }
        spill(&pass, channels, channel_sum, max);
    }
    return i;
}

AVX512 PM_INLINE void any_u16(const uint16_t *const rows[4], int w, int channels, uint32_t *out,
    uint64_t channel_sum[3], uint32_t *max)
{
    size_t done = chunks_u16(rows, (size_t)w * (size_t)channels, channels, out, channel_sum, max);
    int px = (int)(done / (size_t)channels);
    const uint16_t *const rest[4] = {
        rows[0] + done, rows[1] + done, rows[2] + done, rows[3] + done};

    pm_quad_u16(rest, w - px, channels, out + px / 4, channel_sum, max);
}

AVX512 static void quad_u16(const uint16_t *const rows[4], int w, int channels, uint32_t *out,
    uint64_t channel_sum[3], uint32_t *max)
{
    if (channels == 3) { /* constants, so that the branches go */
        any_u16(rows, w, 3, out, channel_sum, max);
    } else {
        any_u16(rows, w, 1, out, channel_sum, max);
    }
}

AVX512 static void quad_u8(const uint8_t *const rows[4], int w, int channels, uint32_t *out,
    uint64_t channel_sum[3], uint32_t *max)
{
    if (channels == 3) {
        pm_quad_u8(rows, w, 3, out, channel_sum, max);
    } else {
        pm_quad_u8(rows, w, 1, out, channel_sum, max);
    }
}

AVX512 static void quad_f32(const float *const rows[4], int w, int channels, float *out,
    double channel_sum[3], int64_t bad[3])
{
    if (channels == 3) {
        pm_quad_f32(rows, w, 3, out, channel_sum, bad);
    } else {
        pm_quad_f32(rows, w, 1, out, channel_sum, bad);
    }
}

AVX512 static uint32_t narrow(const uint32_t *sums, size_t n, int shift, int16_t *out)
{
    return pm_narrow(sums, n, shift, out);
}

AVX512 static void halve(const int16_t *r0, const int16_t *r1, size_t n, float scale, float *out)
{
    pm_halve(r0, r1, n, scale, out);
}

AVX512 static void widen(const int16_t *in, size_t n, float scale, float *out)
{
    pm_widen(in, n, scale, out);
}

const struct pm_pyramid_ops pm_pyramid_avx512 = {.quad_u16 = quad_u16,
    .quad_u8 = quad_u8,
    .quad_f32 = quad_f32,
    .narrow = narrow,
    .halve = halve,
    .widen = widen};

#endif
