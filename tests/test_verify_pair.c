/* verify_pair: whatever happens to one file of a done pair is told, and nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/verify_pair.h"
#include "tests/lib/verifykit.h"

struct look {
    struct pm_verify_list list;
    struct pm_findings findings;
    struct pm_verify_checker checker;
};

static void load(struct pm_kit *kit, struct look *look)
{
    *look = (struct look){.list = {0}};
    pm_findings_init(&look->findings);
    look->checker = (struct pm_verify_checker){.store = kit->store, .findings = &look->findings};
    assert_int_equal(pm_verify_list_load(&look->list, kit->store, NULL), PM_OK);
    assert_int_equal(look->list.count, 1);
}

/* "missing mask.png: not there|", without the folder. */
static const char *checked(struct look *look)
{
    static char text[2048];
    struct pm_err err;
    size_t folder = look->list.entries[0].folder != NULL ? strlen(look->list.entries[0].folder) : 0;
    assert_int_equal(pm_verify_pair(&look->checker, &look->list.entries[0], &err), PM_OK);
    pm_findings_sort(&look->findings);
    text[0] = '\0';
    for (size_t i = 0; i < look->findings.count; i++) {
        const struct pm_finding *finding = &look->findings.list[i];
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s %s: %s|", pm_finding_name(finding->kind),
            strlen(finding->path) > folder ? finding->path + folder + 1 : ".", finding->what);
    }
    pm_findings_clear(&look->findings);
    return text;
}

static void finish(struct look *look)
{
    pm_verify_list_clear(&look->list);
    pm_findings_fini(&look->findings);
}

/* Runs once on a whole pair; recorded or not. */
static void expect(struct pm_kit *kit, const char *told, bool broken)
{
    struct look look;
    load(kit, &look);
    assert_string_equal(checked(&look), told);
    assert_int_equal(look.list.entries[0].broken, broken);
    finish(&look);
}

static void a_whole_pair_has_no_findings(void **state)
{
    struct pm_kit *kit = *state;
    struct look look;
    verify_pair(kit, "a.tif", true);
    load(kit, &look);
    assert_string_equal(checked(&look), "");
    assert_int_equal(look.checker.files, 4);
    assert_false(look.list.entries[0].broken || look.list.entries[0].guests);
    finish(&look);
}

static void every_kind_of_change_is_told(void **state)
{
    struct pm_kit *kit = *state;
    char *crops;
    verify_pair(kit, "a.tif", true);
    verify_write(kit, "a.tif", "mask.png", "mask.png of b.tif");
    expect(kit, "changed mask.png: another content|", true);
    verify_write(kit, "a.tif", "mask.png", "longer than it was before");
    expect(kit, "changed mask.png: another size|", true);
    verify_remove(kit, "a.tif", "mask.png");
    expect(kit, "missing mask.png: not there|", true);
    crops = verify_path(kit, "a.tif", "mask.png");
    assert_int_equal(symlink("crops/0_0.gt.tif", crops), 0);
    expect(kit, "changed mask.png: not a file any more|", true);
    free(crops);
    verify_remove(kit, "a.tif", "mask.png");
    verify_write(kit, "a.tif", "mask.png", "mask.png of a.tif");
    expect(kit, "", false);
    verify_remove(kit, "a.tif", "crops/0_0.gt.tif");
    verify_remove(kit, "a.tif", "crops/0_0.target.tif");
    crops = verify_path(kit, "a.tif", "crops");
    assert_int_equal(rmdir(crops), 0);
    free(crops);
    expect(
        kit, "missing crops/0_0.gt.tif: not there|missing crops/0_0.target.tif: not there|", true);
}

static void what_others_put_there_is_an_orphan(void **state)
{
    struct pm_kit *kit = *state;
    struct look look;
    verify_pair(kit, "a.tif", true);
    verify_write(kit, "a.tif", "notes.txt", "mine");
    verify_write(kit, "a.tif", "crops/64_0.gt.tif", "named as ours are");
    verify_write(kit, "a.tif", "more/deep.txt", "mine");
    load(kit, &look);
    assert_string_equal(checked(&look),
        "orphan crops/64_0.gt.tif: not in pair.json|orphan more: not in pair.json|"
        "orphan notes.txt: not in pair.json|");
    assert_false(look.list.entries[0].broken);
    assert_true(look.list.entries[0].guests);
    finish(&look);
}

static void a_record_that_changed_vouches_for_nothing(void **state)
{
    static const char told[] =
        "orphan notes.txt: not in pair.json|changed pair.json: not as it was "
        "published: the other files cannot be checked|";
    struct pm_kit *kit = *state;
    verify_pair(kit, "a.tif", true);
    verify_write(kit, "a.tif", "notes.txt", "mine");
    verify_write(kit, "a.tif", "pair.json", "{\"files\": []}");
    expect(kit, told, true);
    verify_write(kit, "a.tif", "pair.json", "");
    expect(kit, told, true);
    verify_remove(kit, "a.tif", "pair.json");
    expect(kit, "orphan notes.txt: not in pair.json|missing pair.json: not there|", true);
}

static void an_older_result_is_held_against_its_inputs(void **state)
{
    struct pm_kit *kit = *state;
    verify_pair(kit, "a.tif", false);
    expect(kit, "", false);
    verify_write(kit, "a.tif", "mask.png", "mask.png of b.tif");
    expect(kit, "changed mask.png: another content|", true);
    verify_write(kit, "a.tif", "mask.png", "mask.png of a.tif");
    static const char *const damaged[] = {"{}", "", "{\"inputs\": ", "[1]",
        "{\"inputs\": {\"gt\": {\"xxh3\": \"00112233445566aa\"}, \"target\": {\"xxh3\": \"0\"}}}"};
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        verify_write(kit, "a.tif", "pair.json", damaged[i]);
        expect(kit,
            "changed pair.json: not as it was published: the other files cannot be checked|", true);
    }
    /* Names that lead elsewhere are not followed. */
    verify_write(kit, "a.tif", "pair.json",
        "{\"inputs\": {\"gt\": {\"xxh3\": \"00112233445566aa\"}, \"target\": {\"xxh3\": "
        "\"ffeeddccbbaa9988\"}}, \"files\": [{\"name\": \"../../../etc/passwd\", \"bytes\": 1, "
        "\"xxh3\": \"0\"}, 7, {\"name\": null}]}");
    expect(kit,
        "orphan crops/0_0.gt.tif: not in pair.json|orphan crops/0_0.target.tif: not in "
        "pair.json|orphan mask.png: not in pair.json|",
        false);
}

static void a_folder_that_is_none(void **state)
{
    struct pm_kit *kit = *state;
    verify_pair(kit, "a.tif", true);
    pm_tmpdir_rename(kit->dir, "out-lab/s/g.tif--a.tif", "out-lab/moved");
    expect(kit, "missing .: not there|", true);
    pm_tmpdir_write(kit->dir, "out-lab/s/g.tif--a.tif", "a file");
    expect(kit, "changed .: not a folder any more|", true);
}

/* Between the listing and the end of the check the pair is queued again. */
static void a_pair_that_is_done_again_meanwhile_has_no_findings(void **state)
{
    struct pm_kit *kit = *state;
    struct look look;
    verify_pair(kit, "a.tif", true);
    load(kit, &look);
    verify_remove(kit, "a.tif", "mask.png");
    verify_write(kit, "a.tif", "notes.txt", "mine");
    pm_kit_see(kit, "s/a.tif", 2); /* changed: queued anew */
    assert_string_equal(checked(&look), "");
    assert_int_equal(look.checker.redone, 1);
    assert_false(look.list.entries[0].broken || look.list.entries[0].guests);
    finish(&look);
}

int main(void)
{
    const struct CMUnitTest tests[] = {with_store(a_whole_pair_has_no_findings),
        with_store(every_kind_of_change_is_told), with_store(what_others_put_there_is_an_orphan),
        with_store(a_record_that_changed_vouches_for_nothing),
        with_store(an_older_result_is_held_against_its_inputs), with_store(a_folder_that_is_none),
        with_store(a_pair_that_is_done_again_meanwhile_has_no_findings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
