/* prep: sums, means and the level against a scan of every sample, however the rows come. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/synth.h"
#include "worker/align/align.h"
#include "worker/align/prep.h"
#include "worker/align/prep_levels.h"

static struct pm_image *scene(int w, int h, int channels, enum pm_sample sample)
{
    struct pm_synth spec = {.w = w, .h = h, .channels = channels, .sample = sample, .seed = 3};
    struct pm_image *gt = NULL;

    pm_synth_pair(&spec, &gt, NULL);
    return gt;
}

static double level_value(const struct pm_prep *prep, int y, int x)
{
    const struct pm_level *level = pm_prep_level(prep);
    return level->data[(size_t)y * level->stride + (size_t)x] * level->unit;
}

/* Mean of a 4x4 block over all channels, finite samples only. */
static double block_mean(const struct pm_image *image, int y, int x)
{
    double sum = 0;
    int n = 0;
    for (int i = 0; i < 16 * image->channels; i++) {
        double v = pm_synth_get(image, 4 * y + i / 4 % 4, 4 * x + i % 4, i / 16);
        if (isfinite(v)) {
            sum += v;
            n++;
        }
    }
    return sum / n;
}

static const int sizes[][2] = {{16, 16}, {4, 4}, {131, 67}, {97, 101}, {64, 33}, {3, 2}, {1, 9}};

static void sums_and_level_of_every_type_and_size(void **state)
{
    (void)state;
    for (int i = 0; i < 8 * 7; i++) {
        int w = sizes[i / 8][0], h = sizes[i / 8][1], channels = i % 2 != 0 ? 3 : 1;
        struct pm_image *image = scene(w, h, channels, (enum pm_sample)(i / 2 % 4));
        struct pm_prep *prep = NULL;
        double sum[3] = {0}, all = 0;
        assert_int_equal(pm_prep_of_image(&prep, image, NULL), PM_OK);
        for (int k = 0; k < w * h * channels; k++) {
            double v = pm_synth_get(image, k / channels / w, k / channels % w, k % channels);
            sum[k % channels] += v / w / h;
            all += v / w / h / channels;
        }
        for (int c = 0; c < channels; c++) {
            assert_true(fabs(pm_prep_channel_mean(prep, c) - sum[c]) < 1e-6);
        }
        assert_true(fabs(pm_prep_mean(prep) - all) < 1e-6);
        assert_int_equal(pm_prep_non_finite(prep), 0);
        assert_int_equal(pm_prep_level(prep)->w, w / 4);
        assert_int_equal(pm_prep_level(prep)->h, h / 4);
        for (int b = 0; b < (w / 4) * (h / 4); b++) {
            double want = block_mean(image, b / (w / 4), b % (w / 4));
            assert_true(fabs(level_value(prep, b / (w / 4), b % (w / 4)) - want) < 2 / 8192.0);
        }
        pm_prep_free(prep);
        pm_image_free(image);
    }
}

static void any_chunking_gives_the_same(void **state)
{
    (void)state;
    const int steps[] = {1, 2, 3, 5, 8, 64};
    for (int sample = PM_U8; sample <= PM_F32; sample++) {
        struct pm_image *image = scene(150, 87, 3, (enum pm_sample)sample);
        struct pm_prep *whole = NULL;
        assert_int_equal(pm_prep_of_image(&whole, image, NULL), PM_OK);
        const struct pm_level *want = pm_prep_level(whole);
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            struct pm_prep *prep = NULL;
            assert_int_equal(pm_prep_new(&prep, 150, 87, 3, (enum pm_sample)sample, NULL), PM_OK);
            struct pm_row_sink sink = pm_prep_sink(prep);
            for (int y = 0; y < 87; y += steps[s]) {
                sink.rows(sink.ctx, image, y, y + steps[s] < 87 ? y + steps[s] : 87);
            }
            pm_prep_finish(prep);
            assert_memory_equal(pm_prep_level(prep)->data, want->data,
                want->stride * (size_t)want->h * sizeof *want->data);
            double a = pm_prep_mean(prep), b = pm_prep_mean(whole);
            assert_memory_equal(&a, &b, sizeof a);
            pm_prep_free(prep);
        }
        pm_prep_free(whole);
        pm_image_free(image);
    }
}

/* 12-bit data in a 16-bit file, in a dark scene: the level must not lose it to the unused bits. */
static void dark_images_keep_their_bits(void **state)
{
    (void)state;
    struct pm_image *image = scene(64, 64, 3, PM_U16);
    struct pm_prep *prep = NULL;
    for (int y = 0; y < 64; y++) {
        uint16_t *row = (uint16_t *)(void *)(image->data + (size_t)y * image->stride);
        for (int i = 0; i < 64 * 3; i++) {
            row[i] = (uint16_t)(row[i] / 2048); /* 0..31 */
        }
    }
    assert_int_equal(pm_prep_of_image(&prep, image, NULL), PM_OK);
    for (int b = 0; b < 256; b++) {
        double want = block_mean(image, b / 16, b % 16);
        assert_true(fabs(level_value(prep, b / 16, b % 16) - want) < 1e-9);
    }
    pm_prep_free(prep);
    pm_image_free(image);
}

static void samples_not_finite_are_counted_and_left_out(void **state)
{
    (void)state;
    for (int sample = PM_F16; sample <= PM_F32; sample++) {
        struct pm_image *image = scene(200, 40, 3, (enum pm_sample)sample);
        struct pm_prep *prep = NULL;
        double sum = 0;
        int64_t n = 0;
        for (int y = 8; y < 12; y++) {
            for (int x = 0; x < 6; x++) {
                pm_synth_put(image, y, x, 1, NAN);
                pm_synth_put(image, y, x, 0, x < 4 ? (double)INFINITY : 0.5);
                pm_synth_put(image, y, x, 2, x < 4 ? -(double)INFINITY : 0.5);
            }
        }
        for (int k = 0; k < 200 * 40 * 3; k++) {
            double v = pm_synth_get(image, k / 600, k / 3 % 200, k % 3);
            sum += isfinite(v) ? v : 0;
            n += isfinite(v);
        }
        assert_int_equal(pm_prep_of_image(&prep, image, NULL), PM_OK);
        assert_int_equal(pm_prep_non_finite(prep), 200 * 40 * 3 - n);
        assert_true(fabs(pm_prep_mean(prep) - sum / (double)n) < 1e-6);
        assert_true(fabs(level_value(prep, 2, 0) - sum / (double)n) < 1e-3); /* no sample: mean */
        assert_true(fabs(level_value(prep, 2, 1) - block_mean(image, 2, 1)) < 1e-3);
        pm_prep_free(prep);
        pm_image_free(image);
    }
}

static void hot_pixels_do_not_take_the_bits_of_a_float_image(void **state)
{
    (void)state;
    struct pm_image *image = scene(400, 300, 1, PM_F32);
    struct pm_prep *prep = NULL;
    pm_synth_put(image, 10, 10, 0, 1e6);
    pm_synth_put(image, 200, 100, 0, -1e6);
    assert_int_equal(pm_prep_of_image(&prep, image, NULL), PM_OK);
    for (int b = 0; b < 100 * 75; b++) {
        double want = block_mean(image, b / 100, b % 100);
        if (fabs(want) < 2) {
            assert_true(fabs(level_value(prep, b / 100, b % 100) - want) < 1e-3);
        }
    }
    pm_prep_free(prep);
    pm_image_free(image);
}

static void gain_is_the_ratio_of_the_means_or_an_error(void **state)
{
    (void)state;
    struct pm_image *a = scene(64, 48, 3, PM_F32), *b = scene(64, 48, 3, PM_F32);
    struct pm_prep *pa = NULL, *pb = NULL;
    struct pm_err err = {.code = PM_OK};
    double gain = 0;
    for (int k = 0; k < 64 * 48 * 3; k++) {
        double v = pm_synth_get(a, k / 192, k / 3 % 64, k % 3);
        pm_synth_put(b, k / 192, k / 3 % 64, k % 3, v / 4);
    }
    assert_int_equal(pm_prep_of_image(&pa, a, NULL), PM_OK);
    assert_int_equal(pm_prep_of_image(&pb, b, NULL), PM_OK);
    assert_int_equal(pm_align_gain(pa, pb, &gain, &err), PM_OK);
    assert_true(fabs(gain - 4) < 1e-5);
    pm_prep_free(pb);
    memset(b->data, 0, b->bytes);
    assert_int_equal(pm_prep_of_image(&pb, b, NULL), PM_OK);
    assert_int_equal(pm_align_gain(pa, pb, &gain, &err), PM_EGAIN);
    assert_int_equal(pm_align_gain(pb, pa, &gain, &err), PM_EGAIN);
    assert_non_null(strstr(err.text, "gain"));
    pm_prep_free(pb);
    memset(b->data, 0xff, b->bytes); /* every sample NaN */
    assert_int_equal(pm_prep_of_image(&pb, b, NULL), PM_OK);
    assert_int_equal(pm_align_gain(pa, pb, &gain, &err), PM_EGAIN);
    pm_prep_free(pa);
    pm_prep_free(pb);
    pm_image_free(a);
    pm_image_free(b);
}

static void memory_stays_small(void **state)
{
    (void)state;
    struct pm_image *image = scene(1200, 800, 3, PM_U16);
    struct pm_prep *prep = NULL;
    assert_int_equal(pm_prep_of_image(&prep, image, NULL), PM_OK);
    assert_true(pm_prep_bytes(prep) < image->bytes / 20);
    pm_prep_free(prep);
    pm_prep_free(NULL);
    pm_image_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_and_level_of_every_type_and_size),
        cmocka_unit_test(any_chunking_gives_the_same),
        cmocka_unit_test(dark_images_keep_their_bits),
        cmocka_unit_test(samples_not_finite_are_counted_and_left_out),
        cmocka_unit_test(hot_pixels_do_not_take_the_bits_of_a_float_image),
        cmocka_unit_test(gain_is_the_ratio_of_the_means_or_an_error),
        cmocka_unit_test(memory_stays_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
