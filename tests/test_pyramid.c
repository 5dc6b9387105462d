/* pyramid: every variant against loops written out here: sizes, borders, values not finite. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/kernels/cpu.h"
#include "worker/kernels/pyramid.h"

#define WIDEST 1100

static uint64_t seed = 0x13198a2e03707344;

static uint32_t dice(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(seed >> 33);
}

static enum pm_cpu highest(void)
{
    unsetenv("PAIRMILL_CPU");
    return pm_cpu_level();
}

static const int widths[] = {1, 3, 4, 5, 16, 63, 64, 65, 128, 191, 192, 193, 500, 769, 1024, 1099};
#define WIDTHS ((int)(sizeof widths / sizeof widths[0]))

struct sums {
    uint32_t out[WIDEST / 4 + 1];
    uint64_t channel[3];
    uint32_t max;
};

static void naive(const uint16_t rows[4][WIDEST * 3], int w, int channels, struct sums *s)
{
    for (int r = 0; r < 4; r++) {
        for (int i = 0; i < w * channels; i++) {
            uint16_t v = rows[r][i];
            s->channel[i % channels] += v;
            s->max = v > s->max ? v : s->max;
            if (i / channels / 4 < w / 4) {
                s->out[i / channels / 4] += v;
            }
        }
    }
}

static void integers_equal_the_plain_sums(void **state)
{
    (void)state;
    static uint16_t rows[4][WIDEST * 3];
    static uint8_t bytes[4][WIDEST * 3];
    const uint16_t *const pointers[4] = {rows[0], rows[1], rows[2], rows[3]};
    const uint8_t *const byte_pointers[4] = {bytes[0], bytes[1], bytes[2], bytes[3]};

    for (int round = 0; round < 2 * WIDTHS; round++) {
        int w = widths[round / 2], channels = round % 2 != 0 ? 3 : 1;
        struct sums want = {.channel = {1, 2, 3}, .max = 5}, small = want;
        for (int i = 0; i < 4 * WIDEST * 3; i++) {
            rows[i % 4][i / 4] = (uint16_t)(round % 5 == 0 ? 65535 : dice());
        }
        naive(rows, w, channels, &want);
        for (int level = PM_CPU_PLAIN; level <= (int)highest(); level++) {
            struct sums got = {.channel = {1, 2, 3}, .max = 5};
            pm_pyramid_ops_of((enum pm_cpu)level)
                ->quad_u16(pointers, w, channels, got.out, got.channel, &got.max);
            assert_memory_equal(&got, &want, sizeof got); /* and nothing past w / 4 written */
        }
        for (int i = 0; i < 4 * WIDEST * 3; i++) {
            rows[i % 4][i / 4] = bytes[i % 4][i / 4] = (uint8_t)dice();
        }
        naive(rows, w, channels, &small);
        for (int level = PM_CPU_PLAIN; level <= (int)highest(); level++) {
            struct sums got = {.channel = {1, 2, 3}, .max = 5};
            pm_pyramid_ops_of((enum pm_cpu)level)
                ->quad_u8(byte_pointers, w, channels, got.out, got.channel, &got.max);
            assert_memory_equal(&got, &small, sizeof got);
        }
    }
}

static float any_float(int bad)
{
    const float special[] = {NAN, INFINITY, -INFINITY};
    return bad != 0 && dice() % 7 == 0 ? special[dice() % 3] : (float)dice() / 1e9f - 1;
}

static void floats_leave_out_what_is_not_finite(void **state)
{
    (void)state;
    static float rows[4][WIDEST * 3];
    static float out[WIDEST / 4 + 2];
    const float *const pointers[4] = {rows[0], rows[1], rows[2], rows[3]};

    for (int round = 0; round < 4 * WIDTHS; round++) {
        int w = widths[round / 4], channels = round % 2 != 0 ? 3 : 1;
        double channel[3] = {0}, block[WIDEST / 4 + 1] = {0};
        int64_t bad[3] = {0}, count[WIDEST / 4 + 1] = {0};
        for (int i = 0; i < 4 * WIDEST * 3; i++) {
            rows[i % 4][i / 4] = any_float(round / 2 % 2);
        }
        for (int r = 0; r < 4 && round / 2 % 2 != 0; r++) { /* a block without a finite sample */
            for (int i = 0; i < 4 * channels && i < w * channels; i++) {
                rows[r][i] = NAN;
            }
        }
        for (int i = 0; i < 4 * w * channels; i++) {
            float v = rows[i % 4][i / 4];
            int x = i / 4 / channels;
            bad[i / 4 % channels] += !isfinite(v);
            channel[i / 4 % channels] += isfinite(v) ? (double)v : 0;
            block[x / 4] += isfinite(v) ? (double)v : 0;
            count[x / 4] += isfinite(v);
        }
        for (int level = PM_CPU_PLAIN; level <= (int)highest(); level++) {
            double got[3] = {0};
            int64_t got_bad[3] = {0};
            out[w / 4] = 77;
            pm_pyramid_ops_of((enum pm_cpu)level)
                ->quad_f32(pointers, w, channels, out, got, got_bad);
            assert_memory_equal(got_bad, bad, sizeof bad);
            assert_true(out[w / 4] > 76 && out[w / 4] < 78);
            for (int c = 0; c < channels; c++) {
                assert_true(fabs(got[c] - channel[c]) < 1e-5 * 4 * w);
            }
            for (int b = 0; b < w / 4; b++) {
                assert_true(count[b] == 0
                                ? isnan(out[b])
                                : fabs((double)out[b] - block[b] / (double)count[b]) < 1e-5);
            }
        }
    }
}

static void narrow_shifts_and_tells_all_bits(void **state)
{
    (void)state;
    static uint32_t sums[WIDEST];
    static int16_t out[WIDEST + 1];

    for (int level = PM_CPU_PLAIN; level <= (int)highest(); level++) {
        for (int i = 0; i < WIDTHS; i++) {
            uint32_t bits = 0, got;
            for (int k = 0; k < WIDEST; k++) {
                sums[k] = dice() % (1u << 22);
                bits |= k < widths[i] ? sums[k] : 0;
            }
            out[widths[i]] = 77;
            got = pm_pyramid_ops_of((enum pm_cpu)level)->narrow(sums, (size_t)widths[i], 8, out);
            assert_int_equal(got, bits);
            assert_int_equal(out[widths[i]], 77);
            for (int k = 0; k < widths[i]; k++) {
                assert_int_equal(out[k], sums[k] >> 8);
            }
        }
    }
}

/* Single operations on exact integers: the same bits everywhere. */
static void levels_become_floats(void **state)
{
    (void)state;
    static int16_t in[2][WIDEST];
    float scale = 0.37f / 16383;
    for (int i = 0; i < WIDEST; i++) {
        in[0][i] = (int16_t)((int)(dice() % 32767) - 16383);
        in[1][i] = (int16_t)((int)(dice() % 32767) - 16383);
    }
    for (int level = PM_CPU_PLAIN; level <= (int)highest(); level++) {
        const struct pm_pyramid_ops *ops = pm_pyramid_ops_of((enum pm_cpu)level);
        for (int c = 0; c < WIDTHS; c++) {
            int n = widths[c];
            float wide[WIDEST + 1], half[WIDEST / 2 + 1];
            wide[n] = half[n / 2] = 7; /* not touched */
            ops->widen(in[0], (size_t)n, scale, wide);
            ops->halve(in[0], in[1], (size_t)n / 2, scale, half);
            for (int i = 0; i < n; i++) {
                assert_true(wide[i] == (float)in[0][i] * scale);
            }
            for (int i = 0; i < n / 2; i++) {
                int sum = in[0][2 * i] + in[0][2 * i + 1] + in[1][2 * i] + in[1][2 * i + 1];
                assert_true(half[i] == (float)sum * scale);
            }
            assert_true(wide[n] == 7 && half[n / 2] == 7);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_become_floats),
        cmocka_unit_test(integers_equal_the_plain_sums),
        cmocka_unit_test(floats_leave_out_what_is_not_finite),
        cmocka_unit_test(narrow_shifts_and_tells_all_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
