/* publish: mask, record and crops under their name at once, or nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include "common/formats/reader.h"
#include "common/hash.h"
#include "common/log.h"
#include "tests/lib/stepkit.h"
#include "worker/task.h"

static void run_to_crop(struct stepkit *f)
{
    stepkit_run_to_mask(f);
    assert_int_equal(pm_crop_run(f->kit.worker, &f->task, &f->err), PM_OK);
}

static void all_at_once(void **state)
{
    struct stepkit *f = *state;
    struct pm_limits limits = {.max_pixels = 100000};
    struct pm_image *mask = NULL;
    char *out = kit_path(f->dir, "out"), *want = kit_path(out, "s/a.tif--b.tif");
    char *path = kit_path(want, "mask.png");
    run_to_crop(f);
    assert_false(kit_exists(want));
    assert_int_equal(pm_publish_run(f->kit.worker, &f->task, &f->err), PM_OK);
    assert_string_equal(f->result.output_dir, want);
    assert_int_equal(kit_entries(want), 3); /* mask.png, pair.json, crops */
    assert_int_equal(pm_image_read(path, &limits, NULL, NULL, &mask, &f->err), PM_OK);
    assert_int_equal(mask->channels, 1);
    for (int i = 0; i < mask->w * mask->h; i++) {
        int x = i % mask->w, y = i / mask->w;
        int bit = (int)(pm_bitmap_row(&f->task.mask, y)[0] >> x & 1);
        assert_int_equal(((const uint8_t *)pm_image_row(mask, y))[x], bit ? 255 : 0);
    }
    pm_image_free(mask);
    free(path);
    free(want);
    free(out);
}

static void listed_hashes_are_those_of_the_files(void **state)
{
    struct stepkit *f = *state;
    run_to_crop(f);
    assert_int_equal(pm_publish_run(f->kit.worker, &f->task, &f->err), PM_OK);
    for (size_t i = 0; i < f->task.partial.file_count; i++) {
        char *path = kit_path(f->result.output_dir, f->task.partial.files[i].name), hex[17];
        int64_t size;
        assert_int_equal(pm_hash_file(path, &size, hex, &f->err), PM_OK);
        assert_string_equal(hex, f->task.partial.files[i].hash);
        assert_int_equal(size, f->task.partial.files[i].size);
        free(path);
    }
    /* The last is pair.json, which lists all the others; its own hash goes into the database. */
    const struct pm_partial_file *last = &f->task.partial.files[f->task.partial.file_count - 1];
    assert_string_equal(last->name, "pair.json");
    assert_string_equal(f->result.record, last->hash);
}

/* A file size limit stands for a disk that takes no more. */
static void a_full_disk_leaves_nothing(void **state)
{
    struct stepkit *f = *state;
    struct rlimit before, tiny;
    char *partial = kit_path(f->dir, "out/.partial");
    stepkit_run_to_mask(f);
    getrlimit(RLIMIT_FSIZE, &before);
    tiny = before;
    tiny.rlim_cur = 600;
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &tiny);
    enum pm_code rc = pm_crop_run(f->kit.worker, &f->task, &f->err);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_not_equal(rc, PM_OK);
    assert_non_null(strstr(f->err.text, "crops/"));
    pm_task_clear(f->kit.worker, &f->task);
    assert_int_equal(kit_entries(partial), 0);
    free(partial);
}

static void a_bad_scene_leaves_nothing(void **state)
{
    struct stepkit *f = *state;
    char *partial = kit_path(f->dir, "out/.partial");
    run_to_crop(f);
    free(f->job.scene);
    f->job.scene = strdup("../elsewhere");
    assert_int_equal(pm_publish_run(f->kit.worker, &f->task, &f->err), PM_ENAME);
    pm_task_clear(f->kit.worker, &f->task);
    assert_int_equal(kit_entries(partial), 0);
    free(partial);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_at_once, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            listed_hashes_are_those_of_the_files, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            a_full_disk_leaves_nothing, stepkit_set_up, stepkit_tear_down),
        cmocka_unit_test_setup_teardown(
            a_bad_scene_leaves_nothing, stepkit_set_up, stepkit_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
