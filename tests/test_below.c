/* below: what lies below a folder can be opened, what a link leads to cannot. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/below.h"
#include "tests/lib/tmpdir.h"

/* The errno of opening rel below root, 0 when it works; stat must agree on what is on the way. */
static int try(const char *root, const char *rel)
{
    char *path = pm_tmpdir_path(root, rel);
    int fd = pm_below_open(path, strlen(root), O_RDONLY);
    int rc = fd < 0 ? errno : 0;
    if (fd >= 0) {
        assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
        close(fd);
    }
    free(path);
    return rc;
}

static void link_to(const char *dir, const char *rel, const char *target)
{
    char *path = pm_tmpdir_path(dir, rel);
    assert_int_equal(symlink(target, path), 0);
    free(path);
}

static int set_up(void **state)
{
    char *dir = pm_tmpdir_make();
    pm_tmpdir_write(dir, "in/a.tif", "12345");
    pm_tmpdir_write(dir, "in/s/gt/b.tif", "");
    pm_tmpdir_write(dir, "out/a.tif", "secret");
    *state = dir;
    return 0;
}

static int tear_down(void **state)
{
    pm_tmpdir_remove(*state);
    return 0;
}

static void plain_files_open(void **state)
{
    char *root = pm_tmpdir_path(*state, "in");
    assert_int_equal(try(root, "a.tif"), 0);
    assert_int_equal(try(root, "s/gt/b.tif"), 0);
    assert_int_equal(try(root, "s//gt///b.tif"), 0);
    assert_int_equal(try(root, "s/gt"), 0);
    assert_int_equal(try(root, ""), 0);
    assert_int_equal(try(root, "none.tif"), ENOENT);
    assert_int_equal(try(root, "none/b.tif"), ENOENT);
    assert_int_equal(try(root, "a.tif/b.tif"), ENOTDIR);
    free(root);
}

static void links_do_not(void **state)
{
    char *root = pm_tmpdir_path(*state, "in");
    struct stat st;
    char *path;
    link_to(root, "link.tif", "../out/a.tif");
    link_to(root, "folder", "../out");
    link_to(root, "here", "s");
    assert_int_equal(try(root, "link.tif"), ELOOP);
    assert_int_equal(try(root, "folder/a.tif"), ENOTDIR);
    assert_int_equal(try(root, "here/gt/b.tif"), ENOTDIR); /* not even inside */
    assert_int_equal(try(root, "../out/a.tif"), ELOOP);
    assert_int_equal(try(root, "s/../a.tif"), ELOOP);
    assert_int_equal(try(root, "./a.tif"), ELOOP);
    path = pm_tmpdir_path(root, "link.tif");
    assert_int_equal(pm_below_stat(path, strlen(root), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    free(path);
    path = pm_tmpdir_path(root, "folder/a.tif");
    assert_int_equal(pm_below_stat(path, strlen(root), &st), -1);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(pm_below_stat(path, 0, &st), 0); /* no root: as ever */
    assert_int_equal(st.st_size, 6);
    free(path);
    free(root);
}

static void the_root_may_be_one(void **state)
{
    char *root = pm_tmpdir_path(*state, "chosen");
    char *path = pm_tmpdir_path(root, "a.tif");
    struct stat st;
    link_to(*state, "chosen", "in");
    assert_int_equal(try(root, "a.tif"), 0);
    assert_int_equal(try(root, ""), 0);
    assert_int_equal(pm_below_stat(path, strlen(root), &st), 0);
    assert_int_equal(st.st_size, 5);
    assert_int_equal(pm_below_stat(root, strlen(root), &st), 0);
    assert_true(S_ISDIR(st.st_mode));
    free(path);
    free(root);
}

static void long_names_are_refused(void **state)
{
    char *root = pm_tmpdir_path(*state, "in");
    char name[400];
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    assert_int_equal(try(root, name), ENAMETOOLONG);
    name[255] = '\0';
    pm_tmpdir_write(root, name, "");
    assert_int_equal(try(root, name), 0);
    free(root);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(plain_files_open), TEST(links_do_not),
        TEST(the_root_may_be_one), TEST(long_names_are_refused)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
