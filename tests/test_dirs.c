/* dirs: folders made, entered without following links, removed whole and nothing more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/lib/workerkit.h"
#include "worker/dirs.h"

static int set_up(void **state)
{
    *state = kit_tmpdir();
    return 0;
}

static int tear_down(void **state)
{
    kit_remove(*state);
    free(*state);
    return 0;
}

static void open_makes_all_parents(void **state)
{
    char *path = kit_path(*state, "a/b//c/"), *file = kit_path(*state, "file");
    struct pm_err err;
    int fd;
    for (int again = 0; again < 2; again++) {
        assert_int_equal(pm_dirs_open(path, &fd, &err), PM_OK);
        close(fd);
    }
    assert_true(kit_exists(path));
    kit_write(file, "");
    assert_int_equal(pm_dirs_open(file, &fd, &err), PM_EEXIST);
    assert_non_null(strstr(err.text, file));
    free(path);
    free(file);
}

static void enter_refuses_links_and_files(void **state)
{
    char *link = kit_path(*state, "link"), *file = kit_path(*state, "file");
    struct pm_err err;
    int at, fd;
    assert_int_equal(pm_dirs_open(*state, &at, &err), PM_OK);
    assert_int_equal(pm_dirs_enter(at, "new", "new", &fd, &err), PM_OK);
    close(fd);
    assert_int_equal(pm_dirs_enter(at, "new", "new", &fd, &err), PM_OK);
    close(fd);
    assert_int_equal(symlink("new", link), 0);
    assert_int_equal(pm_dirs_enter(at, "link", "the link", &fd, &err), PM_EEXIST);
    assert_non_null(strstr(err.text, "the link is in the way"));
    kit_write(file, "");
    assert_int_equal(pm_dirs_enter(at, "file", "file", &fd, &err), PM_EEXIST);
    assert_int_equal(symlink("nowhere", file), -1);
    close(at);
    free(link);
    free(file);
}

static void remove_takes_the_tree_and_leaves_where_links_point(void **state)
{
    static const char *const folders[] = {"tree", "tree/a", "tree/a/b", "kept"};
    static const char *const files[] = {"tree/x", "tree/a/y", "tree/a/b/z", "kept/w"};
    char *link = kit_path(*state, "tree/a/link"), *kept = kit_path(*state, "kept/w");
    char *tree = kit_path(*state, "tree");
    struct pm_err err;
    int at;
    for (size_t i = 0; i < 4; i++) {
        char *path = kit_path(*state, folders[i]);
        kit_mkdir(path);
        free(path);
    }
    for (size_t i = 0; i < 4; i++) {
        char *path = kit_path(*state, files[i]);
        kit_write(path, "x");
        free(path);
    }
    assert_int_equal(symlink("../../kept", link), 0);
    assert_int_equal(pm_dirs_open(*state, &at, &err), PM_OK);
    assert_int_equal(pm_dirs_remove(at, "tree", "tree", &err), PM_OK);
    assert_false(kit_exists(tree));
    assert_true(kit_exists(kept));
    assert_int_equal(pm_dirs_remove(at, "tree", "tree", &err), PM_OK); /* gone is fine */
    close(at);
    free(link);
    free(kept);
    free(tree);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(open_makes_all_parents, set_up, tear_down),
        cmocka_unit_test_setup_teardown(enter_refuses_links_and_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            remove_takes_the_tree_and_leaves_where_links_point, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
