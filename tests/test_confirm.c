/* confirm: the smallest loss around the candidates, whatever they are worth, and its margins. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/confirm.h"

static struct pm_confirmed confirm(struct pm_pair *p, const struct pm_candidate *c, int count)
{
    struct pm_confirm *self = NULL;
    struct pm_confirmed out;
    assert_int_equal(pm_confirm_new(&self, NULL), PM_OK);
    assert_int_equal(pm_confirm_run(self, &p->query, c, count, &out, NULL), PM_OK);
    pm_confirm_free(self);
    return out;
}

/* The smallest loss of the range by taking every one. */
static struct pm_candidate smallest(struct pm_pair *p)
{
    struct pm_range r = pm_align_range(p->gt_image->w, p->gt_image->h, p->query.max_shift);
    struct pm_candidate best = {.score = NAN};
    for (int dy = -r.dy; dy <= r.dy; dy++) {
        for (int dx = -r.dx; dx <= r.dx; dx++) {
            double loss = pm_align_loss(p->gt_image, p->target_image, p->query.gain, dy, dx);
            if (pm_shift_better(loss, dy, dx, best.score, best.dy, best.dx)) {
                best = (struct pm_candidate){dy, dx, loss};
            }
        }
    }
    return best;
}

static void descends_to_the_smallest_loss(void **state)
{
    (void)state;
    const double noise[] = {0, 0.01, 0.1};
    for (int i = 0; i < 24; i++) {
        struct pm_synth spec = {.w = 211,
            .h = 173,
            .channels = i % 2 != 0 ? 3 : 1,
            .sample = (enum pm_sample)(i / 2 % 4),
            .dy = -9,
            .dx = 6,
            .gain = i % 3 != 0 ? 1.4 : 0.6,
            .read = noise[i % 3],
            .seed = (uint64_t)i};
        struct pm_pair p;
        pm_pair_open_within(&p, &spec, 12);
        struct pm_candidate near = {.dy = -8, .dx = 7};
        struct pm_confirmed got = confirm(&p, &near, 1);
        struct pm_candidate want = smallest(&p);
        assert_int_equal(got.dy, want.dy);
        assert_int_equal(got.dx, want.dx);
        assert_true(fabs(got.loss - want.score) < 0.01 * want.score + 1e-4);
        assert_true(got.around[1][1] <= got.around[0][1] && got.around[1][1] <= got.around[1][2]);
        assert_true(got.z_near > (i % 3 == 2 ? 0 : 3));
        assert_true(got.evaluations >= 9);
        pm_pair_close(&p);
    }
}

static void many_candidates_and_a_distinct_second(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 300,
        .h = 640,
        .channels = 3,
        .sample = PM_U16,
        .scene = PM_SYNTH_PERIODIC,
        .period = 40,
        .dy = 5,
        .dx = 5,
        .read = 0.01,
        .seed = 4};
    struct pm_pair p;
    pm_pair_open_within(&p, &spec, 60);
    const struct pm_candidate c[] = {{.dy = 44, .dx = 5}, {.dy = 5, .dx = 5}, {.dy = 20, .dx = 20},
        {.dy = 5, .dx = -36}, {.dy = 500, .dx = 5}};
    struct pm_confirmed got = confirm(&p, c, 5);
    assert_int_equal((got.dy + 400 - 5) % 40, 0);
    assert_int_equal((got.dx + 400 - 5) % 40, 0);
    assert_true(got.second_loss >= 0); /* another period, as good as this one */
    assert_true(got.z_second < 5 && fabs(got.second_loss - got.loss) < 0.05 * got.loss);
    pm_pair_close(&p);
}

static void enough_rows_and_no_more(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 120,
        .h = 3200,
        .channels = 3,
        .sample = PM_U16,
        .dy = 3,
        .dx = 1,
        .read = 0.005,
        .seed = 4};
    struct pm_pair p;
    struct pm_candidate c = {.dy = 3, .dx = 1};
    pm_pair_open_within(&p, &spec, 8);
    struct pm_confirmed easy = confirm(&p, &c, 1);
    assert_true(easy.rows_used < 0.1 && !easy.exact);
    assert_true(easy.dy == 3 && easy.dx == 1);
    pm_pair_close(&p);
    spec.read = 0.8; /* far more noise than scene */
    pm_pair_open_within(&p, &spec, 8);
    struct pm_confirmed hard = confirm(&p, &c, 1);
    assert_true(hard.exact && hard.rows_used > 0.99);
    assert_true(hard.z_near < easy.z_near);
    pm_pair_close(&p);
}

static void equal_and_flat_images(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 64, .h = 48, .channels = 3, .sample = PM_U8, .seed = 4};
    struct pm_candidate c = {.dy = 2, .dx = 1};
    struct pm_pair p;
    pm_pair_open_within(&p, &spec, 8);
    struct pm_confirmed same = confirm(&p, &c, 1);
    assert_true(same.dy == 0 && same.dx == 0 && same.loss < 1e-3);
    pm_pair_close(&p);
    spec.scene = PM_SYNTH_FLAT;
    pm_pair_open_within(&p, &spec, 8);
    struct pm_confirmed flat = confirm(&p, &c, 1);
    assert_true(flat.z_near <= 0 || isnan(flat.z_near));
    assert_true(flat.dy == 0 && flat.dx == 0); /* all equal: the nearest to (0,0) */
    pm_pair_close(&p);
}

static void sixteen_px_and_less(void **state)
{
    (void)state;
    const int sides[] = {5, 8, 9, 16, 17};
    for (int i = 0; i < 5; i++) {
        struct pm_synth spec = {.w = sides[i],
            .h = sides[4 - i],
            .channels = 3,
            .sample = PM_U16,
            .read = 0.01,
            .seed = 7};
        struct pm_pair p;
        struct pm_candidate c = {.dy = 1, .dx = 1};
        pm_pair_open_within(&p, &spec, 128);
        struct pm_confirmed got = confirm(&p, &c, 1);
        struct pm_candidate want = smallest(&p);
        assert_true(got.loss <= want.score + 0.02);
        pm_pair_close(&p);
    }
}

static void the_order_of_shifts_is_total(void **state)
{
    (void)state;
    assert_true(pm_shift_better(1, 9, 9, 2, 0, 0));
    assert_true(pm_shift_better(1, 0, 1, 1, 1, 1));
    assert_true(pm_shift_better(1, -1, 0, 1, 0, -1));
    assert_true(pm_shift_better(1, 0, -1, 1, 0, 1));
    assert_false(pm_shift_better(1, 0, 1, 1, 0, 1));
    assert_true(pm_shift_better(1, 5, 5, NAN, 0, 0));
    assert_false(pm_shift_better(NAN, 0, 0, 1, 5, 5));
}

static void the_range_leaves_an_overlap(void **state)
{
    (void)state;
    struct pm_range r = pm_align_range(6000, 200, 128);
    assert_true(r.dx == 128 && r.dy == 128);
    r = pm_align_range(100, 16, 128);
    assert_true(r.dx == 75 && r.dy == 8);
    r = pm_align_range(8, 4, 128);
    assert_true(r.dx == 0 && r.dy == 0);
    r = pm_align_range(2000, 2000, 300);
    assert_true(r.dx == 300 && r.dy == 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descends_to_the_smallest_loss),
        cmocka_unit_test(many_candidates_and_a_distinct_second),
        cmocka_unit_test(enough_rows_and_no_more),
        cmocka_unit_test(equal_and_flat_images),
        cmocka_unit_test(sixteen_px_and_less),
        cmocka_unit_test(the_order_of_shifts_is_total),
        cmocka_unit_test(the_range_leaves_an_overlap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
