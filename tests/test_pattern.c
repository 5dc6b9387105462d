/* pattern: an answer made by lines of the sensor is told from one made by the scene. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/pattern.h"

/* A smooth scene moved by (dy, dx), with lines of the same strength in both images. */
static void make(struct pm_pair *pair, int dy, int dx, double rows, double columns)
{
    struct pm_synth spec = {.w = 460,
        .h = 380,
        .channels = 3,
        .sample = PM_U16,
        .scene = PM_SYNTH_SMOOTH,
        .dy = dy,
        .dx = dx,
        .read = 0.01,
        .seed = 4};
    struct pm_image *gt, *target;
    uint64_t r = 123456789;
    double line[2][512];
    pm_synth_pair(&spec, &gt, &target);
    for (int i = 0; i < 1024; i++) {
        r = r * 6364136223846793005u + 1442695040888963407u;
        line[i / 512][i % 512] = (double)(r >> 40) / 16777216 * (i < 512 ? rows : columns);
    }
    for (int y = 0; y < spec.h; y++) {
        for (int x = 0; x < spec.w; x++) {
            for (int c = 0; c < 3; c++) {
                double add = line[0][y] + line[1][x];
                pm_synth_put(gt, y, x, c, 0.7 * pm_synth_get(gt, y, x, c) + add);
                pm_synth_put(target, y, x, c, 0.7 * pm_synth_get(target, y, x, c) + add);
            }
        }
    }
    pm_pair_wrap(pair, gt, target);
}

static struct pm_align_query query_of(const struct pm_pair *pair)
{
    return (struct pm_align_query){.gt = &pair->gt,
        .target = &pair->target,
        .gain = pm_pair_plain_gain(pair),
        .max_shift = 40};
}

static bool lines(int made_dy, int made_dx, double rows, double columns, int dy, int dx)
{
    struct pm_align_query query;
    struct pm_pair pair;
    bool found;
    make(&pair, made_dy, made_dx, rows, columns);
    query = query_of(&pair);
    assert_int_equal(pm_pattern_lines(&query, dy, dx, &found, NULL), PM_OK);
    pm_pair_close(&pair);
    return found;
}

static void lines_that_moved_the_answer_are_seen(void **state)
{
    (void)state;
    assert_true(lines(2, -17, 0.1, 0, 0, -17));
    assert_true(lines(-5, 20, 0.1, 0, 0, 20));
    assert_true(lines(23, 3, 0, 0.1, 23, 0));
    assert_true(lines(-14, -2, 0.05, 0.1, -14, 0));
}

static void a_scene_on_the_axis_is_left_alone(void **state)
{
    (void)state;
    assert_false(lines(0, 0, 0, 0, 0, 0));
    assert_false(lines(0, -17, 0.1, 0, 0, -17));
    assert_false(lines(0, 0, 0.05, 0.05, 0, 0));
    assert_false(lines(23, 0, 0, 0.1, 23, 0));
    assert_false(lines(2, -17, 0.1, 0, 2, -17)); /* not on an axis: nothing to ask */
}

static void without_lines_the_scene_is_preferred(void **state)
{
    struct pm_levelsearch *level;
    struct pm_align_query query;
    struct pm_pair pair;
    (void)state;
    make(&pair, 16, -24, 0.2, 0.2);
    query = query_of(&pair);
    assert_int_equal(pm_levelsearch_new(&level, NULL), PM_OK);
    assert_int_equal(pm_levelsearch_begin(level, &query, NULL), PM_OK);
    {
        int factor = pm_levelsearch_factor(pair.gt_image);
        int dy = 16 / factor, dx = -24 / factor;
        assert_true(pm_pattern_prefers(level, 0, 0, dy, dx) > 0.1);
        assert_true(pm_pattern_prefers(level, dy, dx, 0, 0) < -0.1);
    }
    pm_levelsearch_free(level);
    pm_pair_close(&pair);
}

static bool resting(const struct pm_pair *pair)
{
    struct pm_align_query query = query_of(pair);
    struct pm_bands *bands;
    bool is;
    assert_int_equal(pm_bands_new(&bands, NULL), PM_OK);
    assert_int_equal(pm_pattern_resting(bands, &query, &is, NULL), PM_OK);
    pm_bands_free(bands);
    return is;
}

/* The scene has moved away from (0,0): what still has a hollow there is the sensor's. */
static void what_rests_is_the_sensor_s(void **state)
{
    (void)state;
    struct pm_pair pair;
    make(&pair, 7, -20, 0.1, 0.1);
    assert_true(resting(&pair));
    pm_pair_close(&pair);
    make(&pair, 7, -20, 0, 0);
    assert_false(resting(&pair));
    pm_pair_close(&pair);
}

/* A mosaic's own hollow at (0,0), two px wide, is none of a pattern. */
static void a_mosaic_does_not_rest(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 300,
        .h = 260,
        .channels = 1,
        .sample = PM_U16,
        .dy = 0,
        .dx = 20,
        .read = 0.005,
        .seed = 6};
    static const double filters[2][2] = {{0.5, 1}, {0.9, 0.2}};
    struct pm_image *images[2];
    struct pm_pair pair;
    pm_synth_pair(&spec, &images[0], &images[1]);
    for (int i = 0; i < 2 * spec.w * spec.h; i++) {
        struct pm_image *image = images[i % 2];
        int y = i / 2 / spec.w, x = i / 2 % spec.w;
        double filter = filters[y % 2][x % 2];
        pm_synth_put(image, y, x, 0, filter * pm_synth_get(image, y, x, 0));
    }
    pm_pair_wrap(&pair, images[0], images[1]);
    assert_false(resting(&pair));
    pm_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_that_moved_the_answer_are_seen),
        cmocka_unit_test(a_scene_on_the_axis_is_left_alone),
        cmocka_unit_test(without_lines_the_scene_is_preferred),
        cmocka_unit_test(what_rests_is_the_sensor_s),
        cmocka_unit_test(a_mosaic_does_not_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
