/* bench_machine: something sensible about any machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cli/bench_machine.h"

static void the_machine_is_described(void **state)
{
    struct pm_machine machine;
    int year, month, day, hour, minute;
    char z;
    (void)state;
    pm_machine_look(&machine);
    assert_true(strlen(machine.cpu) > 0);
    assert_null(strchr(machine.cpu, '\n'));
    assert_true(machine.cores >= 1);
    assert_int_equal(
        sscanf(machine.utc, "%d-%d-%dT%d:%d%c", &year, &month, &day, &hour, &minute, &z), 6);
    assert_true(year >= 2024 && z == 'Z');
}

static void load_is_a_number_or_unknown(void **state)
{
    double load = pm_machine_load();
    (void)state;
    assert_true(isnan(load) || load >= 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_machine_is_described),
        cmocka_unit_test(load_is_a_number_or_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
