/* gradient: every variant gives the same bits, and they say what a plain sum and a known shift say.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/kernels/gradient.h"

#define HALO PM_GRADIENT_HALO
#define WIDE (PM_GRADIENT_SIDE + 2 * HALO)

/* A few waves, any place of them. */
static double scene(double y, double x)
{
    return 0.4 + 0.1 * sin(0.31 * x + 0.11 * y + 1) + 0.1 * cos(0.17 * x - 0.43 * y) +
           0.05 * sin(0.9 * y + 0.05 * x) + 0.05 * cos(1.3 * x + 0.7 * y);
}

static void draw(float *out, double dy, double dx)
{
    for (int y = 0; y < WIDE; y++) {
        for (int x = 0; x < WIDE; x++) {
            out[y * WIDE + x] = (float)scene(y + dy, x + dx);
        }
    }
}

static float gt[WIDE * WIDE], target[WIDE * WIDE];

static void taps_keep_constants_and_slopes(void **state)
{
    (void)state;
    for (double at = -1; at <= 1; at += 0.25) {
        struct pm_gradient_taps taps;
        double sums[2] = {0, 0}, moments[2] = {0, 0};
        pm_gradient_taps(at, 0, &taps);
        for (int k = 0; k < PM_GRADIENT_TAPS; k++) {
            for (int i = 0; i < 2; i++) {
                sums[i] += (double)taps.gt_y[i][k];
                moments[i] += (double)taps.gt_y[i][k] * (k - HALO);
            }
        }
        assert_true(fabs(sums[0] - 1) < 1e-6 && fabs(moments[0] - at / 2) < 1e-6);
        assert_true(fabs(sums[1]) < 1e-6 && fabs(moments[1] - 1) < 1e-6);
    }
}

/* Newton from nothing: as far as single precision goes. */
static void a_fraction_is_found(void **state)
{
    (void)state;
    static const struct {
        int w, h, step;
        double dy, dx;
    } cases[] = {{64, 64, 1, 0.31, -0.22}, {64, 16, 1, -0.5, 0.5}, {32, 32, 2, 0.05, 0.9},
        {8, 8, 1, 0.2, 0.1}};
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        double dy = 0, dx = 0;
        draw(gt, 0, 0);
        draw(target, cases[c].dy, cases[c].dx);
        for (int i = 0; i < 6; i++) {
            struct pm_gradient_taps taps;
            struct pm_gradient_sums s;
            pm_gradient_taps(dy, dx, &taps);
            pm_gradient()->sum(gt, target, WIDE, cases[c].w, cases[c].h, cases[c].step, &taps, &s);
            double det = s.yy * s.xx - s.yx * s.yx;
            assert_true(s.yy > 0 && s.xx > 0 && det > 0 && s.energy > 0);
            dy += (s.xx * s.y - s.yx * s.x) / det;
            dx += (s.yy * s.x - s.yx * s.y) / det;
        }
        assert_true(fabs(dy - cases[c].dy) < 1e-3);
        assert_true(fabs(dx - cases[c].dx) < 1e-3);
    }
}

static void every_variant_gives_the_same_bits(void **state)
{
    (void)state;
    struct pm_gradient_taps taps;
    unsetenv("PAIRMILL_CPU");
    draw(gt, 0, 0);
    draw(target, 0.3, 0.1);
    pm_gradient_taps(0.2, -0.1, &taps);
    for (int w = 1; w <= PM_GRADIENT_SIDE; w += 9) {
        struct pm_gradient_sums want, got;
        pm_gradient_ops_of(PM_CPU_PLAIN)->sum(gt, target, WIDE, w, 13, 2, &taps, &want);
        for (int level = PM_CPU_PLAIN; level <= (int)pm_cpu_level(); level++) {
            pm_gradient_ops_of((enum pm_cpu)level)->sum(gt, target, WIDE, w, 13, 2, &taps, &got);
            assert_memory_equal(&got, &want, sizeof want);
        }
    }
}

static void samples_of_every_type_are_cut(void **state)
{
    (void)state;
    static const uint16_t words[3 * 3 * 2] = {0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000,
        1100, 1200, 1300, 1400, 1500, 1600, 1700};
    static const uint16_t halves[4] = {0x3c00, 0x4000, 0xc000, 0x0000}; /* 1, 2, -2, 0 */
    static const float reals[4] = {1, 2, (float)NAN, 0};
    static const uint8_t bytes[4] = {1, 2, 255, 0};
    float out[WIDE];
    unsetenv("PAIRMILL_CPU");
    for (int level = PM_CPU_PLAIN; level <= (int)pm_cpu_level(); level++) {
        const struct pm_gradient_ops *ops = pm_gradient_ops_of((enum pm_cpu)level);
        float mean = ops->cut(PM_U16, words, 18, 3, 2, 3, 0.5f, out, 4);
        assert_true(fabsf(mean - 425) < 0.01f);
        assert_true(fabsf(out[0] - 50) < 0.01f && fabsf(out[1] - 200) < 0.01f);
        assert_true(fabsf(out[4] - 500) < 0.01f && fabsf(out[6] - 800) < 0.01f);
        mean = ops->cut(PM_F16, halves, 4, 2, 2, 1, 1, out, 2);
        assert_true(mean == 0.25f && out[1] == 2 && out[2] == -2);
        mean = ops->cut(PM_F32, reals, 8, 2, 2, 1, 1, out, 2);
        assert_true(isnan(mean) && out[1] == 2);
        mean = ops->cut(PM_U8, bytes, 2, 2, 2, 1, 1, out, 2);
        assert_true(mean == 64.5f && out[2] == 255);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taps_keep_constants_and_slopes),
        cmocka_unit_test(a_fraction_is_found),
        cmocka_unit_test(every_variant_gives_the_same_bits),
        cmocka_unit_test(samples_of_every_type_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
