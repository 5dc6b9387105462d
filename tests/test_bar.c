/* bar: what it draws, and when, by a clock that only moves when told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "cli/bar.h"

static int64_t now_us;

static int64_t fake_now(void *ctx)
{
    (void)ctx;
    return now_us;
}

static const struct pm_clock fake = {fake_now, fake_now, NULL};

/* A bar that writes into memory. */
struct fixture {
    struct pm_bar bar;
    char *text;
    size_t size;
    FILE *file;
};

static void open_bar(struct fixture *f, bool terminal, int64_t base)
{
    *f = (struct fixture){.text = NULL};
    now_us = 1000000;
    f->file = open_memstream(&f->text, &f->size);
    assert_non_null(f->file);
    pm_bar_init(&f->bar, f->file, terminal, false, base, &fake);
}

static void close_bar(struct fixture *f)
{
    fclose(f->file);
    free(f->text);
}

static int lines(const char *text)
{
    int n = 0;
    for (; *text != '\0'; text++) {
        n += *text == '\n';
    }
    return n;
}

static void durations_have_two_parts_at_most(void **state)
{
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0s"}, {59.4, "59s"}, {60, "1m 00s"}, {200, "3m 20s"}, {3720, "1h 02m"},
        {90000, "1d 01h"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[32];
        pm_bar_duration(cases[i].seconds, text, sizeof text);
        assert_string_equal(text, cases[i].text);
    }
}

static void a_line_tells_share_counts_rate_and_time_left(void **state)
{
    struct pm_bar_state s = {.done = 48, .failed = 2, .total = 200, .fresh = 50, .elapsed_s = 100};
    char text[512];
    (void)state;
    pm_bar_render(&s, 100, false, text, sizeof text);
    assert_non_null(strstr(text, " 25% 50/200 pairs, 2 failed, 30/min, 5m 00s left"));
    assert_int_equal(text[0], '[');
    assert_true(strlen(text) < 100);
    assert_null(strchr(text, '\033'));
    pm_bar_render(&s, 100, true, text, sizeof text);
    assert_non_null(strstr(text, "\033[31m, 2 failed\033[0m"));
    /* the filled part is the share */
    pm_bar_render(&s, 200, false, text, sizeof text);
    assert_int_equal(strspn(text + 1, "#"), 10);
    assert_int_equal(strspn(text + 11, "."), 30);
}

static void no_line_is_wider_than_the_screen(void **state)
{
    struct pm_bar_state s = {
        .done = 123456, .failed = 654, .total = 1234567, .fresh = 99999, .elapsed_s = 12345};
    (void)state;
    for (int width = 0; width < 200; width++) {
        char text[512];
        pm_bar_render(&s, width, false, text, sizeof text);
        assert_true(strlen(text) < (size_t)(width > 0 ? width : 1));
    }
}

static void standing_still_has_its_reason(void **state)
{
    struct pm_bar_state s = {.done = 1, .total = 2, .retry_in_s = 65};
    char text[512];
    (void)state;
    pm_bar_render(&s, 100, false, text, sizeof text);
    assert_non_null(strstr(text, "next retry in 1m 05s"));
    s.paused = true;
    pm_bar_render(&s, 100, false, text, sizeof text);
    assert_non_null(strstr(text, ", paused"));
    s = (struct pm_bar_state){.total = 0};
    pm_bar_render(&s, 100, false, text, sizeof text);
    assert_non_null(strstr(text, "0% 0/0 pairs"));
}

static void plain_lines_come_each_five_percent_or_ten_seconds(void **state)
{
    struct fixture f;
    struct pm_bar_state s = {.total = 0};
    (void)state;
    open_bar(&f, false, 0);
    pm_bar_update(&f.bar, &s); /* nothing known yet: nothing to say */
    fflush(f.file);
    assert_int_equal(f.size, 0);
    s.total = 100;
    pm_bar_update(&f.bar, &s);
    assert_string_equal(f.text, "0% 0/100 pairs, 0 failed\n");
    s.done = 4;
    now_us += 1000000;
    pm_bar_update(&f.bar, &s);
    assert_int_equal(lines(f.text), 1);
    s.done = 5;
    pm_bar_update(&f.bar, &s);
    assert_int_equal(lines(f.text), 2);
    assert_non_null(strstr(f.text, "\n5% 5/100 pairs, 0 failed, 300/min, 19s left\n"));
    now_us += 9999999;
    pm_bar_update(&f.bar, &s);
    assert_int_equal(lines(f.text), 2);
    now_us += 1;
    pm_bar_update(&f.bar, &s);
    assert_int_equal(lines(f.text), 3);
    s.done = 100;
    pm_bar_finish(&f.bar, &s);
    assert_int_equal(lines(f.text), 4);
    assert_non_null(strstr(f.text, "\n100% 100/100 pairs"));
    assert_null(strchr(f.text, '\033'));
    assert_null(strchr(f.text, '\r'));
    close_bar(&f);
}

static void a_finished_run_is_not_said_twice(void **state)
{
    struct fixture f;
    struct pm_bar_state s = {.done = 3, .total = 3};
    (void)state;
    open_bar(&f, false, 0);
    pm_bar_update(&f.bar, &s);
    pm_bar_finish(&f.bar, &s);
    assert_int_equal(lines(f.text), 1);
    close_bar(&f);
}

static void what_was_done_before_does_not_make_it_faster(void **state)
{
    struct fixture f;
    struct pm_bar_state s = {.done = 60, .total = 100};
    (void)state;
    open_bar(&f, false, 50);
    now_us += 60 * 1000000;
    pm_bar_update(&f.bar, &s);
    assert_int_equal(s.fresh, 10);
    assert_non_null(strstr(f.text, "10/min, 4m 00s left"));
    s.done = 20; /* --overwrite elsewhere, or files that went */
    pm_bar_update(&f.bar, &s);
    assert_int_equal(s.fresh, 0);
    close_bar(&f);
}

static void a_terminal_is_redrawn_cleared_and_left_with_a_line_end(void **state)
{
    struct fixture f;
    struct pm_bar_state s = {.done = 1, .total = 2};
    (void)state;
    open_bar(&f, true, 0);
    pm_bar_clear(&f.bar); /* nothing drawn: nothing to clear */
    fflush(f.file);
    assert_int_equal(f.size, 0);
    pm_bar_update(&f.bar, &s);
    assert_int_equal(f.text[0], '\r');
    assert_int_equal(lines(f.text), 0);
    pm_bar_clear(&f.bar);
    assert_string_equal(f.text + f.size - 4, "\r\033[K");
    pm_bar_finish(&f.bar, &s);
    assert_int_equal(f.text[f.size - 1], '\n');
    close_bar(&f);
}

static void a_file_is_no_terminal(void **state)
{
    FILE *file = fopen("/dev/null", "w");
    (void)state;
    assert_non_null(file);
    assert_false(pm_bar_terminal(file));
    assert_false(pm_bar_color(file));
    fclose(file);
}

static void a_rate_reads_well_at_any_size(void **state)
{
    static const struct {
        double rate;
        const char *text;
    } rows[] = {
        {0.5, "0.5"}, {4, "4"}, {99.96, "100"}, {135.33, "135"}, {1010, "1010"}, {65536, "65536"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[32];
        pm_bar_rate(rows[i].rate, text, sizeof text);
        assert_string_equal(text, rows[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_reads_well_at_any_size),
        cmocka_unit_test(durations_have_two_parts_at_most),
        cmocka_unit_test(a_line_tells_share_counts_rate_and_time_left),
        cmocka_unit_test(no_line_is_wider_than_the_screen),
        cmocka_unit_test(standing_still_has_its_reason),
        cmocka_unit_test(plain_lines_come_each_five_percent_or_ten_seconds),
        cmocka_unit_test(a_finished_run_is_not_said_twice),
        cmocka_unit_test(what_was_done_before_does_not_make_it_faster),
        cmocka_unit_test(a_terminal_is_redrawn_cleared_and_left_with_a_line_end),
        cmocka_unit_test(a_file_is_no_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
