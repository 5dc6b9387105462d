/* residual: the fraction is right, its error is as large as it says, and what cannot be told is
 * not. The scene is a sum of waves, so that it is known between the pixels as well. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/synth.h"
#include "worker/align/residual.h"

#define WAVES 24

static uint64_t seed = 0x243f6a8885a308d3; /* fixed: every run is the same */

static double dice(void) /* 0..1 */
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(seed >> 11) * 0x1p-53;
}

static double noise(void) /* deviation 1 */
{
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        sum += dice();
    }
    return sum - 6;
}

struct scene {
    double ky[WAVES], kx[WAVES], phase[WAVES], height[WAVES];
};

static struct scene make_scene(void)
{
    struct scene s;
    for (int i = 0; i < WAVES; i++) {
        double k = 0.05 + 1.2 * dice(), a = 6.2832 * dice();
        s.ky[i] = k * sin(a);
        s.kx[i] = k * cos(a);
        s.phase[i] = 6.2832 * dice();
        s.height[i] = 0.02 / (0.3 + k);
    }
    return s;
}

struct spec {
    int w, h, channels;
    enum pm_sample sample;
    double dy, dx; /* of all of the target */
    double gain, gt_noise, target_noise;
};

static struct pm_image *draw(const struct scene *s, const struct spec *spec, double dy, double dx,
    double scale, double sigma)
{
    struct pm_image *image;
    assert_int_equal(
        pm_image_new(&image, spec->w, spec->h, spec->channels, spec->sample, NULL, NULL), PM_OK);
    for (int y = 0; y < spec->h; y++) {
        for (int x = 0; x < spec->w; x++) {
            double v = 0.45;
            for (int i = 0; i < WAVES; i++) {
                v += s->height[i] * cos(s->ky[i] * (y + dy) + s->kx[i] * (x + dx) + s->phase[i]);
            }
            for (int c = 0; c < spec->channels; c++) {
                pm_synth_put(image, y, x, c, scale * (v + (sigma > 0 ? sigma * noise() : 0)));
            }
        }
    }
    return image;
}

static bool measure(const struct scene *s, const struct spec *spec, struct pm_residual *out)
{
    int dy = (int)lrint(spec->dy), dx = (int)lrint(spec->dx);
    struct pm_image *gt = draw(s, spec, 0, 0, 1, spec->gt_noise);
    struct pm_image *target = draw(s, spec, spec->dy, spec->dx, 1 / spec->gain, spec->target_noise);
    bool measured = pm_residual_measure(gt, target, spec->gain, dy, dx, out);
    pm_image_free(gt);
    pm_image_free(target);
    return measured;
}

static void a_clean_pair_is_known_to_a_hundredth(void **state)
{
    (void)state;
    static const struct spec specs[] = {{300, 200, 3, PM_U16, 4.3, -7.4, 1.5, 0, 0},
        {200, 300, 1, PM_F32, -0.45, 0.1, 1, 0, 0}, {120, 90, 1, PM_U16, 2.5, 0.5, 1.2, 0, 0},
        {300, 200, 3, PM_U8, 0.25, 0.33, 1, 0, 0}, {200, 200, 1, PM_F16, -3.2, 5.45, 1.1, 0, 0}};
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++) {
        struct scene s = make_scene();
        struct pm_residual r;
        assert_true(measure(&s, &specs[i], &r));
        assert_true(fabs(rint(specs[i].dy) + r.dy - specs[i].dy) < 0.01);
        assert_true(fabs(rint(specs[i].dx) + r.dx - specs[i].dx) < 0.01);
        assert_true(r.dy_error >= 0 && r.dy_error < 0.01 && r.dx_error < 0.01);
    }
}

/* Of normal errors 95% are within 2, 99.7% within 3. */
static void errors_are_as_large_as_they_say(void **state)
{
    (void)state;
    static const double sigmas[] = {0.01, 0.05, 0.15};
    int within[2] = {0, 0}, n = 0;
    double sum = 0, squares = 0;
    const char *shorter = getenv("PAIRMILL_SHORT");
    int rounds = shorter != NULL && *shorter == '1' ? 6 : 40;
    for (int i = 0; i < rounds; i++) {
        struct scene s = make_scene();
        struct spec spec = {150, 130, 1, PM_F32, 8 * dice() - 4, 8 * dice() - 4, 1 + dice(),
            i % 2 != 0 ? 0.02 : 0, sigmas[i % 3]};
        struct pm_residual r;
        assert_true(measure(&s, &spec, &r));
        double z[2] = {(rint(spec.dy) + r.dy - spec.dy) / r.dy_error,
            (rint(spec.dx) + r.dx - spec.dx) / r.dx_error};
        for (int k = 0; k < 2; k++) {
            assert_true(isfinite(z[k]));
            within[0] += fabs(z[k]) < 2;
            within[1] += fabs(z[k]) < 3;
            sum += z[k];
            squares += z[k] * z[k];
            n++;
        }
    }
    if (within[0] < 0.85 * n || within[1] < 0.95 * n || squares < 0.4 * n ||
        fabs(sum) > 4 * sqrt(n)) {
        fail_msg("of %d: %d within 2, %d within 3 standard errors; mean %.2f, mean square %.2f", n,
            within[0], within[1], sum / n, squares / n);
    }
}

static void what_moved_does_not_count(void **state)
{
    (void)state;
    struct spec spec = {400, 300, 1, PM_F32, 0.2, -0.3, 1, 0, 0.005};
    struct scene s = make_scene(), other = make_scene();
    struct pm_image *gt = draw(&s, &spec, 0, 0, 1, 0);
    struct pm_image *target = draw(&s, &spec, spec.dy, spec.dx, 1, spec.target_noise);
    struct pm_image *moved = draw(&other, &spec, 0, 0, 1, 0);
    struct pm_residual r;
    for (int y = 100; y < 200; y++) { /* a sixth of the frame shows something else */
        memcpy(target->data + (size_t)y * target->stride, moved->data + (size_t)y * moved->stride,
            200 * sizeof(float));
    }
    assert_true(pm_residual_measure(gt, target, 1, 0, 0, &r));
    assert_true(fabs(r.dy - 0.2) < 0.1 && fabs(r.dx + 0.3) < 0.1);
    assert_true(r.dy_error > 0.0005 && r.dy_error < 0.2);
    pm_image_free(gt);
    pm_image_free(target);
    pm_image_free(moved);
}

static void what_cannot_be_told_is_absent(void **state)
{
    (void)state;
    struct spec spec = {200, 150, 1, PM_F32, 0, 0, 1, 0, 0};
    struct scene flat = {.height = {0}}, stripes = {.height = {0.1}, .kx = {0.5}};
    struct pm_residual r;
    assert_true(measure(&flat, &spec, &r)); /* nothing at all */
    assert_true(isnan(r.dy) && isnan(r.dx) && isnan(r.dy_error) && isnan(r.dx_error));
    spec.gt_noise = spec.target_noise = 0.05; /* nothing but noise */
    for (int i = 0; i < 25; i++) {
        assert_true(measure(&flat, &spec, &r));
        assert_true(isnan(r.dy) && isnan(r.dx) && isnan(r.dy_error) && isnan(r.dx_error));
    }
    spec.dx = 0.3; /* only one axis has structure */
    spec.gt_noise = spec.target_noise = 0.01;
    assert_true(measure(&stripes, &spec, &r));
    assert_true(isnan(r.dy) && isnan(r.dy_error));
    assert_true(fabs(r.dx - 0.3) < 4 * r.dx_error && r.dx_error < 0.02);
}

static void too_small_and_not_finite(void **state)
{
    (void)state;
    struct spec spec = {20, 20, 1, PM_F32, 0, 0, 1, 0, 0};
    struct scene s = make_scene();
    struct pm_residual r;
    assert_false(measure(&s, &spec, &r));
    assert_true(isnan(r.dy) && isnan(r.dx_error));
    spec.w = spec.h = 120;
    struct pm_image *gt = draw(&s, &spec, 0, 0, 1, 0), *target = draw(&s, &spec, 0.3, 0, 1, 0);
    pm_synth_put(target, 60, 60, 0, (double)NAN);
    assert_true(pm_residual_measure(gt, target, 1, 0, 0, &r)); /* one patch fewer */
    assert_true(fabs(r.dy - 0.3) < 0.01);
    for (int i = 0; i < 120; i++) {
        for (int k = 0; k < 120; k += 8) {
            pm_synth_put(target, i, k, 0, (double)INFINITY);
        }
    }
    assert_true(pm_residual_measure(gt, target, 1, 0, 0, &r));
    assert_true(isnan(r.dy) && isnan(r.dx) && isnan(r.dy_error) && isnan(r.dx_error));
    pm_image_free(gt);
    pm_image_free(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_pair_is_known_to_a_hundredth),
        cmocka_unit_test(errors_are_as_large_as_they_say),
        cmocka_unit_test(what_moved_does_not_count),
        cmocka_unit_test(what_cannot_be_told_is_absent),
        cmocka_unit_test(too_small_and_not_finite),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
