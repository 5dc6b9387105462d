#include "cli/bench_report.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEEDED_FOR_A_LINE 3

/* Room for one more of `size` bytes behind `count`; NULL when out of memory (old stays). */
static void *grown(void *old, size_t count, size_t size, struct pm_err *err)
{
    void *bigger = realloc(old, (count + 1) * size);
    if (bigger == NULL) {
        pm_err_set(err, PM_ENOMEM, "out of memory");
    }
    return bigger;
}

enum pm_code pm_report_row(
    struct pm_report *report, const struct pm_bench_row *row, struct pm_err *err)
{
    struct pm_bench_row *rows = grown(report->rows, report->row_count, sizeof *rows, err);
    if (rows == NULL) {
        return PM_ENOMEM;
    }
    report->rows = rows;
    rows[report->row_count++] = *row;
    return PM_OK;
}

enum pm_code pm_report_scaling(
    struct pm_report *report, const struct pm_bench_scaling *scaling, struct pm_err *err)
{
    struct pm_bench_scaling *all = grown(report->scalings, report->scaling_count, sizeof *all, err);
    if (all == NULL) {
        return PM_ENOMEM;
    }
    report->scalings = all;
    all[report->scaling_count++] = *scaling;
    return PM_OK;
}

enum pm_code pm_report_note(struct pm_report *report, struct pm_err *err, const char *fmt, ...)
{
    char text[1024];
    char **notes;
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    for (size_t i = 0; i < report->note_count; i++) {
        if (strcmp(report->notes[i], text) == 0) {
            return PM_OK;
        }
    }
    notes = grown(report->notes, report->note_count, sizeof *notes, err);
    if (notes == NULL) {
        return PM_ENOMEM;
    }
    report->notes = notes;
    notes[report->note_count] = strdup(text);
    if (notes[report->note_count] == NULL) {
        return pm_err_set(err, PM_ENOMEM, "out of memory");
    }
    report->note_count++;
    return PM_OK;
}

static bool same_noise(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* *line over the hierarchical rows of its noise; false when there are too few to say anything. */
static bool fit(const struct pm_report *report, struct pm_bench_line *line)
{
    double n = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0;
    for (size_t i = 0; i < report->row_count; i++) {
        const struct pm_bench_row *row = &report->rows[i];
        if (strcmp(row->method, "hierarchical") == 0 && same_noise(row->noise, line->noise)) {
            double x = (double)row->w * row->h / 1e6, y = row->ms;
            n++, sx += x, sy += y, sxx += x * x, sxy += x * y, syy += y * y;
        }
    }
    double vx = n * sxx - sx * sx, vy = n * syy - sy * sy, cov = n * sxy - sx * sy;
    if (n < NEEDED_FOR_A_LINE || vx <= 0 || vy <= 0) {
        return false;
    }
    line->points = (int)n;
    line->b_ms_per_mp = cov / vx;
    line->a_ms = (sy - line->b_ms_per_mp * sx) / n;
    line->r2 = cov * cov / (vx * vy);
    return true;
}

void pm_report_fit(struct pm_report *report)
{
    report->line_count = 0;
    for (int i = 0; i < PM_BENCH_NOISES; i++) {
        struct pm_bench_line line = {.noise = pm_bench_noise_name((enum pm_bench_noise)i)};
        if (fit(report, &line)) {
            report->lines[report->line_count++] = line;
        }
    }
}

void pm_report_clear(struct pm_report *report)
{
    for (size_t i = 0; i < report->note_count; i++) {
        free(report->notes[i]);
    }
    free(report->notes);
    free(report->rows);
    free(report->scalings);
    *report = (struct pm_report){.load_before = NAN};
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double pm_median(double *values, size_t n)
{
    if (n == 0) {
        return NAN;
    }
    qsort(values, n, sizeof *values, compare);
    return n % 2 == 1 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

double pm_least(const double *values, size_t n)
{
    double least = NAN;
    for (size_t i = 0; i < n; i++) {
        least = fmin(least, values[i]); /* of a number and a NaN it is the number */
    }
    return least;
}

const struct pm_bench_row *pm_report_hierarchical(
    const struct pm_report *report, const struct pm_bench_row *row)
{
    for (size_t i = 0; i < report->row_count; i++) {
        const struct pm_bench_row *other = &report->rows[i];
        if (strcmp(other->method, "hierarchical") == 0 && strcmp(other->name, row->name) == 0 &&
            same_noise(other->noise, row->noise)) {
            return other;
        }
    }
    return NULL;
}
