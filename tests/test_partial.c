/* partial: what is built is unseen, listed with its hash, and gone when discarded or swept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/hash.h"
#include "tests/lib/workerkit.h"
#include "worker/partial.h"

struct fixture {
    char *dir, *out, *root;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = kit_tmpdir();
    f->out = kit_path(f->dir, "out");
    f->root = kit_path(f->out, PM_PARTIAL_FOLDER);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    kit_remove(f->dir);
    free(f->dir);
    free(f->out);
    free(f->root);
    free(f);
    return 0;
}

static void put(struct pm_partial *partial, const char *name, const char *text)
{
    struct pm_err err;
    int fd;
    assert_int_equal(pm_partial_create(partial, name, &fd, &err), PM_OK);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(pm_partial_finish(partial, name, fd, &err), PM_OK);
}

static void files_are_listed_with_size_and_hash(void **state)
{
    struct fixture *f = *state;
    struct pm_partial partial;
    struct pm_err err;
    char hex[17], name[64];
    assert_int_equal(pm_partial_begin(&partial, f->out, 17, 2, &err), PM_OK);
    put(&partial, "mask.png", "hello");
    for (int i = 0; i < 3 * PM_PARTIAL_PENDING; i++) { /* more than are kept open */
        snprintf(name, sizeof name, "crops/%d", i);
        put(&partial, name, name);
    }
    put(&partial, "empty", "");
    assert_int_equal(pm_partial_sync(&partial, &err), PM_OK);
    assert_int_equal(partial.file_count, 3 * PM_PARTIAL_PENDING + 2);
    pm_hash_bytes("hello", 5, hex);
    assert_string_equal(partial.files[0].hash, hex);
    assert_int_equal(partial.files[0].size, 5);
    assert_string_equal(partial.files[1].name, "crops/0");
    assert_int_equal(kit_entries(f->root), 1);
    assert_int_equal(kit_entries(f->out), 1); /* .partial only */
    pm_partial_discard(&partial);
    assert_int_equal(kit_entries(f->root), 0);
    pm_partial_discard(&partial); /* twice is fine */
}

static void no_two_share_a_folder(void **state)
{
    struct fixture *f = *state;
    struct pm_partial a, b;
    struct pm_err err;
    assert_int_equal(pm_partial_begin(&a, f->out, 17, 0, &err), PM_OK);
    assert_int_equal(pm_partial_begin(&b, f->out, 17, 0, &err), PM_OK);
    assert_string_not_equal(a.name, b.name);
    put(&a, "x", "a");
    put(&b, "x", "b");
    pm_partial_discard(&a);
    assert_int_equal(kit_entries(f->root), 1);
    pm_partial_discard(&b);
}

static void a_file_is_never_written_twice(void **state)
{
    struct fixture *f = *state;
    struct pm_partial partial;
    struct pm_err err;
    int fd;
    assert_int_equal(pm_partial_begin(&partial, f->out, 1, 0, &err), PM_OK);
    put(&partial, "x", "a");
    assert_true(pm_partial_create(&partial, "x", &fd, &err) != PM_OK);
    pm_partial_discard(&partial);
}

static void discard_in_the_middle_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    struct pm_partial partial;
    struct pm_err err;
    int fd;
    assert_int_equal(pm_partial_begin(&partial, f->out, 1, 0, &err), PM_OK);
    put(&partial, "crops/1", "a");
    assert_int_equal(pm_partial_create(&partial, "crops/2", &fd, &err), PM_OK);
    close(fd);
    pm_partial_discard(&partial);
    assert_int_equal(kit_entries(f->root), 0);
}

/* The process may have five more than it has: fewer than the crops that would be kept open. */
static void few_descriptors_are_enough(void **state)
{
    struct fixture *f = *state;
    struct pm_partial partial;
    struct pm_err err;
    struct rlimit before, few;
    char name[64];
    int free_fd;
    assert_int_equal(pm_partial_begin(&partial, f->out, 1, 0, &err), PM_OK);
    put(&partial, "crops/first", "a");
    free_fd = dup(0);
    close(free_fd);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = before;
    few.rlim_cur = (rlim_t)free_fd + 5;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    for (int i = 0; i < PM_PARTIAL_PENDING; i++) {
        snprintf(name, sizeof name, "crops/%d", i);
        put(&partial, name, "a");
    }
    assert_int_equal(pm_partial_sync(&partial, &err), PM_OK);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(partial.file_count, PM_PARTIAL_PENDING + 1);
    pm_partial_discard(&partial);
}

static void a_link_for_partial_is_refused(void **state)
{
    struct fixture *f = *state;
    struct pm_partial partial;
    struct pm_err err;
    kit_mkdir(f->out);
    assert_int_equal(symlink("..", f->root), 0);
    assert_int_equal(pm_partial_begin(&partial, f->out, 1, 0, &err), PM_EEXIST);
    assert_non_null(strstr(err.text, "in the way"));
}

static void sweep_removes_left_overs_only(void **state)
{
    struct fixture *f = *state;
    struct pm_partial partial;
    struct pm_err err;
    char *kept = kit_path(f->out, "kept");
    assert_int_equal(pm_worker_sweep(f->out, &err), PM_OK); /* no output yet */
    assert_int_equal(pm_partial_begin(&partial, f->out, 1, 0, &err), PM_OK);
    put(&partial, "crops/1", "a");
    kit_write(kept, "x");
    assert_int_equal(pm_worker_sweep(f->out, &err), PM_OK);
    assert_true(kit_exists(kept));
    assert_true(kit_entries(f->root) <= 0);
    pm_partial_discard(&partial);
    free(kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_listed_with_size_and_hash, set_up, tear_down),
        cmocka_unit_test_setup_teardown(no_two_share_a_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_is_never_written_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(discard_in_the_middle_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(few_descriptors_are_enough, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_link_for_partial_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(sweep_removes_left_overs_only, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
