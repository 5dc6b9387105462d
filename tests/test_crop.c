/* crop: where windows lie, which are written, and that their samples are the sources' own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/formats/reader.h"
#include "common/log.h"
#include "tests/lib/stepkit.h"
#include "worker/crop.h"
#include "worker/task.h"

static void windows_cover_every_axis(void **state)
{
    (void)state;
    for (int n = 1; n < 60; n++) {
        for (int size = 1; size < 20; size++) {
            for (int stride = 1; stride <= size; stride++) {
                int count = pm_crop_count(n, size, stride), reached = 0;
                assert_true(count >= 1);
                for (int i = 0; i < count; i++) {
                    int x = pm_crop_origin(n, size, stride, i);
                    assert_true(x <= reached); /* no gap */
                    assert_true(i == 0 || x > pm_crop_origin(n, size, stride, i - 1));
                    assert_true(i == count - 1 || x == i * stride);
                    reached = x + (size < n ? size : n);
                    assert_true(reached <= n);
                }
                assert_int_equal(reached, n);
            }
        }
    }
}

static void shares_decide_what_is_written(void **state)
{
    struct pm_bitmap mask;
    struct pm_crop *crops = NULL;
    struct pm_err err;
    size_t count;
    (void)state;
    assert_int_equal(pm_bitmap_init(&mask, 40, 10, NULL, &err), PM_OK);
    for (int y = 0; y < 10; y++) {
        pm_bitmap_row(&mask, y)[0] = y < 5 ? 0xffffffffffu : 0xfffffu; /* all, or the left half */
    }
    assert_int_equal(pm_crop_plan(&mask, 20, 20, 0.75, &crops, &count, &err), PM_OK);
    assert_int_equal(count, 2);
    assert_true(crops[0].valid == 1 && crops[0].written);
    assert_true(crops[1].valid == 0.5 && !crops[1].written);
    assert_int_equal(crops[1].rect.x, 20);
    assert_int_equal(crops[1].rect.h, 10); /* the overlap is lower than a window */
    free(crops);
    assert_int_equal(pm_crop_plan(&mask, 20, 20, 0.5, &crops, &count, &err), PM_OK);
    assert_true(crops[1].written);
    free(crops);
    pm_bitmap_fini(&mask);
}

static void absurd_numbers_are_refused(void **state)
{
    struct pm_bitmap mask = {.w = 4000, .h = 4000};
    struct pm_crop *crops = NULL;
    struct pm_err err;
    size_t count;
    (void)state;
    assert_int_equal(pm_crop_plan(&mask, 16, 1, 0.5, &crops, &count, &err), PM_ECONF);
    assert_non_null(strstr(err.text, "crop_stride"));
}

static void check_crop(struct stepkit *f, const struct pm_crop *crop, const char *kind,
    const struct pm_image *source, int x0, int y0)
{
    struct pm_limits limits = {.max_pixels = 100000};
    struct pm_image *image = NULL;
    char *path = NULL;
    assert_true(asprintf(&path, "%s/out/.partial/%s/crops/%d_%d.%s.tif", f->dir,
                    f->task.partial.name, crop->rect.x, crop->rect.y, kind) > 0);
    assert_int_equal(pm_image_read(path, &limits, NULL, NULL, &image, &f->err), PM_OK);
    assert_int_equal(image->w, crop->rect.w);
    assert_int_equal(image->sample, source->sample);
    for (int y = 0; y < image->h; y++) {
        const char *want = (const char *)pm_image_row(source, y0 + crop->rect.y + y) +
                           (size_t)(x0 + crop->rect.x) * 3 * pm_sample_bytes(source->sample);
        assert_memory_equal(
            pm_image_row(image, y), want, (size_t)image->w * 3 * pm_sample_bytes(source->sample));
    }
    pm_image_free(image);
    free(path);
}

static void crops_are_the_sources_samples(void **state)
{
    static const char *const compressions[] = {"none", "zstd", "deflate"};
    struct stepkit *f = *state;
    stepkit_run_to_mask(f);
    for (int i = 0; i < 3; i++) {
        kit_set(&f->kit, "crop_compression", compressions[i]);
        assert_int_equal(pm_crop_run(f->kit.worker, &f->task, &f->err), PM_OK);
        assert_int_equal(f->result.crop_count, 20);
        assert_true(f->result.crops_written > 0);
        assert_int_equal(f->task.partial.file_count, 3 * f->result.crops_written);
        for (size_t j = 0; j < f->result.crop_count; j++) {
            if (f->result.crops[j].written) {
                check_crop(f, &f->result.crops[j], "gt", f->task.gt->image, 0, 3);
                check_crop(f, &f->result.crops[j], "target", f->task.target->image, 2, 0);
            }
        }
        pm_partial_discard(&f->task.partial);
        free(f->result.crops);
        f->result.crops = NULL;
        f->result.crops_written = 0;
    }
}

static void it_stops_when_told_to(void **state)
{
    struct stepkit *f = *state;
    atomic_bool abandon = false;
    f->kit.env.abandon = &abandon;
    stepkit_run_to_mask(f);
    abandon = true;
    assert_int_equal(pm_crop_run(f->kit.worker, &f->task, &f->err), PM_ECANCELED);
    f->kit.env.abandon = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            windows_cover_every_axis, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            shares_decide_what_is_written, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            absurd_numbers_are_refused, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            crops_are_the_sources_samples, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(it_stops_when_told_to, stepkit_set_up, stepkit_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
