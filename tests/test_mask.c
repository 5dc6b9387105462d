/* mask: the step against a plain version of RAWNIND.md 2.6 on single pixels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "tests/lib/stepkit.h"
#include "worker/align/align.h"
#include "worker/task.h"

#define W 62 /* the overlap at (3, -2) */
#define H 45

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int at(const unsigned char *map, int x, int y)
{
    return x >= 0 && y >= 0 && x < W && y < H && map[y * W + x];
}

static void plain_open(unsigned char *map)
{
    unsigned char eroded[W * H], opened[W * H];
    for (int i = 0; i < W * H; i++) {
        int x = i % W, y = i / W;
        eroded[i] = at(map, x, y) && at(map, x - 1, y) && at(map, x + 1, y) && at(map, x, y - 1) &&
                    at(map, x, y + 1);
    }
    for (int i = 0; i < W * H; i++) {
        int x = i % W, y = i / W;
        opened[i] = at(eroded, x, y) || at(eroded, x - 1, y) || at(eroded, x + 1, y) ||
                    at(eroded, x, y - 1) || at(eroded, x, y + 1);
    }
    memcpy(map, opened, sizeof opened);
}

static double overlap_mean(const struct pm_image *image, int x0, int y0)
{
    double sum = 0;
    for (int i = 0; i < W * H * 3; i++) {
        sum += kit_get(image, x0 + i / 3 % W, y0 + i / 3 / W, i % 3);
    }
    return sum / (W * H * 3);
}

static void plain_mask(const struct stepkit *f, unsigned char *map)
{
    const struct pm_image *gt = f->task.gt->image, *target = f->task.target->image;
    double loss[W * H], sorted[W * H];
    double k = overlap_mean(gt, 0, 3) / overlap_mean(target, 2, 0);
    for (int i = 0; i < W * H; i++) {
        loss[i] = 0;
        for (int c = 0; c < 3; c++) {
            loss[i] += fabs(pow(kit_get(gt, i % W, 3 + i / W, c), 1 / 2.2) -
                            pow(k * kit_get(target, 2 + i % W, i / W, c), 1 / 2.2));
        }
    }
    memcpy(sorted, loss, sizeof loss);
    qsort(sorted, W * H, sizeof *sorted, ascending);
    double rank = 0.9999 * (W * H - 1);
    double part = rank - floor(rank), a = sorted[(int)rank], b = sorted[(int)rank + 1];
    double threshold = fmin(0.4, a + (b - a) * part);
    for (int i = 0; i < W * H; i++) {
        map[i] = loss[i] < threshold;
    }
    plain_open(map);
    for (int i = 0; i < W * H; i++) {
        for (int c = 0; c < 3; c++) {
            map[i] = map[i] && kit_get(gt, i % W, 3 + i / W, c) < 1;
        }
    }
}

static void it_equals_the_plain_one(void **state)
{
    struct stepkit *f = *state;
    struct pm_image *gt = kit_image(64, 48, 3, PM_U16);
    unsigned char want[W * H];
    int64_t set = 0;
    kit_texture(gt, 0, 0, 1, 0, 1);
    for (int i = 0; i < 100; i++) { /* clipped in one channel only */
        kit_put(gt, 20 + i % 10, 20 + i / 10, 1, 1);
    }
    kit_write_tiff(f->job.gt_path, gt);
    pm_image_free(gt);
    f->job.gt = kit_stamp(f->job.gt_path);
    stepkit_run_to_mask(f);
    plain_mask(f, want);
    for (int i = 0; i < W * H; i++) {
        int bit = (int)(pm_bitmap_row(&f->task.mask, i / W)[0] >> (i % W) & 1);
        assert_int_equal(bit, want[i]);
        set += want[i];
    }
    assert_true(f->result.mask_mean == (double)set / (W * H));
    assert_true(set < W * H - 100 && set > W * H / 2);
}

static void the_loss_comes_with_it(void **state)
{
    struct stepkit *f = *state;
    stepkit_run_to_mask(f);
    assert_true(f->result.shift.loss == pm_align_loss(f->task.gt->image, f->task.target->image,
                                            f->result.shift.gain, 3, -2));
    assert_true(f->result.shift.loss_ms >= 0);
}

static void no_overlap_is_an_error(void **state)
{
    struct stepkit *f = *state;
    stepkit_run_to_mask(f);
    pm_bitmap_fini(&f->task.mask);
    f->result.overlap = pm_overlap_full(64, 48, 48, 0);
    assert_int_equal(pm_mask_run(f->kit.worker, &f->task, &f->err), PM_EOVERLAP);
    assert_non_null(strstr(f->err.text, f->job.target_path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_equals_the_plain_one, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(the_loss_comes_with_it, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(no_overlap_is_an_error, stepkit_set_up, stepkit_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
