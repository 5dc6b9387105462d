/* view: rows of a statement as a table and as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/view.h"
#include "tests/lib/clitest.h"

static void a_view_becomes_a_table(void **state)
{
    struct pm_clitest t;
    struct pm_store *store = NULL;
    struct pm_table table = {0};
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(pm_store_open_reader(&store, t.db, NULL), PM_OK);
    assert_int_equal(pm_view_table(store, "show_results", &table, NULL), PM_OK);
    assert_int_equal(table.rows, 3); /* the heading and two results */
    assert_string_equal(pm_view_first(&table, "dy"), "3");
    assert_string_equal(pm_view_first(&table, "no such"), "");
    assert_int_equal(pm_view_sum(&table, "dx"), -8);
    assert_int_equal(pm_view_sum(&table, "no such"), 0);
    pm_table_clear(&table);
    assert_string_equal(pm_view_first(&table, "dy"), "");
    assert_int_equal(pm_view_sum(&table, "dy"), 0);
    pm_store_close(store);
    pm_clitest_close(&t);
}

static void a_view_becomes_an_array_of_objects(void **state)
{
    struct pm_clitest t;
    struct pm_store *store = NULL;
    struct pm_json json;
    (void)state;
    pm_clitest_open(&t);
    pm_clitest_fill(&t);
    assert_int_equal(pm_store_open_reader(&store, t.db, NULL), PM_OK);
    pm_json_init(&json, false);
    assert_int_equal(pm_view_json(store, "show_unpaired", &json, NULL, NULL), PM_OK);
    assert_int_equal(strncmp(pm_json_text(&json), "[{\"scene\": \"t\", ", 16), 0);
    assert_non_null(strstr(pm_json_text(&json), "\"role\": \"target\""));
    pm_json_fini(&json);
    pm_json_init(&json, false);
    assert_int_equal(pm_view_json(store, "show_quarantine", &json, NULL, NULL), PM_OK);
    assert_string_equal(pm_json_text(&json), "[]");
    pm_json_fini(&json);
    pm_store_close(store);
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_view_becomes_a_table),
        cmocka_unit_test(a_view_becomes_an_array_of_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
