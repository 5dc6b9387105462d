/* bench_scale: all threads work, and the first one's trouble is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "cli/bench_scale.h"
#include "cli/bench_scene.h"
#include "common/conf.h"

static void make(struct pm_bench_pair *pair, int number)
{
    struct pm_bench_size size = {128, 96};
    struct pm_bench_scene scene = pm_bench_scene_of(size, PM_BENCH_NONE, 8, (uint64_t)number);
    *pair = (struct pm_bench_pair){.name = "small"};
    assert_int_equal(pm_bench_scene_draw(&scene, &pair->gt, &pair->target, NULL), PM_OK);
}

static void threads_share_the_pairs(void **state)
{
    struct pm_bench_pair pairs[2];
    struct pm_conf *conf;
    struct pm_err err = {0};
    double rate;
    (void)state;
    assert_int_equal(pm_conf_new(&conf, NULL), PM_OK);
    pm_conf_fill(conf);
    conf->max_shift = 8;
    make(&pairs[0], 1);
    make(&pairs[1], 2);
    struct pm_scale_job job = {.pairs = pairs,
        .pair_count = 2,
        .method = PM_METHOD_HIERARCHICAL,
        .conf = conf,
        .repeat = 2};
    for (job.workers = 1; job.workers <= 4; job.workers += 3) {
        rate = 0;
        assert_int_equal(pm_bench_scale(&job, &rate, NULL), PM_OK);
        assert_true(rate > 0);
    }
    memset(pairs[1].target->data, 0, pairs[1].target->bytes);
    assert_int_equal(pm_bench_scale(&job, &rate, &err), PM_EGAIN);
    assert_non_null(strstr(err.text, "hierarchical on small"));
    pm_bench_pair_clear(&pairs[0]);
    pm_bench_pair_clear(&pairs[1]);
    pm_conf_unref(conf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_share_the_pairs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
