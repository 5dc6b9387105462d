/* handover: batches, one at a time, in order, none lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/handover.h"
#include "tests/lib/ledger_double.h"

static const struct pm_stamp stamp = {1, 2, 3};
static int woken;

static void wake(void *ctx)
{
    (*(int *)ctx)++;
}

static struct pm_handover *handover_new(void)
{
    struct pm_handover *handover;
    woken = 0;
    assert_int_equal(pm_handover_new(&handover, NULL, "src", wake, &woken, NULL), PM_OK);
    return handover;
}

static void add(struct pm_handover *handover, const char *path)
{
    assert_int_equal(pm_handover_add(handover, PM_SEEN, path, &stamp, NULL), PM_OK);
}

static int tear_down(void **state)
{
    (void)state;
    double_clear();
    return 0;
}

static void order_is_kept(void **state)
{
    struct pm_handover *handover = handover_new();
    (void)state;
    pm_handover_flush(handover);
    assert_int_equal(told.batches, 0); /* nothing to tell */
    add(handover, "a");
    assert_int_equal(pm_handover_add(handover, PM_GONE, "b", NULL, NULL), PM_OK);
    add(handover, "a");
    pm_handover_walked(handover, 99);
    assert_false(pm_handover_idle(handover));
    pm_handover_flush(handover);
    pm_handover_flush(handover);
    assert_int_equal(told.count, 4);
    assert_string_equal(told.lines[0], "+a");
    assert_string_equal(told.lines[1], "-b");
    assert_string_equal(told.lines[2], "+a");
    assert_string_equal(told.lines[3], "*");
    assert_int_equal(told.since_us, 99);
    assert_int_equal(woken, 2);
    assert_true(pm_handover_idle(handover));
    pm_handover_free(handover);
}

static void one_batch_at_a_time(void **state)
{
    struct pm_handover *handover = handover_new();
    (void)state;
    told.hold = true;
    add(handover, "a");
    pm_handover_flush(handover);
    assert_true(pm_handover_busy(handover));
    add(handover, "b");
    pm_handover_flush(handover); /* the double asserts that nothing comes */
    assert_int_equal(double_count("+b"), 0);
    double_answer();
    assert_int_equal(woken, 1);
    pm_handover_flush(handover);
    assert_int_equal(double_count("+b"), 1);
    double_answer();
    assert_true(pm_handover_idle(handover));
    pm_handover_free(handover);
}

static void batches_are_bounded(void **state)
{
    struct pm_handover *handover = handover_new();
    int added = 0;
    (void)state;
    while (!pm_handover_full(handover)) {
        char path[32];
        snprintf(path, sizeof path, "%d", added++);
        add(handover, path);
    }
    assert_int_equal(added, PM_HANDOVER_BATCH);
    for (int i = 0; i < 30; i++) { /* answers that were under way */
        add(handover, "late");
    }
    pm_handover_flush(handover);
    assert_int_equal(told.largest, PM_HANDOVER_BATCH);
    assert_int_equal(told.count, PM_HANDOVER_BATCH);
    assert_false(pm_handover_full(handover));
    pm_handover_flush(handover);
    assert_int_equal(double_count("+late"), 30);
    assert_int_equal(told.batches, 2);
    pm_handover_free(handover);
}

static void refused_batch_is_offered_again(void **state)
{
    struct pm_handover *handover = handover_new();
    (void)state;
    told.refuse = true;
    add(handover, "a");
    pm_handover_flush(handover);
    pm_handover_flush(handover);
    assert_false(pm_handover_busy(handover));
    told.refuse = false;
    pm_handover_flush(handover);
    assert_int_equal(double_count("+a"), 1);
    told.refuse = true;
    pm_handover_walked(handover, 5);
    pm_handover_flush(handover);
    told.refuse = false;
    pm_handover_flush(handover);
    assert_int_equal(double_count("*"), 1);
    pm_handover_free(handover);
}

static void muted_tells_nothing(void **state)
{
    struct pm_handover *handover = handover_new();
    (void)state;
    add(handover, "a");
    pm_handover_mute(handover);
    add(handover, "b");
    pm_handover_walked(handover, 1);
    pm_handover_flush(handover);
    assert_int_equal(told.count, 0);
    assert_true(pm_handover_idle(handover));
    pm_handover_free(handover);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(order_is_kept, tear_down),
        cmocka_unit_test_teardown(one_batch_at_a_time, tear_down),
        cmocka_unit_test_teardown(batches_are_bounded, tear_down),
        cmocka_unit_test_teardown(refused_batch_is_offered_again, tear_down),
        cmocka_unit_test_teardown(muted_tells_nothing, tear_down),
    };
    pm_handover_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
