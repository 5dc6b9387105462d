/* tileplace: the fraction that was made, and no answer where there is none. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "worker/align/tileplace.h"
#include "worker/kernels/gradient.h"

#define SIDE 120

static int16_t gt[SIDE * SIDE], target[SIDE * SIDE];

static double waves(double y, double x)
{
    return 6000 + 2000 * sin(0.31 * x + 0.11 * y + 1) + 2000 * cos(0.17 * x - 0.43 * y) +
           500 * sin(0.9 * y + 0.05 * x);
}

static double stripes(double y, double x)
{
    (void)y;
    return 6000 + 2000 * sin(0.3 * x);
}

static double flat(double y, double x)
{
    (void)y;
    (void)x;
    return 6000;
}

static void draw(double (*scene)(double y, double x), double dy, double dx, double gain)
{
    for (int i = 0; i < SIDE * SIDE; i++) {
        int y = i / SIDE, x = i % SIDE;
        gt[i] = (int16_t)lrint(scene(y, x));
        target[i] = (int16_t)lrint(scene(y + dy, x + dx) / gain);
    }
}

static struct pm_tile_pair tile = {.gt = gt,
    .target = target,
    .stride = SIDE,
    .w = SIDE,
    .h = SIDE,
    .side = 64,
    .y = 20,
    .x = 30,
    .ratio = 1};

static void the_fraction_is_found(void **state)
{
    struct pm_tile_pair pair = tile;
    double dy, dx;
    (void)state;
    draw(waves, 3.3, -2.4, 1.25);
    pair.dy = 3;
    pair.dx = -2;
    pair.ratio = 1.25;
    assert_true(pm_tile_fraction(&pair, &dy, &dx));
    assert_true(fabs(dy - 0.3) < 0.01 && fabs(dx + 0.4) < 0.01);
    draw(waves, 0, 0, 1);
    pair.dy = pair.dx = 0;
    pair.ratio = (double)NAN;
    assert_true(pm_tile_fraction(&pair, &dy, &dx));
    assert_true(fabs(dy) < 1e-3 && fabs(dx) < 1e-3);
}

static void no_structure_no_answer(void **state)
{
    double dy = 7, dx = 7;
    (void)state;
    draw(stripes, 0, 0.3, 1);
    assert_false(pm_tile_fraction(&tile, &dy, &dx));
    draw(flat, 0, 0, 1);
    assert_false(pm_tile_fraction(&tile, &dy, &dx));
    assert_true(dy == 7 && dx == 7);
}

static void nothing_outside_is_read(void **state)
{
    double dy, dx;
    (void)state;
    draw(waves, 0, 0, 1);
    for (int i = 0; i < 4; i++) {
        struct pm_tile_pair pair = tile;
        pair.y = i == 0 ? 3 : pair.y;
        pair.x = i == 1 ? SIDE - 64 - 3 : pair.x;
        pair.dy = i == 2 ? 17 : 0;
        pair.dx = i == 3 ? -23 : 0;
        assert_false(pm_tile_fraction(&pair, &dy, &dx));
    }
}

int main(void)
{
    tile.ops = pm_gradient();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fraction_is_found),
        cmocka_unit_test(no_structure_no_answer),
        cmocka_unit_test(nothing_outside_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
