/* bruteforce: equal to a search written out over single samples, on every sample type. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/confirm.h"

#define REACH 6

static void check(const struct pm_pair *pair, int max_shift)
{
    struct pm_range range = pm_align_range(pair->gt_image->w, pair->gt_image->h, max_shift);
    struct pm_shift shift = pm_pair_find(pair, PM_METHOD_BRUTEFORCE, max_shift, false);
    int dy = 0, dx = 0;
    pm_pair_plain_search(pair, shift.gain, range.dy, range.dx, &dy, &dx);
    assert_int_equal(shift.dy, dy);
    assert_int_equal(shift.dx, dx);
    assert_int_equal(shift.evaluations, (2 * range.dy + 1) * (2 * range.dx + 1));
    assert_true(fabs(shift.gain - pm_pair_plain_gain(pair)) < 1e-6 * shift.gain);
    assert_int_equal(shift.method, PM_METHOD_BRUTEFORCE);
}

static void check_spec(const struct pm_synth *spec)
{
    struct pm_pair pair;
    pm_pair_open(&pair, spec);
    check(&pair, REACH);
    pm_pair_close(&pair);
}

/* Noise so strong that neighbouring losses are close, and the answer need not be the made shift. */
static void test_every_sample_type(void **state)
{
    (void)state;
    for (int sample = PM_U8; sample <= PM_F32; sample++) {
        for (int channels = 1; channels <= 3; channels += 2) {
            struct pm_synth spec = {
                .w = 41,
                .h = 37,
                .channels = channels,
                .sample = (enum pm_sample)sample,
                .dy = sample - 2,
                .dx = 5 - 3 * sample,
                .gain = 0.4 + sample,
                .read = 0.25,
                .seed = (uint64_t)(sample * 10 + channels),
            };
            check_spec(&spec);
        }
    }
}

/* Smooth scenes without noise: losses of neighbours differ by little more than the rounding. */
static void test_smooth_scenes(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct pm_synth spec = {
            .w = 50,
            .h = 34,
            .channels = 1,
            .sample = seed % 2 == 0 ? PM_U16 : PM_F32,
            .scene = PM_SYNTH_SMOOTH,
            .dy = (int)seed - 3,
            .dx = 2,
            .gain = 3,
            .seed = seed,
        };
        check_spec(&spec);
    }
}

/* Dark to bright, and images hardly larger than the range allows. */
static void test_small_images(void **state)
{
    (void)state;
    for (int n = 9; n < 24; n += 5) {
        struct pm_synth spec = {.w = n,
            .h = 24 - n / 2,
            .channels = 3,
            .sample = PM_U16,
            .dy = 1,
            .dx = -1,
            .gain = 0.25,
            .read = 0.1,
            .seed = (uint64_t)n};
        check_spec(&spec);
    }
}

static void test_one_shift_only(void **state)
{
    struct pm_synth spec = {.w = 20, .h = 20, .channels = 1, .sample = PM_U8, .dy = 2, .seed = 1};
    struct pm_pair pair;
    (void)state;
    pm_pair_open(&pair, &spec);
    check(&pair, 0);
    pm_pair_close(&pair);
}

/* Samples that are NaN or infinite are left out of the loss of each shift. */
static void test_non_finite_samples(void **state)
{
    static const enum pm_sample samples[] = {PM_F16, PM_F32};
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct pm_synth spec = {.w = 40,
            .h = 33,
            .channels = 3,
            .sample = samples[i],
            .dy = 3,
            .dx = -4,
            .gain = 1.5,
            .read = 0.1,
            .seed = 7};
        struct pm_pair pair;
        struct pm_image *gt, *target;
        struct pm_shift shift;
        pm_synth_pair(&spec, &gt, &target);
        for (int k = 0; k < 30; k++) {
            pm_synth_put(gt, k, (7 * k) % 40, k % 3, k % 2 == 0 ? (double)NAN : (double)INFINITY);
            pm_synth_put(target, k, (11 * k) % 40, k % 3, (double)-INFINITY);
        }
        pm_pair_wrap(&pair, gt, target);
        check(&pair, REACH);
        shift = pm_pair_find(&pair, PM_METHOD_BRUTEFORCE, REACH, false);
        assert_true((shift.flags & PM_FLAG_NON_FINITE) != 0);
        pm_pair_close(&pair);
    }
}

/* All shifts are equally good: the nearest to (0,0), and it says so. */
static void test_flat_is_ambiguous(void **state)
{
    struct pm_synth spec = {.w = 60,
        .h = 60,
        .channels = 1,
        .sample = PM_U16,
        .scene = PM_SYNTH_FLAT,
        .gain = 2,
        .seed = 1};
    struct pm_pair pair;
    struct pm_shift shift;
    (void)state;
    pm_pair_open(&pair, &spec);
    shift = pm_pair_find(&pair, PM_METHOD_BRUTEFORCE, 10, false);
    assert_int_equal(shift.dy, 0);
    assert_int_equal(shift.dx, 0);
    assert_true((shift.flags & PM_FLAG_AMBIGUOUS) != 0);
    pm_pair_close(&pair);
}

/* The best shift lies on the edge of the range. */
static void test_edge_is_flagged(void **state)
{
    struct pm_synth spec = {
        .w = 60, .h = 50, .channels = 3, .sample = PM_U8, .dy = -4, .dx = 7, .seed = 3};
    struct pm_pair pair;
    struct pm_shift shift;
    (void)state;
    pm_pair_open(&pair, &spec);
    shift = pm_pair_find(&pair, PM_METHOD_BRUTEFORCE, 7, false);
    assert_int_equal(shift.dy, -4);
    assert_int_equal(shift.dx, 7);
    assert_true((shift.flags & PM_FLAG_SHIFT_AT_LIMIT) != 0);
    shift = pm_pair_find(&pair, PM_METHOD_BRUTEFORCE, 8, false);
    assert_int_equal(shift.dx, 7);
    assert_true((shift.flags & PM_FLAG_SHIFT_AT_LIMIT) == 0);
    pm_pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_sample_type),
        cmocka_unit_test(test_smooth_scenes),
        cmocka_unit_test(test_small_images),
        cmocka_unit_test(test_one_shift_only),
        cmocka_unit_test(test_non_finite_samples),
        cmocka_unit_test(test_flat_is_ambiguous),
        cmocka_unit_test(test_edge_is_flagged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
