/* rect: the overlaps of RAWNIND.md 2.5, against its table and against a scan of every pixel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/rect.h"

/* Rows of the table for n = 12 (RAWNIND.md 2.5): gt rows and RGB target rows, half open. */
static void trimmed_equals_the_published_table(void **state)
{
    (void)state;
    static const struct {
        int dy, gt0, gt1, f0, f1;
    } rows[] = {{3, 3, 11, 0, 8}, {2, 2, 12, 0, 10}, {1, 1, 11, 0, 10}, {0, 0, 12, 0, 12},
        {-1, 1, 11, 2, 12}, {-2, 0, 10, 2, 12}, {-3, 1, 9, 4, 12}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pm_overlap o = pm_overlap_trimmed(12, 12, rows[i].dy, 0);
        assert_int_equal(o.gt_y, rows[i].gt0);
        assert_int_equal(o.gt_y + o.h, rows[i].gt1);
        assert_int_equal(o.target_y, rows[i].f0);
        assert_int_equal(o.target_y + o.h, rows[i].f1);
        o = pm_overlap_trimmed(12, 12, 0, rows[i].dy);
        assert_int_equal(o.gt_x, rows[i].gt0);
        assert_int_equal(o.target_x, rows[i].f0);
        assert_int_equal(o.w, rows[i].gt1 - rows[i].gt0);
    }
}

static void full_holds_every_shared_pixel(void **state)
{
    (void)state;
    const int w = 7, h = 5;
    for (int dy = -6; dy <= 6; dy++) {
        for (int dx = -8; dx <= 8; dx++) {
            struct pm_overlap o = pm_overlap_full(w, h, dy, dx);
            int count = 0;
            for (int y = 0; y < h; y++) {
                for (int x = 0; x < w; x++) {
                    count += y + dy >= 0 && y + dy < h && x + dx >= 0 && x + dx < w;
                }
            }
            assert_int_equal(o.w * o.h, count);
            if (count > 0) {
                assert_int_equal(o.gt_x - o.target_x, dx);
                assert_int_equal(o.gt_y - o.target_y, dy);
                assert_true(o.gt_x >= 0 && o.target_x >= 0 && o.gt_y >= 0 && o.target_y >= 0);
                assert_true(o.gt_x + o.w <= w && o.target_x + o.w <= w);
                assert_true(o.gt_y + o.h <= h && o.target_y + o.h <= h);
            }
        }
    }
}

static void a_shift_as_large_as_the_image_leaves_nothing(void **state)
{
    (void)state;
    struct pm_overlap o = pm_overlap_full(10, 10, 10, 0);
    assert_int_equal(o.w, 0);
    assert_int_equal(o.h, 0);
    o = pm_overlap_trimmed(10, 10, 0, -9); /* one column left, and the odd trim takes it */
    assert_int_equal(o.w, 0);
    assert_int_equal(o.h, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trimmed_equals_the_published_table),
        cmocka_unit_test(full_holds_every_shared_pixel),
        cmocka_unit_test(a_shift_as_large_as_the_image_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
