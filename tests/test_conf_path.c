/* conf_path: absolute, real, within; folders that can be used and not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/conf_path.h"

static void absolute_is(const char *dir, const char *path, const char *want)
{
    char *got = pm_path_absolute(dir, path);
    assert_string_equal(got, want);
    free(got);
}

static void paths_become_absolute_and_tidy(void **state)
{
    char here[4096];
    char *got;
    (void)state;
    absolute_is("/d", "a", "/d/a");
    absolute_is("/d/", "./a//b/.", "/d/a/b");
    absolute_is("/d", "/x//y/", "/x/y");
    absolute_is("/d", "..", "/d/.."); /* may lead through a link: only the kernel knows */
    absolute_is("/d", "..a/.b", "/d/..a/.b");
    absolute_is(NULL, "/", "/");
    absolute_is(NULL, "//.//", "/");
    assert_non_null(getcwd(here, sizeof here));
    got = pm_path_absolute(NULL, ".");
    assert_string_equal(got, here);
    free(got);
}

static void within_counts_whole_names(void **state)
{
    (void)state;
    assert_true(pm_path_within("/a", "/a"));
    assert_true(pm_path_within("/a", "/a/b"));
    assert_false(pm_path_within("/a", "/ab"));
    assert_false(pm_path_within("/a/b", "/a"));
    assert_true(pm_path_within("/", "/a"));
}

static void real_follows_links_as_far_as_there_is_something(void **state)
{
    char dir[64] = "", link[128], below[192], want[192];
    const char *tmp = getenv("TMPDIR");
    char *real_dir, *got;
    (void)state;
    snprintf(dir, sizeof dir, "%s/pm-path-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(link, sizeof link, "%s/link", dir);
    assert_int_equal(symlink(dir, link), 0);
    real_dir = realpath(dir, NULL);

    snprintf(below, sizeof below, "%s/link/not/there", dir);
    snprintf(want, sizeof want, "%s/not/there", real_dir);
    got = pm_path_real(below);
    assert_string_equal(got, want);
    free(got);
    got = pm_path_real("/nothing-like-this");
    assert_string_equal(got, "/nothing-like-this");
    free(got);
    got = pm_path_real("/");
    assert_string_equal(got, "/");
    free(got);

    free(real_dir);
    unlink(link);
    rmdir(dir);
}

static void folders_are_checked_without_being_made(void **state)
{
    struct pm_err err;
    (void)state;
    assert_int_equal(pm_path_check_input("/", NULL), PM_OK);
    assert_int_equal(pm_path_check_input("/nothing-like-this", &err), PM_ECONF);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_non_null(strstr(err.text, "\"/nothing-like-this\""));
    assert_int_equal(pm_path_check_input("/dev/null", &err), PM_ECONF);
    assert_int_equal(err.sys_errno, ENOTDIR);
    assert_int_equal(pm_path_check_output("/dev/null", &err), PM_ECONF);
    assert_int_equal(pm_path_check_output("/dev/null/below", &err), PM_ECONF);

    char dir[64];
    char below[128];
    const char *tmp = getenv("TMPDIR");
    snprintf(dir, sizeof dir, "%s/pm-path-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    snprintf(below, sizeof below, "%s/a/b/c", dir);
    assert_int_equal(pm_path_check_output(below, &err), PM_OK);
    assert_int_equal(rmdir(dir), 0); /* still empty */
}

static void folders_without_permission_are_told(void **state)
{
    char dir[64];
    struct pm_err err;
    const char *tmp = getenv("TMPDIR");
    (void)state;
    if (geteuid() == 0) {
        skip(); /* root may do everything */
    }
    snprintf(dir, sizeof dir, "%s/pm-path-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(dir));
    chmod(dir, 0);
    assert_int_equal(pm_path_check_input(dir, &err), PM_ECONF);
    assert_int_equal(err.sys_errno, EACCES);
    assert_int_equal(pm_path_check_output(dir, &err), PM_ECONF);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_become_absolute_and_tidy),
        cmocka_unit_test(within_counts_whole_names),
        cmocka_unit_test(real_follows_links_as_far_as_there_is_something),
        cmocka_unit_test(folders_are_checked_without_being_made),
        cmocka_unit_test(folders_without_permission_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
