/* table: columns line up, numbers to the right, hostile text made harmless. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/table.h"

static struct pm_column text(const char *name, const char *value)
{
    return (struct pm_column){.name = name, .type = PM_TEXT, .text = value, .size = strlen(value)};
}

static struct pm_column number(const char *name, const char *value)
{
    return (struct pm_column){.name = name, .type = PM_INT, .text = value, .size = strlen(value)};
}

static void printed_is(const struct pm_table *table, const char *const *names, const char *want)
{
    char *got = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&got, &size);
    assert_non_null(file);
    pm_table_print(table, names, file);
    fclose(file);
    assert_string_equal(got, want);
    free(got);
}

static void columns_line_up(void **state)
{
    struct pm_table table = {0};
    const struct pm_column a[] = {text("source", "lab"), number("done", "7"), text("note", "x")};
    const struct pm_column b[] = {
        text("source", "f\xc3\xb6rste"), number("done", "1234"), text("note", "")};
    (void)state;
    assert_int_equal(pm_table_add(&table, a, 3, NULL), PM_OK);
    assert_int_equal(pm_table_add(&table, b, 3, NULL), PM_OK);
    printed_is(&table, (const char *const[]){"source", "done", "note", NULL},
        "source  done  note\n"
        "lab        7  x\n"
        "f\xc3\xb6rste  1234  \n");
    printed_is(&table, (const char *const[]){"done", "no such", "source", NULL},
        "done  source\n"
        "   7  lab\n"
        "1234  f\xc3\xb6rste\n");
    pm_table_clear(&table);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
    struct pm_table table = {0};
    const struct pm_column row[] = {text("path", "a\033[31m\nb")};
    (void)state;
    assert_int_equal(pm_table_add(&table, row, 1, NULL), PM_OK);
    printed_is(&table, (const char *const[]){"path", NULL}, "path\na\\x1b[31m\\x0ab\n");
    pm_table_clear(&table);
}

static void an_empty_table_prints_nothing(void **state)
{
    struct pm_table table = {0};
    (void)state;
    printed_is(&table, (const char *const[]){"path", NULL}, "");
    pm_table_clear(&table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_line_up),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(an_empty_table_prints_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
