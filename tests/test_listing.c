/* listing: a folder's names and types, and that it stays the folder that was opened. */
#include <dirent.h>
#include <errno.h>
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

#include "daemon/listing.h"
#include "tests/lib/tmpdir.h"

static int set_up(void **state)
{
    *state = pm_tmpdir_make();
    return 0;
}

static int tear_down(void **state)
{
    pm_tmpdir_remove(*state);
    return 0;
}

static int open_below(struct pm_listing *listing, const char *root, const char *rel)
{
    char *path = pm_tmpdir_path(root, rel);
    int rc = pm_listing_open(listing, path, strlen(root));
    free(path);
    return rc;
}

static void names_and_types(void **state)
{
    static const char *const wanted[] = {"-\n.tif", "a", "b.tif", "c", "\xff.tif"};
    struct pm_listing listing;
    struct stat st;
    char *path;
    pm_tmpdir_write(*state, "b.tif", "12345");
    pm_tmpdir_write(*state, "-\n.tif", "");
    pm_tmpdir_write(*state, "\xff.tif", "");
    pm_tmpdir_folder(*state, "a/inside");
    path = pm_tmpdir_path(*state, "c");
    assert_int_equal(symlink("b.tif", path), 0);
    free(path);

    assert_int_equal(open_below(&listing, *state, ""), 0);
    assert_int_equal(pm_listing_read(&listing), 0);
    assert_int_equal(listing.count, 5);
    for (size_t i = 0; i < 5; i++) {
        int type = pm_listing_type(&listing, i);
        assert_string_equal(pm_listing_name(&listing, i), wanted[i]);
        assert_true(type == DT_UNKNOWN || type == (i == 1 ? DT_DIR : i == 3 ? DT_LNK : DT_REG));
    }
    assert_int_equal(pm_listing_look(&listing, 2, &st), 0);
    assert_int_equal(st.st_size, 5);
    assert_int_equal(pm_listing_look(&listing, 3, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    pm_tmpdir_unlink(*state, "b.tif");
    assert_int_equal(pm_listing_look(&listing, 2, &st), -ENOENT);
    pm_listing_close(&listing);
    pm_listing_close(&listing);
}

static void empty_folder(void **state)
{
    struct pm_listing listing;
    assert_int_equal(open_below(&listing, *state, ""), 0);
    assert_int_equal(pm_listing_read(&listing), 0);
    assert_int_equal(listing.count, 0);
    pm_listing_close(&listing);
}

static void what_is_no_folder(void **state)
{
    struct pm_listing listing;
    char *path = pm_tmpdir_path(*state, "link");
    pm_tmpdir_write(*state, "file", "");
    pm_tmpdir_folder(*state, "real");
    assert_int_equal(symlink("real", path), 0);
    free(path);
    assert_int_equal(open_below(&listing, *state, "file"), -ENOTDIR);
    pm_listing_close(&listing);
    assert_int_equal(open_below(&listing, *state, "none"), -ENOENT);
    assert_true(open_below(&listing, *state, "link") < 0);
}

/* The folder is swapped for a link to another one between opening and everything else. */
static void swapped_for_a_link(void **state)
{
    struct pm_listing listing;
    struct stat st;
    char *path = pm_tmpdir_path(*state, "in/s");
    pm_tmpdir_write(*state, "in/s/a.tif", "ours");
    pm_tmpdir_write(*state, "out/a.tif", "somebody else's");
    pm_tmpdir_write(*state, "out/b.tif", "x");
    assert_int_equal(open_below(&listing, *state, "in/s"), 0);
    pm_tmpdir_rename(*state, "in/s", "in/t");
    assert_int_equal(symlink("../out", path), 0);
    assert_int_equal(pm_listing_read(&listing), 0);
    assert_int_equal(listing.count, 1);
    assert_int_equal(pm_listing_look(&listing, 0, &st), 0);
    assert_int_equal(st.st_size, 4);
    pm_listing_close(&listing);
    free(path);
}

/* More than the first piece of memory holds; sorted. */
static void many_names(void **state)
{
    enum { FILES = 2000 };
    struct pm_listing listing;
    char *first = pm_tmpdir_path(*state, "0.tif");
    pm_tmpdir_write(*state, "0.tif", "");
    for (int i = 1; i < FILES; i++) {
        char name[32];
        char *path;
        snprintf(name, sizeof name, "%d.tif", i);
        path = pm_tmpdir_path(*state, name);
        assert_int_equal(link(first, path), 0);
        free(path);
    }
    free(first);
    assert_int_equal(open_below(&listing, *state, ""), 0);
    assert_int_equal(pm_listing_read(&listing), 0);
    assert_int_equal(listing.count, FILES);
    for (size_t i = 1; i < FILES; i++) {
        assert_true(strcmp(pm_listing_name(&listing, i - 1), pm_listing_name(&listing, i)) < 0);
    }
    pm_listing_close(&listing);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(names_and_types), TEST(empty_folder),
        TEST(what_is_no_folder), TEST(swapped_for_a_link), TEST(many_names)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
