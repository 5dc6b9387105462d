/* hills: the made shift is among the candidates, with a correlation and without. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/fftplans.h"
#include "worker/align/hills.h"

static struct pm_fftplans *plans;

static int open_plans(void **state)
{
    (void)state;
    return pm_fftplans_new(&plans, NULL, NULL) == PM_OK ? 0 : -1;
}

static int close_plans(void **state)
{
    (void)state;
    pm_fftplans_free(plans);
    return 0;
}

static struct pm_align_query query_of(const struct pm_pair *pair, int max_shift)
{
    return (struct pm_align_query){.gt = &pair->gt,
        .target = &pair->target,
        .gain = pm_pair_plain_gain(pair),
        .max_shift = max_shift,
        .plans = plans};
}

static bool has(const struct pm_candidate *list, int count, int dy, int dx, int within)
{
    for (int i = 0; i < count; i++) {
        if (abs(list[i].dy - dy) <= within && abs(list[i].dx - dx) <= within) {
            return true;
        }
    }
    return false;
}

static void the_made_shift_is_found(void **state)
{
    static const int sizes[][2] = {{70, 90}, {310, 220}, {900, 700}};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct pm_synth spec = {.w = sizes[i][0],
            .h = sizes[i][1],
            .channels = 3,
            .sample = PM_U16,
            .dy = 11,
            .dx = -14,
            .gain = 1.7,
            .read = 0.02,
            .seed = i};
        struct pm_candidate list[PM_HILLS_MOST];
        struct pm_align_query query;
        struct pm_hills *hills;
        struct pm_pair pair;
        int count;
        pm_pair_open(&pair, &spec);
        query = query_of(&pair, 20);
        assert_int_equal(pm_hills_new(&hills, NULL), PM_OK);
        for (int care = PM_HILLS_USUAL; care <= PM_HILLS_WIDE; care++) {
            enum pm_hills_care how = (enum pm_hills_care)care;
            assert_int_equal(pm_hills_search(hills, &query, how, list, &count, NULL), PM_OK);
            assert_true(count > 0 && count <= PM_HILLS_MOST);
            assert_true(has(list, count, 11, -14, 3));
            assert_true(pm_hills_evaluations(hills) > 0);
            assert_int_equal(
                pm_hills_of_peaks(hills, &query, how, NULL, 0, list, &count, NULL), PM_OK);
            assert_true(has(list, count, 11, -14, 3));
        }
        pm_hills_free(hills);
        pm_pair_close(&pair);
    }
    pm_hills_free(NULL);
}

/* Every period of a repeated tile is kept when asked to look wide: which one is right, only full
 * resolution says. */
static void no_period_is_dropped(void **state)
{
    struct pm_synth spec = {.w = 640,
        .h = 480,
        .channels = 3,
        .sample = PM_U16,
        .scene = PM_SYNTH_PERIODIC,
        .period = 32,
        .dy = 5,
        .dx = 9,
        .read = 0.01,
        .seed = 3};
    struct pm_candidate list[PM_HILLS_MOST];
    struct pm_align_query query;
    struct pm_hills *hills;
    struct pm_pair pair;
    int count;
    (void)state;
    pm_pair_open(&pair, &spec);
    query = query_of(&pair, 48);
    assert_int_equal(pm_hills_new(&hills, NULL), PM_OK);
    assert_int_equal(pm_hills_search(hills, &query, PM_HILLS_WIDE, list, &count, NULL), PM_OK);
    for (int dy = 5 - 32; dy <= 48; dy += 32) {
        for (int dx = 9 - 32; dx <= 48; dx += 32) {
            assert_true(has(list, count, dy, dx, 3));
        }
    }
    pm_hills_free(hills);
    pm_pair_close(&pair);
}

static void too_small_for_a_level(void **state)
{
    struct pm_synth spec = {
        .w = 15, .h = 40, .channels = 1, .sample = PM_U8, .dy = 1, .dx = 1, .seed = 2};
    struct pm_candidate list[PM_HILLS_MOST];
    struct pm_align_query query;
    struct pm_hills *hills;
    struct pm_pair pair;
    int count;
    (void)state;
    pm_pair_open(&pair, &spec);
    query = query_of(&pair, 4);
    assert_int_equal(pm_hills_new(&hills, NULL), PM_OK);
    assert_int_equal(pm_hills_search(hills, &query, PM_HILLS_USUAL, list, &count, NULL), PM_OK);
    assert_int_equal(count, 1);
    assert_true(has(list, count, 0, 0, 0));
    pm_hills_free(hills);
    pm_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_made_shift_is_found),
        cmocka_unit_test(no_period_is_dropped),
        cmocka_unit_test(too_small_for_a_level),
    };
    return cmocka_run_group_tests(tests, open_plans, close_plans);
}
