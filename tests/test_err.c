/* err: codes, fates and messages. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/err.h"

static void every_code_has_name_text_and_way_back(void **state)
{
    (void)state;
    for (int i = 0; i < PM_CODE_COUNT; i++) {
        enum pm_code code = (enum pm_code)i;
        assert_true(strlen(pm_code_name(code)) >= 2);
        assert_true(strlen(pm_code_text(code)) >= 2);
        assert_int_equal(pm_code_from_name(pm_code_name(code)), code);
    }
    assert_int_equal(pm_code_from_name("NO_SUCH"), PM_CODE_COUNT);
}

static void errno_picks_the_fate(void **state)
{
    (void)state;
    static const struct {
        int sys_errno;
        enum pm_code code;
        enum pm_fate fate;
    } rows[] = {{ENOENT, PM_ENOENT, PM_FATE_MISSING}, {EACCES, PM_EACCES, PM_FATE_FAIL},
        {ENOSPC, PM_ENOSPC, PM_FATE_REQUEUE}, {EDQUOT, PM_ENOSPC, PM_FATE_REQUEUE},
        {ENOMEM, PM_ENOMEM, PM_FATE_RETRY}, {EIO, PM_EIO, PM_FATE_RETRY},
        {ESTALE, PM_EIO, PM_FATE_RETRY}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pm_err err;
        assert_int_equal(pm_err_errno(&err, rows[i].sys_errno, "open x"), rows[i].code);
        assert_int_equal(pm_code_fate(err.code), rows[i].fate);
        assert_int_equal(err.sys_errno, rows[i].sys_errno);
        assert_memory_equal(err.text, "open x: ", 8);
    }
}

static void a_limit_of_the_process_is_named(void **state)
{
    (void)state;
    struct pm_err err;
    pm_err_errno(&err, EFBIG, "write x");
    assert_non_null(strstr(err.text, "ulimit -f"));
    pm_err_errno(&err, EMFILE, "open x");
    assert_non_null(strstr(err.text, "ulimit -n"));
    pm_err_errno(&err, EIO, "read x");
    assert_null(strstr(err.text, "ulimit"));
}

static void wrap_adds_context_and_keeps_the_code(void **state)
{
    (void)state;
    struct pm_err err;
    pm_err_set(&err, PM_EFORMAT, "strip %d is short", 7);
    assert_int_equal(pm_err_wrap(&err, "decode %s", "a.tif"), PM_EFORMAT);
    assert_string_equal(err.text, "decode a.tif: strip 7 is short");
}

static void a_long_or_hostile_message_stays_one_bounded_line(void **state)
{
    (void)state;
    struct pm_err err;
    char name[4096];
    memset(name, 'x', sizeof name);
    name[3] = '\n';
    name[4] = 27;
    name[sizeof name - 1] = '\0';
    pm_err_errno(&err, EIO, "%s", name);
    pm_err_wrap(&err, "%s", name);
    assert_true(strlen(err.text) < sizeof err.text);
    assert_null(strchr(err.text, '\n'));
    assert_null(strchr(err.text, 27));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_name_text_and_way_back),
        cmocka_unit_test(errno_picks_the_fate),
        cmocka_unit_test(a_limit_of_the_process_is_named),
        cmocka_unit_test(wrap_adds_context_and_keeps_the_code),
        cmocka_unit_test(a_long_or_hostile_message_stays_one_bounded_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
