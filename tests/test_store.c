/* store: modes and locks of the file, statements, what other users and programs can and cannot do.
 */
#include <errno.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/store.h"
#include "tests/lib/guest.h"
#include "tests/lib/tmpdir.h"

struct place {
    char *dir, *db;
    struct pm_store *store;
};

static int set_up(void **state)
{
    static struct place place;
    place.dir = pm_tmpdir_make();
    place.db = pm_tmpdir_path(place.dir, "state/pairmill.db");
    assert_int_equal(pm_store_open(&place.store, place.db, NULL), PM_OK);
    *state = &place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    pm_store_close(place->store);
    free(place->db);
    pm_tmpdir_remove(place->dir);
    return 0;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return st.st_mode & 07777;
}

static enum pm_code remember(struct pm_store *store, const char *name, int64_t value)
{
    struct pm_query *query = pm_query_start(store, "control_put");
    pm_query_text(query, ":name", name);
    pm_query_int(query, ":value", value);
    return pm_query_run(query, NULL);
}

static int64_t recall(struct pm_store *store, const char *name)
{
    int64_t value;
    struct pm_query *query = pm_query_start(store, "control_get");
    pm_query_text(query, ":name", name);
    assert_int_equal(pm_query_value(query, &value, NULL), PM_OK);
    return value;
}

static void files_are_0640_in_a_folder_of_2750(void **state)
{
    struct place *place = *state;
    char *folder = pm_tmpdir_path(place->dir, "state");
    char *wal = pm_tmpdir_path(place->dir, "state/pairmill.db-wal");
    assert_int_equal(mode_of(folder), 02750);
    assert_int_equal(mode_of(place->db), 0640);
    assert_int_equal(remember(place->store, "x", 1), PM_OK);
    assert_int_equal(mode_of(wal), 0640);
    pm_store_close(place->store);
    place->store = NULL;
    assert_int_equal(access(wal, F_OK), 0); /* stays, for those who may only read */
    free(wal);
    free(folder);
}

static void a_rollback_leaves_nothing(void **state)
{
    struct place *place = *state;
    assert_int_equal(pm_store_begin(place->store, NULL), PM_OK);
    assert_int_equal(remember(place->store, "x", 1), PM_OK);
    pm_store_rollback(place->store);
    pm_store_rollback(place->store); /* nothing to roll back */
    assert_int_equal(recall(place->store, "x"), 0);
    assert_int_equal(pm_store_begin(place->store, NULL), PM_OK);
    assert_int_equal(remember(place->store, "x", 2), PM_OK);
    assert_int_equal(pm_store_commit(place->store, NULL), PM_OK);
    assert_int_equal(recall(place->store, "x"), 2);
}

static void a_reader_cannot_write(void **state)
{
    struct place *place = *state;
    struct pm_store *reader = NULL;
    struct pm_err err;
    assert_int_equal(pm_store_open_reader(&reader, place->db, NULL), PM_OK);
    struct pm_query *query = pm_query_start(reader, "control_put");
    pm_query_text(query, ":name", "x");
    pm_query_int(query, ":value", 1);
    assert_int_equal(pm_query_run(query, &err), PM_EACCES);
    pm_store_close(reader);
}

static void a_database_that_is_not_there_is_said_so(void **state)
{
    struct place *place = *state;
    struct pm_store *reader = NULL;
    struct pm_err err;
    char *path = pm_tmpdir_path(place->dir, "none.db");
    assert_int_equal(pm_store_open_reader(&reader, path, &err), PM_ENOENT);
    assert_non_null(strstr(err.text, "none.db"));
    assert_int_equal(access(path, F_OK), -1); /* and is not made */
    assert_null(reader);
    free(path);
}

static void count_tick(void *ctx)
{
    (*(int *)ctx)++;
}

/* A database of the first version with many rows: the one who opens it hears that it gets on, and
 * also while somebody else's lock is waited for. */
static void a_long_opening_is_told_about(void **state)
{
    struct place *place = *state;
    struct pm_store *store = NULL;
    struct pm_guest guest;
    char command[1024];
    int few = 0;
    int many = 0;
    if (access("sql/schema/001.sql", R_OK) != 0) {
        skip(); /* not started in the repository */
    }
    char *old = pm_tmpdir_path(place->dir, "old.db");
    for (int rows = 1; rows <= 100000; rows += 99999) {
        snprintf(command, sizeof command,
            "sqlite3 -batch '%s' '.read sql/schema/001.sql' \"insert or ignore into control with"
            " recursive n(i) as (select 1 union all select i + 1 from n where i < %d)"
            " select 'x' || i, i from n\"",
            old, rows);
        unlink(old);
        assert_int_equal(system(command), 0);
        assert_int_equal(
            pm_store_open_ticking(&store, old, count_tick, rows == 1 ? &few : &many, NULL), PM_OK);
        pm_store_close(store);
    }
    assert_true(few >= 3);
    assert_true(many > few + 3);
    pm_guest_open(&guest, old);
    pm_guest_run(&guest, "begin immediate; select 'held';");
    few = 0;
    assert_int_equal(pm_store_open_ticking(&store, old, count_tick, &few, NULL), PM_EDB);
    assert_true(few > 50); /* in 10 s */
    pm_guest_close(&guest);
    free(old);
}

static void a_locked_database_is_busy_not_broken(void **state)
{
    struct place *place = *state;
    struct pm_guest guest;
    struct pm_err err;
    pm_guest_open(&guest, place->db);
    pm_guest_run(&guest, "begin immediate; select 'held';");
    pm_store_busy_ms(place->store, 10);
    assert_int_equal(pm_store_begin(place->store, &err), PM_EDB);
    assert_int_equal(err.sys_errno, EBUSY);
    pm_guest_run(&guest, "commit; select 'gone';");
    assert_int_equal(pm_store_begin(place->store, &err), PM_OK);
    assert_int_equal(pm_store_commit(place->store, NULL), PM_OK);
    pm_guest_close(&guest);
}

static void the_log_is_cut_once_nobody_reads(void **state)
{
    struct place *place = *state;
    struct pm_guest guest;
    struct stat st;
    char *wal = pm_tmpdir_path(place->dir, "state/pairmill.db-wal");
    int pages = 0;
    assert_int_equal(remember(place->store, "x", 1), PM_OK);
    pm_guest_open(&guest, place->db);
    pm_guest_run(&guest, "begin; select count(*) from control;");
    for (int64_t i = 0; i < 50; i++) { /* delayed by nobody */
        assert_int_equal(remember(place->store, "x", i), PM_OK);
    }
    assert_int_equal(pm_store_checkpoint(place->store, true, &pages, NULL), PM_OK);
    assert_true(pages > 0);
    assert_true(pm_store_wal_pages(place->store) > 0);
    assert_int_equal(stat(wal, &st), 0);
    assert_true(st.st_size > 0);
    pm_guest_run(&guest, "commit; select 'gone';");
    assert_int_equal(pm_store_checkpoint(place->store, true, &pages, NULL), PM_OK);
    assert_int_equal(pages, 0);
    assert_int_equal(pm_store_wal_pages(place->store), 0);
    assert_int_equal(stat(wal, &st), 0);
    assert_int_equal(st.st_size, 0);
    pm_guest_close(&guest);
    free(wal);
}

#define GUEST 60001
#define GROUP 60002
#define STRANGER 60003

/* Exit status of sqlite3 -readonly as somebody else. */
static int ask_as(uid_t user, gid_t group, const char *db)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 ||
            setresuid(user, user, user) != 0 || freopen("/dev/null", "w", stdout) == NULL ||
            freopen("/dev/null", "w", stderr) == NULL) {
            _exit(99);
        }
        execlp("sqlite3", "sqlite3", "-batch", "-readonly", db, "select * from progress",
            (char *)NULL);
        _exit(98);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 98);
    return WEXITSTATUS(status);
}

static void the_group_may_read_with_the_writer_there_or_not(void **state)
{
    struct place *place = *state;
    if (getuid() != 0) {
        skip();
    }
    char *folder = pm_tmpdir_path(place->dir, "state");
    pm_store_close(place->store);
    place->store = NULL;
    unlink(place->db);
    assert_int_equal(chmod(place->dir, 0711), 0);
    assert_int_equal(chown(folder, 0, GROUP), 0);
    assert_int_equal(chmod(folder, 02750), 0);
    char *rest = pm_tmpdir_path(place->dir, "state/pairmill.db-wal");
    unlink(rest);
    free(rest);
    rest = pm_tmpdir_path(place->dir, "state/pairmill.db-shm");
    unlink(rest);
    free(rest);
    assert_int_equal(pm_store_open(&place->store, place->db, NULL), PM_OK);
    assert_int_equal(remember(place->store, "x", 1), PM_OK);
    assert_int_equal(ask_as(GUEST, GROUP, place->db), 0);
    assert_int_not_equal(ask_as(STRANGER, STRANGER, place->db), 0);
    pm_store_close(place->store);
    place->store = NULL;
    assert_int_equal(ask_as(GUEST, GROUP, place->db), 0);
    assert_int_not_equal(ask_as(STRANGER, STRANGER, place->db), 0);
    free(folder);
}

#define with_place(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(files_are_0640_in_a_folder_of_2750),
        with_place(a_rollback_leaves_nothing),
        with_place(a_reader_cannot_write),
        with_place(a_database_that_is_not_there_is_said_so),
        with_place(a_long_opening_is_told_about),
        with_place(a_locked_database_is_busy_not_broken),
        with_place(the_log_is_cut_once_nobody_reads),
        with_place(the_group_may_read_with_the_writer_there_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
