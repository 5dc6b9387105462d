/* bench_report: medians, notes once, the fitted line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "cli/bench_report.h"

static void median_and_least(void **state)
{
    double odd[] = {5, 1, 9}, even[] = {4, 1, 2, 3}, holed[] = {NAN, 7, 3};
    (void)state;
    assert_true(pm_median(odd, 3) == 5);
    assert_true(pm_median(even, 4) == 2.5);
    assert_true(isnan(pm_median(odd, 0)));
    assert_true(pm_least(holed, 3) == 3);
    assert_true(isnan(pm_least(holed, 1)) && isnan(pm_least(holed, 0)));
}

static void a_note_is_put_in_once(void **state)
{
    struct pm_report report = {0};
    (void)state;
    assert_int_equal(pm_report_note(&report, NULL, "left out: %s", "a"), PM_OK);
    assert_int_equal(pm_report_note(&report, NULL, "left out: %s", "a"), PM_OK);
    assert_int_equal(pm_report_note(&report, NULL, "left out: %s", "b"), PM_OK);
    assert_int_equal(report.note_count, 2);
    pm_report_clear(&report);
    pm_report_clear(&report);
}

static void add(struct pm_report *report, const char *method, const char *noise, int w, double ms)
{
    struct pm_bench_row row = {.method = method, .noise = noise, .w = w, .h = 1000, .ms = ms};
    memcpy(row.name, "pair", 5);
    assert_int_equal(pm_report_row(report, &row, NULL), PM_OK);
}

/* Exactly ms = 2 + 1.5 * MP; fft rows and noises with two sizes have no say. */
static void the_line_goes_through_the_points(void **state)
{
    struct pm_report report = {0};
    (void)state;
    for (int mp = 1; mp <= 4; mp++) {
        add(&report, "hierarchical", "medium", 1000 * mp, 2 + 1.5 * mp);
        add(&report, "fft", "medium", 1000 * mp, 100);
    }
    add(&report, "hierarchical", "none", 1000, 1);
    add(&report, "hierarchical", "none", 2000, 2);
    pm_report_fit(&report);
    assert_int_equal(report.line_count, 1);
    assert_string_equal(report.lines[0].noise, "medium");
    assert_int_equal(report.lines[0].points, 4);
    assert_true(fabs(report.lines[0].a_ms - 2) < 1e-9);
    assert_true(fabs(report.lines[0].b_ms_per_mp - 1.5) < 1e-9);
    assert_true(fabs(report.lines[0].r2 - 1) < 1e-9);
    add(&report, "hierarchical", "medium", 2000, 50); /* far off the line */
    pm_report_fit(&report);
    assert_true(report.lines[0].r2 < 0.5);
    pm_report_clear(&report);
}

static void the_row_to_compare_with(void **state)
{
    struct pm_report report = {0};
    (void)state;
    add(&report, "fft", "none", 1000, 1);
    add(&report, "hierarchical", "heavy", 1000, 1);
    assert_null(pm_report_hierarchical(&report, &report.rows[0]));
    add(&report, "hierarchical", "none", 1000, 1);
    assert_ptr_equal(pm_report_hierarchical(&report, &report.rows[0]), &report.rows[2]);
    pm_report_clear(&report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(median_and_least),
        cmocka_unit_test(a_note_is_put_in_once),
        cmocka_unit_test(the_line_goes_through_the_points),
        cmocka_unit_test(the_row_to_compare_with),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
