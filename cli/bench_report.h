/*
 * bench_report: what the bench found out, as a table for people (Markdown) or one JSON object.
 * Owns: its rows, scalings and notes. Threads: one. Memory: pm_report_clear(). Errors: PM_ENOMEM.
 */
#ifndef PM_CLI_BENCH_REPORT_H
#define PM_CLI_BENCH_REPORT_H

#include "cli/bench.h"

/* One method on one size and noise, or on one given pair. NaN and -1: not known. */
struct pm_bench_row {
    char name[128];     /* "6000x4000", or a file */
    const char *noise;  /* NULL: a file */
    const char *method; /* a pm_method_name(), or "opencv" */
    int w, h;
    int pairs, exact;  /* how many pairs; how many answers were right; exact -1: nobody knows */
    int repeats;       /* timings of each pair */
    double ms;         /* median: both preps and the search */
    double stream_ms;  /* median of streaming, measured in turn with it */
    double quality_ms; /* median with confidence, residual and flags */
    double best_ms, best_stream_ms; /* the least of each: what a busy machine disturbs least */
    double first_ms;                /* median of each process's first search */
    double evaluations, loss;       /* means over the pairs */
    int64_t peak_bytes, pair_bytes; /* largest beyond the images; both images */
    int dy, dx;                     /* the last pair's answer */
};

struct pm_bench_scaling {
    char name[128];
    const char *method;
    int workers;
    double pairs_per_s;
    double of_one; /* ratio to one thread, same method and size */
};

/* Least squares ms = a + b * MP. */
struct pm_bench_line {
    const char *noise;
    int points;
    double a_ms, b_ms_per_mp, r2;
};

struct pm_report {
    struct pm_bench_row *rows;
    struct pm_bench_scaling *scalings;
    struct pm_bench_line lines[PM_BENCH_NOISES];
    char **notes; /* what was left out and why; each once */
    size_t row_count, scaling_count, line_count, note_count;
    double load_before, load_after; /* of the last minute; NaN: not known */
    const char *backend;            /* SIMD variant */
};

enum pm_code pm_report_row(
    struct pm_report *report, const struct pm_bench_row *row, struct pm_err *err);
enum pm_code pm_report_scaling(
    struct pm_report *report, const struct pm_bench_scaling *scaling, struct pm_err *err);
/* A note that is there already is not put in again. */
enum pm_code pm_report_note(struct pm_report *report, struct pm_err *err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Fills lines from the hierarchical rows: one for each noise that has at least 3 sizes. */
void pm_report_fit(struct pm_report *report);
void pm_report_clear(struct pm_report *report); /* zeroed is fine */

/* Of n values, in any order; NaN when there are none. The median sorts them. */
double pm_median(double *values, size_t n);
double pm_least(const double *values, size_t n);
/* The row of the method hierarchical for the same pair; NULL: there is none. */
const struct pm_bench_row *pm_report_hierarchical(
    const struct pm_report *report, const struct pm_bench_row *row);

/* bench_print.c */
void pm_report_print(const struct pm_report *report, const struct pm_bench_opts *opts, FILE *to);
enum pm_code pm_report_json(
    const struct pm_report *report, const struct pm_bench_opts *opts, FILE *to, struct pm_err *err);

#endif
