/* log: level filter, prefixes, and one bounded line whatever the text holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"

/* What one pm_log call writes to stderr. */
static void capture(char *text, size_t size, enum pm_log_level level, const char *message)
{
    int ends[2];
    int saved = dup(STDERR_FILENO);
    ssize_t got;
    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    pm_log(level, "%s", message);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    got = read(ends[0], text, size - 1);
    close(ends[0]);
    assert_true(got >= 0);
    text[got] = '\0';
}

static void levels_filter_and_prefix(void **state)
{
    (void)state;
    char text[4096];
    pm_log_init(PM_LOG_INFO, 0);
    capture(text, sizeof text, PM_LOG_DEBUG, "quiet");
    assert_string_equal(text, "");
    capture(text, sizeof text, PM_LOG_INFO, "job=1");
    assert_string_equal(text, "job=1\n");
    capture(text, sizeof text, PM_LOG_ERR, "bad");
    assert_string_equal(text, "error: bad\n");
    pm_log_init(PM_LOG_DEBUG, 1);
    capture(text, sizeof text, PM_LOG_ERR, "bad");
    assert_string_equal(text, "<3>bad\n");
    capture(text, sizeof text, PM_LOG_DEBUG, "step");
    assert_string_equal(text, "<7>step\n");
}

static void level_changes_later(void **state)
{
    char text[4096];
    (void)state;
    pm_log_init(PM_LOG_INFO, 1);
    pm_log_set_level(PM_LOG_WARN);
    capture(text, sizeof text, PM_LOG_INFO, "quiet");
    assert_string_equal(text, "");
    pm_log_set_level(PM_LOG_DEBUG);
    capture(text, sizeof text, PM_LOG_DEBUG, "step");
    assert_string_equal(text, "<7>step\n"); /* the prefix stays */
}

static void a_line_stays_a_line(void **state)
{
    (void)state;
    char text[8192], message[4000];
    memset(message, 'a', sizeof message);
    message[10] = '\n';
    message[sizeof message - 1] = '\0';
    pm_log_init(PM_LOG_INFO, 0);
    capture(text, sizeof text, PM_LOG_INFO, message);
    assert_true(strlen(text) <= 2048);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_filter_and_prefix),
        cmocka_unit_test(level_changes_later),
        cmocka_unit_test(a_line_stays_a_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
