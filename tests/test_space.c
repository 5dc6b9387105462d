/* space: claims are held below min_free, and let go by themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"
#include "daemon/space.h"
#include "tests/lib/looping.h"
#include "tests/lib/tmpdir.h"

static struct {
    int calls;
    bool hold;
} told;

void pm_ledger_hold_claims(struct pm_ledger *ledger, bool hold)
{
    (void)ledger;
    told.calls++;
    told.hold = hold;
}

static struct {
    int calls;
    int64_t bytes;
} freed;

void pm_ledger_free_space(struct pm_ledger *ledger, const char *source_name, int64_t bytes)
{
    (void)ledger;
    freed.calls += strcmp(source_name, "src") == 0; /* the other one's output cannot be asked */
    freed.bytes = bytes;
}

struct rig {
    char *dir;
    uv_loop_t loop;
    struct pm_conf *conf;
    struct pm_space *space;
    int turns;
};

static bool held(void *ctx)
{
    (void)ctx;
    return told.hold;
}

static bool let_go(void *ctx)
{
    (void)ctx;
    return told.calls > 0 && !told.hold;
}

/* Long enough for the first look to have been taken. */
static bool turned(void *ctx)
{
    return ++((struct rig *)ctx)->turns > 100;
}

static struct pm_conf *conf_of(struct rig *rig, int64_t min_free)
{
    struct pm_conf *conf;
    char *in = pm_tmpdir_path(rig->dir, "in");
    char *out = pm_tmpdir_path(rig->dir, "out");
    char *gone = pm_tmpdir_path(rig->dir, "gone");
    struct pm_err err;
    pm_tmpdir_folder(rig->dir, "in");
    pm_tmpdir_folder(rig->dir, "out");
    assert_int_equal(pm_conf_new(&conf, &err), PM_OK);
    assert_int_equal(pm_conf_add_source(conf, "gone", in, gone, &err), PM_OK);
    assert_int_equal(pm_conf_add_source(conf, "src", in, out, &err), PM_OK);
    conf->min_free = min_free;
    free(in);
    free(out);
    free(gone);
    return conf;
}

static void open_space(struct rig *rig, int64_t min_free)
{
    rig->conf = conf_of(rig, min_free);
    assert_int_equal(pm_space_open(&rig->space, &rig->loop, NULL, rig->conf, NULL), PM_OK);
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    told.calls = freed.calls = 0;
    told.hold = false;
    rig->dir = pm_tmpdir_make();
    assert_int_equal(uv_loop_init(&rig->loop), 0);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    pm_space_close(rig->space);
    assert_true(pm_loop_end(&rig->loop));
    pm_conf_unref(rig->conf);
    pm_tmpdir_remove(rig->dir);
    free(rig);
    return 0;
}

static void room_enough(void **state)
{
    struct rig *rig = *state;
    open_space(rig, 1);
    assert_true(pm_loop_until(&rig->loop, turned, rig));
    assert_int_equal(told.calls, 0);
    assert_false(pm_space_low(rig->space));
    assert_int_equal(freed.calls, 1);
    assert_true(freed.bytes > 0);
}

static void too_little_then_enough(void **state)
{
    struct rig *rig = *state;
    struct pm_conf *next = conf_of(rig, 1);
    open_space(rig, INT64_MAX);
    assert_true(pm_loop_until(&rig->loop, held, rig));
    assert_true(pm_space_low(rig->space));
    pm_space_reload(rig->space, next); /* less is wanted: as good as more being free */
    pm_conf_unref(next);
    assert_true(pm_loop_until(&rig->loop, let_go, rig));
    assert_false(pm_space_low(rig->space));
    assert_int_equal(told.calls, 2);
}

static void closed_at_once(void **state)
{
    struct rig *rig = *state;
    open_space(rig, INT64_MAX);
    uv_run(&rig->loop, UV_RUN_NOWAIT); /* the first look is under way; tear_down closes */
    pm_space_close(rig->space);
    assert_int_equal(told.calls, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(room_enough), TEST(too_little_then_enough), TEST(closed_at_once)};
#undef TEST
    pm_log_init(PM_LOG_ERR, 0);
    pm_space_close(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
