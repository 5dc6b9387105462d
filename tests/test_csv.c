/* csv: fields as RFC 4180 wants them, numbers in full. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/csv.h"

static struct pm_column text(const char *value)
{
    return (struct pm_column){
        .name = "na,me", .type = PM_TEXT, .text = value, .size = strlen(value)};
}

static void written_is(const struct pm_column *columns, int count, bool heading, const char *want)
{
    char *got = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&got, &size);
    assert_non_null(file);
    (heading ? pm_csv_heading : pm_csv_row)(columns, count, file);
    fclose(file);
    assert_string_equal(got, want);
    free(got);
}

static void hostile_names_stay_in_their_field(void **state)
{
    const struct pm_column row[] = {
        text("plain"), text("a,b"), text("say \"x\""), text("a\nb\r"), text(" lead"), text("")};
    (void)state;
    written_is(row, 6, false, "plain,\"a,b\",\"say \"\"x\"\"\",\"a\nb\r\",\" lead\",\n");
    written_is(row, 2, true, "\"na,me\",\"na,me\"\n");
}

static void numbers_read_back_as_they_were(void **state)
{
    const struct pm_column row[] = {{.name = "a", .type = PM_REAL, .real = 0.1, .text = "0.1"},
        {.name = "b", .type = PM_REAL, .real = 1.0 / 3, .text = "0.333333333333333"},
        {.name = "c", .type = PM_INT, .integer = -7, .text = "-7", .size = 2},
        {.name = "d", .type = PM_NULL, .text = ""}};
    (void)state;
    written_is(row, 4, false, "0.1,0.3333333333333333,-7,\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hostile_names_stay_in_their_field),
        cmocka_unit_test(numbers_read_back_as_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
