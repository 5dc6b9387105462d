/* tiles: one motion and one brightness, or what they differ by. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/tiles.h"

static struct pm_tile_fit measure(struct pm_pair *p, int dy, int dx)
{
    struct pm_levelsearch *search = NULL;
    struct pm_tiles *tiles = NULL;
    struct pm_tile_fit fit;
    int rows, columns;
    assert_int_equal(pm_levelsearch_new(&search, NULL), PM_OK);
    assert_int_equal(pm_tiles_new(&tiles, NULL), PM_OK);
    assert_int_equal(pm_levelsearch_begin(search, &p->query, NULL), PM_OK);
    assert_int_equal(
        pm_tiles_measure(tiles, search, dy, dx, pm_levelsearch_factor(p->gt_image), &fit, NULL),
        PM_OK);
    pm_tiles_map(tiles, &rows, &columns);
    assert_true(rows * columns >= fit.tiles);
    pm_tiles_free(tiles);
    pm_levelsearch_free(search);
    return fit;
}

static const struct pm_synth plain = {.w = 1300,
    .h = 1100,
    .channels = 1,
    .sample = PM_U16,
    .dy = 12,
    .dx = -8,
    .read = 0.01,
    .seed = 3};

static void one_translation(void **state)
{
    (void)state;
    struct pm_pair p;
    pm_pair_open_within(&p, &plain, 64);
    struct pm_tile_fit fit = measure(&p, 12, -8);
    assert_true(fit.tiles >= 8);
    assert_true(fabs(fit.dy - 12) < 0.2 && fabs(fit.dx + 8) < 0.2);
    assert_true(fit.corner_px < 0.5 && fit.spread_px < 0.5);
    assert_true(fabs(fit.rotation_deg) < 0.03 && fabs(fit.scale - 1) < 0.001);
    assert_true(fit.agreement > 0.9 && fit.significance > 5);
    assert_true(fit.drift < 0.02);
    assert_true(fabs(fit.gain_ratio - 1) < 0.02);
    fit = measure(&p, 17, -4); /* looked at from elsewhere, they lie where they did */
    assert_true(fabs(fit.dy - 12) < 0.2 && fabs(fit.dx + 8) < 0.2);
    pm_pair_close(&p);
}

static void another_scene_does_not_agree(void **state)
{
    (void)state;
    struct pm_synth other = plain;
    struct pm_pair p, q;
    other.seed = 99;
    pm_pair_open_within(&p, &plain, 64);
    pm_pair_open_within(&q, &other, 64);
    p.target = q.target;
    struct pm_tile_fit fit = measure(&p, 0, 0);
    assert_true(fabs(fit.agreement) < 0.3 && fit.significance > 5);
    pm_pair_close(&p);
    pm_pair_close(&q);
}

/* Bilinear value of gt at any place inside. */
static double between(const struct pm_image *image, double y, double x)
{
    int iy = (int)fmax(0, fmin(image->h - 2, floor(y)));
    int ix = (int)fmax(0, fmin(image->w - 2, floor(x)));
    double fy = fmax(0, fmin(1, y - iy)), fx = fmax(0, fmin(1, x - ix));
    return (1 - fy) * ((1 - fx) * pm_synth_get(image, iy, ix, 0) +
                          fx * pm_synth_get(image, iy, ix + 1, 0)) +
           fy * ((1 - fx) * pm_synth_get(image, iy + 1, ix, 0) +
                    fx * pm_synth_get(image, iy + 1, ix + 1, 0));
}

/* The target becomes gt turned by `degrees` and enlarged by `scale` about the centre. */
static void turn(struct pm_pair *p, double degrees, double scale)
{
    double a = degrees * acos(-1) / 180, cy = p->gt_image->h / 2.0, cx = p->gt_image->w / 2.0;
    for (int y = 0; y < p->gt_image->h; y++) {
        for (int x = 0; x < p->gt_image->w; x++) {
            double sy = cy + scale * (cos(a) * (y - cy) - sin(a) * (x - cx));
            double sx = cx + scale * (sin(a) * (y - cy) + cos(a) * (x - cx));
            pm_synth_put(p->target_image, y, x, 0, between(p->gt_image, sy, sx));
        }
    }
    pm_pair_renew(p);
}

static void rotation_and_scale_are_measured(void **state)
{
    (void)state;
    struct pm_pair p;
    pm_pair_open_within(&p, &plain, 64);
    turn(&p, 0.3, 1);
    struct pm_tile_fit fit = measure(&p, 0, 0);
    assert_true(fabs(fit.rotation_deg - 0.3) < 0.05);
    assert_true(fabs(fit.scale - 1) < 0.001);
    assert_true(fit.corner_px > 3 && fit.corner_px > 5 * fit.corner_error_px);
    turn(&p, 0, 1.005);
    fit = measure(&p, 0, 0);
    assert_true(fabs(fit.rotation_deg) < 0.05);
    assert_true(fabs(fit.scale - 1.005) < 0.001);
    pm_pair_close(&p);
}

static void a_change_of_light_over_the_frame(void **state)
{
    (void)state;
    struct pm_pair p;
    pm_pair_open_within(&p, &plain, 64);
    for (int i = 0; i < plain.w * plain.h; i++) {
        int y = i / plain.w, x = i % plain.w;
        double v = pm_synth_get(p.target_image, y, x, 0);
        pm_synth_put(p.target_image, y, x, 0, v * (0.8 + 0.2 * x / plain.w));
    }
    pm_pair_renew(&p);
    struct pm_tile_fit fit = measure(&p, 12, -8);
    assert_true(fabs(fit.drift - 0.22) < 0.05); /* log(1 / 0.8) */
    assert_true(fit.drift > 5 * fit.drift_error);
    assert_true(fit.corner_px < 1); /* and light is not motion */
    pm_pair_close(&p);
}

static void too_small_for_a_tile(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 60, .h = 300, .channels = 3, .sample = PM_F32};
    struct pm_pair p;
    pm_pair_open_within(&p, &spec, 8);
    struct pm_tile_fit fit = measure(&p, 0, 0);
    assert_int_equal(fit.tiles, 0);
    assert_true(!(fit.agreement > -2)); /* NaN: cannot say */
    pm_pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_translation),
        cmocka_unit_test(another_scene_does_not_agree),
        cmocka_unit_test(rotation_and_scale_are_measured),
        cmocka_unit_test(a_change_of_light_over_the_frame),
        cmocka_unit_test(too_small_for_a_tile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
