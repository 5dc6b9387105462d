/* pairmill gpu: help, wrong usage, and a machine without a GPU; with one: tests/e2e/29-gpu.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/clitest.h"

static void test_help(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(pm_clitest_call(&t, pm_cli_gpu, "gpu", "--help"), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "--selftest"));
    assert_int_equal(pm_clitest_call(&t, pm_cli_gpu, "gpu", "everything"), PM_EXIT_USAGE);
    assert_int_equal(pm_clitest_call(&t, pm_cli_gpu, "gpu", "--self_tset"), PM_EXIT_USAGE);
    pm_clitest_close(&t);
}

static void test_no_plugin(void **state)
{
    struct pm_clitest t;
    (void)state;
    setenv("PAIRMILL_CUDA", "/nonexistent/pairmill-cuda.so", 1);
    pm_clitest_open(&t);
    assert_int_equal(pm_clitest_call(&t, pm_cli_gpu, "gpu", "--selftest"), PM_EXIT_COULD_NOT);
    assert_non_null(strstr(t.err, "no GPU is used, the CPU does everything; off: "));
    assert_string_equal(t.out, "");
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_help), cmocka_unit_test(test_no_plugin)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
