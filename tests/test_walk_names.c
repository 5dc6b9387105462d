/* walk_names: what a name is to us, and what lies inside what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "daemon/walk.h"

static void names(void **state)
{
    static const struct {
        const char *name;
        enum pm_name_kind kind;
    } cases[] = {{"a.tif", PM_NAME_IMAGE}, {"a.TIFF", PM_NAME_IMAGE}, {"-.tif", PM_NAME_IMAGE},
        {"a.txt", PM_NAME_OTHER}, {"tif", PM_NAME_OTHER}, {"", PM_NAME_OTHER},
        {".a.tif", PM_NAME_HIDDEN}, {"a.tif.part", PM_NAME_HIDDEN}, {"a.partial", PM_NAME_HIDDEN},
        {"a.tmp", PM_NAME_HIDDEN}, {"a.TMP", PM_NAME_HIDDEN}, {"a.tif~", PM_NAME_HIDDEN},
        {"a.tif.crdownload", PM_NAME_HIDDEN}, {"a.filepart", PM_NAME_HIDDEN},
        {"part.tif", PM_NAME_IMAGE}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(pm_walk_name(cases[i].name), cases[i].kind);
    }
}

static void inside(void **state)
{
    static const char *const list[] = {"/a/out", "/b"};
    (void)state;
    assert_true(pm_walk_inside("/a/out", list, 2));
    assert_true(pm_walk_inside("/a/out/x", list, 2));
    assert_true(pm_walk_inside("/b/c", list, 2));
    assert_false(pm_walk_inside("/a/output", list, 2));
    assert_false(pm_walk_inside("/a", list, 2));
    assert_false(pm_walk_inside("/a", list, 0));
}

static void joined(void **state)
{
    static const char *const cases[][3] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"", "b", "b"},
        {"a", "", "a"}, {"/", "b", "/b"}, {"", "", ""}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *path = pm_walk_join(cases[i][0], cases[i][1]);
        assert_string_equal(path, cases[i][2]);
        free(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names), cmocka_unit_test(inside), cmocka_unit_test(joined)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
