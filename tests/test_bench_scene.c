/* bench_scene: the target shows what the gt shows, moved, darkened and noisy as asked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_scene.h"

static double at(const struct pm_image *image, int y, int x, int c)
{
    return ((const uint16_t *)pm_image_row(image, y))[3 * x + c] / 65535.0;
}

/* Mean and deviation of gt - gain * target over the overlap. */
static void difference(const struct pm_bench_scene *scene, double *mean, double *deviation)
{
    struct pm_image *gt, *target;
    double sum = 0, squares = 0, n = 0;
    assert_int_equal(pm_bench_scene_draw(scene, &gt, &target, NULL), PM_OK);
    for (int y = 0; y < scene->h; y++) {
        for (int x = 0; x < scene->w; x++) {
            int gy = y + scene->dy, gx = x + scene->dx;
            for (int c = 0; gy >= 0 && gy < scene->h && gx >= 0 && gx < scene->w && c < 3; c++) {
                double d = at(gt, gy, gx, c) - scene->gain * at(target, y, x, c);
                sum += d, squares += d * d, n++;
            }
        }
    }
    *mean = sum / n;
    *deviation = sqrt(squares / n - *mean * *mean);
    pm_image_free(gt);
    pm_image_free(target);
}

static void without_noise_only_rounding_differs(void **state)
{
    struct pm_bench_scene scene = {
        .w = 90, .h = 70, .dy = -7, .dx = 12, .gain = 1.4, .noise = PM_BENCH_NONE, .seed = 3};
    double mean, deviation;
    (void)state;
    for (int i = 0; i < 3; i++, scene.dy += 9, scene.gain /= 2) {
        difference(&scene, &mean, &deviation);
        assert_true(fabs(mean) < 3e-5 && deviation < 3e-5); /* two roundings of 1/65535 */
    }
}

static void noise_grows_by_level(void **state)
{
    struct pm_bench_scene scene = {
        .w = 90, .h = 70, .dy = 5, .dx = -3, .gain = 1, .noise = PM_BENCH_MEDIUM, .seed = 3};
    double mean, medium, heavy;
    (void)state;
    difference(&scene, &mean, &medium);
    assert_true(fabs(mean) < 1e-3);
    scene.noise = PM_BENCH_HEAVY;
    difference(&scene, &mean, &heavy);
    assert_true(fabs(mean) < 3e-3);
    /* sqrt(photon * light + read^2) with light near 0.45 */
    assert_true(medium > 0.010 && medium < 0.018);
    assert_true(heavy > 0.035 && heavy < 0.055);
}

/* Any other shift fits worse by far, in single pixels too: the scene decides. */
static void the_scene_has_texture(void **state)
{
    struct pm_bench_scene scene = {
        .w = 120, .h = 100, .dy = 4, .dx = 2, .gain = 1, .noise = PM_BENCH_NONE, .seed = 9};
    struct pm_image *gt, *target;
    double step = 0, low = 1, high = 0;
    (void)state;
    assert_int_equal(pm_bench_scene_draw(&scene, &gt, &target, NULL), PM_OK);
    for (int y = 0; y < scene.h; y++) {
        for (int x = 1; x < scene.w; x++) {
            double value = at(gt, y, x, 1);
            step += fabs(value - at(gt, y, x - 1, 1)) / (scene.h * (scene.w - 1));
            low = fmin(low, value), high = fmax(high, value);
        }
    }
    assert_true(step > 0.003);
    assert_true(low > 0.05 && high < 0.95 && high - low > 0.2);
    pm_image_free(gt);
    pm_image_free(target);
}

static void a_seed_says_it_all(void **state)
{
    struct pm_bench_size size = {200, 100};
    struct pm_bench_scene a = pm_bench_scene_of(size, PM_BENCH_HEAVY, 16, 5);
    struct pm_bench_scene b = pm_bench_scene_of(size, PM_BENCH_HEAVY, 16, 5);
    struct pm_image *gt[2], *target[2];
    int different = 0;
    (void)state;
    assert_int_equal(pm_bench_scene_draw(&a, &gt[0], &target[0], NULL), PM_OK);
    assert_int_equal(pm_bench_scene_draw(&b, &gt[1], &target[1], NULL), PM_OK);
    assert_memory_equal(gt[0]->data, gt[1]->data, gt[0]->bytes);
    assert_memory_equal(target[0]->data, target[1]->data, target[0]->bytes);
    for (int i = 0; i < 2; i++) {
        pm_image_free(gt[i]);
        pm_image_free(target[i]);
    }
    for (uint64_t seed = 0; seed < 200; seed++) {
        struct pm_bench_scene scene = pm_bench_scene_of(size, PM_BENCH_NONE, 128, seed);
        assert_true(abs(scene.dy) <= 25 && abs(scene.dx) <= 50); /* half of each side is left */
        assert_true(scene.gain >= 0.5 && scene.gain <= 2);
        different += scene.dy != a.dy;
    }
    assert_true(different > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_noise_only_rounding_differs),
        cmocka_unit_test(noise_grows_by_level),
        cmocka_unit_test(the_scene_has_texture),
        cmocka_unit_test(a_seed_says_it_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
