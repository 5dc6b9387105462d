/* settle: the quiet time, with time as an argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/settle.h"

#define S 1000000
#define SETTLE (5 * S)
#define PROBE (S / 2) /* a tenth of SETTLE */

static const struct pm_stamp first = {100, 1700000000000000000, 7};
static const struct pm_stamp longer = {200, 1700000001000000000, 7};

static struct pm_settle *settle_of(int64_t settle_us)
{
    struct pm_settle *settle;
    assert_int_equal(pm_settle_new(&settle, settle_us, NULL), PM_OK);
    return settle;
}

static enum pm_settle_verdict saw(
    struct pm_settle *settle, const char *path, const struct pm_stamp *stamp, int64_t now_us)
{
    enum pm_settle_verdict verdict;
    assert_int_equal(pm_settle_saw(settle, path, stamp, now_us, &verdict, NULL), PM_OK);
    return verdict;
}

static void touch(struct pm_settle *settle, const char *path, int64_t now_us)
{
    assert_int_equal(pm_settle_touch(settle, path, now_us, NULL), PM_OK);
}

/* What is due at now_us gets this answer; the verdict, or -1 when nothing is due. */
static int answer(struct pm_settle *settle, const struct pm_stamp *stamp, int64_t now_us)
{
    struct pm_settle_entry *entry = pm_settle_ask(settle, now_us);
    return entry == NULL ? -1 : (int)pm_settle_answer(settle, entry, stamp, now_us);
}

static void walked_file_waits_its_time(void **state)
{
    struct pm_settle *settle = settle_of(SETTLE);
    (void)state;
    assert_int_equal(saw(settle, "a/x.tif", &first, 0), PM_SETTLE_WAIT);
    assert_int_equal(pm_settle_next_us(settle), SETTLE);
    assert_null(pm_settle_ask(settle, SETTLE - 1));
    assert_int_equal(answer(settle, &first, SETTLE), PM_SETTLE_SETTLED);
    assert_int_equal(pm_settle_count(settle), 0);
    assert_int_equal(pm_settle_next_us(settle), INT64_MAX);
    pm_settle_free(settle);
}

static void any_change_starts_again(void **state)
{
    const struct pm_stamp changes[] = {{101, first.mtime_ns, first.inode},
        {first.size, first.mtime_ns + 1, first.inode}, {first.size, first.mtime_ns, 8}};
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        struct pm_settle *settle = settle_of(SETTLE);
        saw(settle, "x.tif", &first, 0);
        assert_int_equal(answer(settle, &changes[i], SETTLE), PM_SETTLE_WAIT);
        assert_null(pm_settle_ask(settle, 2 * SETTLE - 1));
        assert_int_equal(answer(settle, &changes[i], 2 * SETTLE), PM_SETTLE_SETTLED);
        pm_settle_free(settle);
    }
}

/* SERVICE.md 3: appended, closed, 4 s pause, reopened, ten times. */
static void slow_writer_is_never_read(void **state)
{
    struct pm_settle *settle = settle_of(SETTLE);
    struct pm_stamp stamp = first;
    int64_t now = 0;
    int settled = 0;
    (void)state;
    for (int write = 0; write < 10; write++) {
        stamp.size += 1000;
        stamp.mtime_ns += 1;
        touch(settle, "x.tif", now);
        for (int64_t end = now + 4 * S; now < end; now += S / 10) {
            settled += answer(settle, &stamp, now) == PM_SETTLE_SETTLED;
        }
    }
    assert_int_equal(settled, 0);
    while (answer(settle, &stamp, now) != PM_SETTLE_SETTLED) {
        now += S / 10;
        assert_true(now < 60 * S);
    }
    assert_true(now >= 36 * S + SETTLE); /* the last event was at 36 s */
    assert_true(now <= 36 * S + SETTLE + PROBE + S / 5);
    pm_settle_free(settle);
}

static void event_stream_is_one_stat(void **state)
{
    struct pm_settle *settle = settle_of(SETTLE);
    int64_t now = 0;
    (void)state;
    for (int i = 0; i < 1000; i++, now += PROBE / 2) {
        touch(settle, "x.tif", now);
        assert_null(pm_settle_ask(settle, now));
    }
    assert_int_equal(pm_settle_count(settle), 1);
    now += PROBE;
    assert_int_equal(answer(settle, &first, now), PM_SETTLE_WAIT);
    assert_int_equal(answer(settle, &first, now + SETTLE - 1), -1);
    assert_int_equal(answer(settle, &first, now + SETTLE), PM_SETTLE_SETTLED);
    pm_settle_free(settle);
}

static void event_during_stat_voids_the_answer(void **state)
{
    struct pm_settle *settle = settle_of(SETTLE);
    struct pm_settle_entry *entry;
    (void)state;
    saw(settle, "x.tif", &first, 0);
    entry = pm_settle_ask(settle, SETTLE);
    assert_non_null(entry);
    assert_string_equal(pm_settle_path(entry), "x.tif");
    assert_int_equal(saw(settle, "x.tif", &longer, SETTLE), PM_SETTLE_WAIT);
    touch(settle, "x.tif", SETTLE);
    assert_int_equal(pm_settle_answer(settle, entry, &first, SETTLE), PM_SETTLE_WAIT);
    assert_int_equal(pm_settle_count(settle), 1);
    entry = pm_settle_ask(settle, SETTLE + PROBE);
    assert_non_null(entry);
    touch(settle, "x.tif", SETTLE + PROBE);
    assert_false(pm_settle_drop(settle, entry, SETTLE + PROBE)); /* it may be back */
    entry = pm_settle_ask(settle, SETTLE + 2 * PROBE);
    assert_non_null(entry);
    assert_true(pm_settle_drop(settle, entry, SETTLE + 2 * PROBE));
    assert_int_equal(pm_settle_count(settle), 0);
    pm_settle_free(settle);
}

static void known_state_needs_no_second_wait(void **state)
{
    struct pm_settle *settle = settle_of(SETTLE);
    (void)state;
    saw(settle, "x.tif", &first, 0);
    assert_int_equal(answer(settle, &first, SETTLE), PM_SETTLE_SETTLED);
    assert_int_equal(saw(settle, "x.tif", &first, 6 * S), PM_SETTLE_SETTLED);
    assert_int_equal(saw(settle, "x.tif", &longer, 6 * S), PM_SETTLE_WAIT);
    assert_int_equal(saw(settle, "y.tif", &first, 6 * S), PM_SETTLE_WAIT);
    /* While it is touched, knowing an older state of it counts for nothing. */
    assert_int_equal(saw(settle, "x.tif", &first, 7 * S), PM_SETTLE_WAIT);
    pm_settle_trim(settle, 1); /* few: kept */
    touch(settle, "z.tif", 7 * S);
    assert_int_equal(saw(settle, "z.tif", &first, 7 * S), PM_SETTLE_WAIT);
    pm_settle_free(settle);
}

static void trim_forgets_a_table_of_the_dead(void **state)
{
    struct pm_settle *settle = settle_of(0);
    char path[32];
    (void)state;
    for (int i = 0; i < 6000; i++) {
        snprintf(path, sizeof path, "%d.tif", i);
        assert_int_equal(saw(settle, path, &first, 0), PM_SETTLE_SETTLED);
    }
    pm_settle_set_time(settle, SETTLE);
    pm_settle_trim(settle, 6000);
    assert_int_equal(saw(settle, "5.tif", &first, S), PM_SETTLE_SETTLED);
    pm_settle_trim(settle, 100);
    assert_int_equal(saw(settle, "5.tif", &first, S), PM_SETTLE_WAIT);
    pm_settle_free(settle);
}

static void settle_0_is_one_stat(void **state)
{
    struct pm_settle *settle = settle_of(0);
    (void)state;
    assert_int_equal(saw(settle, "x.tif", &first, 5), PM_SETTLE_SETTLED);
    touch(settle, "y.tif", 5);
    assert_int_equal(answer(settle, &first, 5), PM_SETTLE_SETTLED);
    assert_int_equal(pm_settle_count(settle), 0);
    pm_settle_free(settle);
}

static void new_settle_time_counts_for_who_waits(void **state)
{
    struct pm_settle *settle = settle_of(100 * S);
    (void)state;
    saw(settle, "x.tif", &first, 0);
    pm_settle_set_time(settle, S);
    assert_int_equal(pm_settle_next_us(settle), S);
    assert_int_equal(answer(settle, &first, S), PM_SETTLE_SETTLED);
    pm_settle_free(settle);
}

static void count_marked(void *ctx, const char *path)
{
    int *count = ctx;
    *count += strcmp(path, "c.tif") == 0 ? 100 : 1;
}

static void marks_are_paid_off(void **state)
{
    int count = 0;
    struct pm_settle *settle = settle_of(SETTLE);
    (void)state;
    saw(settle, "a.tif", &first, 0);
    saw(settle, "b.tif", &first, 0);
    pm_settle_mark(settle);
    saw(settle, "c.tif", &first, 1);
    assert_int_equal(pm_settle_marked(settle), 2);
    pm_settle_each_marked(settle, count_marked, &count);
    assert_int_equal(count, 2);
    touch(settle, "b.tif", S);
    assert_int_equal(answer(settle, &first, S + PROBE), PM_SETTLE_WAIT); /* b: first stat */
    assert_int_equal(answer(settle, &first, SETTLE + 1), PM_SETTLE_SETTLED);
    assert_int_equal(answer(settle, &first, SETTLE + 1), PM_SETTLE_SETTLED);
    assert_int_equal(pm_settle_marked(settle), 1);
    assert_int_equal(answer(settle, &first, 10 * S), PM_SETTLE_SETTLED);
    assert_int_equal(pm_settle_marked(settle), 0);
    pm_settle_free(settle);
}

/* Stamps are compared, never interpreted; names are bytes. */
static void odd_stamps_and_names(void **state)
{
    static const struct pm_stamp odd[] = {
        {0, 0, 0}, {1, -5, 1}, {1, INT64_MAX, -1}, {INT64_MAX, 4102444800000000000, 1}};
    static const char *const names[] = {
        "-x.tif", "a\nb.tif", "\xff\xfe.tif", "e\xcc\x81.tif", "\xc3\xa9.tif", " .tif"};
    struct pm_settle *settle = settle_of(SETTLE);
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 6; j++) {
            assert_int_equal(saw(settle, names[j], &odd[i], (int64_t)i * 10 * S), PM_SETTLE_WAIT);
        }
        assert_int_equal(pm_settle_count(settle), 6);
        for (size_t j = 0; j < 6; j++) {
            int64_t now = (int64_t)i * 10 * S + SETTLE;
            assert_int_equal(answer(settle, &odd[i], now), PM_SETTLE_SETTLED);
        }
    }
    pm_settle_free(settle);
}

/* 100,000 files: each is asked for once, in the order of their times; ticks without work are free.
 */
static void many_files(void **state)
{
    enum { MANY = 100000 };
    struct pm_settle *settle = settle_of(SETTLE);
    char path[48];
    int settled = 0;
    (void)state;
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, "scene%d/target%d.tif", i / 100, i);
        saw(settle, path, &first, i);
    }
    assert_int_equal(pm_settle_count(settle), MANY);
    for (int i = 0; i < MANY; i++) {
        assert_null(pm_settle_ask(settle, SETTLE - 1)); /* O(1), or this test takes minutes */
    }
    for (int i = 0; i < MANY; i++) {
        settled += answer(settle, &first, SETTLE + i) == PM_SETTLE_SETTLED;
    }
    assert_int_equal(settled, MANY);
    assert_int_equal(pm_settle_count(settle), 0);
    pm_settle_free(settle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(walked_file_waits_its_time),
        cmocka_unit_test(any_change_starts_again),
        cmocka_unit_test(slow_writer_is_never_read),
        cmocka_unit_test(event_stream_is_one_stat),
        cmocka_unit_test(event_during_stat_voids_the_answer),
        cmocka_unit_test(known_state_needs_no_second_wait),
        cmocka_unit_test(trim_forgets_a_table_of_the_dead),
        cmocka_unit_test(settle_0_is_one_stat),
        cmocka_unit_test(new_settle_time_counts_for_who_waits),
        cmocka_unit_test(marks_are_paid_off),
        cmocka_unit_test(odd_stamps_and_names),
        cmocka_unit_test(many_files),
    };
    pm_settle_free(NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
