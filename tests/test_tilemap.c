/* tilemap: one short text, null where a tile cannot tell. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/tilemap.h"

static void a_grid_with_a_hole(void **state)
{
    struct pm_tile_map map = {.rows = 2,
        .columns = 2,
        .x0 = 260,
        .y0 = 256,
        .pitch_px = 512,
        .dy = {1.004f, (float)NAN, -2.5f, -0.001f},
        .dx = {0, (float)NAN, 3.126f, 7},
        .weight = {1, (float)NAN, 0.333f, 0.5f}};
    struct pm_json json;
    (void)state;
    pm_json_init(&json, false);
    pm_tilemap_json(&json, &map);
    assert_string_equal(pm_json_text(&json),
        "{\"x\": [260, 772], \"y\": [256, 768], \"dy\": [1, null, -2.5, 0], "
        "\"dx\": [0, null, 3.13, 7], \"weight\": [1, null, 0.33, 0.5]}");
    pm_json_fini(&json);
}

static void the_fullest_map_stays_small(void **state)
{
    struct pm_tile_map map = {
        .rows = 10, .columns = PM_MAP_TILES / 10, .x0 = 512, .y0 = 512, .pitch_px = 1024};
    struct pm_json json;
    (void)state;
    for (int i = 0; i < PM_MAP_TILES; i++) {
        map.dy[i] = -127.37f;
        map.dx[i] = 127.37f;
        map.weight[i] = 0.37f;
    }
    pm_json_init(&json, false);
    pm_tilemap_json(&json, &map);
    assert_non_null(pm_json_text(&json));
    assert_true(strlen(pm_json_text(&json)) < 26 * PM_MAP_TILES);
    pm_json_fini(&json);
}

static void no_tile_no_text(void **state)
{
    struct pm_tile_map map = {.rows = 0};
    struct pm_json json;
    (void)state;
    pm_json_init(&json, false);
    pm_tilemap_json(&json, &map);
    assert_int_equal(json.len, 0);
    pm_json_fini(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_grid_with_a_hole),
        cmocka_unit_test(the_fullest_map_stays_small),
        cmocka_unit_test(no_tile_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
