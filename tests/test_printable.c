/* printable: what is text stays, everything else is spelled out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/printable.h"

static void shows(const char *bytes, const char *text)
{
    char out[64];
    pm_printable(out, sizeof out, bytes, strlen(bytes));
    assert_string_equal(out, text);
}

static void text_stays(void **state)
{
    (void)state;
    shows("", "");
    shows("plain-name_1 2.tif", "plain-name_1 2.tif");
    shows("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xb7", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x93\xb7");
    shows("back\\slash", "back\\slash");
}

static void the_rest_is_spelled_out(void **state)
{
    (void)state;
    shows("a\nb\tc\x1b[31m\x7f", "a\\x0ab\\x09c\\x1b[31m\\x7f");
    shows("\xff", "\\xff");
    shows("x\xc3", "x\\xc3");                          /* cut short */
    shows("\xc0\xaf", "\\xc0\\xaf");                   /* overlong */
    shows("\xe0\x80\xaf", "\\xe0\\x80\\xaf");          /* overlong */
    shows("\xed\xa0\x80", "\\xed\\xa0\\x80");          /* surrogate */
    shows("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* beyond Unicode */
    shows("\xc2\x85", "\\xc2\\x85");                   /* a control character of two bytes */
}

static void what_does_not_fit_is_cut_between_characters(void **state)
{
    (void)state;
    char out[6];
    pm_printable(out, sizeof out, "abcd\xc3\xa9", 6);
    assert_string_equal(out, "abcd");
    pm_printable(out, sizeof out, "abc\xc3\xa9", 5);
    assert_string_equal(out, "abc\xc3\xa9");
    pm_printable(out, sizeof out, "ab\xff", 3);
    assert_string_equal(out, "ab");
    pm_printable(out, 1, "abc", 3);
    assert_string_equal(out, "");
}

static void any_bytes_fit_into_the_stated_size(void **state)
{
    (void)state;
    char bytes[256];
    char out[PM_PRINTABLE_SIZE(sizeof bytes)];
    for (int i = 0; i < 256; i++) {
        bytes[i] = (char)(i % 2 == 0 ? 0x80 + i / 2 : 0);
    }
    pm_printable(out, sizeof out, bytes, sizeof bytes);
    assert_int_equal(strlen(out), sizeof out - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_stays),
        cmocka_unit_test(the_rest_is_spelled_out),
        cmocka_unit_test(what_does_not_fit_is_cut_between_characters),
        cmocka_unit_test(any_bytes_fit_into_the_stated_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
