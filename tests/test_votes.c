/* votes: parts of the frame that would have it otherwise are heard, noise is not. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/votes.h"

static struct pm_synth spec = {
    .w = 420, .h = 330, .channels = 3, .dy = 6, .dx = -8, .gain = 1.4, .read = 0.05, .seed = 12};

static struct pm_vote vote(
    struct pm_image *gt, struct pm_image *target, int dy, int dx, struct pm_candidate other)
{
    struct pm_votes *votes;
    struct pm_vote both[2];
    struct pm_align_query query = {.max_shift = 30};
    struct pm_pair pair;
    const struct pm_candidate list[] = {other, {.dy = other.dy, .dx = other.dx}};
    pm_pair_wrap(&pair, gt, target);
    query.gt = &pair.gt;
    query.target = &pair.target;
    query.gain = pm_pair_plain_gain(&pair);
    assert_int_equal(pm_votes_new(&votes, NULL), PM_OK);
    assert_int_equal(pm_votes_take(votes, &query, dy, dx, list, 2, both, NULL), PM_OK);
    pm_votes_free(votes);
    pm_pair_close(&pair);
    assert_true(both[0].opposed == both[1].opposed); /* of equal alternatives equal votes */
    assert_true(both[0].z_columns == both[1].z_columns);
    return both[0];
}

/* Every sample type, and with a sample that is not finite. */
static void a_scene_of_one_piece_is_united(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        struct pm_image *gt, *target;
        struct pm_vote near;
        spec.sample = kind < 4 ? (enum pm_sample)kind : PM_F32;
        pm_synth_pair(&spec, &gt, &target);
        if (kind == 4) {
            pm_synth_put(gt, 100, 100, 1, NAN);
        }
        near = vote(gt, target, 6, -8, (struct pm_candidate){.dy = 6, .dx = -7});
        assert_true(near.opposed < 0.1);
        assert_true(near.z_columns > 4);
        pm_synth_pair(&spec, &gt, &target);
        near = vote(gt, target, 6, -8, (struct pm_candidate){.dy = -20, .dx = 11});
        assert_true(near.opposed < 0.05);
        assert_true(near.z_columns > 4);
    }
    pm_votes_free(NULL);
}

/* 40% of the columns show what lies elsewhere. */
static void an_object_that_moved_opposes(void **state)
{
    struct pm_image *gt, *target, *moved;
    struct pm_synth other = spec;
    struct pm_vote far;
    (void)state;
    spec.sample = other.sample = PM_U16;
    other.dy = -5;
    other.dx = 9;
    pm_synth_pair(&spec, &gt, &target);
    pm_synth_pair(&other, NULL, &moved);
    for (int y = 0; y < spec.h; y++) {
        for (int x = 0; x < spec.w * 2 / 5; x++) {
            for (int c = 0; c < 3; c++) {
                pm_synth_put(target, y, x, c, pm_synth_get(moved, y, x, c));
            }
        }
    }
    pm_image_free(moved);
    far = vote(gt, target, 6, -8, (struct pm_candidate){.dy = -5, .dx = 9});
    assert_true(far.opposed > 0.4 && far.opposed < 0.9);
}

/* Lines of columns, the same in both images, by chance fit a shift: every row says so, but only as
 * many columns as there are. */
static void lines_are_no_witnesses_in_every_row(void **state)
{
    struct pm_image *gt, *target;
    struct pm_vote near;
    uint64_t r = 88172645463325252u;
    double best = 0, worst = INFINITY;
    (void)state;
    spec.sample = PM_U16;
    spec.scene = PM_SYNTH_FLAT;
    pm_synth_pair(&spec, &gt, &target);
    for (int x = 0; x < spec.w; x++) {
        double line;
        r ^= r << 13;
        r ^= r >> 7;
        r ^= r << 17;
        line = 0.1 * (double)(r % 1000) / 1000;
        for (int y = 0; y < spec.h; y++) {
            for (int c = 0; c < 3; c++) {
                pm_synth_put(gt, y, x, c, 0.4 + line);
                pm_synth_put(target, y, x, c, 0.4 + line);
            }
        }
    }
    spec.scene = PM_SYNTH_TEXTURE;
    for (int dx = 20; dx < 24; dx++) {
        struct pm_image *a = NULL, *b = NULL;
        struct pm_synth flat = spec;
        flat.scene = PM_SYNTH_FLAT;
        pm_synth_pair(&flat, &a, &b);
        for (int y = 0; y < spec.h; y++) {
            for (int x = 0; x < spec.w; x++) {
                for (int c = 0; c < 3; c++) {
                    pm_synth_put(a, y, x, c, pm_synth_get(gt, y, x, c));
                    pm_synth_put(b, y, x, c, pm_synth_get(target, y, x, c));
                }
            }
        }
        near = vote(a, b, 3, dx, (struct pm_candidate){.dy = 3, .dx = dx + 1});
        best = fmax(best, near.z_columns);
        worst = fmin(worst, near.z_columns);
    }
    pm_image_free(gt);
    pm_image_free(target);
    assert_true(best < 4); /* a z over rows would be infinite */
    assert_true(worst > -4);
}

static void too_little_in_common_says_nothing(void **state)
{
    struct pm_synth small = {.w = 14, .h = 14, .channels = 1, .sample = PM_U8, .seed = 1};
    struct pm_image *gt, *target;
    struct pm_vote v;
    (void)state;
    pm_synth_pair(&small, &gt, &target);
    v = vote(gt, target, 0, 0, (struct pm_candidate){.dy = 1, .dx = 5});
    assert_true(v.opposed == 0);
    assert_true(isinf(v.z_columns));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scene_of_one_piece_is_united),
        cmocka_unit_test(an_object_that_moved_opposes),
        cmocka_unit_test(lines_are_no_witnesses_in_every_row),
        cmocka_unit_test(too_little_in_common_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
