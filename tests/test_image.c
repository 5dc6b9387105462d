/* image: shapes, alignment, and halves against the compiler's own conversion. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/bufpool.h"
#include "common/image.h"

static void rows_are_aligned_and_hold_a_row(void **state)
{
    (void)state;
    static const enum pm_sample samples[] = {PM_U8, PM_U16, PM_F16, PM_F32};
    for (int w = 1; w < 80; w += 7) {
        for (size_t s = 0; s < 4; s++) {
            for (int channels = 1; channels <= 3; channels += 2) {
                struct pm_image *image;
                assert_int_equal(
                    pm_image_new(&image, w, 3, channels, samples[s], NULL, NULL), PM_OK);
                size_t row = (size_t)w * (size_t)channels * pm_sample_bytes(samples[s]);
                assert_int_equal(image->stride % 64, 0);
                assert_true(image->stride >= row && image->stride < row + 64);
                assert_int_equal((uintptr_t)image->data % 64, 0);
                assert_int_equal(image->bytes, 3 * image->stride);
                assert_int_equal(image->bytes, pm_image_bytes(w, 3, channels, samples[s]));
                assert_ptr_equal(pm_image_row(image, 2), image->data + 2 * image->stride);
                memset(image->data, 0xff, image->bytes); /* ASan: all of it is ours */
                pm_image_free(image);
            }
        }
    }
    pm_image_free(NULL);
}

static void buffer_returns_to_its_pool(void **state)
{
    (void)state;
    struct pm_bufpool *pool;
    struct pm_image *image;
    assert_int_equal(pm_bufpool_new(&pool, 1 << 20, NULL), PM_OK);
    assert_int_equal(pm_image_new(&image, 100, 100, 3, PM_U16, pool, NULL), PM_OK);
    const unsigned char *data = image->data;
    pm_image_free(image);
    assert_true(pm_bufpool_kept(pool) >= 100 * 640);
    assert_int_equal(pm_image_new(&image, 100, 100, 3, PM_U16, pool, NULL), PM_OK);
    assert_ptr_equal(image->data, data);
    pm_image_free(image);
    pm_bufpool_free(pool);
}

static void samples_know_their_scale(void **state)
{
    (void)state;
    assert_true(pm_sample_full_scale(PM_U8) == 255.0);
    assert_true(pm_sample_full_scale(PM_U16) == 65535.0);
    assert_true(pm_sample_full_scale(PM_F16) == 1.0);
    assert_true(pm_sample_full_scale(PM_F32) == 1.0);
    assert_string_equal(pm_sample_name(PM_U16), "u16");
    assert_string_equal(pm_sample_name(PM_F32), "f32");
}

/* By definition of binary16, in double arithmetic: no other conversion is trusted. */
static double half_by_definition(unsigned half)
{
    double sign = half & 0x8000 ? -1.0 : 1.0;
    int exponent = (int)(half >> 10 & 0x1f);
    double mantissa = half & 0x3ff;
    if (exponent == 0) {
        return sign * ldexp(mantissa, -24);
    }
    return sign * ldexp(1024.0 + mantissa, exponent - 25);
}

static void every_half_is_exact(void **state)
{
    (void)state;
    for (unsigned half = 0; half < 0x10000; half++) {
        float value = pm_half_to_float((uint16_t)half);
        if ((half & 0x7c00) == 0x7c00) {
            assert_true((half & 0x3ff) != 0 ? isnan(value) : isinf(value));
        } else {
            assert_true((double)value == half_by_definition(half));
        }
        assert_int_equal(signbit(value) != 0, half >> 15);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_aligned_and_hold_a_row),
        cmocka_unit_test(buffer_returns_to_its_pool),
        cmocka_unit_test(samples_know_their_scale),
        cmocka_unit_test(every_half_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
