/* store_query: values go in and come out as they are; rows for people carry names, types and text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/store.h"
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

static int64_t recall(struct pm_store *store, const char *name)
{
    int64_t value;
    struct pm_query *query = pm_query_start(store, "control_get");
    pm_query_text(query, ":name", name);
    assert_int_equal(pm_query_value(query, &value, NULL), PM_OK);
    return value;
}

static void values_come_back_as_they_were(void **state)
{
    struct place *place = *state;
    struct pm_query *query = pm_query_start(place->store, "control_put");
    const char bytes[] = {'a', 0, (char)0xff, 'b'};
    bool row;
    size_t size;
    pm_query_text(query, ":name", "bytes");
    pm_query_bytes(query, ":value", bytes, sizeof bytes);
    assert_int_equal(pm_query_run(query, NULL), PM_OK);
    query = pm_query_start(place->store, "control_get");
    pm_query_text(query, ":name", "bytes");
    assert_int_equal(pm_query_step(query, &row, NULL), PM_OK);
    assert_true(row);
    const char *back = pm_query_col_text(query, 0, &size);
    assert_int_equal(size, sizeof bytes);
    assert_memory_equal(back, bytes, sizeof bytes);
    assert_int_equal(back[size], 0);
    pm_query_end(query);
    pm_query_end(NULL);

    query = pm_query_start(place->store, "control_put");
    pm_query_text(query, ":name", "nan");
    pm_query_real(query, ":value", NAN);
    assert_int_equal(pm_query_run(query, NULL), PM_OK);
    query = pm_query_start(place->store, "control_get");
    pm_query_text(query, ":name", "nan");
    assert_int_equal(pm_query_step(query, &row, NULL), PM_OK);
    assert_true(pm_query_col_null(query, 0));
    pm_query_end(query);
    assert_int_equal(recall(place->store, "unknown"), 0);
}

struct rows {
    int count, stop_after;
    char text[512];
};

static bool add_row(void *ctx, const struct pm_column *columns, int count)
{
    struct rows *rows = ctx;
    for (int i = 0; i < count; i++) {
        size_t used = strlen(rows->text);
        snprintf(rows->text + used, sizeof rows->text - used, "%s=%s/%d;", columns[i].name,
            columns[i].text, columns[i].type);
        assert_int_equal(strlen(columns[i].text), columns[i].size);
    }
    return ++rows->count != rows->stop_after;
}

static void people_get_names_types_and_text(void **state)
{
    struct place *place = *state;
    struct rows rows = {0};
    struct pm_store *reader = NULL;
    assert_int_equal(pm_store_open_reader(&reader, place->db, NULL), PM_OK);
    assert_int_equal(pm_store_read(reader, "show_eta", NULL, 0, add_row, &rows, NULL), PM_OK);
    assert_int_equal(rows.count, 1);
    assert_non_null(strstr(rows.text, "seconds_left=0/1;finish_at=20"));
    assert_non_null(strstr(rows.text, "remaining=0/1;pairs_per_minute=/0;"));

    rows = (struct rows){.stop_after = 2};
    assert_int_equal(
        pm_store_read(reader, "show_throughput", NULL, 0, add_row, &rows, NULL), PM_OK);
    assert_int_equal(rows.count, 2);
    rows = (struct rows){0};
    const struct pm_param params[] = {{.name = ":scene", .type = PM_TEXT, .text = "nowhere"},
        {.name = ":limit", .type = PM_INT, .integer = 5}};
    assert_int_equal(pm_store_read(reader, "show_results", params, 2, add_row, &rows, NULL), PM_OK);
    assert_int_equal(rows.count, 0);
    pm_store_close(reader);
}

static void a_missing_value_fails_at_the_step(void **state)
{
    struct place *place = *state;
    struct pm_err err;
    struct pm_query *query = pm_query_start(place->store, "scene_add"); /* nothing bound */
    assert_int_equal(pm_query_run(query, &err), PM_EDB);
    assert_int_equal(err.sys_errno, 0);
    assert_non_null(strstr(err.text, "scene_add: NOT NULL constraint failed"));
    query = pm_query_start(place->store, "scene_add"); /* and can be used again */
    pm_query_end(query);
    pm_query_end(query);
}

#define with_place(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_place(values_come_back_as_they_were),
        with_place(people_get_names_types_and_text),
        with_place(a_missing_value_fails_at_the_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
