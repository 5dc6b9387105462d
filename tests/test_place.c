/* place: a result gets its name at one stroke, replaces only results, and never leaves the output.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/lib/workerkit.h"
#include "worker/place.h"

struct fixture {
    char *dir, *out;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->dir = kit_tmpdir();
    f->out = kit_path(f->dir, "out");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    kit_remove(f->dir);
    free(f->dir);
    free(f->out);
    free(f);
    return 0;
}

/* Builds a folder that holds pair.json with this text and places it. */
static enum pm_code place(struct fixture *f, const char *scene, const char *name, const char *text,
    bool plain, struct pm_err *err)
{
    struct pm_place where = {.scene = scene, .name = name, .plain = plain};
    struct pm_partial partial;
    int fd;
    assert_int_equal(pm_partial_begin(&partial, f->out, 1, 0, err), PM_OK);
    assert_int_equal(pm_partial_create(&partial, "pair.json", &fd, err), PM_OK);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(pm_partial_finish(&partial, "pair.json", fd, err), PM_OK);
    assert_int_equal(pm_partial_sync(&partial, err), PM_OK);
    enum pm_code rc = pm_place(&partial, &where, err);
    pm_partial_discard(&partial);
    char *root = kit_path(f->out, PM_PARTIAL_FOLDER);
    assert_int_equal(kit_entries(root), 0); /* whatever happened */
    free(root);
    return rc;
}

static void assert_text(struct fixture *f, const char *path, const char *want)
{
    char *full = kit_path(f->out, path), *text = kit_read(full, NULL);
    assert_string_equal(text, want);
    free(full);
    free(text);
}

static void a_result_and_its_successor(void **state)
{
    struct fixture *f = *state;
    struct pm_err err;
    for (int plain = 0; plain < 2; plain++) {
        const char *name = plain ? "p" : "x";
        char path[64];
        snprintf(path, sizeof path, "a/b/%s/pair.json", name);
        assert_int_equal(place(f, "a/b", name, "first", plain, &err), PM_OK);
        assert_text(f, path, "first");
        assert_int_equal(place(f, "a/b", name, "second", plain, &err), PM_OK);
        assert_text(f, path, "second");
    }
    assert_int_equal(place(f, ".", "top", "t", false, &err), PM_OK);
    assert_text(f, "top/pair.json", "t");
}

/* Somebody deleted pair.json, or all but a crop: doing the pair again must be able to mend that. */
static void what_is_left_of_a_result_is_replaced(void **state)
{
    static const struct {
        const char *file;
        bool ours;
    } cases[] = {{"crops/0_0.gt.tif", true}, {"crops/12_5.mask.png", true}, {"mask.png", true},
        {"crops/0_0.gt.tif.bak", false}, {"crops/_0.gt.tif", false}, {"crops/notes.txt", false},
        {"crops/crops/0_0.gt.tif", false}, {"x.mask.png", false}, {"0_0.gt.tif", false}};
    struct fixture *f = *state;
    struct pm_err err;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[64];
        char path[4096];
        snprintf(name, sizeof name, "left%zu", i);
        snprintf(
            path, sizeof path, "mkdir -p \"$(dirname '%s/%s/%s')\"", f->out, name, cases[i].file);
        assert_int_equal(system(path), 0);
        snprintf(path, sizeof path, "%s/%s/%s", f->out, name, cases[i].file);
        kit_write(path, "left");
        assert_int_equal(
            place(f, ".", name, "new", i % 2 == 0, &err), cases[i].ours ? PM_OK : PM_EEXIST);
        assert_int_equal(kit_exists(path), !cases[i].ours);
    }
}

static void an_empty_folder_is_replaced_anything_else_is_not(void **state)
{
    struct fixture *f = *state;
    struct pm_err err;
    char *empty = kit_path(f->out, "empty"), *full = kit_path(f->out, "full");
    char *note = kit_path(f->out, "full/note"), *file = kit_path(f->out, "file");
    kit_mkdir(f->out);
    kit_mkdir(empty);
    kit_mkdir(full);
    kit_write(note, "mine");
    kit_write(file, "mine");
    for (int plain = 0; plain < 2; plain++) {
        assert_int_equal(place(f, ".", "empty", "e", plain, &err), PM_OK);
        assert_int_equal(place(f, ".", "full", "e", plain, &err), PM_EEXIST);
        assert_non_null(strstr(err.text, full));
        assert_non_null(strstr(err.text, "move it"));
        assert_int_equal(place(f, ".", "file", "e", plain, &err), PM_EEXIST);
    }
    assert_text(f, "full/note", "mine");
    assert_text(f, "file", "mine");
    free(empty);
    free(full);
    free(note);
    free(file);
}

static void links_on_the_way_are_refused(void **state)
{
    struct fixture *f = *state;
    struct pm_err err;
    char *outside = kit_path(f->dir, "outside"), *link = kit_path(f->out, "link");
    char *name = kit_path(f->out, "name");
    kit_mkdir(f->out);
    kit_mkdir(outside);
    assert_int_equal(symlink("../outside", link), 0);
    assert_int_equal(symlink("../outside", name), 0);
    assert_int_equal(place(f, "link", "x", "e", false, &err), PM_EEXIST);
    assert_int_equal(place(f, "link/deep", "x", "e", false, &err), PM_EEXIST);
    assert_int_equal(place(f, ".", "name", "e", false, &err), PM_EEXIST);
    assert_int_equal(kit_entries(outside), 0);
    free(outside);
    free(link);
    free(name);
}

/* A scene that has the name of another scene's result, and the other way round: neither may cost
 * the other its results. */
static void scenes_named_like_results_are_refused(void **state)
{
    struct fixture *f = *state;
    struct pm_err err;
    assert_int_equal(place(f, "s", "a--b", "outer", false, NULL), PM_OK);
    assert_int_equal(place(f, "s/a--b", "c--d", "inner", false, &err), PM_EEXIST);
    assert_non_null(strstr(err.text, "out/s/a--b is in the way"));
    assert_int_equal(place(f, "s/a--b/t", "c--d", "inner", false, NULL), PM_EEXIST);
    assert_text(f, "s/a--b/pair.json", "outer");
    assert_int_equal(place(f, "s/x--y", "c--d", "inner", false, NULL), PM_OK);
    assert_int_equal(place(f, "s", "x--y", "outer", false, &err), PM_EEXIST);
    assert_text(f, "s/x--y/c--d/pair.json", "inner");
}

static void scenes_that_lead_elsewhere_are_refused(void **state)
{
    static const char *const scenes[] = {
        "..", "a/../..", "/etc", "a//b", "./a", ".partial", ".partial/a"};
    struct fixture *f = *state;
    struct pm_err err;
    for (size_t i = 0; i < sizeof scenes / sizeof scenes[0]; i++) {
        assert_int_equal(place(f, scenes[i], "x", "e", false, &err), PM_ENAME);
    }
    assert_int_equal(place(f, "a/.partial", "x", "e", false, &err), PM_OK); /* only ours is ours */
}

static void withdrawing_takes_only_results(void **state)
{
    struct fixture *f = *state;
    struct pm_err err;
    char *strange = kit_path(f->out, "a/strange"), *scene = kit_path(f->out, "a");
    char *root = kit_path(f->out, PM_PARTIAL_FOLDER);
    assert_int_equal(
        pm_place_withdraw(f->out, "a", "x", "1.gone", &err), PM_OK); /* no output yet */
    assert_int_equal(place(f, "a", "x", "e", false, &err), PM_OK);
    kit_mkdir(strange);
    assert_int_equal(pm_place_withdraw(f->out, "a", "strange", "1.gone", &err), PM_OK);
    assert_int_equal(pm_place_withdraw(f->out, "nowhere/b", "x", "1.gone", &err), PM_OK);
    assert_int_equal(kit_entries(scene), 2);
    assert_int_equal(pm_place_withdraw(f->out, "a", "x", "1.gone", &err), PM_OK);
    assert_int_equal(kit_entries(scene), 1); /* the strange one is not ours */
    assert_int_equal(kit_entries(root), 0);
    assert_int_equal(pm_place_withdraw(f->out, "..", "x", "1.gone", &err), PM_ENAME);
    free(strange);
    free(scene);
    free(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_result_and_its_successor, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_left_of_a_result_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            an_empty_folder_is_replaced_anything_else_is_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(links_on_the_way_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scenes_named_like_results_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scenes_that_lead_elsewhere_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(withdrawing_takes_only_results, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
