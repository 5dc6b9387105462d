/* walk: what is seen, what is passed over, holding back, cancelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/walk.h"
#include "tests/lib/looping.h"
#include "tests/lib/tmpdir.h"
#include "tests/lib/unprivileged.h"

struct seen {
    char *dir;
    uv_loop_t loop;
    struct pm_walk *walk;
    char names[16384]; /* "|a|b" in the order seen */
    struct pm_stamp last;
    int files, entered, hold_at;
    bool done, root_lost;
    struct pm_walk_counts counts;
    struct pm_err result;
    int enter_result;
    const char *swap_at_enter;   /* when the second folder is open: this one becomes a link */
    const char *swap_at_entered; /* when the root has been listed */
    int enters;
    char unseen[512];
};

/* The folder rel becomes a link to "out". */
static void swap(struct seen *seen, const char *rel)
{
    char *path = pm_tmpdir_path(seen->dir, rel);
    pm_tmpdir_rename(seen->dir, rel, "was");
    assert_int_equal(symlink("../out", path), 0);
    free(path);
}

static void on_unseen(void *ctx, const char *rel)
{
    struct seen *seen = ctx;
    snprintf(seen->unseen, sizeof seen->unseen, "%s", rel);
}

static void on_file(void *ctx, const char *rel, const struct pm_stamp *stamp)
{
    struct seen *seen = ctx;
    size_t used = strlen(seen->names);
    if (used + strlen(rel) + 2 < sizeof seen->names) {
        snprintf(seen->names + used, sizeof seen->names - used, "|%s", rel);
    }
    seen->last = *stamp;
    if (++seen->files == seen->hold_at) {
        pm_walk_hold(seen->walk, true);
    }
}

static void on_done(
    void *ctx, const struct pm_walk_counts *counts, const struct pm_err *result, bool root_lost)
{
    struct seen *seen = ctx;
    assert_false(seen->done);
    seen->done = true;
    seen->counts = *counts;
    seen->result = *result;
    seen->root_lost = root_lost;
}

/* On a pool thread; the loop waits for it. */
static int enter(void *ctx, int fd)
{
    struct seen *seen = ctx;
    if (seen->swap_at_enter != NULL && seen->enters++ == 1) {
        swap(seen, seen->swap_at_enter);
    }
    return fd >= 0 ? 7 : -1;
}

static void entered(void *ctx, const char *rel, int result)
{
    struct seen *seen = ctx;
    if (seen->swap_at_entered != NULL && rel[0] == '\0') {
        swap(seen, seen->swap_at_entered);
    }
    seen->entered++;
    seen->enter_result = result;
}

static bool is_done(void *ctx)
{
    return ((struct seen *)ctx)->done;
}

static struct pm_walk_opts opts_of(struct seen *seen, const char *start)
{
    return (struct pm_walk_opts){.loop = &seen->loop,
        .root = seen->dir,
        .start = start,
        .enter = enter,
        .entered = entered,
        .file = on_file,
        .unseen = on_unseen,
        .done = on_done,
        .ctx = seen};
}

static void start(struct seen *seen, const struct pm_walk_opts *opts)
{
    seen->done = false;
    seen->files = 0;
    seen->names[0] = '\0';
    assert_int_equal(pm_walk_start(&seen->walk, opts, NULL), PM_OK);
}

static void walk(struct seen *seen, const struct pm_walk_opts *opts)
{
    start(seen, opts);
    assert_true(pm_loop_until(&seen->loop, is_done, seen));
}

static bool has(const struct seen *seen, const char *name)
{
    char wanted[512];
    const char *at;
    snprintf(wanted, sizeof wanted, "|%s", name);
    at = strstr(seen->names, wanted);
    return at != NULL && (at[strlen(wanted)] == '|' || at[strlen(wanted)] == '\0');
}

static int set_up(void **state)
{
    struct seen *seen = calloc(1, sizeof *seen);
    seen->dir = pm_tmpdir_make();
    assert_int_equal(uv_loop_init(&seen->loop), 0);
    *state = seen;
    return 0;
}

static int tear_down(void **state)
{
    struct seen *seen = *state;
    assert_true(pm_loop_end(&seen->loop));
    pm_tmpdir_remove(seen->dir);
    free(seen);
    return 0;
}

static void sees_what_it_should(void **state)
{
    struct seen *seen = *state;
    struct pm_walk_opts opts = opts_of(seen, "");
    char *out = pm_tmpdir_path(seen->dir, "out");
    const char *skip[] = {out};
    char *path;

    pm_tmpdir_write(seen->dir, "gt/a.tif", "12345");
    pm_tmpdir_write(seen->dir, "b.tif", "");
    pm_tmpdir_write(seen->dir, "s/deep/er/gt/\xff\n.tif", "x");
    pm_tmpdir_write(seen->dir, "notes.txt", "x");
    pm_tmpdir_write(seen->dir, "s/.hidden.tif", "x");
    pm_tmpdir_write(seen->dir, "s/c.tif.part", "x");
    pm_tmpdir_write(seen->dir, ".git/d.tif", "x");
    pm_tmpdir_write(seen->dir, "out/scene/e.tif", "x");
    pm_tmpdir_write(seen->dir, "output/f.tif", "x");
    pm_tmpdir_folder(seen->dir, "folder.tif");
    path = pm_tmpdir_path(seen->dir, "link.tif");
    assert_int_equal(symlink("b.tif", path), 0);
    free(path);
    path = pm_tmpdir_path(seen->dir, "s/up");
    assert_int_equal(symlink("..", path), 0); /* a loop, if it were followed */
    free(path);
    path = pm_tmpdir_path(seen->dir, "pipe.tif");
    assert_int_equal(mkfifo(path, 0600), 0);
    free(path);
    opts.skip = skip;
    opts.skip_count = 1;
    walk(seen, &opts);

    assert_int_equal(seen->result.code, PM_OK);
    assert_int_equal(seen->files, 4);
    assert_true(has(seen, "gt/a.tif") && has(seen, "b.tif") && has(seen, "output/f.tif"));
    assert_true(has(seen, "s/deep/er/gt/\xff\n.tif"));
    assert_int_equal(seen->counts.files, 4);
    assert_int_equal(seen->counts.ignored, 1);
    assert_int_equal(seen->counts.hidden, 3);
    assert_int_equal(seen->counts.links, 2);
    assert_int_equal(seen->counts.special, 1);
    assert_int_equal(seen->counts.unseen + seen->counts.lost, 0);
    assert_int_equal(seen->counts.dirs, 8);
    assert_int_equal(seen->entered, 8);
    assert_int_equal(seen->enter_result, 7);
    free(out);
}

static void stamp_is_that_of_the_file(void **state)
{
    struct seen *seen = *state;
    struct pm_walk_opts opts = opts_of(seen, "");
    char *path = pm_tmpdir_path(seen->dir, "a.tif");
    const struct timespec times[2] = {{0, 5}, {4102444800, 123456789}}; /* 1970; the year 2100 */
    struct stat st;

    pm_tmpdir_write(seen->dir, "a.tif", "12345");
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    assert_int_equal(lstat(path, &st), 0);
    walk(seen, &opts);
    assert_int_equal(seen->last.size, 5);
    assert_int_equal(seen->last.mtime_ns, 4102444800123456789);
    assert_int_equal(seen->last.inode, (int64_t)st.st_ino);
    free(path);
}

static void starts_below_the_root(void **state)
{
    struct seen *seen = *state;
    struct pm_walk_opts opts = opts_of(seen, "s/t");
    pm_tmpdir_write(seen->dir, "a.tif", "");
    pm_tmpdir_write(seen->dir, "s/b.tif", "");
    pm_tmpdir_write(seen->dir, "s/t/c.tif", "");
    pm_tmpdir_write(seen->dir, "s/t/gt/d.tif", "");
    opts.enter = NULL;
    walk(seen, &opts);
    assert_int_equal(seen->files, 2);
    assert_true(has(seen, "s/t/c.tif") && has(seen, "s/t/gt/d.tif"));
}

static void root_may_be_a_link(void **state)
{
    struct seen *seen = *state;
    struct pm_walk_opts opts = opts_of(seen, "");
    char *link = pm_tmpdir_path(seen->dir, "link");
    pm_tmpdir_write(seen->dir, "real/a.tif", "");
    assert_int_equal(symlink("real", link), 0);
    opts.root = link;
    walk(seen, &opts);
    assert_int_equal(seen->files, 1);
    assert_true(has(seen, "a.tif"));
    free(link);
}

static void lost_root_is_told(void **state)
{
    struct seen *seen = *state;
    struct pm_walk_opts opts = opts_of(seen, "");
    char *path = pm_tmpdir_path(seen->dir, "nowhere");
    opts.root = path;
    walk(seen, &opts);
    assert_true(seen->root_lost);
    assert_int_equal(seen->result.code, PM_ENOENT);
    assert_non_null(strstr(seen->result.text, "nowhere"));
    free(path);
}

static void folder_that_went_away_is_no_error(void **state)
{
    struct seen *seen = *state;
    struct pm_walk_opts opts = opts_of(seen, "gone/with");
    walk(seen, &opts);
    assert_int_equal(seen->result.code, PM_OK);
    assert_false(seen->root_lost);
    assert_int_equal(seen->files, 0);
}

static void unreadable_folder_is_told(void **state)
{
    struct seen *seen = *state;
    struct pm_walk_opts opts = opts_of(seen, "");
    char *path = pm_tmpdir_path(seen->dir, "closed");
    bool root = unprivileged_begin(seen->dir);
    pm_tmpdir_write(seen->dir, "closed/a.tif", "");
    pm_tmpdir_write(seen->dir, "open/b.tif", "");
    assert_int_equal(chmod(path, 0), 0);
    walk(seen, &opts);
    assert_int_equal(chmod(path, 0700), 0);
    unprivileged_end(root);
    assert_int_equal(seen->result.code, PM_EACCES);
    assert_int_equal(seen->counts.unseen, 1);
    assert_int_equal(seen->counts.lost, 0);
    assert_string_equal(seen->unseen, "closed");
    assert_int_equal(seen->files, 1);
    free(path);
}

/* A folder that was seen to be one is swapped for a link before it is opened. */
static void swapped_before_it_is_opened(void **state)
{
    struct seen *seen = *state;
    struct pm_walk_opts opts = opts_of(seen, "");
    char *root = pm_tmpdir_path(seen->dir, "in");
    char *dir = seen->dir;
    pm_tmpdir_write(dir, "in/s/a.tif", "");
    pm_tmpdir_write(dir, "out/a.tif", "not ours");
    pm_tmpdir_write(dir, "out/b.tif", "not ours");
    seen->swap_at_entered = "s";
    opts.root = seen->dir = root;
    walk(seen, &opts);
    seen->dir = dir;
    assert_int_equal(seen->result.code, PM_OK);
    assert_int_equal(seen->files, 0);
    seen->swap_at_entered = NULL;
    walk(seen, &opts);
    assert_int_equal(seen->files, 1); /* what it was renamed to */
    assert_true(has(seen, "was/a.tif"));
    assert_int_equal(seen->counts.links, 1);
    free(root);
}

/* The same while it is open: what is listed and looked at is still the folder. */
static void swapped_while_it_is_open(void **state)
{
    struct seen *seen = *state;
    struct pm_walk_opts opts = opts_of(seen, "");
    char *root = pm_tmpdir_path(seen->dir, "in");
    char *dir = seen->dir;
    pm_tmpdir_write(dir, "in/s/a.tif", "12345");
    pm_tmpdir_write(dir, "out/a.tif", "not ours at all");
    pm_tmpdir_write(dir, "out/b.tif", "not ours");
    seen->swap_at_enter = "s";
    opts.root = seen->dir = root;
    walk(seen, &opts);
    seen->dir = dir;
    assert_int_equal(seen->files, 1);
    assert_true(has(seen, "s/a.tif"));
    assert_int_equal(seen->last.size, 5);
    free(root);
}

/* True after a number of turns of the loop: long enough for a walk that is not held to go on. */
static bool turned(void *ctx)
{
    int *turns = ctx;
    return ++*turns > 200;
}

static void held_walk_waits(void **state)
{
    struct seen *seen = *state;
    struct pm_walk_opts opts = opts_of(seen, "");
    int turns = 0;
    for (int i = 0; i < 300; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d/%d.tif", i % 7, i);
        pm_tmpdir_write(seen->dir, name, "");
    }
    seen->hold_at = 20;
    start(seen, &opts);
    assert_true(pm_loop_until(&seen->loop, turned, &turns));
    assert_false(seen->done);
    assert_in_range(seen->files, 20, 20 + PM_WALK_INFLIGHT);
    pm_walk_hold(seen->walk, false);
    assert_true(pm_loop_until(&seen->loop, is_done, seen));
    assert_int_equal(seen->files, 300);
}

static void cancelled_walk_ends(void **state)
{
    struct seen *seen = *state;
    struct pm_walk_opts opts = opts_of(seen, "");
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "s%d/%d.tif", i, i);
        pm_tmpdir_write(seen->dir, name, "");
    }
    start(seen, &opts); /* before it has begun */
    pm_walk_cancel(seen->walk);
    assert_true(pm_loop_until(&seen->loop, is_done, seen));
    assert_int_equal(seen->result.code, PM_ECANCELED);
    assert_int_equal(seen->files, 0);

    seen->hold_at = 10; /* in the middle, while held */
    start(seen, &opts);
    while (seen->files < 10) {
        uv_run(&seen->loop, UV_RUN_ONCE);
    }
    pm_walk_cancel(seen->walk);
    assert_true(pm_loop_until(&seen->loop, is_done, seen));
    assert_int_equal(seen->result.code, PM_ECANCELED);
    assert_true(seen->files < 100);
}

/* More names than one go takes, none of them worth a stat. */
static void many_ignored_names(void **state)
{
    struct seen *seen = *state;
    struct pm_walk_opts opts = opts_of(seen, "");
    for (int i = 0; i < 3000; i++) {
        char name[32];
        snprintf(name, sizeof name, "%d.txt", i);
        pm_tmpdir_write(seen->dir, name, "");
    }
    walk(seen, &opts);
    assert_int_equal(seen->counts.ignored, 3000);
    assert_int_equal(seen->files, 0);
}

static void names_of_255_bytes(void **state)
{
    struct seen *seen = *state;
    struct pm_walk_opts opts = opts_of(seen, "");
    char name[256];
    memset(name, 'n', sizeof name);
    strcpy(name + 251, ".tif");
    pm_tmpdir_write(seen->dir, name, "");
    walk(seen, &opts);
    assert_int_equal(seen->files, 1);
    assert_true(has(seen, name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sees_what_it_should, set_up, tear_down),
        cmocka_unit_test_setup_teardown(stamp_is_that_of_the_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(starts_below_the_root, set_up, tear_down),
        cmocka_unit_test_setup_teardown(root_may_be_a_link, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lost_root_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folder_that_went_away_is_no_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unreadable_folder_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(swapped_before_it_is_opened, set_up, tear_down),
        cmocka_unit_test_setup_teardown(swapped_while_it_is_open, set_up, tear_down),
        cmocka_unit_test_setup_teardown(held_walk_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cancelled_walk_ends, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_ignored_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(names_of_255_bytes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
