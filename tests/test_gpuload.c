/* gpuload: whatever is missing, one line says what; the right plugin loads. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/fakegpu.h"
#include "worker/gpu/gpuload.h"

static void expect(const char *plugin, const char *driver, const char *said)
{
    const struct pm_cuda_api *api;
    struct pm_err err = {.text = ""};
    assert_int_equal(pm_gpu_load(plugin, driver, &api, &err), PM_EUNSUPPORTED);
    assert_null(api);
    if (strstr(err.text, said) == NULL) {
        print_error("said: %s\n", err.text);
    }
    assert_non_null(strstr(err.text, said));
    assert_null(strchr(err.text, '\n'));
}

static void test_no_driver(void **state)
{
    (void)state;
    expect(fakegpu_path(), "libpairmill-no-such-driver.so.1", "no NVIDIA driver: ");
}

static void test_no_plugin(void **state)
{
    (void)state;
    expect("/nonexistent/pairmill-cuda.so", FAKEGPU_DRIVER, "the CUDA plugin does not load: ");
    expect(NULL, FAKEGPU_DRIVER, "neither beside the program nor in ../lib/pairmill");
    expect("", FAKEGPU_DRIVER, "neither beside the program nor in ../lib/pairmill");
    setenv("PAIRMILL_CUDA", "/nonexistent/named.so", 1);
    expect(NULL, FAKEGPU_DRIVER, "/nonexistent/named.so");
    unsetenv("PAIRMILL_CUDA");
}

static void test_not_a_plugin(void **state)
{
    (void)state;
    expect("libm.so.6", FAKEGPU_DRIVER, "is no pairmill plugin");
}

static void test_wrong_abi(void **state)
{
    char path[PATH_MAX];
    (void)state;
    snprintf(path, sizeof path, "%s", fakegpu_path());
    snprintf(strrchr(path, '/'), 32, "/old-plugin.so");
    expect(path, FAKEGPU_DRIVER, "speaks ABI 4711, this pairmill 2");
}

static void test_the_right_one(void **state)
{
    const struct pm_cuda_api *api;
    struct pm_err err;
    (void)state;
    assert_int_equal(pm_gpu_load(fakegpu_path(), FAKEGPU_DRIVER, &api, &err), PM_OK);
    assert_int_equal(api->abi, PM_CUDA_ABI);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_driver),
        cmocka_unit_test(test_no_plugin),
        cmocka_unit_test(test_not_a_plugin),
        cmocka_unit_test(test_wrong_abi),
        cmocka_unit_test(test_the_right_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
