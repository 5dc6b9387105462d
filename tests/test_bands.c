/* bands: sums over all bands equal the reported loss; samples of them come near it. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/bands.h"

static void check_all(struct pm_pair *p, const int (*centres)[2], int count)
{
    struct pm_bands *bands = NULL;
    assert_int_equal(pm_bands_new(&bands, NULL), PM_OK);
    assert_int_equal(pm_bands_begin(bands, &p->query, NULL), PM_OK);
    struct pm_range range = pm_bands_range(bands);
    for (int i = 0; i < count; i++) {
        int cy = centres[i][0], cx = centres[i][1];
        assert_int_equal(pm_bands_sum3(bands, cy, cx, 1, true, NULL), PM_OK);
        for (int k = 0; k < 9; k++) {
            int dy = cy - 1 + k / 3, dx = cx - 1 + k % 3;
            double got = pm_bands_loss(bands, dy, dx, 1, cy);
            double want = pm_align_loss(p->gt_image, p->target_image, p->query.gain, dy, dx);
            if (abs(dy) > range.dy || abs(dx) > range.dx) {
                assert_true(isnan(got));
            } else {
                assert_true(fabs(got - want) <= pm_bands_rounding(bands) + 2e-6 * want);
            }
        }
    }
    pm_bands_free(bands);
}

static void all_bands_give_the_reported_loss(void **state)
{
    (void)state;
    const int centres[][2] = {{0, 0}, {1, 1}, {-1, 2}, {5, -8}, {-20, -20}, {20, 19}, {13, 0}};
    for (int i = 0; i < 16; i++) {
        struct pm_synth spec = {.w = i < 8 ? 101 : 1061,
            .h = i < 8 ? 97 : 83,
            .channels = i % 2 != 0 ? 3 : 1,
            .sample = (enum pm_sample)(i / 2 % 4),
            .gain = 1.6,
            .photon = 0.01,
            .dy = 4,
            .dx = -7,
            .seed = (uint64_t)i};
        struct pm_pair p;
        pm_pair_open_within(&p, &spec, 20);
        check_all(&p, centres, 7);
        pm_pair_close(&p);
    }
}

static void small_and_narrow_images(void **state)
{
    (void)state;
    const int sizes[][2] = {{8, 8}, {16, 16}, {8, 300}, {300, 8}, {9, 13}, {17, 16}};
    for (int i = 0; i < 12; i++) {
        struct pm_synth spec = {.w = sizes[i / 2][0],
            .h = sizes[i / 2][1],
            .channels = i % 2 != 0 ? 3 : 1,
            .sample = PM_U16,
            .read = 0.01,
            .seed = 1};
        struct pm_pair p;
        pm_pair_open_within(&p, &spec, 128);
        struct pm_range r = pm_align_range(spec.w, spec.h, 128);
        const int centres[][2] = {{0, 0}, {r.dy, r.dx}, {-r.dy, r.dx}, {r.dy, -r.dx}};
        check_all(&p, centres, 4);
        pm_pair_close(&p);
    }
}

static void samples_not_finite_are_left_out(void **state)
{
    (void)state;
    const int centres[][2] = {{0, 0}, {3, -5}};
    struct pm_synth spec = {
        .w = 90, .h = 70, .channels = 3, .sample = PM_F32, .read = 0.01, .seed = 8};
    struct pm_pair p;
    pm_pair_open_within(&p, &spec, 20);
    for (int i = 0; i < 70; i++) {
        pm_synth_put(p.gt_image, i, i % 13, 1, NAN);
        pm_synth_put(p.target_image, i, 80 - i % 17, 2, INFINITY);
    }
    pm_pair_renew(&p);
    check_all(&p, centres, 2);
    pm_pair_close(&p);
}

static void a_sample_of_bands_comes_near_and_knows_how_near(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 160,
        .h = 3300,
        .channels = 1,
        .sample = PM_U16,
        .read = 0.05,
        .dy = 2,
        .dx = 3,
        .seed = 11};
    struct pm_pair p;
    struct pm_bands *bands = NULL;
    pm_pair_open_within(&p, &spec, 20);
    assert_int_equal(pm_bands_new(&bands, NULL), PM_OK);
    assert_int_equal(pm_bands_begin(bands, &p.query, NULL), PM_OK);
    int step = pm_bands_first_step(bands);
    assert_int_equal(step, 16);
    assert_int_equal(pm_bands_sum3(bands, 2, 3, step, true, NULL), PM_OK);
    for (int k = 0; k < 9; k++) {
        struct pm_bands_at there = {1 + k / 3, 2 + k % 3}, best = {2, 3};
        struct pm_bands_difference d = pm_bands_compare(bands, there, best, step, 2);
        double want = pm_align_loss(p.gt_image, p.target_image, p.query.gain, there.dy, there.dx) -
                      pm_align_loss(p.gt_image, p.target_image, p.query.gain, 2, 3);
        if (k != 4) {
            assert_true(fabs(d.loss - want) < 6 * d.sampling);
            assert_true(d.loss > 5 * d.sampling);
        }
    }
    struct pm_bands_difference unknown =
        pm_bands_compare(bands, (struct pm_bands_at){9, 9}, (struct pm_bands_at){2, 3}, step, 2);
    assert_true(isnan(unknown.loss));
    pm_bands_free(bands);
    pm_bands_free(NULL);
    pm_pair_close(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_bands_give_the_reported_loss),
        cmocka_unit_test(small_and_narrow_images),
        cmocka_unit_test(samples_not_finite_are_left_out),
        cmocka_unit_test(a_sample_of_bands_comes_near_and_knows_how_near),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
