/* symmetry: a scene that lies elsewhere is seen whatever the sensor adds, one that does not is left
 * alone. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/symmetry.h"

#define W 420
#define H 340
#define RANGE 40

/* What a sensor adds to both images: standard deviations, full scale 1. */
struct sensor {
    double pixels, rows, columns;
};

static uint64_t draws;

/* Normal enough: the sum of 6 even ones. */
static double normal(void)
{
    double sum = -3;

    for (int i = 0; i < 6; i++) {
        draws = draws * 6364136223846793005u + 1442695040888963407u;
        sum += (double)(draws >> 40) / 16777216;
    }
    return sum * sqrt(2);
}

/* A scene of a fifth of the contrast, and the pattern on top. */
static void add(struct pm_pair *pair, struct sensor sensor)
{
    static double row[H], column[W];
    double scene = 0.2;

    draws = 20;
    for (int i = 0; i < H; i++) {
        row[i] = sensor.rows * normal();
    }
    for (int i = 0; i < W; i++) {
        column[i] = sensor.columns * normal();
    }
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W; x++) {
            double p = 0.4 + row[y] + column[x] + sensor.pixels * normal();
            for (int c = 0; c < pair->gt_image->channels; c++) {
                double gt = pm_synth_get(pair->gt_image, y, x, c);
                double target = pm_synth_get(pair->target_image, y, x, c);
                pm_synth_put(pair->gt_image, y, x, c, p + scene * gt);
                pm_synth_put(pair->target_image, y, x, c, p + scene * target);
            }
        }
    }
}

static struct pm_symmetry look(
    const struct pm_synth *spec, struct sensor sensor, int dy, int dx, bool *broken)
{
    struct pm_pair raw = {.gt = {.image = NULL}}, pair;
    struct pm_align_query query;
    struct pm_levelsearch *level;
    struct pm_symmetry out;

    pm_synth_pair(spec, &raw.gt_image, &raw.target_image);
    add(&raw, sensor);
    pm_pair_wrap(&pair, raw.gt_image, raw.target_image);
    query = (struct pm_align_query){.gt = &pair.gt,
        .target = &pair.target,
        .gain = pm_pair_plain_gain(&pair),
        .max_shift = RANGE};
    assert_int_equal(pm_levelsearch_new(&level, NULL), PM_OK);
    assert_int_equal(pm_levelsearch_begin(level, &query, NULL), PM_OK);
    assert_int_equal(pm_symmetry_measure(level, &query, dy, dx, &out, NULL), PM_OK);
    *broken = pm_symmetry_broken(&out);
    pm_levelsearch_free(level);
    pm_pair_close(&pair);
    return out;
}

static struct pm_synth spec_of(enum pm_synth_scene scene, int dy, int dx, double read)
{
    return (struct pm_synth){.w = W,
        .h = H,
        .channels = 3,
        .sample = PM_U16,
        .scene = scene,
        .period = 24,
        .dy = dy,
        .dx = dx,
        .read = read,
        .seed = 11};
}

static const struct sensor sensors[] = {{0, 0, 0}, {0.02, 0, 0}, {0.05, 0, 0}, {0, 0.05, 0},
    {0, 0, 0.05}, {0.02, 0.02, 0.02}, {0.06, 0.04, 0.04}};
#define SENSORS (sizeof sensors / sizeof sensors[0])

/* All of them, or in a short run the last two, which are the hardest. */
static size_t first_sensor(void)
{
    return getenv("PAIRMILL_SHORT") != NULL ? SENSORS - 2 : 0;
}

static void a_scene_beside_the_pattern_is_seen(void **state)
{
    static const int made[][2] = {{7, -12}, {-30, 22}, {0, 17}, {-25, 0}, {4, 5}};
    (void)state;

    for (size_t i = first_sensor(); i < SENSORS; i++) {
        for (size_t k = 0; k < sizeof made / sizeof made[0]; k++) {
            struct pm_synth spec = spec_of(PM_SYNTH_SMOOTH, made[k][0], made[k][1], 0.01);
            bool broken;
            struct pm_symmetry s = look(&spec, sensors[i], 0, 0, &broken);
            if (!broken) {
                fail_msg("sensor %zu, made (%d, %d): chance %.1f, asymmetry %.3f, z %.1f, %.2f "
                         "cells at (%d, %d)",
                    i, made[k][0], made[k][1], s.chance, s.asymmetry, s.z, s.cells, s.dy, s.dx);
            }
            assert_true(s.dy * made[k][0] + s.dx * made[k][1] > 0); /* the side it lies on */
        }
    }
}

static void a_scene_at_the_answer_is_left_alone(void **state)
{
    static const enum pm_synth_scene scenes[] = {
        PM_SYNTH_TEXTURE, PM_SYNTH_SMOOTH, PM_SYNTH_PERIODIC, PM_SYNTH_FLAT};
    static const int made[][2] = {{0, 0}, {0, -17}, {23, 0}};
    (void)state;

    for (size_t i = first_sensor(); i < SENSORS; i++) {
        for (size_t k = 0; k < 4 * 3; k++) {
            const int *at = made[k % 3];
            struct pm_synth spec = spec_of(scenes[k / 3], at[0], at[1], i % 2 == 0 ? 0.01 : 0);
            bool broken;
            struct pm_symmetry s = look(&spec, sensors[i], at[0], at[1], &broken);
            if (broken) {
                fail_msg("sensor %zu, scene %d, (%d, %d): chance %.1f, asymmetry %.3f, z %.1f, "
                         "%.2f cells at (%d, %d)",
                    i, (int)scenes[k / 3], at[0], at[1], s.chance, s.asymmetry, s.z, s.cells, s.dy,
                    s.dx);
            }
        }
    }
}

static void a_pair_without_noise_is_symmetric_to_the_rounding(void **state)
{
    struct pm_synth spec = spec_of(PM_SYNTH_TEXTURE, 0, 0, 0);
    bool broken;
    (void)state;

    for (size_t i = first_sensor(); i < SENSORS; i++) {
        assert_true(look(&spec, sensors[i], 0, 0, &broken).asymmetry < 1e-3);
    }
}

static void too_small_says_nothing(void **state)
{
    struct pm_synth spec = spec_of(PM_SYNTH_TEXTURE, 3, 3, 0);
    struct pm_symmetry s;
    struct pm_levelsearch *level;
    struct pm_align_query query;
    struct pm_pair pair;
    (void)state;

    spec.w = spec.h = 40; /* 10 cells */
    pm_pair_open(&pair, &spec);
    query =
        (struct pm_align_query){.gt = &pair.gt, .target = &pair.target, .gain = 1, .max_shift = 8};
    assert_int_equal(pm_levelsearch_new(&level, NULL), PM_OK);
    assert_int_equal(pm_levelsearch_begin(level, &query, NULL), PM_OK);
    assert_int_equal(pm_symmetry_measure(level, &query, 0, 0, &s, NULL), PM_OK);
    assert_true(s.asymmetry <= 0 && s.z <= 0 && !pm_symmetry_broken(&s));
    pm_levelsearch_free(level);
    pm_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scene_beside_the_pattern_is_seen),
        cmocka_unit_test(a_scene_at_the_answer_is_left_alone),
        cmocka_unit_test(a_pair_without_noise_is_symmetric_to_the_rounding),
        cmocka_unit_test(too_small_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
