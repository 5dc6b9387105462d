/* correlate: every variant against the definitions written out here, with odd lengths and edges. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "worker/kernels/correlate.h"
#include "worker/kernels/cpu.h"

#define LONGEST 200
#define ROW (2 * PM_BINS)

static uint64_t seed = 0x452821e638d01377;

/* -1..1 */
static float dice(void)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (float)(seed >> 40) * 0x1p-23f - 1;
}

static void fill(float *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        v[i] = dice();
    }
}

static enum pm_cpu highest(void)
{
    unsetenv("PAIRMILL_CPU");
    return pm_cpu_level();
}

static void near(double got, double expect, double tolerance)
{
    if (!(fabs(got - expect) <= tolerance)) {
        fail_msg("%.9g instead of %.9g", got, expect);
    }
}

/* What a row adds, with every variant giving the plain one's bits. */
static void rows_add_up(void **state)
{
    static const size_t lengths[] = {1, 2, 7, 15, 16, 17, 33, 100, LONGEST};
    (void)state;
    for (size_t c = 0; c < sizeof lengths / sizeof lengths[0]; c++) {
        size_t n = lengths[c];
        float v[LONGEST];
        double sum = 0, squares = 0;
        struct pm_row_sums plain;
        fill(v, n);
        for (size_t i = 0; i < n; i++) {
            sum += (double)v[i];
            squares += (double)v[i] * (double)v[i];
        }
        plain = pm_correlate_ops_of(PM_CPU_PLAIN)->sum(v, n);
        near(plain.sum, sum, 1e-12);
        near(plain.squares, squares, 1e-12);
        for (int level = PM_CPU_PLAIN + 1; level <= (int)highest(); level++) {
            struct pm_row_sums s = pm_correlate_ops_of((enum pm_cpu)level)->sum(v, n);
            assert_memory_equal(&s, &plain, sizeof s);
        }
    }
}

struct taken {
    float gt[LONGEST], target[LONGEST], line[LONGEST][2];
    double columns[4][LONGEST];
};

static struct taken take(
    enum pm_cpu level, const float *gt, const float *target, size_t n, const float mean[2])
{
    struct taken t = {0};
    struct pm_columns columns = {t.columns[0], t.columns[1], t.columns[2], t.columns[3]};
    for (size_t i = 0; i < n; i++) {
        t.gt[i] = gt[i];
        t.target[i] = target[i];
        t.columns[1][i] = 5; /* sums go on from what is there */
    }
    pm_correlate_ops_of(level)->take(t.gt, t.target, n, mean, columns, t.line);
    return t;
}

static void a_row_is_taken(void **state)
{
    static const float mean[2] = {0.25f, -0.125f};
    (void)state;
    for (size_t n = 1; n <= LONGEST; n += 13) {
        float gt[LONGEST], target[LONGEST];
        struct taken plain;
        fill(gt, n);
        fill(target, n);
        plain = take(PM_CPU_PLAIN, gt, target, n, mean);
        for (size_t i = 0; i < n; i++) {
            double g = (double)(gt[i] - mean[0]), t = (double)(target[i] - mean[1]);
            assert_true((double)plain.gt[i] == g && (double)plain.target[i] == t);
            assert_true((double)plain.line[i][0] == g && (double)plain.line[i][1] == t);
            assert_true(plain.columns[0][i] == g && plain.columns[1][i] == 5 + g * g);
            assert_true(plain.columns[2][i] == t && plain.columns[3][i] == t * t);
        }
        for (int level = PM_CPU_PLAIN + 1; level <= (int)highest(); level++) {
            struct taken other = take((enum pm_cpu)level, gt, target, n, mean);
            assert_memory_equal(&other, &plain, sizeof other);
        }
    }
}

/* One bin of a real row's transform, by its definition. */
static void bin(const float *v, size_t n, size_t k, double out[2])
{
    out[0] = out[1] = 0;
    for (size_t x = 0; x < n; x++) {
        double angle = -2 * acos(-1) * (double)(k * x % n) / (double)n;
        out[0] += (double)v[x] * cos(angle);
        out[1] += (double)v[x] * sin(angle);
    }
}

#define ROWS 3
#define BLOCKS (LONGEST / 2 / PM_BINS + 1)

/* Lines whose transforms are made by definition from known rows give those rows' spectra. */
static void check_split(const struct pm_correlate_ops *ops, size_t n)
{
    static float v[2][ROWS][LONGEST], lines[ROWS * LONGEST][2], out[2][BLOCKS * ROWS * ROW];
    size_t bins = n / 2 + 1, blocks = (bins + PM_BINS - 1) / PM_BINS, step = (size_t)ROWS * ROW;

    for (size_t y = 0; y < ROWS; y++) {
        fill(v[0][y], n);
        fill(v[1][y], n);
        for (size_t k = 0; k < n; k++) {
            double g[2], t[2];
            bin(v[0][y], n, k, g);
            bin(v[1][y], n, k, t);
            lines[y * n + k][0] = (float)(g[0] - t[1]);
            lines[y * n + k][1] = (float)(g[1] + t[0]);
        }
    }
    fill(out[0], sizeof out[0] / sizeof out[0][0]);
    fill(out[1], sizeof out[1] / sizeof out[1][0]);
    ops->split((const float(*)[2])lines, ROWS, n, out[0], out[1], step);
    for (size_t i = 0; i < 2 * ROWS * blocks * PM_BINS; i++) {
        size_t k = i % (blocks * PM_BINS), y = i / (blocks * PM_BINS) % ROWS;
        size_t image = i / (blocks * PM_BINS) / ROWS;
        const float *at = &out[image][k / PM_BINS * step + y * ROW + k % PM_BINS];
        double expect[2] = {0, 0};
        if (k < bins) {
            bin(v[image][y], n, k, expect);
        }
        near((double)at[0], 2 * expect[0], 1e-4);
        near((double)at[PM_BINS], 2 * expect[1], 1e-4);
    }
}

static void spectra_are_split(void **state)
{
    static const size_t lengths[] = {1, 2, 3, 9, 30, 31, 32, 33, 62, 64, 90, LONGEST};
    (void)state;
    for (int level = PM_CPU_PLAIN; level <= (int)highest(); level++) {
        for (size_t c = 0; c < sizeof lengths / sizeof lengths[0]; c++) {
            check_split(pm_correlate_ops_of((enum pm_cpu)level), lengths[c]);
        }
    }
}

static void check_products(const struct pm_correlate_ops *ops, int h, int ry)
{
    int count = (2 * ry + PM_SHIFTS) / PM_SHIFTS * PM_SHIFTS, edge = PM_SHIFTS - 1;
    size_t size = (size_t)(h + 2 * edge) * ROW;
    float *gt = calloc(size, sizeof *gt), *target = malloc((size_t)h * ROW * sizeof *target);
    float *out = malloc((size_t)count * ROW * sizeof *out);
    assert_true(gt != NULL && target != NULL && out != NULL);
    fill(gt + edge * ROW, (size_t)h * ROW);
    fill(target, (size_t)h * ROW);
    fill(out, (size_t)count * ROW);
    ops->products(gt + edge * ROW, target, h, -ry, count, out);
    for (int i = 0; i <= 2 * ry; i++) {
        for (int k = 0; k < PM_BINS; k++) {
            double re = 0, im = 0;
            for (int y = 0; y < h; y++) {
                int gy = y - ry + i;
                const float *g = gt + (edge + gy) * ROW + k, *t = target + y * ROW + k;
                if (gy >= 0 && gy < h) {
                    re += (double)g[0] * (double)t[0] + (double)g[PM_BINS] * (double)t[PM_BINS];
                    im += (double)g[PM_BINS] * (double)t[0] - (double)g[0] * (double)t[PM_BINS];
                }
            }
            near((double)out[i * ROW + k], re, 1e-5 * (1 + sqrt(h)));
            near((double)out[i * ROW + PM_BINS + k], im, 1e-5 * (1 + sqrt(h)));
        }
    }
    free(gt);
    free(target);
    free(out);
}

/* Ranges from none to almost all rows, heights around the stretch the sums are made in. */
static void rows_are_multiplied(void **state)
{
    static const int cases[][2] = {
        {1, 0}, {2, 1}, {5, 4}, {9, 2}, {63, 5}, {64, 6}, {65, 7}, {130, 33}, {200, 199}};
    (void)state;
    for (int level = PM_CPU_PLAIN; level <= (int)highest(); level++) {
        for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
            check_products(pm_correlate_ops_of((enum pm_cpu)level), cases[c][0], cases[c][1]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_add_up),
        cmocka_unit_test(a_row_is_taken),
        cmocka_unit_test(spectra_are_split),
        cmocka_unit_test(rows_are_multiplied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
