/* pace: pairs a minute from a growing count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/pace.h"

#define S 1000000

static void nothing_from_nothing(void **state)
{
    struct pm_pace pace = {0};
    (void)state;
    assert_true(pm_pace_per_min(&pace) == 0);
    pm_pace_note(&pace, S, 5);
    assert_true(pm_pace_per_min(&pace) == 0);
}

static void steady_pace(void **state)
{
    struct pm_pace pace = {0};
    (void)state;
    for (int64_t t = 0; t <= 200; t++) {
        pm_pace_note(&pace, t * S, 2 * t);
        pm_pace_note(&pace, t * S + 1, 1000000); /* too soon: not taken */
        assert_true(t == 0 || pm_pace_per_min(&pace) == 120);
    }
}

static void only_the_last_minute_counts(void **state)
{
    struct pm_pace pace = {0};
    (void)state;
    for (int64_t t = 0; t <= 300; t++) {
        pm_pace_note(&pace, t * S, t < 200 ? 10 * t : 2000);
    }
    assert_true(pm_pace_per_min(&pace) == 0);
}

static void count_that_falls_is_no_pace(void **state)
{
    struct pm_pace pace = {0};
    (void)state;
    pm_pace_note(&pace, 0, 100);
    pm_pace_note(&pace, S, 0); /* retried: done became queued */
    assert_true(pm_pace_per_min(&pace) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_from_nothing),
        cmocka_unit_test(steady_pace),
        cmocka_unit_test(only_the_last_minute_counts),
        cmocka_unit_test(count_that_falls_is_no_pace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
