/* decode: both images under the budget, the gt through the cache, and every way it can fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/fakegpu.h"
#include "tests/lib/stepkit.h"

#define MB ((size_t)1 << 20)

static enum pm_code decode(struct stepkit *f)
{
    return pm_decode_run(f->kit.worker, &f->task, &f->err);
}

/* Gives everything back, so that the next decode starts afresh. */
static void clear(struct stepkit *f)
{
    pm_task_clear(f->kit.worker, &f->task);
    f->task = (struct pm_task){.conf = f->kit.conf, .job = &f->job, .result = &f->result};
}

static void both_are_there(void **state)
{
    struct stepkit *f = *state;
    assert_int_equal(decode(f), PM_OK);
    assert_int_equal(f->task.gt->image->w, 64);
    assert_ptr_equal(f->task.gt_work, f->task.gt);
    assert_ptr_equal(f->task.target_work, f->task.target);
    assert_string_not_equal(f->result.gt_hash, f->result.target_hash);
    assert_false(f->result.gt_cached);
    assert_int_equal(f->task.bytes, f->job.gt.size + f->job.target.size);
    assert_true(f->task.admitted > 0);
    assert_int_equal(pm_budget_used(f->kit.budget), f->task.admitted);
}

static void the_second_pair_of_a_gt_hits_the_cache(void **state)
{
    struct stepkit *f = *state;
    assert_int_equal(decode(f), PM_OK);
    size_t first = pm_budget_peak(f->kit.budget);
    clear(f);
    assert_int_equal(decode(f), PM_OK);
    assert_true(f->result.gt_cached);
    assert_int_equal(strlen(f->result.gt_hash), 16);
    assert_int_equal(f->task.bytes, f->job.target.size); /* only the target was read */
    assert_true(f->task.admitted < first);               /* the gt is the cache's to count */
}

static void without_a_cache_it_is_read_every_time(void **state)
{
    struct stepkit *f = *state;
    pm_cache_set_budget(f->kit.cache, 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(decode(f), PM_OK);
        assert_false(f->result.gt_cached);
        clear(f);
        assert_int_equal(pm_budget_used(f->kit.budget), 0);
    }
}

static void *decode_in_thread(void *arg)
{
    struct stepkit *f = arg;
    struct pm_result result = {0};
    struct pm_task task = {.conf = f->kit.conf, .job = &f->job, .result = &result};
    struct pm_worker *worker = NULL;
    struct pm_err err;
    assert_int_equal(pm_worker_new(&worker, 1, &f->kit.env, &err), PM_OK);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(pm_decode_run(worker, &task, &err), PM_OK);
        pm_task_clear(worker, &task);
        task = (struct pm_task){.conf = f->kit.conf, .job = &f->job, .result = &result};
    }
    pm_worker_free(worker);
    return NULL;
}

static void workers_share_one_gt_and_the_budget(void **state)
{
    struct stepkit *f = *state;
    struct pm_cache_stats stats;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, decode_in_thread, f), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    pm_cache_stats(f->kit.cache, &stats);
    assert_int_equal(stats.misses, 1);
    assert_int_equal(stats.hits, 79);
}

static void more_than_the_budget_is_refused(void **state)
{
    struct stepkit *f = *state;
    struct kit small;
    kit_init(&small, 0, 1000);
    struct pm_worker *worker = small.worker;
    assert_int_equal(pm_decode_run(worker, &f->task, &f->err), PM_ETOOBIG);
    assert_non_null(strstr(f->err.text, "memory_max"));
    assert_non_null(strstr(f->err.text, f->job.target_path));
    pm_task_clear(worker, &f->task);
    kit_fini(&small);
}

static void changed_and_missing_files(void **state)
{
    struct stepkit *f = *state;
    f->job.target.mtime_ns++;
    assert_int_equal(decode(f), PM_ECHANGED);
    clear(f);
    f->job.target.mtime_ns--;
    assert_int_equal(decode(f), PM_OK); /* now the gt is in the cache */
    clear(f);
    assert_int_equal(unlink(f->job.gt_path), 0);
    assert_int_equal(decode(f), PM_ENOENT); /* and still its file has to be there */
    assert_non_null(strstr(f->err.text, f->job.gt_path));
}

/* The scene's folder has become a link since its files were seen: they are no inputs any more, even
 * though the same bytes lie behind it. */
static void behind_a_link_is_missing(void **state)
{
    struct stepkit *f = *state;
    char *scene = kit_path(f->dir, "s");
    char *moved = kit_path(f->dir, "elsewhere");
    assert_true(f->job.root_bytes > 0);
    assert_int_equal(rename(scene, moved), 0);
    assert_int_equal(symlink("elsewhere", scene), 0);
    assert_int_equal(decode(f), PM_ENOENT);
    assert_non_null(strstr(f->err.text, f->job.gt_path));
    clear(f);
    f->job.root_bytes = 0; /* `pairmill align` follows what it is given */
    assert_int_equal(decode(f), PM_OK);
    clear(f);
    f->job.root_bytes = strlen(f->dir);
    assert_int_equal(unlink(scene), 0);
    assert_int_equal(rename(moved, scene), 0);
    assert_int_equal(rename(f->job.target_path, moved), 0);
    assert_int_equal(symlink(moved, f->job.target_path), 0); /* the file itself */
    assert_int_equal(decode(f), PM_ENOENT);
    assert_non_null(strstr(f->err.text, "symbolic link"));
    free(scene);
    free(moved);
}

static void sizes_are_compared_before_anything_is_decoded(void **state)
{
    struct stepkit *f = *state;
    struct pm_image *other = kit_image(65, 48, 3, PM_U16);
    struct pm_cache_stats stats;
    kit_write_tiff(f->job.target_path, other);
    f->job.target = kit_stamp(f->job.target_path);
    assert_int_equal(decode(f), PM_ESIZE);
    assert_non_null(strstr(f->err.text, "65x48"));
    assert_non_null(strstr(f->err.text, "64x48"));
    pm_cache_stats(f->kit.cache, &stats);
    assert_int_equal(stats.misses, 0);
    pm_image_free(other);
}

/* A gt that cannot be decoded must not stay in the cache as if it were there. */
static void a_bad_gt_can_be_tried_again(void **state)
{
    struct stepkit *f = *state;
    size_t size;
    char *good = kit_read(f->job.gt_path, &size);
    assert_int_equal(truncate(f->job.gt_path, (off_t)size / 2), 0);
    f->job.gt = kit_stamp(f->job.gt_path);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(decode(f), PM_EFORMAT);
        clear(f);
        assert_int_equal(pm_budget_used(f->kit.budget), 0);
    }
    free(good);
}

static void mixed_types_meet_in_the_middle(void **state)
{
    struct stepkit *f = *state;
    struct pm_image *u8 = kit_image(64, 48, 3, PM_U8);
    kit_texture(u8, -2, 3, 0.8, 0, 2);
    kit_write_tiff(f->job.target_path, u8);
    f->job.target = kit_stamp(f->job.target_path);
    assert_int_equal(decode(f), PM_OK);
    assert_int_equal(f->task.target->image->sample, PM_U8);
    assert_int_equal(f->task.target_work->image->sample, PM_U16);
    assert_ptr_equal(f->task.gt_work, f->task.gt);
    assert_true(kit_get(u8, 9, 8, 1) == kit_get(f->task.target_work->image, 9, 8, 1));
    pm_image_free(u8);
}

static struct pm_bufpool *pool_of(const struct pm_loaded *loaded)
{
    return loaded->image->pool;
}

/* With a GPU: what goes there and is nobody else's lies in the gpu's memory, nothing else does. */
static void images_for_the_gpu_lie_in_its_memory(void **state)
{
    struct stepkit *f = *state;
    struct pm_gpu *gpu = fakegpu_open();
    struct pm_bufpool *pool;
    struct pm_image *u8 = kit_image(64, 48, 3, PM_U8);
    fakegpu_control()->reset(1, FAKE_LAZY);
    assert_int_equal(pm_gpu_pool(gpu, MB, f->kit.pool, &pool, &f->err), PM_OK);
    f->kit.env.gpu = gpu;
    f->kit.env.gpu_pool = pool;
    f->kit.conf->method = PM_METHOD_AUTO;
    f->kit.conf->gpu_from = 49;
    assert_int_equal(decode(f), PM_OK);
    assert_ptr_equal(pool_of(f->task.target), f->kit.pool); /* too small for it */
    clear(f);
    f->kit.conf->gpu_from = 48;
    assert_int_equal(decode(f), PM_OK);
    assert_ptr_equal(pool_of(f->task.target), pool);
    assert_ptr_equal(pool_of(f->task.gt), f->kit.pool); /* the cache's */
    assert_true(fakegpu_control()->pinned_used() >= f->task.target->image->bytes);
    clear(f);
    kit_texture(u8, -2, 3, 0.8, 0, 2);
    kit_write_tiff(f->job.target_path, u8);
    f->job.target = kit_stamp(f->job.target_path);
    assert_int_equal(decode(f), PM_OK);
    assert_ptr_equal(pool_of(f->task.target), f->kit.pool);
    assert_ptr_equal(pool_of(f->task.target_work), pool);
    clear(f);
    f->kit.env.gpu = NULL;
    f->kit.env.gpu_pool = NULL;
    pm_gpu_close(gpu);
    assert_int_equal(fakegpu_control()->violations() + fakegpu_control()->live(), 0);
    pm_image_free(u8);
}

static void reading_ahead_never_fails(void **state)
{
    struct stepkit *f = *state;
    pm_worker_prefetch(f->job.gt_path, 0);
    pm_worker_prefetch(f->dir, 0); /* a folder */
    assert_int_equal(unlink(f->job.gt_path), 0);
    pm_worker_prefetch(f->job.gt_path, 0);
    assert_int_equal(decode(f), PM_ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_are_there, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            the_second_pair_of_a_gt_hits_the_cache, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            without_a_cache_it_is_read_every_time, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            workers_share_one_gt_and_the_budget, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            more_than_the_budget_is_refused, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            changed_and_missing_files, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            behind_a_link_is_missing, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            sizes_are_compared_before_anything_is_decoded, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            a_bad_gt_can_be_tried_again, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            mixed_types_meet_in_the_middle, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            images_for_the_gpu_lie_in_its_memory, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            reading_ahead_never_fails, stepkit_set_up, stepkit_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
