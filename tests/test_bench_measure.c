/* bench_measure: the answer and the numbers come back from the process; trouble does too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/bench_measure.h"
#include "cli/bench_scene.h"
#include "common/conf.h"

struct fixture {
    struct pm_conf *conf;
    struct pm_evictor evictor;
    struct pm_bench_pair pair;
    struct pm_bench_scene scene;
};

static int set_up(void **state)
{
    static struct fixture f;
    struct pm_bench_size size = {200, 160};
    f = (struct fixture){.pair = {.name = "small"}};
    assert_int_equal(pm_conf_new(&f.conf, NULL), PM_OK);
    pm_conf_fill(f.conf);
    f.conf->max_shift = 12;
    assert_int_equal(pm_evictor_init(&f.evictor, NULL), PM_OK);
    f.scene = pm_bench_scene_of(size, PM_BENCH_MEDIUM, 12, 4);
    assert_int_equal(pm_bench_scene_draw(&f.scene, &f.pair.gt, &f.pair.target, NULL), PM_OK);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pm_bench_pair_clear(&f->pair);
    pm_evictor_free(&f->evictor);
    pm_conf_unref(f->conf);
    return 0;
}

static struct pm_bench_job job_of(const struct fixture *f, enum pm_method method)
{
    return (struct pm_bench_job){
        .pair = &f->pair, .method = method, .conf = f->conf, .repeat = 3, .evictor = &f->evictor};
}

static void what_was_measured_comes_back(void **state)
{
    struct fixture *f = *state;
    static struct pm_bench_measured m;
    struct pm_bench_job job = job_of(f, PM_METHOD_HIERARCHICAL);
    assert_int_equal(pm_bench_measure(&job, &m, NULL), PM_OK);
    assert_int_equal(m.dy, f->scene.dy);
    assert_int_equal(m.dx, f->scene.dx);
    assert_int_equal(m.times.count, 3);
    for (int i = 0; i < 3; i++) {
        assert_true(m.times.search_ms[i] > 0 && m.times.quality_ms[i] > 0);
        assert_true(m.times.stream_ms[i] >= 0);
    }
    assert_true(m.first_ms > 0 && m.evaluations > 0);
    assert_true(m.loss > 0 && m.loss < 0.1);
    assert_false(m.too_slow || m.fell_back);
    assert_true(strlen(m.backend) > 0);
    assert_true(m.peak_bytes == -1 || m.peak_bytes > 0);
}

/* Bruteforce over +-4096 px on this pair takes seconds; a millisecond is over long before. */
static void what_takes_too_long_is_ended(void **state)
{
    struct fixture *f = *state;
    static struct pm_bench_measured m;
    struct pm_bench_job job = job_of(f, PM_METHOD_BRUTEFORCE);
    job.limit_s = 0.001;
    job.repeat = 0;
    f->conf->max_shift = 4096;
    assert_int_equal(pm_bench_measure(&job, &m, NULL), PM_OK);
    assert_true(m.too_slow);
}

static void another_method_is_told(void **state)
{
    struct fixture *f = *state;
    static struct pm_bench_measured m;
    struct pm_bench_job job = job_of(f, PM_METHOD_GPU);
    assert_int_equal(pm_bench_measure(&job, &m, NULL), PM_OK);
    if (m.fell_back) { /* on a machine with a GPU it does not */
        assert_true(strlen(m.message) > 0);
        assert_int_equal(m.times.count, 0);
    } else {
        assert_int_equal(m.dy, f->scene.dy);
    }
}

static void trouble_comes_back(void **state)
{
    struct fixture *f = *state;
    static struct pm_bench_measured m;
    struct pm_bench_job job = job_of(f, PM_METHOD_FFT);
    struct pm_err err = {0};
    memset(f->pair.gt->data, 0, f->pair.gt->bytes);
    assert_int_equal(pm_bench_measure(&job, &m, &err), PM_EGAIN);
    assert_non_null(strstr(err.text, "fft on small: "));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_measured_comes_back),
        TEST(what_takes_too_long_is_ended),
        TEST(another_method_is_told),
        TEST(trouble_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
