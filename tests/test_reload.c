/* reload: the file read again elsewhere, its faults told, repeats merged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/outputs.h"
#include "daemon/reload.h"
#include "tests/lib/looping.h"
#include "tests/lib/tmpdir.h"

struct rig {
    char *dir, *file, *db;
    uv_loop_t loop;
    struct pm_reload reload;
    int done;
    struct pm_conf *conf;
    struct pm_err err;
};

static void on_done(void *ctx, struct pm_conf *conf, const struct pm_err *err)
{
    struct rig *rig = ctx;
    rig->done++;
    pm_conf_unref(rig->conf);
    rig->conf = conf;
    if (err != NULL) {
        rig->err = *err;
    }
}

static bool is_done(void *ctx)
{
    return ((struct rig *)ctx)->done > 0;
}

static void write_conf(struct rig *rig, const char *db, const char *more)
{
    char text[2048];
    snprintf(text, sizeof text,
        "[pairmill]\ndb = %s/%s\n%s[source a]\ninput = %s/in\noutput = %s/new/out\n", rig->dir, db,
        more, rig->dir, rig->dir);
    pm_tmpdir_write(rig->dir, "p.conf", text);
}

static void reload(struct rig *rig)
{
    rig->done = 0;
    pm_reload_start(&rig->reload, &rig->loop, rig->file, rig->db, on_done, rig);
    assert_true(rig->reload.busy);
    assert_true(pm_loop_until(&rig->loop, is_done, rig));
    assert_int_equal(rig->done, 1);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->dir = pm_tmpdir_make();
    rig->file = pm_tmpdir_path(rig->dir, "p.conf");
    rig->db = pm_tmpdir_path(rig->dir, "p.db");
    pm_tmpdir_folder(rig->dir, "in");
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    assert_int_equal(pm_outputs_new(&rig->reload.outputs, NULL), PM_OK);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    assert_true(pm_loop_end(&rig->loop));
    pm_conf_unref(rig->conf);
    pm_outputs_free(rig->reload.outputs);
    free(rig->file);
    free(rig->db);
    pm_tmpdir_remove(rig->dir);
    free(rig);
    return 0;
}

static void good_file(void **state)
{
    struct rig *rig = *state;
    char *out = pm_tmpdir_path(rig->dir, "new/out");
    write_conf(rig, "p.db", "rescan_s = 77\n");
    reload(rig);
    assert_non_null(rig->conf);
    assert_int_equal(rig->conf->rescan_s, 77);
    assert_true(rig->conf->workers > 0); /* checked and filled in */
    assert_int_equal(access(out, F_OK), 0);
    free(out);
}

static void bad_files(void **state)
{
    struct rig *rig = *state;
    reload(rig); /* there is none */
    assert_null(rig->conf);
    assert_true(rig->err.text[0] != '\0');
    write_conf(rig, "p.db", "no_such_key = 1\n");
    reload(rig);
    assert_null(rig->conf);
    assert_non_null(strstr(rig->err.text, "no_such_key"));
    write_conf(rig, "p.db", "crop_size = 3\n[crop]\ncrop_size = nonsense\n[pairmill]\n");
    reload(rig);
    assert_null(rig->conf);
}

static void another_database_needs_a_restart(void **state)
{
    struct rig *rig = *state;
    write_conf(rig, "other.db", "");
    reload(rig);
    assert_null(rig->conf);
    assert_int_equal(rig->err.code, PM_ECONF);
    assert_non_null(strstr(rig->err.text, "restart"));
}

static void asked_again_meanwhile(void **state)
{
    struct rig *rig = *state;
    write_conf(rig, "p.db", "rescan_s = 1\n");
    pm_reload_start(&rig->reload, &rig->loop, rig->file, rig->db, on_done, rig);
    write_conf(rig, "p.db", "rescan_s = 2\n");
    for (int i = 0; i < 5; i++) {
        pm_reload_start(&rig->reload, &rig->loop, rig->file, rig->db, on_done, rig);
    }
    assert_true(pm_loop_until(&rig->loop, is_done, rig));
    assert_int_equal(rig->conf->rescan_s, 2); /* what was written before the last asking counts */
    assert_int_equal(rig->done, 1);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(good_file), TEST(bad_files),
        TEST(another_database_needs_a_restart), TEST(asked_again_meanwhile)};
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
