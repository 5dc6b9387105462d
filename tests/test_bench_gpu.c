/* bench gpu: wrong usage, and a machine without a GPU; with one: tests/e2e/29-gpu.sh. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/lib/clitest.h"

static void test_usage(void **state)
{
    struct pm_clitest t;
    (void)state;
    pm_clitest_open(&t);
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench", "gpu --help"), PM_EXIT_OK);
    assert_non_null(strstr(t.out, "--size WxH"));
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench", "gpu --size 12x"), PM_EXIT_USAGE);
    assert_non_null(strstr(t.err, "write WxH"));
    pm_clitest_close(&t);
}

static void test_no_gpu(void **state)
{
    struct pm_clitest t;
    (void)state;
    setenv("PAIRMILL_CUDA", "/nonexistent/pairmill-cuda.so", 1);
    pm_clitest_open(&t);
    assert_int_equal(pm_clitest_call(&t, pm_cli_bench, "bench", "gpu"), PM_EXIT_COULD_NOT);
    assert_non_null(strstr(t.err, "no GPU to measure; off: "));
    pm_clitest_close(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_usage), cmocka_unit_test(test_no_gpu)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
