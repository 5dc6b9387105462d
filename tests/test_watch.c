/* watch: what the kernel tells, in our words. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/watch.h"
#include "tests/lib/looping.h"
#include "tests/lib/tmpdir.h"

struct events {
    char *dir;
    uv_loop_t loop;
    struct pm_watch *watch;
    char text[1 << 16]; /* "F:path|" ... */
    int lost;
    const char *wanted;
};

static void on_event(void *ctx, enum pm_watch_kind kind, const char *path)
{
    struct events *events = ctx;
    size_t used = strlen(events->text);
    events->lost += kind == PM_WATCH_LOST;
    if (used + strlen(path) + 8 < sizeof events->text) {
        snprintf(events->text + used, sizeof events->text - used, "%c:%s|", "FNAL"[kind], path);
    }
}

static bool has_wanted(void *ctx)
{
    struct events *events = ctx;
    return strstr(events->text, events->wanted) != NULL;
}

/* Runs the loop until this event has come, then forgets all that came. */
static void expect(struct events *events, const char *wanted)
{
    events->wanted = wanted;
    if (!pm_loop_until(&events->loop, has_wanted, events)) {
        fail_msg("no %s in %s", wanted, events->text);
    }
    events->text[0] = '\0';
}

/* What the kernel says about the folder or file at path. */
static int ask(struct events *events, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int number;
    assert_true(fd >= 0);
    number = pm_watch_ask(events->watch, fd);
    close(fd);
    return number;
}

static void watch_dir(struct events *events, const char *rel)
{
    char *path = pm_tmpdir_path(events->dir, rel);
    int number = ask(events, path);
    assert_true(number >= 0);
    assert_int_equal(pm_watch_keep(events->watch, number, rel, NULL), PM_OK);
    free(path);
}

static int set_up(void **state)
{
    struct events *events = calloc(1, sizeof *events);
    struct pm_watch_opts opts = {.event = on_event, .ctx = events};
    events->dir = pm_tmpdir_make();
    assert_int_equal(uv_loop_init(&events->loop), 0);
    opts.loop = &events->loop;
    assert_int_equal(pm_watch_open(&events->watch, &opts, NULL), PM_OK);
    watch_dir(events, "");
    *state = events;
    return 0;
}

static int tear_down(void **state)
{
    struct events *events = *state;
    pm_watch_close(events->watch);
    assert_true(pm_loop_end(&events->loop));
    pm_tmpdir_remove(events->dir);
    free(events);
    return 0;
}

static void files_are_told(void **state)
{
    struct events *events = *state;
    pm_tmpdir_write(events->dir, "a.tif", "x");
    expect(events, "F:a.tif|");
    pm_tmpdir_rename(events->dir, "a.tif", "b.tif");
    expect(events, "F:a.tif|F:b.tif|");
    pm_tmpdir_unlink(events->dir, "b.tif");
    expect(events, "F:b.tif|");
    pm_tmpdir_write(events->dir, "-\n\xff.tif", "");
    expect(events, "F:-\n\xff.tif|");
}

static void folders_are_told(void **state)
{
    struct events *events = *state;
    pm_tmpdir_folder(events->dir, "s");
    expect(events, "N:s|");
    watch_dir(events, "s");
    pm_tmpdir_write(events->dir, "s/gt/x.tif", "x");
    expect(events, "N:s/gt|");
    watch_dir(events, "s/gt");
    assert_int_equal(pm_watch_count(events->watch), 3);
    pm_tmpdir_write(events->dir, "s/gt/y.tif", "x");
    expect(events, "F:s/gt/y.tif|");
}

static void moved_folder_ends_its_watches(void **state)
{
    struct events *events = *state;
    pm_tmpdir_folder(events->dir, "s/gt");
    watch_dir(events, "s");
    watch_dir(events, "s/gt");
    pm_tmpdir_folder(events->dir, "sx");
    watch_dir(events, "sx");
    pm_tmpdir_rename(events->dir, "s", "t");
    expect(events, "A:s|N:t|");
    assert_int_equal(pm_watch_count(events->watch), 2); /* the root and sx */
    pm_tmpdir_write(events->dir, "t/gt/quiet.tif", "x");
    pm_tmpdir_write(events->dir, "loud.tif", "x");
    expect(events, "F:loud.tif|");
    watch_dir(events, "t/gt"); /* the same folder again, by its new name */
    pm_tmpdir_write(events->dir, "t/gt/z.tif", "x");
    expect(events, "F:t/gt/z.tif|");
}

static void watched_twice_counts_once(void **state)
{
    struct events *events = *state;
    pm_tmpdir_folder(events->dir, "s");
    watch_dir(events, "s");
    watch_dir(events, "s");
    watch_dir(events, "");
    assert_int_equal(pm_watch_count(events->watch), 2);
}

static void removed_folder_ends_its_watch(void **state)
{
    struct events *events = *state;
    char *path = pm_tmpdir_path(events->dir, "s");
    for (int i = 0; i < 100; i++) { /* numbers are never used again: the list must not grow */
        pm_tmpdir_folder(events->dir, "s");
        watch_dir(events, "s");
        assert_int_equal(rmdir(path), 0);
    }
    free(path);
    pm_tmpdir_write(events->dir, "end.tif", "");
    expect(events, "F:end.tif|");
    assert_int_equal(pm_watch_count(events->watch), 1);
}

static void lost_root_is_told(void **state)
{
    struct events *events = *state;
    char *away = pm_tmpdir_path(events->dir, "");
    away[strlen(away) - 1] = '\0';
    away = realloc(away, strlen(away) + 6);
    strcat(away, "-away");
    assert_int_equal(rename(events->dir, away), 0);
    expect(events, "L:|");
    assert_int_equal(pm_watch_count(events->watch), 0);
    assert_int_equal(rename(away, events->dir), 0);
    free(away);
    watch_dir(events, "");
    pm_tmpdir_write(events->dir, "back.tif", "");
    expect(events, "F:back.tif|");
}

static bool lost_some(void *ctx)
{
    return ((struct events *)ctx)->lost > 0;
}

/* More events than the kernel keeps, none of them equal to the one before. */
static void overflow_is_told(void **state)
{
    struct events *events = *state;
    FILE *limit = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
    long most = 0;
    char *a = pm_tmpdir_path(events->dir, "a.tif");
    char *b = pm_tmpdir_path(events->dir, "b.tif");

    if (limit == NULL || fscanf(limit, "%ld", &most) != 1 || most > 100000) {
        skip();
    }
    fclose(limit);
    pm_tmpdir_write(events->dir, "a.tif", "");
    for (long i = 0; i <= most / 2 + 10; i++) {
        assert_int_equal(i % 2 == 0 ? rename(a, b) : rename(b, a), 0);
    }
    assert_true(pm_loop_until(&events->loop, lost_some, events));
    assert_int_equal(pm_watch_overflows(events->watch), 1);
    free(a);
    free(b);
}

static void asking_for_what_is_no_folder(void **state)
{
    struct events *events = *state;
    char *path = pm_tmpdir_path(events->dir, "x");
    pm_tmpdir_write(events->dir, "x", "");
    assert_int_equal(ask(events, path), -ENOTDIR);
    assert_true(pm_watch_ask(events->watch, 1 << 20) < 0);
    free(path);
}

/* What is watched is what was opened, not what its name leads to by now. */
static void swapped_folder_is_watched_not_the_link(void **state)
{
    struct events *events = *state;
    char *path = pm_tmpdir_path(events->dir, "s");
    int number;
    int fd;
    pm_tmpdir_folder(events->dir, "s");
    pm_tmpdir_folder(events->dir, "out");
    fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    pm_tmpdir_rename(events->dir, "s", "t");
    assert_int_equal(symlink("out", path), 0);
    expect(events, "A:s|N:t|F:s|");
    number = pm_watch_ask(events->watch, fd);
    close(fd);
    assert_int_equal(pm_watch_keep(events->watch, number, "s", NULL), PM_OK);
    pm_tmpdir_write(events->dir, "out/not-ours.tif", "");
    pm_tmpdir_write(events->dir, "t/ours.tif", "");
    expect(events, "F:s/ours.tif|");
    pm_tmpdir_write(events->dir, "end.tif", "");
    assert_null(strstr(events->text, "not-ours"));
    expect(events, "F:end.tif|");
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(folders_are_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(moved_folder_ends_its_watches, set_up, tear_down),
        cmocka_unit_test_setup_teardown(watched_twice_counts_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removed_folder_ends_its_watch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lost_root_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overflow_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(swapped_folder_is_watched_not_the_link, set_up, tear_down),
        cmocka_unit_test_setup_teardown(asking_for_what_is_no_folder, set_up, tear_down),
    };
    pm_watch_close(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
