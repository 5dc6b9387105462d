/* sql: every statement prepares, says why it is there, and the hot ones use their indexes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/sql.h"
#include "common/store.h"
#include "tests/lib/tmpdir.h"

static void names_are_sorted_for_the_search(void **state)
{
    (void)state;
    assert_true(pm_sql_count > 50);
    for (size_t i = 1; i < pm_sql_count; i++) {
        assert_true(strcmp(pm_sql[i - 1].name, pm_sql[i].name) < 0);
    }
}

static void every_file_says_why_first(void **state)
{
    (void)state;
    for (size_t i = 0; i < pm_sql_count; i++) {
        if (strncmp(pm_sql[i].text, "-- ", 3) != 0) {
            fail_msg("%s does not start with a comment", pm_sql[i].name);
        }
    }
}

/* Whatever the files hold, backslashes and question marks included, is what the program has. */
static void texts_are_the_files_byte_for_byte(void **state)
{
    (void)state;
    if (access("sql/schema/001.sql", R_OK) != 0) {
        skip(); /* not started in the repository */
    }
    for (size_t i = 0; i < pm_sql_count; i++) {
        static char text[32768];
        char path[128];
        snprintf(path, sizeof path, "sql/%s.sql", pm_sql[i].name);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        size_t size = fread(text, 1, sizeof text - 1, file);
        fclose(file);
        text[size] = '\0';
        assert_string_equal(pm_sql[i].text, text);
    }
}

static bool ignore_row(void *ctx, const struct pm_column *columns, int count)
{
    (void)ctx;
    (void)columns;
    (void)count;
    return false;
}

/* Runs it with every parameter NULL, in a transaction that is rolled back: what matters is that it
 * can be prepared; a constraint may well refuse NULL. */
static void every_statement_prepares(void **state)
{
    (void)state;
    char *dir = pm_tmpdir_make();
    char *db = pm_tmpdir_path(dir, "pairmill.db");
    struct pm_store *store = NULL;
    int statements = 0;
    assert_int_equal(pm_store_open(&store, db, NULL), PM_OK);
    for (size_t i = 0; i < pm_sql_count; i++) {
        const char *name = pm_sql[i].name + 5;
        if (strncmp(pm_sql[i].name, "stmt/", 5) != 0 || strcmp(name, "begin") == 0 ||
            strcmp(name, "commit") == 0 || strcmp(name, "rollback") == 0) {
            continue;
        }
        struct pm_err err = {0};
        pm_store_begin(store, NULL);
        enum pm_code rc = pm_store_read(store, name, NULL, 0, ignore_row, NULL, &err);
        if (rc != PM_OK && strstr(err.text, "NOT NULL constraint failed") == NULL &&
            strstr(err.text, "datatype mismatch") == NULL && /* limit NULL */
            strstr(err.text, "cannot VACUUM from within a transaction") == NULL) {
            fail_msg("%s: %s", name, err.text);
        }
        pm_store_rollback(store);
        statements++;
    }
    assert_true(statements > 50);
    pm_store_close(store);
    free(db);
    pm_tmpdir_remove(dir);
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

/* The stock shell's EXPLAIN QUERY PLAN. */
static const char *plan_of(const char *db, const char *sql)
{
    static char plan[8192];
    char path[512];
    char command[1024];
    snprintf(path, sizeof path, "%s.sql", db);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "explain query plan\n%s;\n", sql);
    fclose(file);
    snprintf(command, sizeof command, "sqlite3 -batch '%s' <'%s' 2>&1", db, path);
    FILE *from = popen(command, "r");
    assert_non_null(from);
    size_t size = fread(plan, 1, sizeof plan - 1, from);
    assert_int_equal(pclose(from), 0);
    plan[size] = '\0';
    return plan;
}

/* A walk over a whole table that grows with the work. sources are few; a scan of an index that
 * holds only what is asked for says USING. */
static bool scans_a_big_table(const char *plan)
{
    static const char *const big[] = {"SCAN j\n", "SCAN job\n", "SCAN i\n", "SCAN image\n",
        "SCAN g\n", "SCAN t\n", "SCAN r\n", "SCAN result\n", "SCAN crop\n", "SCAN timing\n",
        "SCAN c\n", "SCAN scene\n"};
    for (size_t i = 0; i < sizeof big / sizeof big[0]; i++) {
        if (strstr(plan, big[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static void hot_statements_use_their_indexes(void **state)
{
    (void)state;
    static const char *const hot[] = {"stmt/scene_find", "stmt/image_find", "stmt/image_present",
        "stmt/image_gone", "stmt/images_present", "stmt/images_below", "stmt/pair_gt",
        "stmt/pair_gt_as_target", "stmt/pair_target", "stmt/job_renew", "stmt/job_return",
        "stmt/job_miss", "stmt/job_wake", "stmt/claim_pick", "stmt/claim_list", "stmt/claim_take",
        "stmt/claim_load", "stmt/job_look", "stmt/job_end", "stmt/job_outdated", "stmt/job_running",
        "stmt/result_put", "stmt/timing_clear", "stmt/next_due", "stmt/recipe_id"};
    static const char *const asked[] = {"select * from results where scene = 'x'",
        "select * from results where gt_path = 'x'",
        "select * from results where target_path = 'x'", "select * from results where job_id = 7",
        "select * from failures where scene = 'x'", "select * from failures where code = 'EIO'",
        "select * from failures limit 50", "select * from failures order by job_id limit 50",
        "select * from quarantine", "select * from stale limit 50",
        "select * from unpaired limit 50", "select * from scenes where scene = 'x'",
        "select * from workers"};
    char *dir = pm_tmpdir_make();
    char *db = pm_tmpdir_path(dir, "pairmill.db");
    struct pm_store *store = NULL;
    assert_int_equal(pm_store_open(&store, db, NULL), PM_OK);
    pm_store_close(store);
    for (size_t i = 0; i < sizeof hot / sizeof hot[0]; i++) {
        const char *plan = plan_of(db, text_of(hot[i]));
        if (scans_a_big_table(plan)) {
            fail_msg("%s:\n%s", hot[i], plan);
        }
    }
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        const char *plan = plan_of(db, asked[i]);
        if (scans_a_big_table(plan)) {
            fail_msg("%s:\n%s", asked[i], plan);
        }
    }
    free(db);
    pm_tmpdir_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_sorted_for_the_search),
        cmocka_unit_test(every_file_says_why_first),
        cmocka_unit_test(texts_are_the_files_byte_for_byte),
        cmocka_unit_test(every_statement_prepares),
        cmocka_unit_test(hot_statements_use_their_indexes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
