/* bench_plain: reads, writes, and copies the shape of a folder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/bench_plain.h"
#include "tests/lib/workerkit.h"

static int64_t size_of(const char *folder, const char *name)
{
    struct stat st;
    char *path = kit_path(folder, name);
    int64_t size = stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
    free(path);
    return size;
}

static void a_folder_is_copied_in_shape(void **state)
{
    char *dir = kit_tmpdir(), *made = kit_path(dir, "made"), *copy = kit_path(dir, "copy");
    char *deep = kit_path(dir, "made/crops"), *small = kit_path(dir, "made/a"),
         *large = kit_path(dir, "made/crops/b");
    int64_t bytes = 0, files = 0;
    struct pm_err err;
    (void)state;
    kit_mkdir(made);
    kit_mkdir(deep);
    kit_write(small, "five!");
    assert_int_equal(pm_plain_write(large, (int64_t)PM_PLAIN_CHUNK * 2 + 7, &err), PM_OK);
    assert_int_equal(pm_plain_alike(made, copy, &bytes, &files, &err), PM_OK);
    assert_int_equal(files, 2);
    assert_int_equal(bytes, (int64_t)PM_PLAIN_CHUNK * 2 + 12);
    assert_int_equal(size_of(copy, "a"), 5);
    assert_int_equal(size_of(copy, "crops/b"), (int64_t)PM_PLAIN_CHUNK * 2 + 7);
    assert_int_equal(pm_plain_read(large, &err), PM_OK);
    kit_remove(dir);
    free(dir);
    free(made);
    free(copy);
    free(deep);
    free(small);
    free(large);
}

static void errors_name_the_file(void **state)
{
    char *dir = kit_tmpdir(), *file = kit_path(dir, "none");
    int64_t bytes = 0, files = 0;
    struct pm_err err;
    (void)state;
    assert_int_equal(pm_plain_read(file, &err), PM_ENOENT);
    assert_non_null(strstr(err.text, file));
    assert_int_equal(pm_plain_write(file, 3, &err), PM_OK);
    assert_int_not_equal(pm_plain_write(file, 3, &err), PM_OK); /* never over somebody's file */
    assert_non_null(strstr(err.text, file));
    assert_int_not_equal(pm_plain_alike(file, dir, &bytes, &files, &err), PM_OK);
    kit_remove(dir);
    free(dir);
    free(file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_is_copied_in_shape),
        cmocka_unit_test(errors_name_the_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
