/* levelsearch: the L1 of the low-passed luma leads to where the scene lies. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/levelsearch.h"

static void descends_to_the_true_place(void **state)
{
    (void)state;
    const int sides[] = {400, 250, 120}; /* factor 4, 2, 1 */
    for (int i = 0; i < 12; i++) {
        struct pm_synth spec = {.w = sides[i % 3] + 60,
            .h = sides[i % 3],
            .channels = 3,
            .sample = (enum pm_sample)(i / 3),
            .dy = 8,
            .dx = -4,
            .gain = i % 2 != 0 ? 2.5 : 0.4,
            .photon = 0.003,
            .seed = (uint64_t)i};
        struct pm_pair p;
        struct pm_levelsearch *search = NULL;
        pm_pair_open_within(&p, &spec, 40);
        int factor = pm_levelsearch_factor(p.gt_image);
        assert_int_equal(factor, 4 >> i % 3);
        assert_int_equal(pm_levelsearch_new(&search, NULL), PM_OK);
        assert_int_equal(pm_levelsearch_begin(search, &p.query, NULL), PM_OK);
        struct pm_level_hill hill =
            pm_levelsearch_descend(search, 8 / factor + 1, -4 / factor - 1, 1);
        assert_int_equal(hill.dy, 8 / factor);
        assert_int_equal(hill.dx, -4 / factor);
        assert_true(fabs(hill.top_dy - hill.dy) <= 0.5 && fabs(hill.top_dx - hill.dx) <= 0.5);
        assert_true(hill.loss < pm_levelsearch_unrelated(search) / 2);
        assert_true(
            fabs(pm_levelsearch_loss(search, hill.dy, hill.dx, 1) - hill.loss) < 0.1 * hill.loss);
        assert_true(pm_levelsearch_evaluations(search) >= 9);
        pm_levelsearch_free(search);
        pm_pair_close(&p);
    }
}

static void the_grid_finds_the_basin(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 640,
        .h = 480,
        .channels = 1,
        .sample = PM_U8,
        .scene = PM_SYNTH_SMOOTH,
        .dy = -64,
        .dx = 48,
        .seed = 5};
    struct pm_pair p;
    struct pm_levelsearch *search = NULL;
    struct pm_level_at lowest[4];
    pm_pair_open_within(&p, &spec, 100);
    assert_int_equal(pm_levelsearch_new(&search, NULL), PM_OK);
    assert_int_equal(pm_levelsearch_begin(search, &p.query, NULL), PM_OK);
    int found = pm_levelsearch_grid(search, 4, 2, lowest, 4);
    assert_true(found >= 1 && found <= 4);
    assert_int_equal(lowest[0].dy, -16);
    assert_int_equal(lowest[0].dx, 12);
    for (int i = 1; i < found; i++) {
        assert_true(lowest[i].loss >= lowest[i - 1].loss);
    }
    pm_levelsearch_free(search);
    pm_levelsearch_free(NULL);
    pm_pair_close(&p);
}

static bool same_hill(const struct pm_level_hill *a, const struct pm_level_hill *b)
{
    return a->dy == b->dy && a->dx == b->dx && !(a->top_dy < b->top_dy || a->top_dy > b->top_dy) &&
           !(a->top_dx < b->top_dx || a->top_dx > b->top_dx) &&
           !(a->loss < b->loss || a->loss > b->loss);
}

/* Many descents in one search, whose ways cross and more than it can remember: each as in a search
 * of its own, and what is remembered costs nothing. */
static void what_is_remembered_changes_nothing(void **state)
{
    (void)state;
    struct pm_synth spec = {
        .w = 520, .h = 400, .channels = 1, .sample = PM_U16, .dy = 12, .dx = -8, .seed = 7};
    struct pm_pair p;
    struct pm_levelsearch *many = NULL, *one = NULL;
    pm_pair_open_within(&p, &spec, 100);
    assert_int_equal(pm_levelsearch_new(&many, NULL), PM_OK);
    assert_int_equal(pm_levelsearch_new(&one, NULL), PM_OK);
    assert_int_equal(pm_levelsearch_begin(many, &p.query, NULL), PM_OK);
    for (int i = 0; i < 600; i++) {
        int dy = i * 7 % 49 - 24, dx = i * 11 % 51 - 25, step = 1 + i % 3;
        struct pm_level_hill a = pm_levelsearch_descend(many, dy, dx, step), b;
        assert_int_equal(pm_levelsearch_begin(one, &p.query, NULL), PM_OK);
        b = pm_levelsearch_descend(one, dy, dx, step);
        assert_true(same_hill(&a, &b));
        if (i < 40) {
            int64_t before = pm_levelsearch_evaluations(many);
            b = pm_levelsearch_descend(many, dy, dx, step);
            assert_true(same_hill(&a, &b));
            assert_true(pm_levelsearch_evaluations(many) == before);
        }
    }
    p.query.gain *= 1.5; /* another question: nothing of the old answers is left */
    assert_int_equal(pm_levelsearch_begin(many, &p.query, NULL), PM_OK);
    assert_int_equal(pm_levelsearch_begin(one, &p.query, NULL), PM_OK);
    struct pm_level_hill a = pm_levelsearch_descend(many, 0, 0, 1);
    struct pm_level_hill b = pm_levelsearch_descend(one, 0, 0, 1);
    assert_true(same_hill(&a, &b));
    pm_levelsearch_free(many);
    pm_levelsearch_free(one);
    pm_pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descends_to_the_true_place),
        cmocka_unit_test(the_grid_finds_the_basin),
        cmocka_unit_test(what_is_remembered_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
