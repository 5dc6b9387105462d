/* tilerecord: the map holds what the tiles say, joined where there are too many of them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "tests/lib/synth.h"
#include "worker/align/tilerecord.h"

/* The record of a pair measured at its made shift. */
static struct pm_shift record(const struct pm_synth *spec)
{
    struct pm_levelsearch *search = NULL;
    struct pm_tiles *tiles = NULL;
    struct pm_tile_fit fit;
    struct pm_shift shift;
    struct pm_pair pair;
    pm_pair_open(&pair, spec);
    struct pm_align_query query = {.gt = &pair.gt, .target = &pair.target, .max_shift = 64};
    pm_shift_init(&shift);
    assert_int_equal(pm_align_gain(pair.gt_prep, pair.target_prep, &query.gain, NULL), PM_OK);
    assert_int_equal(pm_levelsearch_new(&search, NULL), PM_OK);
    assert_int_equal(pm_tiles_new(&tiles, NULL), PM_OK);
    assert_int_equal(pm_levelsearch_begin(search, &query, NULL), PM_OK);
    assert_int_equal(pm_tiles_measure(tiles, search, spec->dy, spec->dx,
                         pm_levelsearch_factor(pair.gt_image), &fit, NULL),
        PM_OK);
    pm_tilerecord_fill(tiles, &fit, spec->w, spec->h, &shift);
    pm_tiles_free(tiles);
    pm_levelsearch_free(search);
    pm_pair_close(&pair);
    return shift;
}

static void every_tile_of_a_translation_says_the_same(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 1300,
        .h = 1100,
        .channels = 1,
        .sample = PM_U16,
        .dy = 13,
        .dx = -7,
        .read = 0.01,
        .seed = 3};
    struct pm_shift shift = record(&spec);
    const struct pm_tile_map *map = &shift.map;
    assert_true(map->rows == 4 && map->columns == 5);
    assert_int_equal(shift.warp.tiles, 4 * 3); /* the outer columns have no room to move */
    assert_true(map->pitch_px == 256);
    /* In the middle of the overlap, in whole steps of the level: 13 is 3 of them, -7 is -2. */
    assert_true(map->y0 == 4 * (3 + 272 % 64 / 2 + 32));
    assert_true(map->x0 == 4 * (323 % 64 / 2 + 32));
    for (int i = 0; i < map->rows * map->columns; i++) {
        if (map->weight[i] > 0) {
            assert_true(fabs((double)map->dy[i] - 13) < 2);
            assert_true(fabs((double)map->dx[i] + 7) < 2);
        } else {
            assert_true(isnan(map->dy[i]) && isnan(map->dx[i]) && isnan(map->weight[i]));
        }
    }
    assert_true(fabs(shift.warp.rotation_deg) < 5 * shift.warp.rotation_error_deg);
    assert_true(fabs(shift.warp.scale - 1) < 5 * shift.warp.scale_error);
    assert_true(isnan(shift.warp.parallax_px)); /* too few tiles */
}

static void many_tiles_are_taken_together(void **state)
{
    (void)state;
    struct pm_synth spec = {
        .w = 5000, .h = 2700, .channels = 1, .sample = PM_U8, .dy = 0, .dx = 4, .seed = 5};
    struct pm_shift shift = record(&spec);
    const struct pm_tile_map *map = &shift.map;
    assert_true(map->rows == 10 / 2 && map->columns == 19 / 2); /* of 190 tiles */
    assert_true(map->pitch_px == 512 && map->y0 == 4 * 17 + 256 && map->x0 == 4 * 17 + 256);
    for (int i = 0; i < map->rows * map->columns; i++) {
        assert_true(map->weight[i] > 0 && map->weight[i] <= 1);
        assert_true(fabs((double)map->dy[i]) < 1 && fabs((double)map->dx[i] - 4) < 1);
    }
    assert_true(shift.warp.parallax_px < 1);
}

static void what_cannot_be_told_is_absent(void **state)
{
    (void)state;
    struct pm_synth flat = {
        .w = 1300, .h = 1100, .channels = 1, .sample = PM_U16, .scene = PM_SYNTH_FLAT};
    struct pm_synth small = {.w = 60, .h = 300, .channels = 3, .sample = PM_F32};
    for (int i = 0; i < 2; i++) {
        struct pm_shift shift = record(i == 0 ? &flat : &small);
        assert_true(shift.map.rows == 0 && shift.map.columns == 0);
        assert_int_equal(shift.warp.tiles, 0);
        assert_true(isnan(shift.warp.rotation_deg) && isnan(shift.warp.rotation_error_deg));
        assert_true(isnan(shift.warp.scale) && isnan(shift.warp.scale_error));
        assert_true(isnan(shift.warp.parallax_px) && isnan(shift.warp.parallax_error_px));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_tile_of_a_translation_says_the_same),
        cmocka_unit_test(many_tiles_are_taken_together),
        cmocka_unit_test(what_cannot_be_told_is_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
