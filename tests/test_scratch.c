/* scratch: made where asked, gone afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/scratch.h"
#include "tests/lib/workerkit.h"

static void it_goes_with_all_that_is_in_it(void **state)
{
    struct pm_scratch scratch = {""};
    struct pm_err err;
    char *dir = kit_tmpdir(), *inside;
    (void)state;
    assert_int_equal(pm_scratch_make(&scratch, dir, &err), PM_OK);
    assert_int_equal(strncmp(scratch.path, dir, strlen(dir)), 0);
    inside = kit_path(scratch.path, "file");
    kit_write(inside, "text");
    assert_int_equal(kit_entries(dir), 1);
    pm_scratch_remove(&scratch);
    pm_scratch_remove(&scratch); /* once is enough, twice is fine */
    assert_int_equal(kit_entries(dir), 0);
    kit_remove(dir);
    free(inside);
    free(dir);
}

static void a_bad_place_is_named(void **state)
{
    struct pm_scratch scratch = {""};
    struct pm_err err;
    char longest[1000];
    (void)state;
    assert_int_equal(pm_scratch_make(&scratch, "/nowhere/at/all", &err), PM_ENOENT);
    assert_non_null(strstr(err.text, "/nowhere/at/all"));
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(pm_scratch_make(&scratch, longest, &err), PM_EUSAGE);
    pm_scratch_remove(&scratch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_goes_with_all_that_is_in_it),
        cmocka_unit_test(a_bad_place_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
