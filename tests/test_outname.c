/* outname: names say which pair they are, fit, and never meet. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "tests/lib/workerkit.h"
#include "worker/outname.h"

static void name_of(const char *gt, const char *target, char out[PM_OUTNAME_MAX + 1])
{
    char gt_path[1200], target_path[1200];
    struct pm_err err;
    snprintf(gt_path, sizeof gt_path, "in/s/gt/%s", gt);
    snprintf(target_path, sizeof target_path, "in/s/%s", target);
    assert_int_equal(pm_outname(gt_path, target_path, out, &err), PM_OK);
    assert_true(strlen(out) <= PM_OUTNAME_MAX);
}

static void plain_names_are_plain(void **state)
{
    char name[PM_OUTNAME_MAX + 1];
    (void)state;
    name_of("a.tif", "b.tif", name);
    assert_string_equal(name, "a.tif--b.tif");
    name_of("a-b c.tif", "--b.tif", name); /* the first -- is the border */
    assert_string_equal(name, "a-b c.tif----b.tif");
}

static void ambiguous_names_are_marked_and_differ(void **state)
{
    char a[PM_OUTNAME_MAX + 1], b[PM_OUTNAME_MAX + 1];
    (void)state;
    name_of("a--b", "c", a);
    name_of("a", "b--c", b);
    assert_string_not_equal(a, b);
    assert_string_equal(b, "a--b--c");
    assert_memory_equal(a, "a--b--c.", 8);
    assert_int_equal(strlen(a), strlen("a--b--c.") + 16);
    name_of("a-", "b", a);
    name_of("a", "-b", b);
    assert_string_not_equal(a, b);
}

/* gt/b.tif as the target of gt/a.tif, and b.tif beside gt/: two pairs, two names. */
static void a_gt_as_target_is_not_its_namesake(void **state)
{
    char a[PM_OUTNAME_MAX + 1], b[PM_OUTNAME_MAX + 1];
    struct pm_err err;
    (void)state;
    assert_int_equal(pm_outname("s/gt/a.tif", "s/gt/b.tif", a, &err), PM_OK);
    assert_int_equal(pm_outname("s/gt/a.tif", "s/b.tif", b, &err), PM_OK);
    assert_string_equal(b, "a.tif--b.tif");
    assert_memory_equal(a, "a.tif--b.tif.", 13);
    assert_true(pm_target_is_gt("s/gt/a.tif", "s/gt/b.tif"));
    assert_false(pm_target_is_gt("s/gt/a.tif", "s/b.tif"));
    assert_true(pm_target_is_gt("a.tif", "b.tif"));
}

static void long_names_are_cut_between_characters(void **state)
{
    char gt[301], target[301], seen[4][PM_OUTNAME_MAX + 1];
    (void)state;
    for (int i = 0; i < 300; i += 2) {
        memcpy(gt + i, "\xc3\xa9", 2);
        memcpy(target + i, "\xc3\xbc", 2);
    }
    gt[300] = target[300] = '\0';
    for (int i = 0; i < 4; i++) {
        gt[298] = i & 1 ? 'x' : 'y'; /* they differ where it is cut off */
        target[298] = i & 2 ? 'x' : 'y';
        gt[299] = target[299] = '.';
        name_of(gt, target, seen[i]);
        assert_true(pm_utf8_valid(seen[i]));
        assert_true(strlen(seen[i]) > 250);
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(seen[i], seen[j]);
        }
    }
}

static void the_longest_that_fits_is_not_cut(void **state)
{
    char gt[300], name[PM_OUTNAME_MAX + 1];
    (void)state;
    memset(gt, 'g', sizeof gt);
    gt[PM_OUTNAME_MAX - 7] = '\0';
    name_of(gt, "t.tif", name);
    assert_int_equal(strlen(name), PM_OUTNAME_MAX);
    assert_memory_equal(name + PM_OUTNAME_MAX - 7, "--t.tif", 7);
    gt[PM_OUTNAME_MAX - 7] = 'g';
    gt[PM_OUTNAME_MAX - 6] = '\0';
    name_of(gt, "t.tif", name);
    assert_int_equal(strlen(name), PM_OUTNAME_MAX);
    assert_non_null(strstr(name, "--t.tif.")); /* the short one stays whole */
}

static void bytes_that_are_no_utf8_stay(void **state)
{
    char name[PM_OUTNAME_MAX + 1];
    (void)state;
    name_of("\xff\xfe.tif", "b.tif", name);
    assert_string_equal(name, "\xff\xfe.tif--b.tif");
}

static void paths_without_a_file_are_refused(void **state)
{
    char name[PM_OUTNAME_MAX + 1];
    struct pm_err err;
    (void)state;
    assert_int_equal(pm_outname("s/gt/", "s/b.tif", name, &err), PM_ENAME);
}

static void files_of_a_result_are_known_by_name(void **state)
{
    static const char *const ours[] = {"pair.json", "mask.png", "crops/0_0.gt.tif",
        "crops/99_100.target.tif", "crops/7_7.mask.png"};
    static const char *const others[] = {"", "crops", "crops/", "crops/0_0", "crops/0_.gt.tif",
        "crops/_0.gt.tif", "crops/-1_0.gt.tif", "crops/0_0.gt.tif~", "0_0.gt.tif", "Pair.json"};
    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        assert_true(pm_outname_is_file(ours[i]));
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(pm_outname_is_file(others[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_of_a_result_are_known_by_name),
        cmocka_unit_test(plain_names_are_plain),
        cmocka_unit_test(ambiguous_names_are_marked_and_differ),
        cmocka_unit_test(a_gt_as_target_is_not_its_namesake),
        cmocka_unit_test(long_names_are_cut_between_characters),
        cmocka_unit_test(the_longest_that_fits_is_not_cut),
        cmocka_unit_test(bytes_that_are_no_utf8_stay),
        cmocka_unit_test(paths_without_a_file_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
