/* bench_print: the report as Markdown tables and as JSON. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_machine.h"
#include "cli/bench_report.h"
#include "common/conf.h"
#include "common/json.h"
#include "worker/kernels/cpu.h"

#define CELL_SIZE 128

/* A Markdown table: cells of text, each column as wide as its widest, numbers to the right. */
struct grid {
    char (*cells)[CELL_SIZE];
    size_t columns, rows, used; /* used: cells filled so far */
    size_t left;                /* that many columns are set to the left */
};

static bool grid_init(struct grid *grid, size_t columns, size_t rows, size_t left)
{
    *grid = (struct grid){.columns = columns, .rows = rows, .left = left};
    grid->cells = calloc(columns * rows, sizeof *grid->cells);
    return grid->cells != NULL;
}

__attribute__((format(printf, 2, 3))) static void put(struct grid *grid, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(grid->cells[grid->used++], CELL_SIZE, fmt, ap);
    va_end(ap);
}

/* A number, or - when it is not known. */
static void put_number(struct grid *grid, int digits, double value)
{
    if (isfinite(value)) {
        put(grid, "%.*f", digits, value);
    } else {
        put(grid, "-");
    }
}

/* Three digits that count, so that 0.412 ms and 1450 ms can stand in one column. */
static void put_ms(struct grid *grid, double ms)
{
    put_number(grid, ms < 1 ? 3 : ms < 10 ? 2 : ms < 100 ? 1 : 0, ms);
}

static void grid_line(const struct grid *grid, const int *widths, size_t row, FILE *to)
{
    for (size_t c = 0; c < grid->columns; c++) {
        const char *text = grid->cells[row * grid->columns + c];
        fprintf(to, "| %*s ", c < grid->left ? -widths[c] : widths[c], text);
    }
    fputs("|\n", to);
}

static void grid_print(const struct grid *grid, FILE *to)
{
    int widths[PM_BENCH_LIST] = {0};
    for (size_t i = 0; i < grid->columns * grid->rows; i++) {
        int len = (int)strlen(grid->cells[i]), *width = &widths[i % grid->columns];
        *width = len > *width ? len : *width;
    }
    for (size_t r = 0; r < grid->rows; r++) {
        grid_line(grid, widths, r, to);
        for (size_t c = 0; r == 0 && c < grid->columns; c++) {
            fprintf(to, "|%s", c < grid->left ? ":" : "-");
            for (int i = 0; i < widths[c]; i++) {
                fputc('-', to);
            }
            fprintf(to, "%s%s", c < grid->left ? "-" : ":", c + 1 == grid->columns ? "|\n" : "");
        }
    }
}

static void grid_end(struct grid *grid, FILE *to)
{
    grid_print(grid, to);
    free(grid->cells);
}

static double megapixels(const struct pm_bench_row *row)
{
    return (double)row->w * row->h / 1e6;
}

static double times_hierarchical(const struct pm_report *report, const struct pm_bench_row *row)
{
    const struct pm_bench_row *ours = pm_report_hierarchical(report, row);
    return ours != NULL ? row->ms / ours->ms : (double)NAN;
}

static void put_exact(struct grid *grid, const struct pm_bench_row *row)
{
    if (row->exact < 0) {
        put(grid, "-");
    } else {
        put(grid, "%d/%d", row->exact, row->pairs);
    }
}

static void put_row(
    struct grid *grid, const struct pm_report *report, const struct pm_bench_row *row)
{
    put(grid, "%s", row->name);
    put(grid, "%s", row->noise != NULL ? row->noise : "-");
    put(grid, "%s", row->method);
    put_ms(grid, row->ms);
    put_ms(grid, row->stream_ms);
    put_number(grid, 2, row->ms / row->stream_ms);
    put_ms(grid, row->best_ms);
    put_number(grid, 2, row->best_ms / row->best_stream_ms);
    put_number(grid, 2, times_hierarchical(report, row));
    put_number(grid, 0, megapixels(row) / row->ms * 1000);
    put_ms(grid, row->quality_ms);
    put_ms(grid, row->first_ms);
    put_exact(grid, row);
    put_number(grid, 0, row->evaluations);
    put_number(grid, 1, row->peak_bytes < 0 ? (double)NAN : (double)row->peak_bytes / 1048576);
    put_number(grid, 1,
        row->peak_bytes < 0 ? (double)NAN
                            : 100 * (double)row->peak_bytes / (double)row->pair_bytes);
    put_number(grid, 6, row->loss);
}

static void print_rows(const struct pm_report *report, FILE *to)
{
    static const char *const heads[] = {"pair", "noise", "method", "ms", "streaming ms",
        "x streaming", "best ms", "best x", "x hierarchical", "MP/s", "ms with quality", "first ms",
        "exact", "evaluations", "peak MiB", "% of pair", "loss"};
    size_t columns = sizeof heads / sizeof heads[0];
    struct grid grid;
    if (!grid_init(&grid, columns, report->row_count + 1, 3)) {
        return;
    }
    for (size_t i = 0; i < columns; i++) {
        put(&grid, "%s", heads[i]);
    }
    for (size_t i = 0; i < report->row_count; i++) {
        put_row(&grid, report, &report->rows[i]);
    }
    grid_end(&grid, to);
}

static void print_scalings(const struct pm_report *report, FILE *to)
{
    static const char *const heads[] = {"pair", "method", "threads", "pairs/s", "x one thread"};
    struct grid grid;
    if (report->scaling_count == 0 || !grid_init(&grid, 5, report->scaling_count + 1, 2)) {
        return;
    }
    fputc('\n', to);
    for (int i = 0; i < 5; i++) {
        put(&grid, "%s", heads[i]);
    }
    for (size_t i = 0; i < report->scaling_count; i++) {
        const struct pm_bench_scaling *scaling = &report->scalings[i];
        put(&grid, "%s", scaling->name);
        put(&grid, "%s", scaling->method);
        put(&grid, "%d", scaling->workers);
        put_number(&grid, scaling->pairs_per_s < 10 ? 2 : 1, scaling->pairs_per_s);
        put_number(&grid, 2, scaling->of_one);
    }
    grid_end(&grid, to);
}

static void print_explained(const struct pm_bench_opts *opts, FILE *to)
{
    fprintf(to,
        "\nms: median of %d, both images' preps and the search (max_shift %d px), one thread, "
        "images in RAM, caches emptied before.\n"
        "streaming: both images' bytes summed once, front to back, by 64-byte loads on one thread, "
        "from RAM, in turn with the searches.\n"
        "best: the least of the timings, and over the least of streaming: a busy machine disturbs "
        "these least.\n"
        "with quality: also confidence, residual and flags. first: in a fresh process, with its "
        "plans and first touch of memory.\n"
        "peak: growth of the process's VmHWM beyond the images, preps included (pages: small "
        "images look dear).\n",
        opts->repeat, opts->conf->max_shift);
    if (opts->opencv) {
        fputs("opencv: cv2.phaseCorrelate on full-resolution float32 luma made beforehand, no "
              "window, cv2.setNumThreads(1), right after the other methods.\n",
            to);
    }
}

void pm_report_print(const struct pm_report *report, const struct pm_bench_opts *opts, FILE *to)
{
    struct pm_machine machine;
    pm_machine_look(&machine);
    fprintf(to, "%s, %d cores, %s kernels, pairmill %s, %s; load %.2f before, %.2f after\n\n",
        machine.cpu, machine.cores, pm_cpu_name(pm_cpu_level()), PM_VERSION, machine.utc,
        report->load_before, report->load_after);
    print_rows(report, to);
    print_scalings(report, to);
    print_explained(opts, to);
    for (size_t i = 0; i < report->line_count; i++) {
        const struct pm_bench_line *line = &report->lines[i];
        fprintf(to, "fit, hierarchical, noise %s, %d sizes: ms = %.3f + %.4f * MP, R2 = %.4f\n",
            line->noise, line->points, line->a_ms, line->b_ms_per_mp, line->r2);
    }
    for (size_t i = 0; i < report->note_count; i++) {
        fprintf(to, "%s\n", report->notes[i]);
    }
}

static void json_machine(struct pm_json *json, const struct pm_report *report)
{
    struct pm_machine machine;
    pm_machine_look(&machine);
    pm_json_begin_object(json, "machine");
    pm_json_string(json, "cpu", machine.cpu);
    pm_json_int(json, "cores", machine.cores);
    pm_json_string(json, "kernels", pm_cpu_name(pm_cpu_level()));
    pm_json_string(json, "version", PM_VERSION);
    pm_json_string(json, "utc", machine.utc);
    pm_json_double(json, "load_before", report->load_before);
    pm_json_double(json, "load_after", report->load_after);
    pm_json_end_object(json);
}

static void json_row(
    struct pm_json *json, const struct pm_report *report, const struct pm_bench_row *row)
{
    pm_json_begin_object(json, NULL);
    pm_json_name(json, "pair", row->name);
    pm_json_string(json, "noise", row->noise);
    pm_json_string(json, "method", row->method);
    pm_json_int(json, "width", row->w);
    pm_json_int(json, "height", row->h);
    pm_json_double(json, "ms", row->ms);
    pm_json_double(json, "streaming_ms", row->stream_ms);
    pm_json_double(json, "times_streaming", row->ms / row->stream_ms);
    pm_json_double(json, "best_ms", row->best_ms);
    pm_json_double(json, "best_streaming_ms", row->best_stream_ms);
    pm_json_double(json, "times_hierarchical", times_hierarchical(report, row));
    pm_json_double(json, "megapixels_per_s", megapixels(row) / row->ms * 1000);
    pm_json_double(json, "quality_ms", row->quality_ms);
    pm_json_double(json, "first_ms", row->first_ms);
    pm_json_int(json, "pairs", row->pairs);
    pm_json_int(json, "repeats", row->repeats);
    if (row->exact < 0) {
        pm_json_null(json, "exact_share");
    } else {
        pm_json_double(json, "exact_share", (double)row->exact / row->pairs);
    }
    pm_json_int(json, "dy", row->dy);
    pm_json_int(json, "dx", row->dx);
    pm_json_double(json, "evaluations", row->evaluations);
    pm_json_double(json, "peak_bytes", row->peak_bytes < 0 ? (double)NAN : (double)row->peak_bytes);
    pm_json_int(json, "pair_bytes", row->pair_bytes);
    pm_json_double(json, "loss", row->loss);
    pm_json_end_object(json);
}

static void json_rows(struct pm_json *json, const struct pm_report *report)
{
    pm_json_begin_array(json, "rows");
    for (size_t i = 0; i < report->row_count; i++) {
        json_row(json, report, &report->rows[i]);
    }
    pm_json_end_array(json);
    pm_json_begin_array(json, "scaling");
    for (size_t i = 0; i < report->scaling_count; i++) {
        const struct pm_bench_scaling *scaling = &report->scalings[i];
        pm_json_begin_object(json, NULL);
        pm_json_name(json, "pair", scaling->name);
        pm_json_string(json, "method", scaling->method);
        pm_json_int(json, "threads", scaling->workers);
        pm_json_double(json, "pairs_per_s", scaling->pairs_per_s);
        pm_json_double(json, "times_one_thread", scaling->of_one);
        pm_json_end_object(json);
    }
    pm_json_end_array(json);
}

static void json_rest(struct pm_json *json, const struct pm_report *report)
{
    pm_json_begin_array(json, "fit");
    for (size_t i = 0; i < report->line_count; i++) {
        pm_json_begin_object(json, NULL);
        pm_json_string(json, "noise", report->lines[i].noise);
        pm_json_int(json, "sizes", report->lines[i].points);
        pm_json_double(json, "a_ms", report->lines[i].a_ms);
        pm_json_double(json, "b_ms_per_mp", report->lines[i].b_ms_per_mp);
        pm_json_double(json, "r2", report->lines[i].r2);
        pm_json_end_object(json);
    }
    pm_json_end_array(json);
    pm_json_begin_array(json, "notes");
    for (size_t i = 0; i < report->note_count; i++) {
        pm_json_string(json, NULL, report->notes[i]);
    }
    pm_json_end_array(json);
}

enum pm_code pm_report_json(
    const struct pm_report *report, const struct pm_bench_opts *opts, FILE *to, struct pm_err *err)
{
    struct pm_json json;
    enum pm_code rc;
    pm_json_init(&json, true);
    pm_json_begin_object(&json, NULL);
    json_machine(&json, report);
    pm_json_int(&json, "repeat", opts->repeat);
    pm_json_int(&json, "max_shift", opts->conf->max_shift);
    pm_json_int(&json, "seed", (int64_t)opts->seed);
    json_rows(&json, report);
    json_rest(&json, report);
    pm_json_end_object(&json);
    rc = pm_json_print(&json, to, err);
    pm_json_fini(&json);
    return rc;
}
