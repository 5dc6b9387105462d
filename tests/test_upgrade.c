/* upgrade: an old database that is brought up to date is either as it was or new, whatever happens:
 * killed at any moment, every write failing in turn, every statement failing in turn. The copy that
 * is kept is whole. PM_SEED=N repeats a run of kills; PM_KILLS=N sets how many. */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/schema.h"
#include "common/sql.h"
#include "common/store.h"
#include "tests/lib/shell.h"
#include "tests/lib/tmpdir.h"

struct place {
    char *dir, *old, *db, *copy; /* old: as it was before; db: the one that is opened */
};

static int set_up(void **state)
{
    static struct place place;
    place.dir = pm_tmpdir_make();
    place.old = pm_tmpdir_path(place.dir, "old.db");
    place.db = pm_tmpdir_path(place.dir, "p.db");
    place.copy = pm_tmpdir_path(place.dir, "p.db.v2.bak");
    *state = &place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    free(place->old);
    free(place->db);
    free(place->copy);
    pm_tmpdir_remove(place->dir);
    return 0;
}

#define with_place(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

static const char *ask(const char *db, const char *sql)
{
    return pm_shell_ask(db, "", sql);
}

static const char *text_of(const char *name)
{
    for (size_t i = 0; i < pm_sql_count; i++) {
        if (strcmp(pm_sql[i].name, name) == 0) {
            return pm_sql[i].text;
        }
    }
    fail_msg("no %s", name);
    return "";
}

/* A database of schema `version` with so many jobs. */
static void make_old(const char *db, int version, int jobs)
{
    char sql[1024];
    pm_shell_feed(db, "pragma journal_mode = wal;");
    for (int step = 1; step <= version; step++) {
        char name[24];
        snprintf(name, sizeof name, "schema/%03d", step);
        pm_shell_feed(db, text_of(name));
    }
    snprintf(sql, sizeof sql,
        "begin; insert into source (id, name, input, input_text, output, output_text)"
        " values (1, 'kept', x'2f61', '/a', x'2f62', '/b');"
        "insert into scene (id, source_id, path, name) values (1, 1, x'73', 's');"
        "create temp table n as with recursive n(i) as"
        " (select 1 union all select i + 1 from n where i < %d) select i from n;"
        "insert into image (id, source_id, scene_id, role, path, name, size, mtime_ns, inode,"
        " since_us) select i, 1, 1, iif(i = 1, 'gt', 'target'), cast('s/' || i as blob), 's/' || i,"
        " i, i, i, 1 from n;"
        "insert into job (id, source_id, scene_id, gt_id, target_id, gt_revision, target_revision,"
        " state, queued_us) select i, 1, 1, 1, i, 1, 1, 'queued', 1 from n; commit;"
        "pragma wal_checkpoint(truncate);",
        jobs);
    pm_shell_feed(db, sql);
}

static void fresh(const struct place *place)
{
    char command[1024];
    snprintf(command, sizeof command, "rm -f '%s' '%s'*; cp '%s' '%s'", place->copy, place->db,
        place->old, place->db);
    assert_int_equal(system(command), 0);
}

/* "2|5000|5000": the version, images and jobs; of a database whose pages are in order. */
static void expect_whole(const char *db, int version, int jobs)
{
    char expected[64];
    snprintf(expected, sizeof expected, "%d|%d|%d", version, jobs, jobs);
    assert_string_equal(ask(db, "pragma integrity_check"), "ok");
    assert_string_equal(ask(db, "select user_version, (select count(*) from image),"
                                " (select count(*) from job) from pragma_user_version"),
        expected);
}

/* Either version; true when it is the new one. */
static bool expect_either(const char *db, int old, int jobs)
{
    bool new = strtol(ask(db, "pragma user_version"), NULL, 10) != old;
    expect_whole(db, new ? pm_schema_newest() : old, jobs);
    assert_string_equal(
        ask(db, "select count(*) from sqlite_schema where name = 'record'"), new ? "1" : "0");
    return new;
}

static void expect_opens(const char *db, int jobs)
{
    struct pm_store *store = NULL;
    struct pm_err err = {.text = ""};
    enum pm_code rc = pm_store_open(&store, db, &err);
    pm_store_close(store);
    assert_string_equal(err.text, "");
    assert_int_equal(rc, PM_OK);
    expect_whole(db, pm_schema_newest(), jobs);
}

/* --- killed --- */

static pid_t start_opening(const char *db)
{
    pid_t child = fork();
    if (child == 0) {
        struct pm_store *store = NULL;
        enum pm_code rc = pm_store_open(&store, db, NULL);
        pm_store_close(store);
        _exit(rc == PM_OK ? 0 : 1);
    }
    assert_true(child > 0);
    return child;
}

static void sleep_us(int64_t us)
{
    struct timespec wait = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    nanosleep(&wait, NULL);
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int64_t setting(const char *name, int64_t usual)
{
    const char *text = getenv(name);
    return text != NULL ? strtoll(text, NULL, 10) : usual;
}

/* What it may look like at an end depends on luck; that it is one of two things does not. */
static void a_kill_leaves_the_old_or_the_new_one(void **state)
{
    struct place *place = *state;
    bool brief = getenv("PAIRMILL_SHORT") != NULL;
    int64_t seed = setting("PM_SEED", 20261123);
    int64_t kills = setting("PM_KILLS", brief ? 4 : 12);
    const int jobs = brief ? 2000 : 10000;
    uint64_t random = (uint64_t)seed * 2654435761u | 1;
    int status;
    int old = 0;
    int copied = 0;

    make_old(place->old, 2, jobs);
    fresh(place);
    int64_t start_us = pm_mono_us(pm_clock_real());
    waitpid(start_opening(place->db), &status, 0);
    int64_t whole_us = pm_mono_us(pm_clock_real()) - start_us;
    assert_int_equal(status, 0);
    expect_whole(place->db, pm_schema_newest(), jobs);
    for (int i = 0; i < kills; i++) {
        /* Most of the time goes into the copy; every other kill is for what comes after it. */
        int64_t from_us = i % 2 == 0 ? 0 : whole_us * 3 / 4;
        int64_t at_us =
            from_us + (int64_t)(next_random(&random) % (uint64_t)(whole_us * 11 / 10 - from_us));
        print_message("seed %lld, kill %d of %lld after %lld of %lld us\n", (long long)seed, i + 1,
            (long long)kills, (long long)at_us, (long long)whole_us);
        fresh(place);
        pid_t child = start_opening(place->db);
        sleep_us(at_us);
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        copied += access(place->copy, F_OK) == 0;
        if (!expect_either(place->db, 2, jobs)) {
            old++;
            expect_opens(place->db, jobs);
        }
        expect_whole(place->copy, 2, jobs); /* whoever got through has kept the old one, whole */
    }
    print_message(
        "%d of %lld were the old one still, %d had begun a copy\n", old, (long long)kills, copied);
}

/* --- every write fails in turn --- */

static enum pm_code open_with_limit(const char *db, int64_t bytes)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct pm_store *store = NULL;
        struct rlimit limit = {.rlim_cur = (rlim_t)bytes, .rlim_max = RLIM_INFINITY};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        _exit((int)pm_store_open(&store, db, NULL)); /* as a kill would: nothing is closed */
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status));
    return (enum pm_code)WEXITSTATUS(status);
}

/* A disk that takes so many bytes of a file and no more, for all sizes until it is large enough. */
static void a_disk_that_fills_leaves_the_old_one(void **state)
{
    struct place *place = *state;
    int refused = 0;
    make_old(place->old, 2, 20);
    for (int64_t bytes = 4096;; bytes += 3 * 4096) {
        fresh(place);
        enum pm_code rc = open_with_limit(place->db, bytes);
        bool new = expect_either(place->db, 2, 20);
        if (rc == PM_OK) {
            assert_true(new);
            break;
        }
        assert_false(new);
        refused++;
        expect_opens(place->db, 20);
    }
    print_message("%d sizes of disks were too small\n", refused);
    assert_true(refused > 5);
}

/* --- every statement fails in turn --- */

/* Whatever a step or view wants to make is there already, and is something else. */
static void a_statement_that_fails_leaves_the_old_one(void **state)
{
    struct place *place = *state;
    char names[8192];
    char untouched[64];
    char *rest = NULL;
    int failed = 0;
    expect_opens(place->db, 0);
    snprintf(names, sizeof names, "%s",
        ask(place->db, "select name from sqlite_schema where type in ('table', 'view', 'index')"
                       " and name not like 'sqlite_%' order by name"));
    make_old(place->old, 1, 20);
    snprintf(untouched, sizeof untouched, "1|20|%d", /* and the table in the way */
        atoi(ask(place->old, "select count(*) from sqlite_schema")) + 1);
    for (char *name = strtok_r(names, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest)) {
        char sql[256];
        snprintf(sql, sizeof sql, "select count(*) from sqlite_schema where name = '%s'", name);
        if (strcmp(ask(place->old, sql), "0") != 0) {
            continue; /* the first step's */
        }
        fresh(place);
        snprintf(sql, sizeof sql, "create table %s (in_the_way);", name);
        pm_shell_feed(place->db, sql);
        struct pm_store *store = NULL;
        struct pm_err err = {.text = ""};
        assert_int_equal(pm_store_open(&store, place->db, &err), PM_EDB);
        assert_non_null(strstr(err.text, name));
        snprintf(sql, sizeof sql,
            "select user_version, (select count(*) from job), (select count(*) from sqlite_schema)"
            " from pragma_user_version");
        assert_string_equal(ask(place->db, sql), untouched);
        failed++;
    }
    fresh(place);
    expect_opens(place->db, 20);
    print_message("%d statements failed\n", failed);
    assert_true(failed > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {with_place(a_kill_leaves_the_old_or_the_new_one),
        with_place(a_disk_that_fills_leaves_the_old_one),
        with_place(a_statement_that_fails_leaves_the_old_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
