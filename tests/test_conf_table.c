/* conf_table: the table itself keeps the rules everything else relies on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/conf.h"
#include "common/conf_table.h"
#include "common/conf_value.h"
#include "common/suggest.h"

/* A key is named without its section on the command line, so no two may share one; and neither may
 * begin with the no_ that switches one off. */
static void names_and_aliases_are_unique(void **state)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    (void)state;
    for (size_t i = 0; i < count; i++) {
        assert_int_not_equal(strncmp(table[i].name, "no_", 3), 0);
        assert_null(strchr(table[i].name, '-'));
        for (size_t j = 0; j < count; j++) {
            assert_true(i == j || strcmp(table[i].name, table[j].name) != 0);
            assert_true(table[i].alias == NULL || strcmp(table[i].alias, table[j].name) != 0);
        }
    }
}

static void rows_of_a_section_stand_together(void **state)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    (void)state;
    for (size_t i = 1; i < count; i++) {
        for (size_t j = 0; j + 1 < i; j++) {
            assert_true(strcmp(table[j].section, table[i].section) != 0 ||
                        strcmp(table[i - 1].section, table[i].section) == 0);
        }
    }
}

static void every_row_is_complete(void **state)
{
    (void)state;
    for (int which = 0; which < 2; which++) {
        size_t count = 0;
        const struct pm_option *table =
            which == 0 ? pm_conf_table(&count) : pm_source_table(&count);
        size_t size = which == 0 ? sizeof(struct pm_conf) : sizeof(struct pm_source_conf);
        assert_true(count > 0);
        for (size_t i = 0; i < count; i++) {
            const struct pm_option *o = &table[i];
            assert_true(strlen(o->help) > 20 && o->help[strlen(o->help) - 1] == '.');
            assert_true(o->offset + sizeof(int) <= size);
            assert_true((o->section == NULL) == (which == 1));
            assert_true((o->type == PM_OPTION_CHOICE) == (o->choices != NULL));
            assert_true(o->min <= o->max);
            assert_false(o->recipe && o->type == PM_OPTION_PATH);
        }
    }
}

static void rows_are_found_by_name_and_section(void **state)
{
    size_t count = 0;
    const struct pm_option *table = pm_conf_table(&count);
    struct pm_suggest suggest;
    int row = pm_option_find(table, count, "align", "max_shift");
    (void)state;
    assert_true(row >= 0);
    assert_string_equal(table[row].name, "max_shift");
    assert_int_equal(pm_option_find(table, count, NULL, "max_shift"), row);
    assert_int_equal(pm_option_find(table, count, "mask", "max_shift"), -1);
    assert_int_equal(pm_option_find(table, count, NULL, "nothing"), -1);
    pm_suggest_init(&suggest, "max_shft");
    pm_option_suggest(table, count, "mask", &suggest);
    assert_null(suggest.best);
    pm_option_suggest(table, count, "align", &suggest);
    assert_string_equal(suggest.best, "max_shift");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_aliases_are_unique),
        cmocka_unit_test(rows_of_a_section_stand_together),
        cmocka_unit_test(every_row_is_complete),
        cmocka_unit_test(rows_are_found_by_name_and_section),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
