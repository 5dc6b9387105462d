/* mask_scan: the passes against a plain version that keeps every loss and sorts them all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "tests/lib/workerkit.h"
#include "worker/align/align.h"
#include "worker/mask_exact.h"
#include "worker/mask_scan.h"

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double plain_quantile(const double *loss, size_t n, double q)
{
    double *sorted = malloc((n + 1) * sizeof *sorted);
    size_t used = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isnan(loss[i])) {
            sorted[used++] = loss[i];
        }
    }
    qsort(sorted, used, sizeof *sorted, ascending);
    double rank = q * (double)(used - 1), t = rank - floor(rank);
    double a = sorted[(size_t)rank], b = t > 0 ? sorted[(size_t)rank + 1] : a;
    free(sorted);
    return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
}

/* Everything again, pixel by pixel. */
static void check(struct pm_mask_scan *scan)
{
    int w = scan->overlap.w, h = scan->overlap.h;
    double *loss = malloc((size_t)(w * h) * sizeof *loss);
    struct pm_mask_exact exact;
    struct pm_bitmap keep, ok;
    struct pm_err err;

    pm_mask_exact_init(&exact, scan->gt->sample, scan->gt->channels, scan->overlap_gain);
    for (int i = 0; i < w * h; i++) {
        loss[i] = pm_mask_exact_px(&exact,
            (const char *)pm_image_row(scan->gt, scan->overlap.gt_y + i / w) +
                (size_t)(scan->overlap.gt_x * scan->gt->channels) *
                    pm_sample_bytes(scan->gt->sample),
            (const char *)pm_image_row(scan->target, scan->overlap.target_y + i / w) +
                (size_t)(scan->overlap.target_x * scan->gt->channels) *
                    pm_sample_bytes(scan->gt->sample),
            i % w);
    }
    double want = scan->loss_threshold;
    if (scan->loss_quantile < 1) {
        want = fmin(want, plain_quantile(loss, (size_t)(w * h), scan->loss_quantile));
    }
    want = want == 0 ? 1 : want;
    assert_int_equal(pm_bitmap_init(&keep, w, h, NULL, &err), PM_OK);
    assert_int_equal(pm_bitmap_init(&ok, w, h, NULL, &err), PM_OK);
    assert_int_equal(pm_mask_scan_run(scan, &keep, &ok, &err), PM_OK);
    assert_true(scan->threshold == want);
    for (int i = 0; i < w * h; i++) {
        int bit = (int)(pm_bitmap_row(&keep, i / w)[i % w / 64] >> (i % w % 64) & 1);
        int ok_bit = (int)(pm_bitmap_row(&ok, i / w)[i % w / 64] >> (i % w % 64) & 1);
        int fine = 1;
        for (int c = 0; c < scan->gt->channels; c++) {
            fine &= kit_get(scan->gt_source, scan->overlap.gt_x + i % w, scan->overlap.gt_y + i / w,
                        c) < scan->overexposure;
        }
        assert_int_equal(bit, loss[i] < want);
        assert_int_equal(ok_bit, fine);
    }
    free(loss);
    pm_bitmap_fini(&keep);
    pm_bitmap_fini(&ok);
}

static struct pm_mask_scan make_scan(
    const struct pm_image *gt, const struct pm_image *target, int dy, int dx)
{
    return (struct pm_mask_scan){.gt = gt,
        .target = target,
        .gt_source = gt,
        .overlap = pm_overlap_full(gt->w, gt->h, dy, dx),
        .trimmed = pm_overlap_trimmed(gt->w, gt->h, dy, dx),
        .overlap_gain = 1.24,
        .pair_gain = 1.25,
        .loss_threshold = 0.4,
        .loss_quantile = 0.9999,
        .overexposure = 0.7,
        .clock = pm_clock_real()};
}

static void all_types_shapes_and_quantiles(void **state)
{
    static const int sizes[][2] = {{1, 1}, {5, 3}, {64, 4}, {65, 7}, {130, 20}, {600, 3}};
    static const double quantiles[] = {0.9999, 1, 0.9, 0.37, 0};
    (void)state;
    for (int sample = PM_U8; sample <= PM_F32; sample++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            int channels = i % 2 == 0 ? 3 : 1, w = sizes[i][0] + 2, h = sizes[i][1] + 1;
            struct pm_image *gt = kit_image(w, h, channels, (enum pm_sample)sample);
            struct pm_image *target = kit_image(w, h, channels, (enum pm_sample)sample);
            kit_texture(gt, 0, 0, 1, 0, 1);
            kit_texture(target, -2, 1, 0.8, 0.1, 2);
            for (size_t j = 0; j < sizeof quantiles / sizeof quantiles[0]; j++) {
                struct pm_mask_scan scan = make_scan(gt, target, 1, -2);
                scan.loss_quantile = quantiles[j];
                check(&scan);
                scan.loss_threshold = 0.02;
                check(&scan);
            }
            pm_image_free(gt);
            pm_image_free(target);
        }
    }
}

/* Thousands of pixels with one and the same loss at the quantile; none may go wrong together. */
static void ties_are_all_decided_alike(void **state)
{
    struct pm_image *gt = kit_image(200, 60, 3, PM_U8), *target = kit_image(200, 60, 3, PM_U8);
    (void)state;
    for (int i = 0; i < 200 * 60 * 3; i++) {
        kit_put(gt, i / 3 % 200, i / 600, i % 3, 0.5);
        kit_put(target, i / 3 % 200, i / 600, i % 3, i / 3 % 200 < 150 ? 0.45 : 0.4);
    }
    struct pm_mask_scan scan = make_scan(gt, target, 0, 0);
    check(&scan);
    scan.loss_quantile = 0.7;
    check(&scan);
    pm_image_free(target);
    scan = make_scan(gt, gt, 0, 0); /* all losses 0, or all one value */
    scan.overlap_gain = 1;
    check(&scan);
    assert_true(scan.threshold == 1);
    scan.overlap_gain = 1.1;
    check(&scan);
    pm_image_free(gt);
}

static void odd_floats_do_not_poison_the_quantile(void **state)
{
    struct pm_image *gt = kit_image(150, 40, 3, PM_F32), *target = kit_image(150, 40, 3, PM_F32);
    (void)state;
    kit_texture(gt, 0, 0, 1, 0, 1);
    kit_texture(target, 0, 0, 0.8, 0.01, 2);
    kit_put(gt, 10, 10, 1, (double)NAN);
    kit_put(gt, 70, 10, 0, (double)INFINITY);
    kit_put(target, 100, 10, 2, (double)-INFINITY);
    kit_put(target, 20, 20, 2, 1e30);
    kit_put(target, 21, 20, 2, -5);
    struct pm_mask_scan scan = make_scan(gt, target, 0, 0);
    check(&scan);
    scan.loss_quantile = 0.5;
    check(&scan);
    for (int i = 0; i < 150 * 40; i++) {
        kit_put(gt, i % 150, i / 150, 0, (double)NAN);
    }
    struct pm_bitmap keep, ok;
    struct pm_err err;
    assert_int_equal(pm_bitmap_init(&keep, 150, 40, NULL, &err), PM_OK);
    assert_int_equal(pm_bitmap_init(&ok, 150, 40, NULL, &err), PM_OK);
    assert_int_equal(pm_mask_scan_run(&scan, &keep, &ok, &err), PM_OK); /* no finite loss at all */
    assert_int_equal(pm_bitmap_count(&keep, (struct pm_rect){0, 0, 150, 40}), 0);
    assert_int_equal(pm_bitmap_count(&ok, (struct pm_rect){0, 0, 150, 40}), 0);
    pm_bitmap_fini(&keep);
    pm_bitmap_fini(&ok);
    pm_image_free(gt);
    pm_image_free(target);
}

static void the_loss_is_pm_align_loss_to_the_bit(void **state)
{
    static const int shifts[][2] = {{0, 0}, {1, -1}, {-3, 2}, {4, 5}, {-5, -6}};
    (void)state;
    for (int sample = PM_U8; sample <= PM_F32; sample++) {
        struct pm_image *gt = kit_image(90, 40, 3, (enum pm_sample)sample);
        struct pm_image *target = kit_image(90, 40, 3, (enum pm_sample)sample);
        kit_texture(gt, 0, 0, 1, 0, 1);
        kit_texture(target, 1, 2, 0.8, 0.1, 2);
        for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
            int dy = shifts[i][0], dx = shifts[i][1];
            struct pm_mask_scan scan = make_scan(gt, target, dy, dx);
            check(&scan);
            assert_true(scan.loss == pm_align_loss(gt, target, 1.25, dy, dx));
        }
        pm_image_free(gt);
        pm_image_free(target);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_types_shapes_and_quantiles),
        cmocka_unit_test(ties_are_all_decided_alike),
        cmocka_unit_test(odd_floats_do_not_poison_the_quantile),
        cmocka_unit_test(the_loss_is_pm_align_loss_to_the_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
