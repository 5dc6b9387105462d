/* original: the greedy search of RAWNIND.md 2.4, step by step, its traps included. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"

#define TABLE 4096

/* The table as it is described: shifts in the order they were tried. */
struct table {
    int dy[TABLE], dx[TABLE];
    double loss[TABLE];
    int count;
};

static void evaluate(struct table *t, const struct pm_pair *pair, double gain, int dy, int dx)
{
    double loss;
    for (int i = 0; i < t->count; i++) {
        if (t->dy[i] == dy && t->dx[i] == dx) {
            return;
        }
    }
    loss = pm_pair_plain_loss(pair, gain, dy, dx);
    if (!isnan(loss)) {
        assert_true(t->count < TABLE);
        t->dy[t->count] = dy;
        t->dx[t->count] = dx;
        t->loss[t->count++] = loss;
    }
}

static int smallest(const struct table *t)
{
    int best = 0;
    for (int i = 1; i < t->count; i++) {
        best = t->loss[i] < t->loss[best] ? i : best;
    }
    return best;
}

static void plain_original(
    struct table *t, const struct pm_pair *pair, double gain, int max_shift, int *best)
{
    t->count = 0;
    evaluate(t, pair, gain, 0, 0);
    *best = 0;
    while (t->loss[*best] > 0 && abs(t->dy[*best]) + abs(t->dx[*best]) < max_shift) {
        int before = *best;
        for (int i = 0; i < 49; i++) {
            evaluate(t, pair, gain, t->dy[before] - 3 + i / 7, t->dx[before] - 3 + i % 7);
        }
        *best = smallest(t);
        if (*best == before) {
            break;
        }
    }
}

/* Returns the answer; it and the number of evaluations are those of the plain version. */
static struct pm_shift check(const struct pm_synth *spec, int max_shift)
{
    struct table *table = malloc(sizeof *table);
    struct pm_pair pair;
    struct pm_shift shift;
    int best;
    assert_non_null(table);
    pm_pair_open(&pair, spec);
    shift = pm_pair_find(&pair, PM_METHOD_ORIGINAL, max_shift, false);
    plain_original(table, &pair, shift.gain, max_shift, &best);
    assert_int_equal(shift.dy, table->dy[best]);
    assert_int_equal(shift.dx, table->dx[best]);
    assert_int_equal(shift.evaluations, table->count);
    pm_pair_close(&pair);
    free(table);
    return shift;
}

static void test_steps_are_those_described(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        struct pm_synth spec = {
            .w = 40 + i,
            .h = 47 - i,
            .channels = i % 2 == 0 ? 3 : 1,
            .sample = (enum pm_sample)(i % 4),
            .scene = i % 3 == 0 ? PM_SYNTH_SMOOTH : PM_SYNTH_TEXTURE,
            .dy = i - 6,
            .dx = 5 - i / 2,
            .gain = 0.5 + i * 0.3,
            .read = 0.03,
            .seed = (uint64_t)i,
        };
        (void)check(&spec, 128);
    }
}

/* Equal images: the loss at (0,0) is 0 and nothing else is tried. */
static void test_stops_at_loss_zero(void **state)
{
    struct pm_synth spec = {.w = 30, .h = 30, .channels = 3, .sample = PM_U8, .seed = 2};
    struct pm_shift shift;
    (void)state;
    shift = check(&spec, 128);
    assert_int_equal(shift.evaluations, 1);
    assert_int_equal(shift.dy, 0);
}

/* The limit is on |dy| + |dx| and is tested before a step: it can be passed by up to 6, less 1. */
static void test_limit(void **state)
{
    struct pm_synth spec = {.w = 60,
        .h = 60,
        .channels = 1,
        .sample = PM_U16,
        .scene = PM_SYNTH_SMOOTH,
        .dy = 9,
        .dx = 9,
        .read = 0.001,
        .seed = 21};
    struct pm_shift shift;
    bool passed = false;
    (void)state;
    for (int limit = 0; limit < 14; limit++) {
        int sum;
        shift = check(&spec, limit);
        sum = abs(shift.dy) + abs(shift.dx);
        assert_true(sum <= (limit > 0 ? limit + 5 : 0));
        assert_int_equal((shift.flags & PM_FLAG_SHIFT_AT_LIMIT) != 0, limit > 0 && sum >= limit);
        passed = passed || sum > limit;
    }
    assert_true(passed);
}

/* All shifts of a flat pair cost the same: the earliest tried, (0,0), stays. */
static void test_ties_go_to_the_earliest(void **state)
{
    struct pm_synth spec = {.w = 20,
        .h = 20,
        .channels = 1,
        .sample = PM_F32,
        .scene = PM_SYNTH_FLAT,
        .gain = 3,
        .seed = 2};
    struct pm_shift shift;
    (void)state;
    shift = check(&spec, 128);
    assert_int_equal(shift.dy, 0);
    assert_int_equal(shift.dx, 0);
}

/* An image so small that shifts leave no overlap: they are passed over. */
static void test_vanishing_overlap(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 8; seed++) {
        struct pm_synth spec = {.w = 9,
            .h = 8,
            .channels = 3,
            .sample = PM_F32,
            .dy = 3,
            .dx = -2,
            .read = 0.3,
            .seed = seed};
        (void)check(&spec, 128);
        (void)check(&spec, 1000000);
    }
}

/* Where it is caught in a dip that is not the deepest, the global search finds a smaller loss. */
static void test_gets_stuck(void **state)
{
    int stuck = 0;
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct pm_synth spec = {
            .w = 70, .h = 70, .channels = 1, .sample = PM_U16, .dy = 15, .dx = -14, .seed = seed};
        struct pm_pair pair;
        struct pm_shift old, new;
        double old_loss, new_loss;
        pm_pair_open(&pair, &spec);
        old = pm_pair_find(&pair, PM_METHOD_ORIGINAL, 24, true);
        new = pm_pair_find(&pair, PM_METHOD_BRUTEFORCE, 24, false);
        old_loss = pm_align_loss(pair.gt_image, pair.target_image, old.gain, old.dy, old.dx);
        new_loss = pm_align_loss(pair.gt_image, pair.target_image, new.gain, new.dy, new.dx);
        assert_true(old_loss >= new_loss);
        if (old.dy != new.dy || old.dx != new.dx) {
            stuck++;
            assert_true(old_loss > new_loss);
        }
        pm_pair_close(&pair);
    }
    assert_true(stuck > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps_are_those_described),
        cmocka_unit_test(test_stops_at_loss_zero),
        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_ties_go_to_the_earliest),
        cmocka_unit_test(test_vanishing_overlap),
        cmocka_unit_test(test_gets_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
