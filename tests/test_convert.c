/* convert: every sample keeps its value, and nothing is narrowed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/convert.h"
#include "tests/lib/workerkit.h"

static void the_common_type_holds_both(void **state)
{
    (void)state;
    assert_int_equal(pm_sample_common(PM_U8, PM_U8), PM_U8);
    assert_int_equal(pm_sample_common(PM_U8, PM_U16), PM_U16);
    assert_int_equal(pm_sample_common(PM_U16, PM_U8), PM_U16);
    assert_int_equal(pm_sample_common(PM_F16, PM_F16), PM_F16);
    assert_int_equal(pm_sample_common(PM_F16, PM_F32), PM_F32);
    assert_int_equal(pm_sample_common(PM_U16, PM_F16), PM_F32);
    assert_int_equal(pm_sample_common(PM_F32, PM_U8), PM_F32);
}

/* Every value a type has, in one image. */
static void every_value_survives(void **state)
{
    static const struct {
        enum pm_sample from, to;
        double tolerance; /* of the rounding to float, full scale 1 */
    } cases[] = {{PM_U8, PM_U8, 0}, {PM_U8, PM_U16, 0}, {PM_U8, PM_F32, 3e-8},
        {PM_U16, PM_F32, 3e-8}, {PM_F16, PM_F32, 0}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int h = cases[i].from == PM_U8 ? 1 : 256;
        struct pm_image *in = kit_image(256, h, 1, cases[i].from), *out = NULL;
        struct pm_err err;
        for (int v = 0; v < 256 * h; v++) {
            unsigned char *row = in->data + (size_t)(v / 256) * in->stride;
            if (cases[i].from == PM_U8) {
                row[v] = (unsigned char)v;
            } else {
                ((uint16_t *)(void *)row)[v % 256] = (uint16_t)v;
            }
        }
        in->alpha_dropped = 1;
        assert_int_equal(pm_convert(in, cases[i].to, NULL, &out, &err), PM_OK);
        assert_int_equal(out->sample, cases[i].to);
        assert_int_equal(out->alpha_dropped, 1);
        for (int v = 0; v < 256 * h; v++) {
            double a = kit_get(in, v % 256, v / 256, 0), b = kit_get(out, v % 256, v / 256, 0);
            if (a == a) { /* NaN stays NaN */
                assert_true(a == b || (b > a - cases[i].tolerance && b < a + cases[i].tolerance));
            } else {
                assert_true(b != b);
            }
        }
        pm_image_free(in);
        pm_image_free(out);
    }
}

static void colour_and_rows_stay_in_place(void **state)
{
    struct pm_image *in = kit_image(33, 5, 3, PM_U8), *out = NULL;
    struct pm_err err;
    (void)state;
    kit_texture(in, 0, 0, 1, 0, 1);
    assert_int_equal(pm_convert(in, PM_U16, NULL, &out, &err), PM_OK);
    for (int i = 0; i < 33 * 5 * 3; i++) {
        assert_true(
            kit_get(in, i / 3 % 33, i / 99, i % 3) == kit_get(out, i / 3 % 33, i / 99, i % 3));
    }
    pm_image_free(in);
    pm_image_free(out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_common_type_holds_both),
        cmocka_unit_test(every_value_survives),
        cmocka_unit_test(colour_and_rows_stay_in_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
