/* peaks: local maxima in order, plateaus once, borders, full lists. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "worker/align/peaks.h"

#define R 4 /* range, both ways */

struct grid {
    double at[2 * R + 1][2 * R + 1];
};

static double read_grid(const void *ctx, int dy, int dx)
{
    const struct grid *grid = ctx;
    assert_true(abs(dy) <= R && abs(dx) <= R);
    return grid->at[dy + R][dx + R];
}

static int find(const struct grid *grid, struct pm_candidate *list, int max)
{
    const struct pm_scored scored = {.score = read_grid, .ctx = grid, .range = {.dy = R, .dx = R}};
    return pm_peaks_find(&scored, list, max);
}

static void expect(const struct pm_candidate *got, int dy, int dx, double score)
{
    assert_int_equal(got->dy, dy);
    assert_int_equal(got->dx, dx);
    assert_true(got->score == score);
}

static void test_best_first(void **state)
{
    struct grid grid = {{{0}}};
    struct pm_candidate list[4];
    (void)state;
    grid.at[R - 4][R - 4] = 3; /* a corner counts */
    grid.at[R + 2][R + 1] = 5;
    grid.at[R + 2][R + 2] = 4; /* beside a higher one */
    grid.at[R + 0][R + 4] = 4;
    assert_int_equal(find(&grid, list, 3), 3);
    expect(&list[0], 2, 1, 5);
    expect(&list[1], 0, 4, 4);
    expect(&list[2], -4, -4, 3);
    assert_int_equal(find(&grid, list, 2), 2);
    expect(&list[1], 0, 4, 4);
    assert_int_equal(find(&grid, list, 0), 0);
}

/* Of a plateau the first in reading order; equal peaks by their distance from (0,0). */
static void test_equal_scores(void **state)
{
    struct grid grid = {{{0}}};
    struct pm_candidate list[4];
    (void)state;
    assert_int_equal(find(&grid, list, 4), 1);
    expect(&list[0], -4, -4, 0);
    grid.at[R - 3][R + 3] = grid.at[R + 1][R - 1] = grid.at[R + 3][R + 3] = 1;
    grid.at[R + 3][R + 4] = 1;
    assert_int_equal(find(&grid, list, 4), 4);
    expect(&list[0], 1, -1, 1);
    expect(&list[1], -3, 3, 1);
    expect(&list[2], 3, 3, 1);
}

static void test_never_a_peak(void **state)
{
    struct grid grid;
    struct pm_candidate list[2];
    (void)state;
    for (int i = 0; i < (2 * R + 1) * (2 * R + 1); i++) {
        grid.at[i / (2 * R + 1)][i % (2 * R + 1)] = -(double)INFINITY;
    }
    assert_int_equal(find(&grid, list, 2), 0);
    grid.at[0][R] = -7;
    assert_int_equal(find(&grid, list, 2), 1);
    expect(&list[0], -4, 0, -7);
}

static void test_insert_keeps_the_best(void **state)
{
    static const double scores[] = {2, 9, 4, 4, 1, 7, 9};
    struct pm_candidate list[3];
    int count = 0;
    (void)state;
    for (int i = 0; i < 7; i++) {
        count = pm_peaks_insert(
            list, count, 3, (struct pm_candidate){.dy = i, .dx = 0, .score = scores[i]});
        assert_int_equal(count, i < 3 ? i + 1 : 3);
    }
    expect(&list[0], 1, 0, 9);
    expect(&list[1], 6, 0, 9);
    expect(&list[2], 5, 0, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_best_first),
        cmocka_unit_test(test_equal_scores),
        cmocka_unit_test(test_never_a_peak),
        cmocka_unit_test(test_insert_keeps_the_best),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
