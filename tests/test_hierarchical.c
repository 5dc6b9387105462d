/* hierarchical: the made shift at every size, type, gain and noise; the properties a shift has. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/aligned.h"
#include "worker/align/align.h"

static struct pm_aligner *aligner;

static int open_aligner(void **state)
{
    (void)state;
    return pm_aligner_new(&aligner, NULL, NULL) == PM_OK ? 0 : -1;
}

static int close_aligner(void **state)
{
    (void)state;
    pm_aligner_free(aligner);
    return 0;
}

static struct pm_shift find(const struct pm_pair *p, bool swapped, int max_shift)
{
    struct pm_align_opts opts = {
        .method = PM_METHOD_HIERARCHICAL, .max_shift = max_shift, .quality = true};
    struct pm_shift shift;
    assert_int_equal(pm_align_find(aligner, swapped ? &p->target : &p->gt,
                         swapped ? &p->gt : &p->target, &opts, &shift, NULL),
        PM_OK);
    return shift;
}

static uint64_t seed = 0xa4093822299f31d0;

static int dice(int most)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((seed >> 33) % (uint64_t)(2 * most + 1)) - most;
}

static void finds_the_made_shift(void **state)
{
    (void)state;
    const int sizes[][2] = {{811, 709}, {503, 480}, {397, 401}, {257, 263}, {199, 131}};
    const double gains[] = {0.25, 0.7, 1, 1.9, 4};
    const double noise[] = {0, 0.003, 0.02};
    for (int i = 0; i < 20; i++) {
        int limit = i % 5 < 3 ? 100 : 30;
        struct pm_synth spec = {.w = sizes[i % 5][0],
            .h = sizes[i % 5][1],
            .channels = i % 2 != 0 ? 3 : 1,
            .sample = (enum pm_sample)(i / 2 % 4),
            .dy = dice(limit),
            .dx = dice(limit),
            .gain = gains[i / 3 % 5],
            .photon = noise[i % 3] / 10,
            .read = noise[i % 3],
            .seed = (uint64_t)i};
        struct pm_pair p;
        pm_pair_open(&p, &spec);
        struct pm_shift s = find(&p, false, 128);
        assert_int_equal(s.dy, spec.dy);
        assert_int_equal(s.dx, spec.dx);
        assert_true(s.evaluations > 9);
        pm_pair_close(&p);
    }
}

static void a_range_beyond_128_is_searched_too(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 800,
        .h = 700,
        .channels = 1,
        .sample = PM_U8,
        .dy = -277,
        .dx = 293,
        .read = 0.01,
        .seed = 5};
    struct pm_pair p;
    pm_pair_open(&p, &spec);
    struct pm_shift s = find(&p, false, 300);
    assert_true(s.dy == -277 && s.dx == 293);
    s = find(&p, false, 20); /* and a shorter one is kept to */
    assert_true(abs(s.dy) <= 20 && abs(s.dx) <= 20);
    pm_pair_close(&p);
}

static void swapping_negates_and_gain_changes_nothing(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 500,
        .h = 420,
        .channels = 3,
        .sample = PM_U16,
        .dy = 31,
        .dx = -17,
        .read = 0.01,
        .seed = 6};
    struct pm_pair p;
    pm_pair_open(&p, &spec);
    struct pm_shift s = find(&p, false, 64), back = find(&p, true, 64);
    assert_true(s.dy == 31 && s.dx == -17);
    assert_true(back.dy == -31 && back.dx == 17);
    assert_true(fabs(s.gain * back.gain - 1) < 1e-12);
    pm_pair_close(&p);
    spec.gain = 3.3;
    pm_pair_open(&p, &spec);
    s = find(&p, false, 64);
    assert_true(s.dy == 31 && s.dx == -17 && fabs(s.gain - 3.3) < 0.3);
    pm_pair_close(&p);
}

static void transpose(struct pm_image **image)
{
    struct pm_image *out = NULL;
    assert_int_equal(pm_image_new(&out, (*image)->h, (*image)->w, (*image)->channels,
                         (*image)->sample, NULL, NULL),
        PM_OK);
    for (int i = 0; i < out->w * out->h * out->channels; i++) {
        int c = i % out->channels, x = i / out->channels % out->w, y = i / out->channels / out->w;
        pm_synth_put(out, y, x, c, pm_synth_get(*image, x, y, c));
    }
    pm_image_free(*image);
    *image = out;
}

static void transposing_swaps_the_axes(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 420,
        .h = 300,
        .channels = 3,
        .sample = PM_U8,
        .dy = 12,
        .dx = -33,
        .read = 0.01,
        .seed = 6};
    struct pm_pair p;
    pm_pair_open(&p, &spec);
    transpose(&p.gt_image);
    transpose(&p.target_image);
    pm_pair_renew(&p);
    struct pm_shift s = find(&p, false, 64);
    assert_true(s.dy == -33 && s.dx == 12);
    pm_pair_close(&p);
}

static void negative_floats_and_any_scale(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct pm_synth spec = {.w = 450,
            .h = 400,
            .channels = 3,
            .sample = PM_F32,
            .dy = -8,
            .dx = 25,
            .read = 0.01,
            .seed = 8};
        struct pm_pair p;
        pm_pair_open(&p, &spec);
        for (int k = 0; k < spec.w * spec.h * 3; k++) { /* the mean stays positive */
            int y = k / 3 / spec.w, x = k / 3 % spec.w;
            double scale = i == 0 ? 1e-6 : i == 1 ? 3e4 : 1, black = i == 2 ? 0.15 : 0;
            pm_synth_put(
                p.gt_image, y, x, k % 3, scale * (pm_synth_get(p.gt_image, y, x, k % 3) - black));
            pm_synth_put(p.target_image, y, x, k % 3,
                scale * (pm_synth_get(p.target_image, y, x, k % 3) - black));
        }
        pm_pair_renew(&p);
        struct pm_shift s = find(&p, false, 64);
        assert_true(s.dy == -8 && s.dx == 25);
        pm_pair_close(&p);
    }
}

static void samples_not_finite_do_not_disturb(void **state)
{
    (void)state;
    struct pm_synth spec = {.w = 450,
        .h = 400,
        .channels = 3,
        .sample = PM_F32,
        .dy = 9,
        .dx = 14,
        .read = 0.01,
        .seed = 8};
    struct pm_pair p;
    pm_pair_open(&p, &spec);
    for (int k = 0; k < 3000; k++) {
        pm_synth_put(p.gt_image, 100 + k / 60, 100 + k % 60, k % 3, NAN);
        pm_synth_put(p.target_image, 200 + k / 60, 30 + k % 60, k % 3, INFINITY);
    }
    pm_pair_renew(&p);
    struct pm_shift s = find(&p, false, 64);
    assert_true(s.dy == 9 && s.dx == 14);
    assert_true((s.flags & PM_FLAG_NON_FINITE) != 0);
    pm_pair_close(&p);
}

static void never_worse_than_bruteforce_on_small_images(void **state)
{
    (void)state;
    for (int i = 0; i < 24; i++) {
        struct pm_synth spec = {.w = 16 + 7 * (i % 8),
            .h = 16 + 11 * (i % 5),
            .channels = i % 2 != 0 ? 3 : 1,
            .sample = (enum pm_sample)(i / 2 % 4),
            .dy = dice(4),
            .dx = dice(4),
            .read = 0.02,
            .scene = i % 3 == 0 ? PM_SYNTH_SMOOTH : PM_SYNTH_TEXTURE,
            .seed = (uint64_t)i + 50};
        struct pm_pair p;
        pm_pair_open(&p, &spec);
        struct pm_align_input a = {p.gt_image, p.gt_prep}, b = {p.target_image, p.target_prep};
        struct pm_align_opts opts = {.method = PM_METHOD_BRUTEFORCE, .max_shift = 6};
        struct pm_shift brute, mine = find(&p, false, 6);
        assert_int_equal(pm_align_find(aligner, &a, &b, &opts, &brute, NULL), PM_OK);
        assert_true(pm_align_loss(p.gt_image, p.target_image, mine.gain, mine.dy, mine.dx) <=
                    pm_align_loss(p.gt_image, p.target_image, mine.gain, brute.dy, brute.dx));
        pm_pair_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_made_shift),
        cmocka_unit_test(a_range_beyond_128_is_searched_too),
        cmocka_unit_test(swapping_negates_and_gain_changes_nothing),
        cmocka_unit_test(transposing_swaps_the_axes),
        cmocka_unit_test(negative_floats_and_any_scale),
        cmocka_unit_test(samples_not_finite_do_not_disturb),
        cmocka_unit_test(never_worse_than_bruteforce_on_small_images),
    };
    return cmocka_run_group_tests(tests, open_aligner, close_aligner);
}
