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

static float value(int i)
{
    return (float)(i * 7919 % 1009) / 1009.0F - 0.5F;
}

struct arrays {
    int n;
    float (*line)[2], (*spectrum)[2], *real;
};

static struct arrays make_arrays(int n)
{
    struct arrays a = {.n = n};
    a.line = pm_fft_alloc((size_t)n * sizeof *a.line);
    a.spectrum = pm_fft_alloc((size_t)n * sizeof *a.spectrum);
    a.real = pm_fft_alloc((size_t)n * sizeof *a.real);
    assert_non_null(a.line);
    assert_non_null(a.spectrum);
    assert_non_null(a.real);
    for (int i = 0; i < n; i++) {
        a.line[i][0] = value(i);
        a.line[i][1] = value(i + 500);
    }
    return a;
}

static void free_arrays(struct arrays *a)
{
    pm_fft_release(a->line);
    pm_fft_release(a->spectrum);
    pm_fft_release(a->real);
}

/* The transform as it is defined, every bin. */
static void check_spectrum(const struct arrays *a)
{
    for (int k = 0; k < a->n; k++) {
        double re = 0, im = 0;
        for (int i = 0; i < a->n; i++) {
            double angle = -2 * M_PI * k * i / a->n;
            re += (double)a->line[i][0] * cos(angle) - (double)a->line[i][1] * sin(angle);
            im += (double)a->line[i][0] * sin(angle) + (double)a->line[i][1] * cos(angle);
        }
        assert_true(fabs((double)a->spectrum[k][0] - re) < 1e-3);
        assert_true(fabs((double)a->spectrum[k][1] - im) < 1e-3);
    }
}

static const int sizes[] = {1, 2, 7, 16, 30, 31, 48, 64, 135};

static void test_forward(void **state)
{
    struct pm_fftplans *plans;
    (void)state;
    assert_int_equal(pm_fftplans_new(&plans, NULL, NULL), PM_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct arrays a = make_arrays(sizes[i]);
        const struct pm_fft *fft;
        assert_int_equal(pm_fft_get(plans, a.n, &fft, NULL), PM_OK);
        pm_fft_forward(fft, a.line, a.spectrum);
        assert_true(a.line[0][0] == value(0)); /* kept */
        check_spectrum(&a);
        free_arrays(&a);
    }
    pm_fftplans_free(plans);
}

/* The first half of a real line's spectrum gives the line back. */
static void test_backward(void **state)
{
    struct pm_fftplans *plans;
    (void)state;
    assert_int_equal(pm_fftplans_new(&plans, NULL, NULL), PM_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct arrays a = make_arrays(sizes[i]);
        const struct pm_fft *fft;
        assert_int_equal(pm_fft_get(plans, a.n, &fft, NULL), PM_OK);
        for (int k = 0; k < a.n; k++) {
            a.line[k][1] = 0;
        }
        pm_fft_forward(fft, a.line, a.spectrum);
        for (int k = a.n / 2 + 1; k < a.n; k++) {
            a.spectrum[k][0] = a.spectrum[k][1] = NAN; /* not read */
        }
        pm_fft_backward(fft, a.spectrum, a.real);
        for (int k = 0; k < a.n; k++) {
            assert_true(fabs((double)a.real[k] / a.n - (double)value(k)) < 1e-5);
        }
        free_arrays(&a);
    }
    pm_fftplans_free(plans);
}

static void test_same_plans_again(void **state)
{
    struct pm_fftplans *plans;
    const struct pm_fft *first, *second, *other;
    (void)state;
    assert_int_equal(pm_fftplans_new(&plans, NULL, NULL), PM_OK);
    assert_int_equal(pm_fft_get(plans, 32, &first, NULL), PM_OK);
    assert_int_equal(pm_fft_get(plans, 16, &other, NULL), PM_OK);
    assert_int_equal(pm_fft_get(plans, 32, &second, NULL), PM_OK);
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
        assert_int_equal(pm_fft_get(plans, n, &fft, NULL), PM_OK);
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
        struct arrays a = make_arrays(n);
        if (pm_fft_get(share->plans, n, &fft, NULL) != PM_OK) {
            return NULL;
        }
        for (int i = 0; i < n; i++) {
            a.line[i][0] = 1;
            a.line[i][1] = 2;
        }
        pm_fft_forward(fft, a.line, a.spectrum);
        share->ok += fabsf(a.spectrum[0][0] - (float)n) < 1e-3F &&
                     fabsf(a.spectrum[0][1] - (float)(2 * n)) < 1e-3F;
        free_arrays(&a);
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
        cmocka_unit_test(test_forward),
        cmocka_unit_test(test_backward),
        cmocka_unit_test(test_same_plans_again),
        cmocka_unit_test(test_smooth_size),
        cmocka_unit_test(test_wisdom_is_kept),
        cmocka_unit_test(test_bad_wisdom),
        cmocka_unit_test(test_many_threads),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
