/* schema: a new database is made, an old one brought up to date with a copy kept, others refused.
 */
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

#include "common/schema.h"
#include "common/sql.h"
#include "common/store.h"
#include "tests/lib/shell.h"
#include "tests/lib/tmpdir.h"

struct place {
    char *dir, *db;
};

static int set_up(void **state)
{
    static struct place place;
    place.dir = pm_tmpdir_make();
    place.db = pm_tmpdir_path(place.dir, "pairmill.db");
    *state = &place;
    return 0;
}

static int tear_down(void **state)
{
    struct place *place = *state;
    free(place->db);
    pm_tmpdir_remove(place->dir);
    return 0;
}

static const char *ask(const char *db, const char *sql)
{
    return pm_shell_ask(db, "-readonly", sql);
}

static enum pm_code open_and_close(const char *db, struct pm_err *err)
{
    struct pm_store *store = NULL;
    enum pm_code rc = pm_store_open(&store, db, err);
    pm_store_close(store);
    return rc;
}

static void a_new_database_says_what_it_is(void **state)
{
    struct place *place = *state;
    char version[16];
    assert_int_equal(open_and_close(place->db, NULL), PM_OK);
    snprintf(version, sizeof version, "%d", pm_schema_newest());
    assert_string_equal(ask(place->db, "pragma user_version"), version);
    assert_string_equal(ask(place->db, "pragma application_id"), "1347242316");
    assert_string_equal(ask(place->db, "pragma journal_mode"), "wal");
    assert_string_equal(ask(place->db, "pragma integrity_check"), "ok");
    assert_string_equal(
        ask(place->db, "select count(*) from pragma_table_list where schema = 'main' and type ="
                       " 'table' and not strict and name not like 'sqlite%'"),
        "0");
}

static void every_promised_view_has_its_first_columns(void **state)
{
    struct place *place = *state;
    static const struct {
        const char *view, *columns;
    } promised[] = {{"progress", "source,waiting,settling,queued,running,done,failed,quarantined,"
                                 "missing,total,percent"},
        {"throughput", "window,pairs,pairs_per_minute"},
        {"eta", "seconds_left,finish_at,remaining,pairs_per_minute"},
        {"results", "job_id,scene,gt_path,target_path,dy,dx,method,backend,loss,gain,mask_mean,"
                    "crops,sub_dy,sub_dx,confidence,flags,total_ms"},
        {"tiles", "job_id,x,y,dy,dx,weight"},
        {"failures", "job_id,scene,gt_path,target_path,attempts,stage,code,message,at"},
        {"unpaired", "scene,path,role,waiting_s"},
        {"stage_timings", "stage,n,mean_ms,p50_ms,p95_ms,max_ms,mb_per_s"},
        {"method_stats", "method,backend,n,mean_ms,p95_ms,mean_loss,fallbacks"},
        {"cache_stats", "cache,hits,misses,hit_percent,evictions,bytes,budget_bytes"},
        {"scenes", ""}, {"slowest", "job_id"}, {"workers", "worker"}, {"quarantine", "job_id"},
        {"stale", "job_id"}, {"health", "wal_bytes,free_bytes,overflows,program_version"}};
    assert_int_equal(open_and_close(place->db, NULL), PM_OK);
    for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++) {
        char sql[256];
        snprintf(sql, sizeof sql, "select group_concat(name) || ',' from pragma_table_info('%s')",
            promised[i].view);
        const char *columns = ask(place->db, sql);
        size_t length = strlen(promised[i].columns);
        assert_memory_equal(columns, promised[i].columns, length);
        assert_true(length == 0 || columns[length] == ',');
    }
}

static void an_old_database_is_copied_and_brought_up_to_date(void **state)
{
    struct place *place = *state;
    struct pm_store *store = NULL;
    struct pm_err err;
    struct stat st;
    char newest[16];
    for (size_t i = 0; i < pm_sql_count; i++) {
        if (strcmp(pm_sql[i].name, "schema/001") == 0) {
            pm_shell_feed(place->db, pm_sql[i].text);
        }
    }
    pm_shell_feed(place->db, "insert into source (name, input, input_text, output, output_text)"
                             " values ('kept', x'2f61', '/a', x'2f62', '/b');");
    assert_int_equal(pm_store_open_reader(&store, place->db, &err), PM_EVERSION);
    assert_non_null(strstr(err.text, "old schema 1"));

    pm_tmpdir_write(place->dir, "pairmill.db.v1.bak", "from a migration that was killed");
    assert_int_equal(open_and_close(place->db, NULL), PM_OK);
    snprintf(newest, sizeof newest, "%d", pm_schema_newest());
    assert_string_equal(ask(place->db, "pragma user_version"), newest);
    assert_string_equal(ask(place->db, "select name from source"), "kept");
    char *copy = pm_tmpdir_path(place->dir, "pairmill.db.v1.bak");
    assert_string_equal(ask(copy, "pragma user_version"), "1");
    assert_string_equal(ask(copy, "select name from source"), "kept");
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    free(copy);
}

/* A database of schema 2 with one result. */
static void make_version_two(const char *db)
{
    for (size_t i = 0; i < pm_sql_count; i++) {
        if (strcmp(pm_sql[i].name, "schema/001") == 0 ||
            strcmp(pm_sql[i].name, "schema/002") == 0) {
            pm_shell_feed(db, pm_sql[i].text);
        }
    }
    pm_shell_feed(db,
        "insert into source (id, name, input, input_text, output, output_text)"
        " values (1, 'kept', x'2f61', '/a', x'2f62', '/b');"
        "insert into scene (id, source_id, path, name) values (1, 1, x'73', 's');"
        "insert into image (id, source_id, scene_id, role, path, name, size, mtime_ns, inode,"
        " since_us) values (1, 1, 1, 'gt', x'67', 'g', 1, 1, 1, 0), (2, 1, 1, 'target',"
        " x'74', 't', 1, 1, 1, 0);"
        "insert into job (id, source_id, scene_id, gt_id, target_id, gt_revision,"
        " target_revision, state, queued_us)"
        " values (7, 1, 1, 1, 2, 1, 1, 'done', 0);"
        "insert into result (job_id, scene_id, scene, gt_path, target_path, held, dy, dx,"
        " method, sub_dy, crops, windows, flags, evaluations, search_us, loss_us, total_us,"
        " gt_x, gt_y, target_x, target_y, width, height, version, worker, gt_cached,"
        " started_us, finished_us) values (7, 1, 's', 'g', 't', 0, 3, -4, 'fft', 0.25, 0, 0,"
        " '', 1, 1, 1, 1, 0, 0, 0, 0, 9, 9, '0.1.0', 0, 0, 0, 0);");
}

static void results_of_the_second_schema_are_kept(void **state)
{
    struct place *place = *state;
    make_version_two(place->db);
    assert_int_equal(open_and_close(place->db, NULL), PM_OK);
    assert_string_equal(ask(place->db, "select job_id, dy, dx, sub_dy, sub_dy_error is null,"
                                       " second_peak is null, gain_r is null, rotation_deg is null,"
                                       " scale is null, tiles is null from results"),
        "7|3|-4|0.25|1|1|1|1|1|1");
    assert_string_equal(ask(place->db, "select count(*) from tiles"), "0");
    char *copy = pm_tmpdir_path(place->dir, "pairmill.db.v2.bak");
    assert_string_equal(ask(copy, "select dy from result"), "3");
    free(copy);
}

static void a_failed_step_leaves_the_old_schema_whole(void **state)
{
    struct place *place = *state;
    struct pm_err err;
    for (size_t i = 0; i < pm_sql_count; i++) {
        if (strcmp(pm_sql[i].name, "schema/001") == 0) {
            pm_shell_feed(place->db, pm_sql[i].text);
        }
    }
    pm_shell_feed(
        place->db, "create table gauge (in_the_way);"); /* the last but one thing step 2 makes */
    assert_int_equal(open_and_close(place->db, &err), PM_EDB);
    assert_string_equal(ask(place->db, "pragma user_version"), "1");
    assert_string_equal(
        ask(place->db, "select count(*) from sqlite_schema where name = 'result'"), "0");
}

static void a_newer_database_is_refused(void **state)
{
    struct place *place = *state;
    struct pm_store *store = NULL;
    struct pm_err err;
    assert_int_equal(open_and_close(place->db, NULL), PM_OK);
    pm_shell_feed(place->db, "pragma user_version = 99;");
    assert_int_equal(open_and_close(place->db, &err), PM_EVERSION);
    assert_non_null(strstr(err.text, "newer pairmill"));
    assert_int_equal(pm_store_open_reader(&store, place->db, &err), PM_EVERSION);
    assert_string_equal(ask(place->db, "pragma user_version"), "99");
}

static void somebody_elses_database_is_left_alone(void **state)
{
    struct place *place = *state;
    struct pm_store *store = NULL;
    struct pm_err err;
    pm_shell_feed(place->db, "create table photos (id);");
    assert_int_equal(open_and_close(place->db, &err), PM_EVERSION);
    assert_non_null(strstr(err.text, "not one of pairmill's"));
    assert_int_equal(pm_store_open_reader(&store, place->db, &err), PM_EVERSION);
    assert_string_equal(ask(place->db, "pragma journal_mode"), "delete");
    assert_string_equal(ask(place->db, "select group_concat(name) from sqlite_schema"), "photos");
    pm_tmpdir_write(place->dir, "text.db", "This is a letter, not a database. It goes on and on.");
    char *text = pm_tmpdir_path(place->dir, "text.db");
    assert_int_equal(open_and_close(text, &err), PM_EVERSION);
    assert_non_null(strstr(err.text, "not a pairmill database"));
    free(text);
}

static void views_are_made_anew_when_they_differ(void **state)
{
    struct place *place = *state;
    assert_int_equal(open_and_close(place->db, NULL), PM_OK);
    pm_shell_feed(place->db, "drop view eta; create view eta as select 'old';");
    assert_int_equal(open_and_close(place->db, NULL), PM_OK);
    assert_string_equal(ask(place->db, "select * from eta"), "old"); /* same version: untouched */
    pm_shell_feed(place->db, "update control set value = 'another version' where name = 'views';");
    assert_int_equal(open_and_close(place->db, NULL), PM_OK);
    assert_string_equal(ask(place->db, "select remaining from eta"), "0");
}

#define with_place(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(a_new_database_says_what_it_is),
        with_place(every_promised_view_has_its_first_columns),
        with_place(an_old_database_is_copied_and_brought_up_to_date),
        with_place(results_of_the_second_schema_are_kept),
        with_place(a_failed_step_leaves_the_old_schema_whole),
        with_place(a_newer_database_is_refused),
        with_place(somebody_elses_database_is_left_alone),
        with_place(views_are_made_anew_when_they_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
