#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/synth.h"
#include "worker/align/fftplans.h"
#include "worker/align/zncc.h"

struct bench {
    struct pm_fftplans *plans;
    struct pm_zncc *zncc;
    struct pm_image *gt, *target;
};

static void fill(const struct pm_image *image, float *out, size_t stride, double offset)
{
    for (int y = 0; y < image->h; y++) {
        for (int x = 0; x < image->w; x++) {
            out[(size_t)y * stride + (size_t)x] = (float)(pm_synth_get(image, y, x, 0) + offset);
        }
    }
}

static void correlate(struct bench *b, const struct pm_synth *spec, int ry, int rx)
{
    size_t stride;
    float *luma;
    pm_synth_pair(spec, &b->gt, &b->target);
    assert_int_equal(pm_zncc_size(b->zncc, b->plans, spec->w, spec->h, ry, rx, NULL), PM_OK);
    luma = pm_zncc_gt(b->zncc, &stride);
    fill(b->gt, luma, stride, 0);
    luma = pm_zncc_target(b->zncc, &stride);
    fill(b->target, luma, stride, 5); /* an offset changes nothing */
    pm_zncc_run(b->zncc);
}

static void forget(struct bench *b)
{
    pm_image_free(b->gt);
    pm_image_free(b->target);
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    *state = b;
    return b == NULL || pm_fftplans_new(&b->plans, NULL, NULL) != PM_OK ||
           pm_zncc_new(&b->zncc, NULL) != PM_OK;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    pm_zncc_free(b->zncc);
    pm_zncc_free(NULL);
    pm_fftplans_free(b->plans);
    free(b);
    return 0;
}

struct sums {
    double n, a, b, aa, bb, ab;
};

/* The definition: covariance over deviations, of this overlap alone. */
static double plain(const struct bench *b, int dy, int dx)
{
    struct sums s = {0};
    for (int y = 0; y < b->gt->h; y++) {
        for (int x = 0; x < b->gt->w; x++) {
            int gy = y + dy, gx = x + dx;
            if (gy >= 0 && gy < b->gt->h && gx >= 0 && gx < b->gt->w) {
                double g = pm_synth_get(b->gt, gy, gx, 0), t = pm_synth_get(b->target, y, x, 0);
                s = (struct sums){
                    s.n + 1, s.a + g, s.b + t, s.aa + g * g, s.bb + t * t, s.ab + g * t};
            }
        }
    }
    return (s.ab - s.a * s.b / s.n) / sqrt((s.aa - s.a * s.a / s.n) * (s.bb - s.b * s.b / s.n));
}

/* Every shift of the range, for odd and even sizes and ranges up to almost the whole image. */
static void test_scores_are_those_of_the_definition(void **state)
{
    static const int cases[][4] = {
        {40, 30, 8, 12}, {33, 21, 20, 5}, {17, 50, 3, 16}, {20, 20, 0, 0}};
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int *c = cases[i];
        struct pm_synth spec = {.w = c[0],
            .h = c[1],
            .channels = 1,
            .sample = PM_F32,
            .dy = 2,
            .dx = -3,
            .gain = 1.5,
            .read = 0.02,
            .seed = i};
        correlate(b, &spec, c[2], c[3]);
        for (int dy = -c[2]; dy <= c[2]; dy++) {
            for (int dx = -c[3]; dx <= c[3]; dx++) {
                /* overlaps of a few pixels have hardly any variance to divide by */
                if ((c[1] - abs(dy)) * (c[0] - abs(dx)) > 30) {
                    assert_true(fabs(pm_zncc_score(b->zncc, dy, dx) - plain(b, dy, dx)) < 2e-4);
                }
            }
        }
        forget(b);
    }
}

static void test_best_peak_is_the_shift(void **state)
{
    static const int shifts[][2] = {{0, 0}, {7, -9}, {-12, 4}, {15, 15}, {-15, -15}};
    struct bench *b = *state;
    for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
        struct pm_synth spec = {.w = 90,
            .h = 70,
            .channels = 1,
            .sample = PM_U8,
            .dy = shifts[i][0],
            .dx = shifts[i][1],
            .gain = 0.7,
            .read = 0.05,
            .seed = 9};
        struct pm_zncc_peak peaks[8];
        int count;
        correlate(b, &spec, 15, 15);
        count = pm_zncc_peaks(b->zncc, peaks, 8);
        assert_true(count >= 2);
        assert_int_equal((int)lrint(peaks[0].dy), shifts[i][0]);
        assert_int_equal((int)lrint(peaks[0].dx), shifts[i][1]);
        for (int k = 1; k < count; k++) {
            assert_true(peaks[k].score <= peaks[k - 1].score);
        }
        forget(b);
    }
}

/* A scene that repeats itself has a peak at every period, all equally good. */
static void test_periodic_has_many_peaks(void **state)
{
    struct bench *b = *state;
    struct pm_synth spec = {.w = 90,
        .h = 70,
        .channels = 1,
        .sample = PM_U16,
        .scene = PM_SYNTH_PERIODIC,
        .period = 10,
        .dy = 1,
        .dx = 2,
        .seed = 4};
    struct pm_zncc_peak peaks[9];
    correlate(b, &spec, 14, 14);
    assert_int_equal(pm_zncc_peaks(b->zncc, peaks, 9), 9);
    for (int k = 0; k < 9; k++) {
        assert_true(peaks[k].score > 0.999);
        assert_int_equal(((int)lrint(peaks[k].dy) + 20) % 10, 1);
        assert_int_equal(((int)lrint(peaks[k].dx) + 20) % 10, 2);
    }
    forget(b);
}

/* Nothing to correlate: all scores are 0, and the one peak is a defined one. */
static void test_flat(void **state)
{
    struct bench *b = *state;
    struct pm_synth spec = {
        .w = 32, .h = 32, .channels = 1, .sample = PM_U16, .scene = PM_SYNTH_FLAT};
    struct pm_zncc_peak peak;
    correlate(b, &spec, 4, 4);
    assert_true(pm_zncc_score(b->zncc, 3, -2) == 0);
    assert_int_equal(pm_zncc_peaks(b->zncc, &peak, 1), 1);
    assert_true(peak.score == 0);
    assert_int_equal(pm_zncc_peaks(b->zncc, &peak, 0), 0);
    forget(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores_are_those_of_the_definition),
        cmocka_unit_test(test_best_peak_is_the_shift),
        cmocka_unit_test(test_periodic_has_many_peaks),
        cmocka_unit_test(test_flat),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
