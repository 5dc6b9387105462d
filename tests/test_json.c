/* json: what comes out is valid JSON and reads back as what went in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

static void a_document(void **state)
{
    struct pm_json json;
    (void)state;
    pm_json_init(&json, false);
    pm_json_begin_object(&json, NULL);
    pm_json_int(&json, "dy", -3);
    pm_json_int(&json, "big", INT64_MIN);
    pm_json_double(&json, "half", 0.5);
    pm_json_bool(&json, "yes", true);
    pm_json_null(&json, "none");
    pm_json_string(&json, "nil", NULL);
    pm_json_begin_array(&json, "list");
    pm_json_string(&json, NULL, "a");
    pm_json_begin_object(&json, NULL);
    pm_json_end_object(&json);
    pm_json_begin_array(&json, NULL);
    pm_json_end_array(&json);
    pm_json_end_array(&json);
    pm_json_raw(&json, "raw", "{\"k\":1}");
    pm_json_end_object(&json);
    assert_string_equal(pm_json_text(&json),
        "{\"dy\": -3, \"big\": -9223372036854775808, \"half\": 0.5, \"yes\": true, \"none\": null, "
        "\"nil\": null, \"list\": [\"a\", {}, []], \"raw\": {\"k\":1}}");
    pm_json_fini(&json);
    pm_json_fini(&json); /* twice is fine */
}

static void pretty_puts_an_item_on_a_line(void **state)
{
    struct pm_json json;
    (void)state;
    pm_json_init(&json, true);
    pm_json_begin_object(&json, NULL);
    pm_json_begin_array(&json, "a");
    pm_json_int(&json, NULL, 1);
    pm_json_int(&json, NULL, 2);
    pm_json_end_array(&json);
    pm_json_begin_array(&json, "b");
    pm_json_end_array(&json);
    pm_json_end_object(&json);
    assert_string_equal(
        pm_json_text(&json), "{\n  \"a\": [\n    1,\n    2\n  ],\n  \"b\": []\n}\n");
    pm_json_fini(&json);
}

static void check_string(const char *value, const char *expected)
{
    struct pm_json json;
    pm_json_init(&json, false);
    pm_json_string(&json, NULL, value);
    assert_string_equal(pm_json_text(&json), expected);
    pm_json_fini(&json);
}

static void strings_are_escaped(void **state)
{
    (void)state;
    check_string("", "\"\"");
    check_string("a\"b\\c/d", "\"a\\\"b\\\\c/d\"");
    check_string("\n\t\r\b\f\x01\x1f\x7f", "\"\\n\\t\\r\\b\\f\\u0001\\u001f\\u007f\"");
    check_string(
        "h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xb7", "\"h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xb7\"");
    check_string("a\xff"
                 "b\xc3",
        "\"a\xef\xbf\xbd"
        "b\xef\xbf\xbd\"");
}

static void names_that_are_not_utf8_keep_their_bytes(void **state)
{
    struct pm_json json;
    (void)state;
    pm_json_init(&json, false);
    pm_json_begin_object(&json, NULL);
    pm_json_name(&json, "good", "a.tif");
    pm_json_name(&json, "bad", "\xff.tif");
    pm_json_end_object(&json);
    assert_string_equal(pm_json_text(&json),
        "{\"good\": \"a.tif\", \"bad\": \"\xef\xbf\xbd.tif\", \"bad_hex\": \"ff2e746966\"}");
    pm_json_fini(&json);
}

static void utf8_is_judged_as_rfc_3629_does(void **state)
{
    static const char *const good[] = {"", "a", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80",
        "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3",
        "\xe2\x82", "\xf0\x9f\x93", "a\xff"};
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(pm_utf8_valid(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(pm_utf8_valid(bad[i]));
    }
    assert_int_equal(pm_utf8_length("\xe2\x82\xac!"), 3);
}

static void doubles_read_back_as_they_were(void **state)
{
    static const double values[] = {0.1, 1.0 / 3, 1e-300, 123456789.125, -2.5e20,
        0.30000000000000004, 5e-324, 1.7976931348623157e308, 0, -0.0};
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct pm_json json;
        pm_json_init(&json, false);
        pm_json_double(&json, NULL, values[i]);
        assert_true(strtod(pm_json_text(&json), NULL) == values[i]);
        pm_json_fini(&json);
    }
    struct pm_json json;
    pm_json_init(&json, false);
    pm_json_begin_array(&json, NULL);
    pm_json_double(&json, NULL, 0.1);
    pm_json_double(&json, NULL, (double)NAN);
    pm_json_double(&json, NULL, -(double)INFINITY);
    pm_json_end_array(&json);
    assert_string_equal(pm_json_text(&json), "[0.1, null, null]");
    pm_json_fini(&json);
}

static void what_is_printed_is_the_text(void **state)
{
    (void)state;
    struct pm_json json;
    struct pm_err err = {0};
    char got[32] = "";
    FILE *to = fmemopen(got, sizeof got, "w");
    assert_non_null(to);
    pm_json_init(&json, true);
    pm_json_begin_object(&json, NULL);
    pm_json_int(&json, "dy", -3);
    pm_json_end_object(&json);
    assert_int_equal(pm_json_print(&json, to, &err), PM_OK);
    json.failed = true; /* as a realloc that failed leaves it */
    assert_int_equal(pm_json_print(&json, to, &err), PM_ENOMEM);
    assert_string_equal(err.text, "out of memory");
    fclose(to);
    assert_string_equal(got, "{\n  \"dy\": -3\n}\n");
    pm_json_fini(&json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_document),
        cmocka_unit_test(pretty_puts_an_item_on_a_line),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(names_that_are_not_utf8_keep_their_bytes),
        cmocka_unit_test(utf8_is_judged_as_rfc_3629_does),
        cmocka_unit_test(doubles_read_back_as_they_were),
        cmocka_unit_test(what_is_printed_is_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
