/* align: the table of methods, the checks before it, and what it says besides the shift.
 * usage: test_align [pair GT TARGET METHOD[,METHOD...] MAX_SHIFT]
 * With `pair` it is no unit test but one alignment of two files by each method, one JSON object a
 * line, for tests/test_alignment.py. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/formats/reader.h"
#include "tests/lib/aligned.h"

static const enum pm_method searches[] = {
    PM_METHOD_BRUTEFORCE, PM_METHOD_FFT, PM_METHOD_HIERARCHICAL};

static struct pm_align_opts opts_of(enum pm_method method, int max_shift)
{
    return (struct pm_align_opts){.method = method,
        .max_shift = max_shift,
        .auto_bruteforce_below = 64,
        .auto_hierarchical_from = 128,
        .quality = true};
}

/* All methods, sizes even and odd, quality on: the made shift. */
static void test_methods_agree(void **state)
{
    static const int shifts[][2] = {{0, 0}, {5, -9}, {-20, 13}, {31, 32}, {-1, 1}};
    (void)state;
    for (size_t i = 0; i < sizeof shifts / sizeof shifts[0]; i++) {
        struct pm_synth spec = {.w = 151,
            .h = 133 + (int)i,
            .channels = i % 2 == 0 ? 3 : 1,
            .sample = (enum pm_sample)(i % 4),
            .dy = shifts[i][0],
            .dx = shifts[i][1],
            .gain = 0.3 + (double)i,
            .photon = 0.002,
            .read = 0.02,
            .seed = i};
        struct pm_pair pair;
        pm_pair_open(&pair, &spec);
        for (size_t m = 0; m < sizeof searches / sizeof searches[0]; m++) {
            struct pm_shift shift = pm_pair_find(&pair, searches[m], 32, true);
            assert_int_equal(shift.dy, spec.dy);
            assert_int_equal(shift.dx, spec.dx);
            assert_int_equal(shift.method, searches[m]);
            assert_null(shift.fallback);
            assert_non_null(shift.backend);
            assert_true(shift.confidence >= 0 && shift.confidence <= 1);
            assert_true(shift.evaluations > 0);
            assert_true(shift.elapsed_ms >= 0);
            assert_true(isnan(shift.loss)); /* the mask step's business */
        }
        pm_pair_close(&pair);
    }
}

static enum pm_method chosen(int w, int h, enum pm_method asked, const char **fallback)
{
    struct pm_synth spec = {
        .w = w, .h = h, .channels = 1, .sample = PM_U8, .dy = 2, .dx = 1, .seed = 5};
    struct pm_align_opts opts = opts_of(asked, 8);
    struct pm_pair pair;
    struct pm_shift shift;
    pm_pair_open(&pair, &spec);
    assert_int_equal(pm_pair_try(&pair, &opts, &shift, NULL), PM_OK);
    assert_int_equal(shift.dy, 2);
    assert_int_equal(shift.dx, 1);
    *fallback = shift.fallback;
    pm_pair_close(&pair);
    return shift.method;
}

static void test_auto_goes_by_the_shorter_side(void **state)
{
    const char *fallback;
    (void)state;
    assert_int_equal(chosen(200, 63, PM_METHOD_AUTO, &fallback), PM_METHOD_BRUTEFORCE);
    assert_int_equal(chosen(64, 200, PM_METHOD_AUTO, &fallback), PM_METHOD_FFT);
    assert_int_equal(chosen(200, 127, PM_METHOD_AUTO, &fallback), PM_METHOD_FFT);
    assert_int_equal(chosen(128, 200, PM_METHOD_AUTO, &fallback), PM_METHOD_HIERARCHICAL);
    assert_null(fallback);
}

/* What ran is recorded, not what was wished for. */
static void test_gpu_falls_back(void **state)
{
    const char *fallback;
    (void)state;
    assert_int_equal(chosen(100, 90, PM_METHOD_GPU, &fallback), PM_METHOD_FFT);
    assert_string_equal(fallback, "this worker has no GPU");
    assert_int_equal(chosen(60, 90, PM_METHOD_GPU, &fallback), PM_METHOD_BRUTEFORCE);
}

static void expect_refusal(
    const struct pm_pair *pair, int max_shift, enum pm_code code, const char *says)
{
    struct pm_err err = {0};
    struct pm_shift shift;
    for (int method = PM_METHOD_AUTO; method < PM_METHOD_COUNT; method++) {
        struct pm_align_opts opts = opts_of((enum pm_method)method, max_shift);
        assert_int_equal(pm_pair_try(pair, &opts, &shift, &err), code);
        assert_non_null(strstr(err.text, says));
    }
}

static void test_shapes_must_be_equal(void **state)
{
    struct pm_synth spec = {.w = 40, .h = 30, .channels = 3, .sample = PM_U8, .seed = 1};
    struct pm_synth other = spec;
    struct pm_pair pair;
    struct pm_image *gt, *target;
    (void)state;

    other.w = 41;
    pm_synth_pair(&spec, &gt, NULL);
    pm_synth_pair(&other, NULL, &target);
    pm_pair_wrap(&pair, gt, target);
    expect_refusal(&pair, 5, PM_ESIZE, "40x30");
    expect_refusal(&pair, 5, PM_ESIZE, "41x30");
    pm_pair_close(&pair);

    other = spec;
    other.channels = 1;
    pm_synth_pair(&spec, &gt, NULL);
    pm_synth_pair(&other, NULL, &target);
    pm_pair_wrap(&pair, gt, target);
    expect_refusal(&pair, 5, PM_ESIZE, "1 channel,");
    pm_pair_close(&pair);

    other = spec;
    other.sample = PM_F16;
    pm_synth_pair(&spec, &gt, NULL);
    pm_synth_pair(&other, NULL, &target);
    pm_pair_wrap(&pair, gt, target);
    expect_refusal(&pair, 5, PM_ESIZE, "f16");
    pm_pair_close(&pair);
}

static void fill(struct pm_image *image, double value)
{
    for (int y = 0; y < image->h; y++) {
        for (int x = 0; x < image->w; x++) {
            pm_synth_put(image, y, x, 0, value);
        }
    }
}

/* Black, negative on average, not a number everywhere. */
static void test_unusable_gain(void **state)
{
    static const double values[] = {0, -0.25, NAN, INFINITY};
    struct pm_synth spec = {.w = 40, .h = 30, .channels = 1, .sample = PM_F32, .seed = 1};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct pm_pair pair;
        struct pm_image *gt, *target;
        pm_synth_pair(&spec, &gt, &target);
        fill(i % 2 == 0 ? gt : target, values[i]);
        pm_pair_wrap(&pair, gt, target);
        expect_refusal(&pair, 5, PM_EGAIN, "gain");
        pm_pair_close(&pair);
    }
}

static void test_too_small(void **state)
{
    struct pm_synth spec = {.w = 40, .h = 5, .channels = 1, .sample = PM_U8, .seed = 1};
    struct pm_pair pair;
    (void)state;
    pm_pair_open(&pair, &spec);
    expect_refusal(&pair, 5, PM_EOVERLAP, "40x5");
    pm_pair_close(&pair);
}

/* One aligner sees many shapes and all methods, as a worker's does; nothing is left behind. */
static void test_an_aligner_is_reused(void **state)
{
    static const int sizes[][2] = {{96, 80}, {33, 47}, {150, 140}, {40, 130}};
    struct pm_aligner *aligner;
    (void)state;
    assert_int_equal(pm_aligner_new(&aligner, NULL, NULL), PM_OK);
    for (size_t i = 0; i < 8; i++) {
        struct pm_synth spec = {.w = sizes[i % 4][0],
            .h = sizes[i % 4][1],
            .channels = 3,
            .sample = (enum pm_sample)(i / 2),
            .dy = (int)i - 4,
            .dx = 7 - (int)i,
            .gain = 2,
            .read = 0.02,
            .seed = 40 + i};
        struct pm_align_opts opts = opts_of(searches[i % 3], 9);
        struct pm_pair pair;
        struct pm_shift shift;
        pm_pair_open(&pair, &spec);
        assert_int_equal(
            pm_align_find(aligner, &pair.gt, &pair.target, &opts, &shift, NULL), PM_OK);
        assert_int_equal(shift.dy, spec.dy);
        assert_int_equal(shift.dx, spec.dx);
        pm_pair_close(&pair);
    }
    pm_aligner_free(aligner);
    pm_aligner_free(NULL);
}

static void test_alpha_is_told(void **state)
{
    struct pm_synth spec = {.w = 40, .h = 50, .channels = 3, .sample = PM_U8, .seed = 1};
    struct pm_pair pair;
    (void)state;
    pm_pair_open(&pair, &spec);
    assert_true((pm_pair_find(&pair, PM_METHOD_AUTO, 4, false).flags & PM_FLAG_ALPHA_DROPPED) == 0);
    pair.target_image->alpha_dropped = 1;
    assert_true((pm_pair_find(&pair, PM_METHOD_AUTO, 4, false).flags & PM_FLAG_ALPHA_DROPPED) != 0);
    pm_pair_close(&pair);
}

/* Swapping the images turns the sign round and the gain over. */
static void test_swapped(void **state)
{
    struct pm_synth spec = {.w = 90,
        .h = 100,
        .channels = 3,
        .sample = PM_U16,
        .dy = 6,
        .dx = -11,
        .gain = 1.7,
        .read = 0.01,
        .seed = 8};
    (void)state;
    for (size_t m = 0; m < sizeof searches / sizeof searches[0]; m++) {
        struct pm_pair pair, swapped;
        struct pm_shift shift, back;
        pm_pair_open(&pair, &spec);
        shift = pm_pair_find(&pair, searches[m], 16, false);
        swapped = pair;
        swapped.gt = pair.target;
        swapped.target = pair.gt;
        back = pm_pair_find(&swapped, searches[m], 16, false);
        assert_int_equal(back.dy, -shift.dy);
        assert_int_equal(back.dx, -shift.dx);
        assert_true(fabs(back.gain * shift.gain - 1) < 1e-6);
        pm_pair_close(&pair);
    }
}

static struct pm_image *read_file(const char *path)
{
    const struct pm_limits limits = {.max_pixels = INT64_C(1) << 32, .max_bytes = 0};
    struct pm_image *image;
    struct pm_err err = {0};
    if (pm_image_read(path, &limits, NULL, NULL, &image, &err) != PM_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    return image;
}

static void print_shift(const struct pm_pair *pair, const struct pm_shift *shift)
{
    double loss =
        pm_align_loss(pair->gt_image, pair->target_image, shift->gain, shift->dy, shift->dx);
    printf("{\"method\": \"%s\", \"dy\": %d, \"dx\": %d, \"loss\": %.17g, \"gain\": %.17g, "
           "\"confidence\": %.4f, \"flags\": %u, \"elapsed_ms\": %.3f, \"evaluations\": %lld}\n",
        pm_method_name(shift->method), shift->dy, shift->dx, loss, shift->gain, shift->confidence,
        shift->flags, shift->elapsed_ms, (long long)shift->evaluations);
}

static int align_files(char **argv)
{
    struct pm_pair pair;
    struct pm_err err = {0};
    enum pm_code rc = PM_OK;
    struct pm_image *gt = read_file(argv[2]), *target = read_file(argv[3]);
    char *save = NULL;

    pm_pair_wrap(&pair, gt, target);
    for (char *name = strtok_r(argv[4], ",", &save); name != NULL && rc == PM_OK;
         name = strtok_r(NULL, ",", &save)) {
        struct pm_align_opts opts = {.method = pm_method_from_name(name),
            .max_shift = (int)strtol(argv[5], NULL, 10),
            .auto_bruteforce_below = 256,
            .auto_hierarchical_from = 512,
            .quality = true};
        struct pm_shift shift;
        rc = pm_pair_try(&pair, &opts, &shift, &err);
        if (rc == PM_OK) {
            print_shift(&pair, &shift);
        } else {
            fprintf(stderr, "%s: %s\n", name, err.text);
        }
    }
    pm_pair_close(&pair);
    return rc == PM_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_methods_agree),
        cmocka_unit_test(test_auto_goes_by_the_shorter_side),
        cmocka_unit_test(test_gpu_falls_back),
        cmocka_unit_test(test_shapes_must_be_equal),
        cmocka_unit_test(test_unusable_gain),
        cmocka_unit_test(test_too_small),
        cmocka_unit_test(test_an_aligner_is_reused),
        cmocka_unit_test(test_alpha_is_told),
        cmocka_unit_test(test_swapped),
    };
    if (argc == 6 && strcmp(argv[1], "pair") == 0) {
        return align_files(argv);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
