/* ctlproto: lines there and back, and lines nobody should send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/ctlproto.h"

static struct pm_ctl_request back(const struct pm_ctl_request *request)
{
    static struct pm_ctl_request got;
    char line[4096];
    struct pm_err err;
    assert_int_equal(pm_ctl_format(request, line, sizeof line, &err), PM_OK);
    assert_null(strchr(line, '\n'));
    if (pm_ctl_parse(line, &got, &err) != PM_OK) {
        fail_msg("%s: %s", line, err.text);
    }
    assert_int_equal(got.verb, request->verb);
    return got;
}

static void requests_come_back(void **state)
{
    struct pm_ctl_request got;
    (void)state;
    got = back(&(struct pm_ctl_request){.verb = PM_CTL_STATUS});
    got = back(&(struct pm_ctl_request){.verb = PM_CTL_RESCAN});
    got = back(&(struct pm_ctl_request){.verb = PM_CTL_PAUSE});
    assert_string_equal(got.source, "");
    got = back(&(struct pm_ctl_request){.verb = PM_CTL_RESUME, .source = "a b%=\n\xff/c"});
    assert_string_equal(got.source, "a b%=\n\xff/c");
    got = back(&(struct pm_ctl_request){.verb = PM_CTL_RETRY,
        .scene = "-x y",
        .id = 9007199254740993,
        .missing = true,
        .done = true});
    assert_string_equal(got.scene, "-x y");
    assert_true(got.id == 9007199254740993);
    assert_true(got.missing && got.done && !got.failed && !got.quarantined && !got.stale);
    got = back(&(struct pm_ctl_request){
        .verb = PM_CTL_RETRY, .failed = true, .quarantined = true, .stale = true});
    assert_true(got.failed && got.quarantined && got.stale && got.id == 0);
}

static void every_byte_survives(void **state)
{
    static struct pm_ctl_request request = {.verb = PM_CTL_RETRY};
    (void)state;
    for (int c = 1; c < 256; c++) {
        request.scene[c - 1] = (char)c;
    }
    assert_string_equal(back(&request).scene, request.scene);
}

static void what_does_not_fit_is_said(void **state)
{
    static struct pm_ctl_request request = {.verb = PM_CTL_PAUSE};
    char line[4096];
    struct pm_err err;
    (void)state;
    memset(request.source, ' ', 2000);
    assert_int_equal(pm_ctl_format(&request, line, sizeof line, &err), PM_ENAME);
}

static void bad_lines_are_refused(void **state)
{
    static const char *const bad[] = {"", " ", "stat", "statusx", "STATUS", "status x",
        "rescan all", "pause x", "pause  source=a", "pause source=%", "pause source=%4",
        "pause source=%zz", "pause source=%00", "resume id=4", "retry id=", "retry id=0",
        "retry id=-1", "retry id=1x", "retry id=99999999999999999999",
        "retry id=123456789012345678901234567890", "retry maybe", "retry failed ", "retry source=a",
        "\xff\xfe", "retry scene=%e"};
    struct pm_ctl_request request;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct pm_err err = {.text = ""};
        if (pm_ctl_parse(bad[i], &request, &err) != PM_EUSAGE) {
            fail_msg("taken: \"%s\"", bad[i]);
        }
        assert_true(err.text[0] != '\0');
    }
}

/* Random bytes, and random edits of good lines: never read or written out of bounds (asan). */
static void noise(void **state)
{
    static const char *const seeds[] = {"retry id=17 scene=a%20b failed", "pause source=%ff%0a"};
    unsigned random = 12345;
    struct pm_ctl_request request;
    (void)state;
    for (int round = 0; round < 20000; round++) {
        char *line = strdup(seeds[round % 2]);
        size_t n = strlen(line);
        for (int edit = 0; edit < 3; edit++) {
            random = random * 1664525 + 1013904223;
            line[(random >> 8) % n] = (char)(random >> 24);
        }
        (void)pm_ctl_parse(line, &request, NULL);
        assert_non_null(memchr(request.source, 0, sizeof request.source));
        assert_non_null(memchr(request.scene, 0, sizeof request.scene));
        free(line);
    }
}

static void long_value_is_refused(void **state)
{
    static char line[3 * PM_CTL_VALUE];
    static struct pm_ctl_request request;
    (void)state;
    strcpy(line, "pause source=");
    memset(line + strlen(line), 'x', 2 * PM_CTL_VALUE);
    assert_int_equal(pm_ctl_parse(line, &request, NULL), PM_EUSAGE);
}

static void replies(void **state)
{
    struct pm_err err;
    struct pm_err got = {.text = ""};
    char line[256];
    (void)state;
    assert_int_equal(pm_ctl_parse_reply("ok", &got), PM_OK);
    assert_int_equal(pm_ctl_parse_reply("ok released=3", &got), PM_OK);
    pm_err_set(&err, PM_EUSAGE, "no source \"x y\"");
    pm_ctl_format_error(&err, line, sizeof line);
    assert_string_equal(line, "error EUSAGE no source \"x y\"");
    assert_int_equal(pm_ctl_parse_reply(line, &got), PM_EUSAGE);
    assert_string_equal(got.text, err.text);
    assert_int_equal(pm_ctl_parse_reply("error EDB", &got), PM_EDB);
    assert_true(got.text[0] != '\0');
    assert_int_equal(pm_ctl_parse_reply("error OK fine", &got), PM_EIO);
    assert_int_equal(pm_ctl_parse_reply("error ENEWER text", &got), PM_EIO);
    assert_int_equal(pm_ctl_parse_reply("okay", &got), PM_EIO);
    assert_int_equal(pm_ctl_parse_reply("", &got), PM_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_come_back),
        cmocka_unit_test(every_byte_survives),
        cmocka_unit_test(what_does_not_fit_is_said),
        cmocka_unit_test(bad_lines_are_refused),
        cmocka_unit_test(noise),
        cmocka_unit_test(long_value_is_refused),
        cmocka_unit_test(replies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
