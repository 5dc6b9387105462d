/* verify_walk: results, strays and closed folders of an output are listed, nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <sys/stat.h>

#include "cli/verify_walk.h"
#include "tests/lib/tmpdir.h"

static int by_path(const void *a, const void *b)
{
    return strcmp(
        ((const struct pm_verify_place *)a)->path, ((const struct pm_verify_place *)b)->path);
}

/* "R s/x--y|S s/notes|" with paths below root. */
static const char *walked(struct pm_verify_walk *walk, const char *root)
{
    static char text[4096];
    static const char letters[] = {'R', 'S', 'C'};
    struct pm_err err;
    text[0] = '\0';
    assert_int_equal(pm_verify_walk(walk, root, &err), PM_OK);
    if (walk->count > 0) {
        qsort(walk->places, walk->count, sizeof *walk->places, by_path);
    }
    for (size_t i = 0; i < walk->count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%c %s|", letters[walk->places[i].kind],
            walk->places[i].path + strlen(root) + 1);
    }
    pm_verify_walk_clear(walk);
    return text;
}

static void everything_is_told_once(void **state)
{
    (void)state;
    char *dir = pm_tmpdir_make();
    char *out = pm_tmpdir_path(dir, "out");
    char *db = pm_tmpdir_path(dir, "out/p.db");
    char *input = pm_tmpdir_path(dir, "out/photos");
    char *link = pm_tmpdir_path(dir, "out/s/link");
    struct pm_verify_walk walk = {.db = db, .not_into = {&input, &out}, .not_into_count = 1};
    assert_string_equal(walked(&walk, out), ""); /* not there yet */
    pm_tmpdir_write(dir, "out/p.db", "x");
    pm_tmpdir_write(dir, "out/p.db-wal", "x");
    pm_tmpdir_write(dir, "out/.partial/1/mask.png", "x");
    pm_tmpdir_write(dir, "out/photos/s/gt/g.tif", "x");
    pm_tmpdir_write(dir, "out/s/a--b/pair.json", "x");
    pm_tmpdir_write(dir, "out/s/a--b/crops/0_0.gt.tif", "x");
    pm_tmpdir_write(dir, "out/s/left--over/mask.png", "x");
    pm_tmpdir_write(dir, "out/s/deep/.partial/file", "x");
    pm_tmpdir_write(dir, "out/s/p.db", "x");
    pm_tmpdir_folder(dir, "out/empty/folder");
    assert_int_equal(symlink(input, link), 0);
    assert_string_equal(walked(&walk, out),
        "R s/a--b|S s/deep/.partial/file|S s/left--over/mask.png|S s/link|S s/p.db|");
    free(link);
    free(input);
    free(db);
    free(out);
    pm_tmpdir_remove(dir);
}

static void folders_nested_without_end_are_not_entered_for_ever(void **state)
{
    (void)state;
    char rel[1200] = "out";
    char *dir = pm_tmpdir_make();
    char *out = pm_tmpdir_path(dir, "out");
    struct pm_verify_walk walk = {.db = "/nowhere/p.db"};
    for (int i = 0; i < 300; i++) {
        strcat(rel, "/d");
    }
    pm_tmpdir_folder(dir, rel);
    assert_memory_equal(walked(&walk, out), "C d/d/", 6);
    free(out);
    pm_tmpdir_remove(dir);
}

static void a_folder_that_cannot_be_listed_is_told(void **state)
{
    (void)state;
    if (getuid() == 0) {
        skip(); /* root may look everywhere */
    }
    char *dir = pm_tmpdir_make();
    char *out = pm_tmpdir_path(dir, "out");
    char *closed = pm_tmpdir_path(dir, "out/closed");
    struct pm_verify_walk walk = {.db = "/nowhere/p.db"};
    pm_tmpdir_folder(dir, "out/closed");
    assert_int_equal(chmod(closed, 0), 0);
    assert_string_equal(walked(&walk, out), "C closed|");
    assert_int_equal(chmod(closed, 0700), 0);
    free(closed);
    free(out);
    pm_tmpdir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everything_is_told_once),
        cmocka_unit_test(folders_nested_without_end_are_not_entered_for_ever),
        cmocka_unit_test(a_folder_that_cannot_be_listed_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
