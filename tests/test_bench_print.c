/* bench_print: a Markdown table whose columns line up, and JSON without NaN. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_report.h"
#include "common/conf.h"

static void fill(struct pm_report *report)
{
    const struct pm_bench_row row = {.name = "64x48",
        .noise = "none",
        .method = "fft",
        .w = 64,
        .h = 48,
        .pairs = 2,
        .exact = 1,
        .repeats = 3,
        .ms = 4,
        .stream_ms = 2,
        .quality_ms = NAN,
        .best_ms = 3,
        .best_stream_ms = 1.5,
        .first_ms = 123,
        .evaluations = 10,
        .loss = 0.25,
        .peak_bytes = -1,
        .pair_bytes = 100};
    const struct pm_bench_scaling scaling = {"64x48", "fft", 2, 10, 1.9};
    *report = (struct pm_report){.load_before = 0.5, .load_after = NAN};
    assert_int_equal(pm_report_row(report, &row, NULL), PM_OK);
    assert_int_equal(pm_report_scaling(report, &scaling, NULL), PM_OK);
    assert_int_equal(pm_report_note(report, NULL, "left out: opencv"), PM_OK);
}

static char *text_of(bool json)
{
    struct pm_report report;
    struct pm_conf *conf;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    assert_non_null(file);
    assert_int_equal(pm_conf_new(&conf, NULL), PM_OK);
    const struct pm_bench_opts opts = {.repeat = 3, .conf = conf};
    fill(&report);
    if (json) {
        assert_int_equal(pm_report_json(&report, &opts, file, NULL), PM_OK);
    } else {
        pm_report_print(&report, &opts, file);
    }
    fclose(file);
    pm_report_clear(&report);
    pm_conf_unref(conf);
    return text;
}

/* Every line of a Markdown table has the same length and as many bars as the one before. */
static void the_table_lines_up(void **state)
{
    char *text = text_of(false), *save = NULL;
    size_t length = 0, tables = 0, lines = 0;
    (void)state;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        if (line[0] != '|') {
            length = 0;
            continue;
        }
        if (length != strlen(line)) { /* the second table follows the first after an empty line */
            length = strlen(line);
            tables++;
        }
        lines++;
        assert_int_equal(line[strlen(line) - 1], '|');
    }
    assert_int_equal(tables, 2);
    assert_int_equal(lines, 6);
    free(text);
}

static void cells_say_what_is_known(void **state)
{
    char *text = text_of(false);
    (void)state;
    assert_non_null(strstr(text, "| 64x48 | none  | fft    | 4.00 |"));
    assert_non_null(strstr(text, "1/2"));
    assert_non_null(strstr(text, "left out: opencv\n"));
    assert_non_null(strstr(text, "load 0.50 before"));
    free(text);
}

static void json_has_every_number(void **state)
{
    static const char *const wants[] = {"\"times_streaming\": 2,", "\"exact_share\": 0.5,",
        "\"quality_ms\": null", "\"peak_bytes\": null", "\"times_one_thread\": 1.9",
        "\"load_after\": null", "\"left out: opencv\"", "\"times_hierarchical\": null"};
    char *text = text_of(true);
    (void)state;
    for (size_t i = 0; i < sizeof wants / sizeof wants[0]; i++) {
        assert_non_null(strstr(text, wants[i]));
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_lines_up),
        cmocka_unit_test(cells_say_what_is_known),
        cmocka_unit_test(json_has_every_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
