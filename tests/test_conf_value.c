/* conf_value: every kind of value from text and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf_value.h"

struct thing {
    bool flag;
    int number;
    double real;
    int64_t size, count;
    int choice;
    char *path;
};

static const struct pm_choice choices[] = {
    {"red", 3, NULL}, {"green", 5, NULL}, {"grue", 0, "is dark"}, {NULL, 0, NULL}};
static const struct pm_option table[] = {
    {"s", "flag", NULL, "", NULL, "no", PM_OPTION_BOOL, offsetof(struct thing, flag), 0, 0, NULL,
        false},
    {"s", "number", NULL, "", "px", "7", PM_OPTION_INT, offsetof(struct thing, number), -5, 10,
        NULL, false},
    {"s", "real", NULL, "", NULL, "0.25", PM_OPTION_REAL, offsetof(struct thing, real), 0, 1, NULL,
        false},
    {"s", "size", NULL, "", "bytes", "2G", PM_OPTION_SIZE, offsetof(struct thing, size), 0, 1e15,
        NULL, false},
    {"s", "count", NULL, "", "things", "5M", PM_OPTION_COUNT, offsetof(struct thing, count), 1,
        1e11, NULL, false},
    {"s", "choice", NULL, "", NULL, "red", PM_OPTION_CHOICE, offsetof(struct thing, choice), 0, 0,
        choices, false},
    {"s", "path", NULL, "", NULL, "", PM_OPTION_PATH, offsetof(struct thing, path), 0, 0, NULL,
        false},
};
enum { FLAG, NUMBER, REAL, SIZE, COUNT, CHOICE, PATH, ROWS };

static enum pm_code parse(struct thing *thing, int row, const char *value, struct pm_err *err)
{
    return pm_option_parse(&table[row], thing, value, "/dir", err);
}

static void good_values_are_taken(void **state)
{
    struct thing t = {0};
    (void)state;
    static const char *const yes[] = {"yes", "true", "on", "1", "YES", "True"};
    static const char *const no[] = {"no", "false", "off", "0", "Off"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        assert_int_equal(parse(&t, FLAG, yes[i], NULL), PM_OK);
        assert_true(t.flag);
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        t.flag = true;
        assert_int_equal(parse(&t, FLAG, no[i], NULL), PM_OK);
        assert_false(t.flag);
    }
    assert_int_equal(parse(&t, NUMBER, "-5", NULL), PM_OK);
    assert_int_equal(t.number, -5);
    assert_int_equal(parse(&t, REAL, "1e-3", NULL), PM_OK);
    assert_true(fabs(t.real - 0.001) < 1e-12);
    assert_int_equal(parse(&t, CHOICE, "green", NULL), PM_OK);
    assert_int_equal(t.choice, 5);
    assert_int_equal(parse(&t, PATH, "a/./b/", NULL), PM_OK);
    assert_string_equal(t.path, "/dir/a/b");
    assert_int_equal(parse(&t, PATH, "/c", NULL), PM_OK);
    assert_string_equal(t.path, "/c");
    pm_option_clear(table, ROWS, &t);
    assert_null(t.path);
}

static void sizes_have_suffixes(void **state)
{
    static const struct {
        const char *text;
        int64_t size, count;
    } cases[] = {{"12", 12, 12}, {"3K", 3072, 3000}, {"3k", 3072, 3000}, {"1.5M", 1572864, 1500000},
        {"2G", 2147483648, 2000000000}, {"0.001T", 1099511627, 1000000000}};
    struct thing t = {0};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(parse(&t, SIZE, cases[i].text, NULL), PM_OK);
        assert_int_equal(t.size, cases[i].size);
        assert_int_equal(parse(&t, COUNT, cases[i].text, NULL), PM_OK);
        assert_int_equal(t.count, cases[i].count);
    }
}

static void bad_values_change_nothing_and_say_the_range(void **state)
{
    static const struct {
        int row;
        const char *value, *says;
    } cases[] = {
        {FLAG, "", "use yes or no"},
        {FLAG, "2", "use yes or no"},
        {NUMBER, "11", "out of range; use -5 to 10 px"},
        {NUMBER, "-6", "out of range; use -5 to 10 px"},
        {NUMBER, "1.5", "not a whole number; use -5 to 10 px"},
        {NUMBER, "99999999999999999999", "out of range"},
        {REAL, "inf", "not a number; use 0 to 1"},
        {REAL, "-0.1", "out of range; use 0 to 1"},
        {REAL, "0,5", "not a number"},
        {SIZE, "1P", "not a number with K, M, G or T; use 0 or more bytes"},
        {SIZE, "1 ", "not a number with K, M, G or T"},
        {SIZE, "1KB", "not a number with K, M, G or T"},
        {SIZE, "K", "not a number"},
        {SIZE, "nan", "not a number"},
        {SIZE, "9999T", "out of range"},
        {COUNT, "0", "out of range; use 1 or more things"},
        {CHOICE, "reed", "is unknown, did you mean \"red\"?; use red or green"},
        {CHOICE, "grue", "is dark; use red or green"},
        {CHOICE, "xxxxxxx", "is unknown; use red or green"},
        {PATH, "", "path is empty"},
    };
    const struct thing before = {true, 3, 0.5, 77, 88, 5, NULL};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct thing t = before;
        struct pm_err err;
        assert_int_equal(parse(&t, cases[i].row, cases[i].value, &err), PM_ECONF);
        assert_non_null(strstr(err.text, cases[i].says));
        assert_non_null(strstr(err.text, table[cases[i].row].name));
        assert_memory_equal(&t, &before, sizeof t);
    }
}

static void what_is_formatted_parses_to_the_same(void **state)
{
    static const double reals[] = {0, 1, 0.1, 0.9999, 1.0 / 3, 1e-6, 0.30000000000000004};
    static const int64_t sizes[] = {0, 1, 1023, 1024, 1 << 20, (1 << 20) + 1, 5LL << 40};
    char text[64];
    (void)state;
    for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
        struct thing t = {.real = reals[i]}, back = {0};
        pm_option_format(&table[REAL], &t, text, sizeof text);
        assert_int_equal(parse(&back, REAL, text, NULL), PM_OK);
        assert_memory_equal(&back.real, &reals[i], sizeof back.real);
    }
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct thing t = {.size = sizes[i]}, back = {0};
        pm_option_format(&table[SIZE], &t, text, sizeof text);
        assert_int_equal(parse(&back, SIZE, text, NULL), PM_OK);
        assert_int_equal(back.size, sizes[i]);
    }
    struct thing t = {.size = 3LL << 30, .choice = 3, .flag = true, .number = -2};
    pm_option_format(&table[SIZE], &t, text, sizeof text);
    assert_string_equal(text, "3G");
    pm_option_format(&table[CHOICE], &t, text, sizeof text);
    assert_string_equal(text, "red");
    pm_option_format(&table[FLAG], &t, text, sizeof text);
    assert_string_equal(text, "yes");
    pm_option_format(&table[NUMBER], &t, text, sizeof text);
    assert_string_equal(text, "-2");
}

static void defaults_and_origins_are_kept(void **state)
{
    struct thing t = {0};
    char **where = NULL;
    struct pm_err err;
    (void)state;
    assert_int_equal(pm_option_defaults(table, ROWS, &t, &err), PM_OK);
    assert_int_equal(t.number, 7);
    assert_true(t.size == 2LL << 30);
    assert_int_equal(t.choice, 3);
    assert_null(t.path);
    assert_int_equal(
        pm_option_set(table, ROWS, NUMBER, &t, &where, "8", NULL, "p.conf:3", &err), PM_OK);
    assert_string_equal(where[NUMBER], "p.conf:3");
    assert_null(where[SIZE]);
    assert_int_equal(
        pm_option_set(table, ROWS, NUMBER, &t, &where, "x", NULL, "p.conf:9", &err), PM_ECONF);
    assert_int_equal(strncmp(err.text, "p.conf:9: number = ", 19), 0);
    assert_string_equal(where[NUMBER], "p.conf:3");
    pm_option_forget(where, ROWS);
    pm_option_forget(NULL, ROWS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_values_are_taken),
        cmocka_unit_test(sizes_have_suffixes),
        cmocka_unit_test(bad_values_change_nothing_and_say_the_range),
        cmocka_unit_test(what_is_formatted_parses_to_the_same),
        cmocka_unit_test(defaults_and_origins_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
