/* folder: parents are made, the last one gets its mode, what is there stays. */
#include <sys/stat.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/folder.h"
#include "tests/lib/tmpdir.h"

static mode_t mode_of(const char *dir, const char *rel)
{
    char *path = pm_tmpdir_path(dir, rel);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    free(path);
    return st.st_mode & 07777;
}

static void the_last_folder_gets_exactly_its_mode(void **state)
{
    (void)state;
    char *dir = pm_tmpdir_make();
    char *file = pm_tmpdir_path(dir, "a/b/c.db");
    mode_t mask = umask(077);
    assert_int_equal(pm_folder_make_for(file, 02750, NULL), PM_OK);
    umask(mask);
    assert_int_equal(mode_of(dir, "a/b"), 02750);
    assert_int_equal(mode_of(dir, "a"), 0700);
    free(file);
    file = pm_tmpdir_path(dir, "a/x.db");
    assert_int_equal(pm_folder_make_for(file, 02750, NULL), PM_OK);
    assert_int_equal(mode_of(dir, "a"), 0700); /* was there */
    free(file);
    pm_tmpdir_remove(dir);
}

static void a_file_in_the_way_is_named(void **state)
{
    (void)state;
    struct pm_err err;
    char *dir = pm_tmpdir_make();
    char *file = pm_tmpdir_path(dir, "plain/below/c.db");
    pm_tmpdir_write(dir, "plain", "x");
    assert_int_not_equal(pm_folder_make_for(file, 02750, &err), PM_OK);
    assert_non_null(strstr(err.text, "plain"));
    free(file);
    pm_tmpdir_remove(dir);
}

static void a_bare_name_needs_no_folder(void **state)
{
    (void)state;
    assert_int_equal(pm_folder_make_for("c.db", 02750, NULL), PM_OK);
    assert_int_equal(pm_folder_make_for("/c.db", 02750, NULL), PM_OK);
}

static void mode_0_leaves_it_to_the_umask(void **state)
{
    (void)state;
    char *dir = pm_tmpdir_make();
    char *file = pm_tmpdir_path(dir, "plain/deep/c.db");
    mode_t mask = umask(027);
    assert_int_equal(pm_folder_make_for(file, 0, NULL), PM_OK);
    umask(mask);
    assert_int_equal(mode_of(dir, "plain/deep"), 0750);
    free(file);
    pm_tmpdir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_folder_gets_exactly_its_mode),
        cmocka_unit_test(mode_0_leaves_it_to_the_umask),
        cmocka_unit_test(a_file_in_the_way_is_named),
        cmocka_unit_test(a_bare_name_needs_no_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
