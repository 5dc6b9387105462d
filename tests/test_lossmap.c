/* lossmap: the bounds hold in every variant, for every exponent, and the sums are right. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <string.h>

#include "tests/lib/workerkit.h"
#include "worker/kernels/lossmap.h"
#include "worker/mask_exact.h"

static const enum pm_cpu levels[] = {PM_CPU_PLAIN, PM_CPU_AVX2, PM_CPU_AVX512};
#define LEVELS (sizeof levels / sizeof levels[0])

/* Bounds around the exact value, and the words' maxima; returns how tight they were at worst,
 * relative to the sum of the roots. */
static void check_chunk(enum pm_cpu level, enum pm_sample sample, const void *gt,
    const void *target, int n, int channels, double gain)
{
    static struct pm_lossmap map;
    struct pm_mask_exact exact;
    pm_mask_exact_init(&exact, sample, channels, gain);
    pm_lossmap_ops_of(level)->chunk(sample, gt, target, n, channels, (float)gain, &map);
    for (int word = 0; word * PM_LOSSMAP_WORD < n; word++) {
        float max = 0;
        for (int i = word * PM_LOSSMAP_WORD; i < n && i < (word + 1) * PM_LOSSMAP_WORD; i++) {
            double value = pm_mask_exact_px(&exact, gt, target, i);
            if (map.upper[i] <= FLT_MAX) {
                assert_true(value >= (double)map.lower[i] && value <= (double)map.upper[i]);
                assert_true(
                    (map.upper[i] - map.lower[i]) / 2 <= map.slack_max * (1 + 2 * FLT_EPSILON));
                max = map.upper[i] > max ? map.upper[i] : max;
            } else {
                assert_true(isnan(value) || value > 1e15); /* unknown only where it must be */
                max = INFINITY;
            }
        }
        assert_true(map.word_max[word] == max);
    }
}

static void integers_of_all_sizes(void **state)
{
    _Alignas(64) static uint16_t gt[PM_LOSSMAP_CHUNK * 3], target[PM_LOSSMAP_CHUNK * 3];
    static const double gains[] = {1, 0.25, 3.9, 1e-6, 1e6};
    static const int sizes[] = {1, 63, 64, 65, 200, 512};
    uint64_t seed = 9;
    (void)state;
    for (size_t i = 0; i < sizeof gt / sizeof gt[0]; i++) {
        gt[i] = (uint16_t)(kit_random(&seed) * 65536);
        target[i] = i % 5 == 0 ? gt[i] : (uint16_t)(kit_random(&seed) * 65536 * kit_random(&seed));
    }
    memset(gt, 0, 9); /* zeros, and values next to them */
    for (size_t level = 0; level < LEVELS; level++) {
        for (size_t i = 0; i < sizeof gains / sizeof gains[0]; i++) {
            for (size_t j = 0; j < sizeof sizes / sizeof sizes[0]; j++) {
                for (int channels = 1; channels <= 3; channels += 2) {
                    check_chunk(levels[level], PM_U8, gt, target, sizes[j], channels, gains[i]);
                    check_chunk(levels[level], PM_U16, gt, target, sizes[j], channels, gains[i]);
                }
            }
        }
    }
}

/* Both float types over all exponents, signs, subnormals, infinities and NaN. */
static void floats_of_all_exponents(void **state)
{
    static float gt[PM_LOSSMAP_CHUNK], target[PM_LOSSMAP_CHUNK];
    static uint16_t gt16[PM_LOSSMAP_CHUNK], target16[PM_LOSSMAP_CHUNK];
    uint64_t seed = 11;
    (void)state;
    for (int round = 0; round < 150; round++) {
        for (int i = 0; i < PM_LOSSMAP_CHUNK; i++) {
            uint32_t bits = (uint32_t)(kit_random(&seed) * 4294967296.0);
            float near = 0.5f + (float)kit_random(&seed);
            memcpy(&gt[i], &bits, sizeof bits);
            gt[i] = fabsf(gt[i]) > 1e30f ? near : gt[i];
            target[i] = i % 3 == 0 ? gt[i] * near : gt[i] + gt[i] * 1e-5f;
            gt16[i] = (uint16_t)bits;
            target16[i] = (uint16_t)(i % 3 == 0 ? bits >> 16 : bits ^ 1);
        }
        gt[3] = NAN;
        target[77] = INFINITY;
        gt[200] = -INFINITY;
        gt[300] = 1e-45f;
        for (size_t level = 0; level < LEVELS; level++) {
            check_chunk(levels[level], PM_F32, gt, target, PM_LOSSMAP_CHUNK, 1, 1.7);
            check_chunk(levels[level], PM_F32, gt, target, PM_LOSSMAP_CHUNK / 3, 3, 0.3);
            check_chunk(levels[level], PM_F16, gt16, target16, PM_LOSSMAP_CHUNK, 1, 1.1);
        }
    }
}

/* The bounds are tight enough to be worth something: a few 1e-5 of the values. */
static void bounds_are_tight(void **state)
{
    uint16_t gt[3] = {40000, 41000, 42000}, target[3] = {30000, 31000, 32000};
    struct pm_lossmap map;
    (void)state;
    for (size_t level = 0; level < LEVELS; level++) {
        pm_lossmap_ops_of(levels[level])->chunk(PM_U16, gt, target, 1, 3, 1.0f, &map);
        assert_true(map.upper[0] - map.lower[0] < 2e-4f && map.lower[0] > 0.2f);
    }
}

static void below_is_strict_and_exact(void **state)
{
    uint8_t u8[70];
    uint16_t u16[70], f16[70];
    float f32[70];
    (void)state;
    for (size_t level = 0; level < LEVELS; level++) {
        const struct pm_lossmap_ops *ops = pm_lossmap_ops_of(levels[level]);
        for (int v = 0; v < 256; v++) {
            memset(u8, 0, sizeof u8);
            memset(u16, 0, sizeof u16);
            u8[69] = (uint8_t)v;
            u16[69] = (uint16_t)(v * 257);
            assert_false(ops->all_below(PM_U8, u8, 70, v / 255.0));
            assert_true(v == 0 || ops->all_below(PM_U8, u8, 69, v / 255.0));
            assert_true(ops->all_below(PM_U8, u8, 70, (v + 1) / 255.0));
            assert_false(ops->all_below(PM_U16, u16, 70, v / 255.0));
            assert_true(ops->all_below(PM_U16, u16, 70, (v * 257 + 1) / 65535.0));
            assert_true(pm_sample_below(PM_U8, u8, 69, (v + 1) / 255.0));
            assert_false(pm_sample_below(PM_U8, u8, 69, v / 255.0));
        }
        for (int i = 0; i < 70; i++) {
            f32[i] = 0.5f;
            f16[i] = kit_half(0.5f);
        }
        assert_true(ops->all_below(PM_F32, f32, 70, 0.5000001));
        assert_false(ops->all_below(PM_F32, f32, 70, 0.5));
        assert_true(ops->all_below(PM_F16, f16, 70, 0.5000001));
        assert_false(ops->all_below(PM_F16, f16, 70, 0.5));
        f32[68] = NAN;
        f16[68] = 0x7e00;
        assert_false(ops->all_below(PM_F32, f32, 70, 9));
        assert_false(ops->all_below(PM_F16, f16, 70, 9));
    }
}

static void sums_leave_out_what_is_not_finite(void **state)
{
    float f32[100];
    uint16_t f16[100];
    (void)state;
    for (int n = 1; n <= 100; n += 11) {
        double want = 0;
        for (int i = 0; i < n; i++) {
            f32[i] = (float)i * 0.25f - 3;
            f16[i] = kit_half(f32[i]);
            want += (double)f32[i];
        }
        f32[0] = NAN;
        f16[0] = 0xfc00;
        for (size_t level = 0; level < LEVELS; level++) {
            const struct pm_lossmap_ops *ops = pm_lossmap_ops_of(levels[level]);
            double sum = 0;
            int64_t count = 0;
            ops->add_finite(PM_F32, f32, n, &sum, &count);
            assert_true(sum == want + 3 && count == n - 1);
            ops->add_finite(PM_F16, f16, n, &sum, &count);
            assert_true(sum == 2 * (want + 3) && count == 2 * (n - 1));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_of_all_sizes),
        cmocka_unit_test(floats_of_all_exponents),
        cmocka_unit_test(bounds_are_tight),
        cmocka_unit_test(below_is_strict_and_exact),
        cmocka_unit_test(sums_leave_out_what_is_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
