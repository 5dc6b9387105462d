/* cpu: forcing a variant from outside, and what happens to values nobody can run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "worker/kernels/cpu.h"

static void a_lower_variant_can_be_forced(void **state)
{
    (void)state;
    unsetenv("PAIRMILL_CPU");
    enum pm_cpu most = pm_cpu_level();

    for (int level = PM_CPU_PLAIN; level <= (int)most; level++) {
        setenv("PAIRMILL_CPU", pm_cpu_name((enum pm_cpu)level), 1);
        assert_int_equal(pm_cpu_level(), level);
    }
    unsetenv("PAIRMILL_CPU");
}

static void what_the_machine_cannot_run_is_ignored(void **state)
{
    (void)state;
    unsetenv("PAIRMILL_CPU");
    enum pm_cpu most = pm_cpu_level();

    setenv("PAIRMILL_CPU", "abacus", 1);
    assert_int_equal(pm_cpu_level(), most);
    setenv("PAIRMILL_CPU", "", 1);
    assert_int_equal(pm_cpu_level(), most);
    for (int level = (int)most + 1; level <= PM_CPU_AVX512; level++) {
        setenv("PAIRMILL_CPU", pm_cpu_name((enum pm_cpu)level), 1);
        assert_int_equal(pm_cpu_level(), most);
    }
    unsetenv("PAIRMILL_CPU");
}

static void names_are_those_of_the_environment(void **state)
{
    (void)state;
    assert_string_equal(pm_cpu_name(PM_CPU_PLAIN), "plain");
    assert_string_equal(pm_cpu_name(PM_CPU_AVX2), "avx2");
    assert_string_equal(pm_cpu_name(PM_CPU_AVX512), "avx512");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lower_variant_can_be_forced),
        cmocka_unit_test(what_the_machine_cannot_run_is_ignored),
        cmocka_unit_test(names_are_those_of_the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
