#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "worker/align/fftplans.h"

static float value(int y, int x)
{
    return (float)((y * 7919 + x * 104729) % 1009) / 1009.0F - 0.5F;
}

struct arrays {
    int w, h;
    float *real, *back;
    float (*spectrum)[2];
};

static struct arrays make_arrays(int w, int h)
{
    size_t n = (size_t)w * (size_t)h;
    struct arrays a = {.w = w, .h = h};
    a.real = pm_fft_alloc(n * sizeof(float));
    a.back = pm_fft_alloc(n * sizeof(float));
    a.spectrum = pm_fft_alloc((size_t)(w / 2 + 1) * (size_t)h * sizeof *a.spectrum);
    assert_non_null(a.real);
    assert_non_null(a.back);
    assert_non_null(a.spectrum);
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            a.real[(size_t)y * (size_t)w + (size_t)x] = value(y, x);
        }
    }
    return a;
}

static void free_arrays(struct arrays *a)
{
    pm_fft_release(a->real);
    pm_fft_release(a->back);
    pm_fft_release(a->spectrum);
}

/* The transform as it is defined, one bin. */
static void plain_bin(const struct arrays *a, int rows, int v, int u, double out[2])
{
    out[0] = out[1] = 0;
    for (int y = 0; y < rows; y++) {
        for (int x = 0; x < a->w; x++) {
            double angle = -2 * M_PI * ((double)u * x / a->w + (double)v * y / a->h);
            out[0] += (double)value(y, x) * cos(angle);
            out[1] += (double)value(y, x) * sin(angle);
        }
    }
}

static void check_spectrum(const struct arrays *a, int rows)
{
    int bins = a->w / 2 + 1;
    for (int i = 0; i < 12; i++) {
        int v = i * 5 % a->h, u = i == 0 ? 0 : (i == 1 ? bins - 1 : i * 7 % bins);
        size_t at = (size_t)v * (size_t)bins + (size_t)u;
        double expect[2];
        plain_bin(a, rows, v, u, expect);
        assert_true(fabs((double)a->spectrum[at][0] - expect[0]) < 1e-3);
        assert_true(fabs((double)a->spectrum[at][1] - expect[1]) < 1e-3);
    }
}

static void check_back(const struct arrays *a, int y0, int y1)
{
    double scale = 1.0 / ((double)a->w * a->h);
    for (int y = y0; y < y1; y++) {
        for (int x = 0; x < a->w; x++) {
            double got = (double)a->back[(size_t)y * (size_t)a->w + (size_t)x] * scale;
            assert_true(fabs(got - (double)value(y, x)) < 1e-5);
        }
    }
}

/* Sizes with whole and broken blocks, smaller than a block, odd, prime and one. */
static const int sizes[][2] = {
    {1, 1}, {1, 7}, {9, 1}, {16, 16}, {30, 17}, {31, 33}, {48, 20}, {64, 50}, {37, 41}};

static void test_both_ways(void **state)
{
    struct pm_fftplans *plans;
    (void)state;
    assert_int_equal(pm_fftplans_new(&plans, NULL, NULL), PM_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct arrays a = make_arrays(sizes[i][0], sizes[i][1]);
        const struct pm_fft *fft;
        assert_int_equal(pm_fft_get(plans, a.w, a.h, &fft, NULL), PM_OK);
        pm_fft_forward(fft, a.real, a.spectrum);
        assert_true(a.real[0] == value(0, 0)); /* kept */
        check_spectrum(&a, a.h);
        pm_fft_backward(fft, a.spectrum, a.back);
        check_back(&a, 0, a.h);
        free_arrays(&a);
    }
    pm_fftplans_free(plans);
}

/* Rows past the given ones are not read: they hold NaN up to the end of their block. */
static void test_only_some_rows(void **state)
{
    struct pm_fftplans *plans;
    const struct pm_fft *fft;
    struct arrays a = make_arrays(40, 70);
    (void)state;
    assert_int_equal(pm_fftplans_new(&plans, NULL, NULL), PM_OK);
    assert_int_equal(pm_fft_get(plans, a.w, a.h, &fft, NULL), PM_OK);
    for (int i = 20 * 40; i < 70 * 40; i++) {
        a.real[i] = i < 32 * 40 ? 0 : NAN;
    }
    pm_fft_forward_rows(fft, a.real, 20, a.spectrum);
    check_spectrum(&a, 20);

    for (int y = 0; y < 70; y++) {
        for (int x = 0; x < 40; x++) {
            a.real[y * 40 + x] = value(y, x);
            a.back[y * 40 + x] = NAN;
        }
    }
    pm_fft_forward(fft, a.real, a.spectrum);
    pm_fft_backward_rows(fft, a.spectrum, 5, 3, a.back);
    check_back(&a, 0, 5);
    check_back(&a, 67, 70);
    assert_true(isnan(a.back[40 * 40])); /* left out */
    free_arrays(&a);
    pm_fftplans_free(plans);
}

static void test_same_plans_again(void **state)
{
    struct pm_fftplans *plans;
    const struct pm_fft *first, *second, *other;
    (void)state;
    assert_int_equal(pm_fftplans_new(&plans, NULL, NULL), PM_OK);
    assert_int_equal(pm_fft_get(plans, 32, 16, &first, NULL), PM_OK);
    assert_int_equal(pm_fft_get(plans, 16, 32, &other, NULL), PM_OK);
    assert_int_equal(pm_fft_get(plans, 32, 16, &second, NULL), PM_OK);
    assert_ptr_equal(first, second);
    assert_ptr_not_equal(first, other);
    pm_fftplans_free(plans);
}

static void test_smooth_size(void **state)
{
    (void)state;
    assert_int_equal(pm_fft_smooth_size(-3), 1);
    assert_int_equal(pm_fft_smooth_size(1), 1);
    assert_int_equal(pm_fft_smooth_size(11), 12);
    assert_int_equal(pm_fft_smooth_size(97), 98);
    assert_int_equal(pm_fft_smooth_size(121), 125);
    assert_int_equal(pm_fft_smooth_size(4128), 4200);
}

static char folder[] = P_tmpdir "/test_fftplans.XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static long size_of(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (long)st.st_size : -1;
}

static void plan_once(const char *path, int n)
{
    struct pm_fftplans *plans;
    const struct pm_fft *fft;
    assert_int_equal(pm_fftplans_new(&plans, path, NULL), PM_OK);
    if (n > 0) {
        assert_int_equal(pm_fft_get(plans, n, n, &fft, NULL), PM_OK);
    }
    pm_fftplans_free(plans);
}

/* Written when plans were made, readable again, and only then. */
static void test_wisdom_is_kept(void **state)
{
    char path[64];
    long size;
    (void)state;
    (void)snprintf(path, sizeof path, "%s/wisdom", folder);
    plan_once(path, 0);
    assert_int_equal(size_of(path), -1);
    plan_once(path, 8);
    size = size_of(path);
    assert_true(size > 0);
    plan_once(path, 0);
    assert_int_equal(size_of(path), size);
    assert_int_equal(unlink(path), 0);
}

static void write_text(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* Damaged, empty, a folder, in a folder that is not there: costs time, no more. */
static void test_bad_wisdom(void **state)
{
    char path[64];
    (void)state;
    (void)snprintf(path, sizeof path, "%s/wisdom", folder);
    write_text(path, "(fftw-3.3.10 fftwf_wisdom #x12 #x");
    plan_once(path, 8);
    assert_true(size_of(path) > 40); /* replaced by a sound one */
    write_text(path, "");
    plan_once(path, 8);
    assert_true(size_of(path) > 40);
    assert_int_equal(unlink(path), 0);
    plan_once(folder, 8);
    (void)snprintf(path, sizeof path, "%s/none/wisdom", folder);
    plan_once(path, 8);
    assert_int_equal(size_of(path), -1);
}

struct share {
    struct pm_fftplans *plans;
    pthread_t thread;
    int ok;
};

static void *use_plans(void *arg)
{
    struct share *share = arg;
    for (int n = 8; n <= 40; n += 8) {
        const struct pm_fft *fft;
        float *real = pm_fft_alloc(sizeof(float) * (size_t)n * (size_t)n);
        float(*spectrum)[2] = pm_fft_alloc(sizeof *spectrum * (size_t)(n / 2 + 1) * (size_t)n);
        if (pm_fft_get(share->plans, n, n, &fft, NULL) != PM_OK) {
            return NULL;
        }
        for (int i = 0; i < n * n; i++) {
            real[i] = 1;
        }
        pm_fft_forward(fft, real, spectrum);
        share->ok += fabsf(spectrum[0][0] - (float)(n * n)) < 1e-2F;
        pm_fft_release(real);
        pm_fft_release(spectrum);
    }
    return NULL;
}

static void test_many_threads(void **state)
{
    struct pm_fftplans *plans;
    struct share shares[4];
    (void)state;
    assert_int_equal(pm_fftplans_new(&plans, NULL, NULL), PM_OK);
    for (int i = 0; i < 4; i++) {
        shares[i] = (struct share){.plans = plans};
        assert_int_equal(pthread_create(&shares[i].thread, NULL, use_plans, &shares[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(shares[i].thread, NULL);
        assert_int_equal(shares[i].ok, 5);
    }
    pm_fftplans_free(plans);
    pm_fftplans_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_both_ways),
        cmocka_unit_test(test_only_some_rows),
        cmocka_unit_test(test_same_plans_again),
        cmocka_unit_test(test_smooth_size),
        cmocka_unit_test(test_wisdom_is_kept),
        cmocka_unit_test(test_bad_wisdom),
        cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
