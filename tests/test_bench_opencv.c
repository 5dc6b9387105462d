/* bench_opencv: its answer comes in our sign; a Python that is not there is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/bench_opencv.h"
#include "cli/bench_scene.h"
#include "tests/lib/workerkit.h"

static void make(struct pm_bench_pair *pair)
{
    const struct pm_bench_scene scene = {
        .w = 256, .h = 192, .dy = -9, .dx = 14, .gain = 1.3, .noise = PM_BENCH_NONE, .seed = 2};
    *pair = (struct pm_bench_pair){.name = "small"};
    assert_int_equal(pm_bench_scene_draw(&scene, &pair->gt, &pair->target, NULL), PM_OK);
}

static void the_real_one(void **state)
{
    struct pm_bench_pair pair;
    struct pm_opencv_answer answer;
    struct pm_err err = {0};
    enum pm_code rc;
    (void)state;
    make(&pair);
    rc = pm_bench_opencv(&pair, 3, NULL, &answer, &err);
    pm_bench_pair_clear(&pair);
    if (rc == PM_EUNSUPPORTED) {
        skip();
    }
    assert_int_equal(rc, PM_OK);
    assert_int_equal(lround(answer.dy), -9);
    assert_int_equal(lround(answer.dx), 14);
    assert_int_equal(answer.count, 3);
    assert_true(answer.ms[0] > 0 && answer.ms[2] > 0);
    assert_true(strlen(answer.version) > 0);
}

/* A Python without cv2, one that breaks down, one that talks nonsense, one that is not there. */
static void others(void **state)
{
    static const struct {
        const char *script, *says;
        enum pm_code code;
    } cases[] = {
        {"#!/bin/sh\nexit 77\n", "python3-opencv", PM_EUNSUPPORTED},
        {"#!/bin/sh\nexit 3\n", "ended with 3", PM_EIO},
        {"#!/bin/sh\necho hello\n", "ended with 0", PM_EIO},
        {"#!/bin/sh\necho 9.9 1.5 -2 10 20 30\n", NULL, PM_OK},
    };
    char *dir = kit_tmpdir(), *python = kit_path(dir, "python");
    struct pm_bench_pair pair;
    struct pm_opencv_answer answer;
    struct pm_err err = {0};
    (void)state;
    make(&pair);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        kit_write(python, cases[i].script);
        assert_int_equal(chmod(python, 0755), 0);
        assert_int_equal(pm_bench_opencv(&pair, 3, python, &answer, &err), cases[i].code);
        assert_true(cases[i].says == NULL || strstr(err.text, cases[i].says) != NULL);
    }
    assert_string_equal(answer.version, "9.9");
    assert_true(answer.dy == 1.5 && answer.dx == -2);
    assert_true(answer.count == 3 && answer.ms[2] == 30);
    unlink(python);
    assert_int_equal(pm_bench_opencv(&pair, 3, python, &answer, &err), PM_EUNSUPPORTED);
    assert_non_null(strstr(err.text, python));
    pm_bench_pair_clear(&pair);
    kit_remove(dir);
    free(dir);
    free(python);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_real_one),
        cmocka_unit_test(others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
