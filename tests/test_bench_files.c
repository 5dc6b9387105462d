/* bench_files: pairs of a folder by the layout rule, and two files of different kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench_files.h"
#include "common/conf.h"
#include "tests/lib/workerkit.h"

/* dir/a (a scene with 2 gts and 3 targets), dir/b/deep (one pair), and what does not count. */
static char *tree(void)
{
    static const char *const folders[] = {"a", "a/gt", "b", "b/deep", "b/deep/gt", ".h", ".h/gt"};
    static const char *const files[] = {"a/gt/1.tif", "a/gt/2.png", "a/x.tif", "a/y.TIF",
        "a/notes.txt", "a/.z.tif", "a/gt/note.txt", "b/lonely.tif", "b/deep/gt/g.tif",
        "b/deep/t.tif", ".h/gt/g.tif", ".h/t.tif"};
    char *dir = kit_tmpdir();
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char *path = kit_path(dir, folders[i]);
        kit_mkdir(path);
        free(path);
    }
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = kit_path(dir, files[i]);
        kit_write(path, "not read here");
        free(path);
    }
    return dir;
}

static void pairs_of_a_folder(void **state)
{
    static const char *const want[] = {"a/gt/1.tif", "a/x.tif", "a/gt/2.png", "a/x.tif",
        "a/gt/1.tif", "a/y.TIF", "a/gt/2.png", "a/y.TIF", "b/deep/gt/g.tif", "b/deep/t.tif"};
    char *dir = tree();
    struct pm_pairlist list;
    (void)state;
    char *link_at = kit_path(dir, "z"); /* a loop, if it were followed */
    assert_int_equal(symlink(dir, link_at), 0);
    free(link_at);
    assert_int_equal(pm_bench_find(&list, dir, 100, NULL), PM_OK);
    assert_int_equal(list.count, sizeof want / sizeof want[0]);
    for (size_t i = 0; i < list.count; i++) {
        assert_string_equal(list.paths[i] + strlen(dir) + 1, want[i]);
    }
    pm_pairlist_clear(&list);
    assert_int_equal(pm_bench_find(&list, dir, 3, NULL), PM_OK);
    assert_int_equal(list.count, 6);
    pm_pairlist_clear(&list);
    kit_remove(dir);
    free(dir);
}

static void no_pairs_is_told(void **state)
{
    char *dir = kit_tmpdir();
    struct pm_pairlist list;
    struct pm_err err = {0};
    (void)state;
    assert_int_equal(pm_bench_find(&list, dir, 5, &err), PM_ENOENT);
    assert_non_null(strstr(err.text, "SCENE/gt/FILE"));
    kit_remove(dir);
    assert_int_equal(pm_bench_find(&list, dir, 5, &err), PM_ENOENT);
    assert_non_null(strstr(err.text, dir));
    free(dir);
}

static void two_kinds_become_one(void **state)
{
    char *dir = kit_tmpdir(), *gt = kit_path(dir, "gt.tif"), *target = kit_path(dir, "t|u.tif");
    struct pm_image *a = kit_image(40, 30, 3, PM_U8), *b = kit_image(40, 30, 3, PM_U16);
    struct pm_image *c = kit_image(41, 30, 3, PM_U16);
    struct pm_bench_pair pair;
    struct pm_conf *conf;
    struct pm_err err = {0};
    (void)state;
    assert_int_equal(pm_conf_new(&conf, NULL), PM_OK);
    kit_texture(a, 0, 0, 1, 0, 1);
    kit_texture(b, 0, 0, 1, 0, 1);
    kit_texture(c, 0, 0, 1, 0, 1);
    kit_write_tiff(gt, a);
    kit_write_tiff(target, b);
    assert_int_equal(pm_bench_load(&pair, gt, target, conf, NULL), PM_OK);
    assert_string_equal(pair.name, "t/u.tif"); /* a bar would be a column of the table */
    assert_int_equal(pair.gt->sample, PM_U16);
    assert_int_equal(pair.target->sample, PM_U16);
    assert_false(pair.known);
    pm_bench_pair_clear(&pair);
    kit_write_tiff(target, c);
    assert_int_equal(pm_bench_load(&pair, gt, target, conf, &err), PM_ESIZE);
    assert_non_null(strstr(err.text, target));
    pm_image_free(a);
    pm_image_free(b);
    pm_image_free(c);
    pm_conf_unref(conf);
    kit_remove(dir);
    free(dir);
    free(gt);
    free(target);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_of_a_folder),
        cmocka_unit_test(no_pairs_is_told),
        cmocka_unit_test(two_kinds_become_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
