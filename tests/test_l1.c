/* l1: every variant of every kernel against loops written out here, with guarded borders. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/kernels/cpu.h"
#include "worker/kernels/l1.h"

#define LONGEST 1500
#define ROUNDS 120
#define GUARD 0x5a

static uint64_t seed = 0x243f6a8885a308d3;

static uint32_t dice(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

/* Lengths around the widths of vectors, and odd starts within the buffers. */
static size_t any_length(void)
{
    return dice() % 3 == 0 ? dice() % 70 : dice() % (LONGEST - 80);
}

static enum pm_cpu highest(void)
{
    unsetenv("PAIRMILL_CPU");
    return pm_cpu_level();
}

static void sums_of_int16_rows(void **state)
{
    (void)state;
    static int16_t a[LONGEST], b[LONGEST + 64];
    for (int level = PM_CPU_PLAIN; level <= (int)highest(); level++) {
        const struct pm_l1_ops *ops = pm_l1_ops_of((enum pm_cpu)level);
        for (int round = 0; round < ROUNDS; round++) {
            size_t n = any_length(), from = dice() % 5, step = dice() % 4;
            uint64_t want[3] = {7, 8, 9}, got[3] = {7, 8, 9};
            bool positive = round % 2 != 0;
            for (size_t i = 0; i < LONGEST; i++) {
                a[i] = (int16_t)(positive ? dice() % 32768 : dice() % 32767 - 16383u);
                b[i] = (int16_t)(positive ? dice() % 32768 : dice() % 32767 - 16383u);
            }
            for (size_t k = 0; k < 3; k++) {
                for (size_t i = 0; i < n; i++) {
                    want[k] += (uint64_t)abs(a[from + i] - b[i + k * step]);
                }
            }
            ops->row3_i16(a + from, b, step, n, got);
            assert_memory_equal(got, want, sizeof got);
            assert_int_equal(ops->row_i16(a + from, b, n), want[0] - 7);
        }
    }
}

static void long_rows_do_not_overflow(void **state)
{
    (void)state;
    const size_t n = 1200001; /* more than one flush of every variant */
    int16_t *a = calloc(n, sizeof *a), *b = calloc(n + 2, sizeof *b);
    for (size_t i = 0; i < n; i++) {
        a[i] = 32767;
    }
    for (int level = PM_CPU_PLAIN; level <= (int)highest(); level++) {
        const struct pm_l1_ops *ops = pm_l1_ops_of((enum pm_cpu)level);
        uint64_t sum[3] = {0};
        assert_true(ops->row_i16(a, b, n) == 32767ull * n);
        ops->row3_i16(a, b, 1, n, sum);
        assert_true(sum[0] == 32767ull * n && sum[1] == sum[0] && sum[2] == sum[0]);
    }
    free(a);
    free(b);
}

static void sums_of_float_rows(void **state)
{
    (void)state;
    static float a[LONGEST], b[LONGEST + 64];
    for (int level = PM_CPU_PLAIN; level <= (int)highest(); level++) {
        const struct pm_l1_ops *ops = pm_l1_ops_of((enum pm_cpu)level);
        for (int round = 0; round < ROUNDS; round++) {
            size_t n = any_length(), step = dice() % 4;
            double want[3] = {0}, got[3] = {0};
            for (size_t i = 0; i < LONGEST; i++) {
                a[i] = (float)dice() / 1e9f - 1;
                b[i] = (float)dice() / 1e9f - 1;
            }
            for (size_t k = 0; k < 3; k++) {
                for (size_t i = 0; i < n; i++) {
                    want[k] += fabs((double)a[i] - (double)b[i + k * step]);
                }
            }
            ops->row3_f32(a, b, step, n, got);
            for (int k = 0; k < 3; k++) {
                assert_true(fabs(got[k] - want[k]) <= 2e-6 * want[k]);
            }
            assert_true(fabs(ops->row_f32(a, b, n) - want[0]) <= 2e-6 * want[0]);
        }
    }
}

static uint16_t any_half(bool with_bad)
{
    uint16_t half = (uint16_t)(dice() & 0xffff);
    return with_bad || (half & 0x7c00) != 0x7c00 ? half : (uint16_t)(half & 0x3fff);
}

static void fill(enum pm_sample sample, void *out, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (sample == PM_U8) {
            ((uint8_t *)out)[i] = (uint8_t)dice();
        } else if (sample == PM_U16) {
            ((uint16_t *)out)[i] = (uint16_t)dice();
        } else if (sample == PM_F16) {
            ((uint16_t *)out)[i] = any_half(dice() % 9 == 0);
        } else {
            float special[] = {NAN, INFINITY, -INFINITY, -0.0f};
            ((float *)out)[i] = dice() % 9 == 0 ? special[dice() % 4] : (float)dice() / 1e8f - 7;
        }
    }
}

static double value(enum pm_sample sample, const void *in, size_t i)
{
    switch (sample) {
    case PM_U8:
        return ((const uint8_t *)in)[i];
    case PM_U16:
        return ((const uint16_t *)in)[i];
    case PM_F16:
        return (double)pm_half_to_float(((const uint16_t *)in)[i]);
    case PM_F32:
        return (double)((const float *)in)[i];
    }
    return 0;
}

static void exact_sums_leave_out_what_is_not_finite(void **state)
{
    (void)state;
    static float g[LONGEST], t[LONGEST];
    for (int sample = PM_U8; sample <= PM_F32; sample++) {
        for (int round = 0; round < ROUNDS; round++) {
            size_t n = any_length();
            double gain = 0.25 + dice() % 1000 / 250.0, want = 0;
            int64_t count = 0;
            fill((enum pm_sample)sample, g, n);
            fill((enum pm_sample)sample, t, n);
            for (size_t i = 0; i < n; i++) {
                double d = fabs(value((enum pm_sample)sample, g, i) -
                                gain * value((enum pm_sample)sample, t, i));
                if (isfinite(d)) {
                    want += d;
                    count++;
                }
            }
            struct pm_l1_sum plain = pm_l1_ops_of(PM_CPU_PLAIN)->exact[sample](g, t, n, gain);
            assert_true(plain.count == count);
            assert_true(fabs(plain.sum - want) <= 1e-12 * want);
            for (int level = PM_CPU_AVX2; level <= (int)highest(); level++) {
                struct pm_l1_sum other =
                    pm_l1_ops_of((enum pm_cpu)level)->exact[sample](g, t, n, gain);
                assert_true(other.count == count);
                assert_memory_equal(&other.sum, &plain.sum, sizeof plain.sum); /* every bit */
            }
        }
    }
}

static void staging_is_the_same_everywhere_and_stays_inside(void **state)
{
    (void)state;
    static uint16_t in[LONGEST];
    static float wide[LONGEST];
    static unsigned char want[LONGEST * 4], got[LONGEST * 4];
    for (int level = PM_CPU_PLAIN; level <= (int)highest(); level++) {
        const struct pm_l1_ops *ops = pm_l1_ops_of((enum pm_cpu)level);
        for (int round = 0; round < ROUNDS; round++) {
            size_t n = any_length();
            int up = (int)(dice() % 4);
            uint16_t mul = (uint16_t)(dice() % 32768);
            int16_t *out = (int16_t *)(void *)want;
            fill(PM_U16, in, LONGEST);
            memset(want, GUARD, sizeof want);
            memset(got, GUARD, sizeof got);
            for (size_t i = 0; i < n; i++) {
                in[i] = (uint16_t)(in[i] >> up);
                out[i] = (int16_t)(((uint32_t)in[i] << up) * mul >> 16);
            }
            ops->stage_u16(in, n, up, mul, (int16_t *)(void *)got);
            assert_memory_equal(got, want, sizeof want);
            for (size_t i = 0; i < n; i++) {
                out[i] = (int16_t)(((const uint8_t *)in)[i] * (uint32_t)mul >> 8);
            }
            ops->stage_u8((const uint8_t *)in, n, mul, (int16_t *)(void *)got);
            assert_memory_equal(got, want, sizeof want);
            for (size_t i = 0; i < n; i++) {
                in[i] = (uint16_t)(in[i] & 0x3fff);
                out[i] = (int16_t)((in[i] * (mul & 0x7fff) + 0x4000) >> 15);
            }
            ops->stage_i16((const int16_t *)in, n, (int16_t)(mul & 0x7fff), (int16_t *)(void *)got);
            assert_memory_equal(got, want, sizeof want);
            fill(PM_F32, wide, LONGEST);
            for (size_t i = 0; i < n; i++) {
                wide[i] = isfinite(wide[i]) ? wide[i] : 1;
                ((float *)(void *)want)[i] = wide[i] * 1.7f;
            }
            ops->stage_f32(wide, n, 1.7f, (float *)(void *)got);
            assert_memory_equal(got, want, sizeof want);
            for (size_t i = 0; i < n; i++) {
                in[i] = any_half(false);
                ((float *)(void *)want)[i] = pm_half_to_float(in[i]) * 1.7f;
            }
            ops->stage_f16(in, n, 1.7f, (float *)(void *)got);
            assert_memory_equal(got, want, sizeof want);
        }
    }
}

static void moments_are_sums_of_products(void **state)
{
    (void)state;
    static int16_t a[LONGEST], b[LONGEST];
    for (int level = PM_CPU_PLAIN; level <= (int)highest(); level++) {
        for (int round = 0; round < ROUNDS; round++) {
            size_t n = any_length();
            struct pm_l1_moments got = {.n = 1, .a = 2, .b = 3};
            struct pm_l1_moments want = {.n = 1 + (int64_t)n, .a = 2, .b = 3};
            for (size_t i = 0; i < LONGEST; i++) {
                a[i] = (int16_t)(dice() % 32767 - 16383u);
                b[i] = (int16_t)(dice() % 32767 - 16383u);
            }
            for (size_t i = 0; i < n; i++) {
                want.a += a[i];
                want.b += b[i];
                want.ab += (int64_t)a[i] * b[i];
                want.aa += (int64_t)a[i] * a[i];
                want.aa1 += (int64_t)a[i] * a[i + 1];
                want.bb1 += (int64_t)b[i] * b[i + 1];
            }
            pm_l1_ops_of((enum pm_cpu)level)->moments(a, b, n, &got);
            assert_memory_equal(&got, &want, sizeof got);
        }
    }
}

static void the_chooser_follows_the_environment(void **state)
{
    (void)state;
    setenv("PAIRMILL_CPU", "plain", 1);
    assert_ptr_equal(pm_l1(), pm_l1_ops_of(PM_CPU_PLAIN));
    unsetenv("PAIRMILL_CPU");
    assert_ptr_equal(pm_l1(), pm_l1_ops_of(pm_cpu_level()));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_of_int16_rows),
        cmocka_unit_test(long_rows_do_not_overflow),
        cmocka_unit_test(sums_of_float_rows),
        cmocka_unit_test(exact_sums_leave_out_what_is_not_finite),
        cmocka_unit_test(staging_is_the_same_everywhere_and_stays_inside),
        cmocka_unit_test(moments_are_sums_of_products),
        cmocka_unit_test(the_chooser_follows_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
