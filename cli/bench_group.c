#include "cli/bench_group.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_measure.h"
#include "cli/bench_opencv.h"
#include "common/conf.h"

void pm_bench_progress(
    const struct pm_bench *bench, const struct pm_bench_pair *pair, const char *what)
{
    if (bench->terminal) {
        fprintf(bench->cli->err, "\r\033[K%s%s%s", pair != NULL ? pair->name : "",
            pair != NULL ? ": " : "", what);
        fflush(bench->cli->err);
    }
}

static enum pm_code tally_init(struct pm_bench_tally *tally, const struct pm_bench *bench,
    const char *method, struct pm_err *err)
{
    size_t most = (size_t)bench->opts->pairs * (size_t)bench->opts->repeat;
    *tally = (struct pm_bench_tally){.row = {.method = method, .quality_ms = NAN, .first_ms = NAN}};
    tally->search_ms = calloc(4 * most, sizeof *tally->search_ms);
    if (tally->search_ms == NULL) {
        return pm_err_set(err, PM_ENOMEM, "out of memory");
    }
    tally->stream_ms = tally->search_ms + most;
    tally->quality_ms = tally->stream_ms + most;
    tally->first_ms = tally->quality_ms + most;
    return PM_OK;
}

static void tally_free(struct pm_bench_tally *tally)
{
    free(tally->search_ms);
    tally->search_ms = NULL;
}

/* Whether the answer was right: 1, 0, or -1 when nobody knows. */
static int is_exact(const struct pm_bench_pair *pair, int dy, int dx)
{
    return !pair->known ? -1 : dy == pair->dy && dx == pair->dx;
}

/* The columns that say which pair it was and what the answer. */
static void tally_pair(
    struct pm_bench_tally *tally, const struct pm_bench_pair *pair, int dy, int dx)
{
    struct pm_bench_row *row = &tally->row;
    int exact = is_exact(pair, dy, dx);
    memcpy(row->name, pair->name, sizeof row->name);
    row->noise = pair->noise;
    row->w = pair->gt->w;
    row->h = pair->gt->h;
    row->pair_bytes = (int64_t)(pair->gt->bytes + pair->target->bytes);
    row->exact = exact < 0 ? -1 : row->exact + exact;
    row->dy = dy;
    row->dx = dx;
}

static void tally_measured(struct pm_bench_tally *tally, const struct pm_bench_pair *pair,
    const struct pm_bench_measured *measured)
{
    struct pm_bench_row *row = &tally->row;
    size_t n = (size_t)measured->times.count;
    memcpy(tally->search_ms + tally->timings, measured->times.search_ms, n * sizeof(double));
    memcpy(tally->stream_ms + tally->timings, measured->times.stream_ms, n * sizeof(double));
    memcpy(tally->quality_ms + tally->timings, measured->times.quality_ms, n * sizeof(double));
    tally->first_ms[row->pairs] = measured->first_ms;
    tally->timings += n;
    tally->evaluations += (double)measured->evaluations;
    tally->loss += measured->loss;
    row->peak_bytes = row->pairs == 0 || measured->peak_bytes > row->peak_bytes
                          ? measured->peak_bytes
                          : row->peak_bytes;
    row->repeats = measured->times.count;
    tally_pair(tally, pair, measured->dy, measured->dx);
    row->pairs++;
}

/* Medians and means, once all pairs are in. */
static enum pm_code tally_close(
    struct pm_bench_tally *tally, struct pm_report *report, struct pm_err *err)
{
    struct pm_bench_row *row = &tally->row;
    if (row->pairs == 0 || tally->left_out) {
        return PM_OK;
    }
    row->ms = pm_median(tally->search_ms, tally->timings);
    row->stream_ms = pm_median(tally->stream_ms, tally->timings);
    row->best_ms = pm_least(tally->search_ms, tally->timings);
    row->best_stream_ms = pm_least(tally->stream_ms, tally->timings);
    row->quality_ms = pm_median(tally->quality_ms, tally->timings);
    row->first_ms = pm_median(tally->first_ms, (size_t)row->pairs);
    row->evaluations = tally->evaluations / row->pairs;
    row->loss = tally->loss / row->pairs;
    return pm_report_row(report, row, err);
}

/* A method somebody asked for by name may take as long as it likes, and so may the fast ones. */
static double limit_of(const struct pm_bench *bench, enum pm_method method)
{
    bool slow = method == PM_METHOD_ORIGINAL || method == PM_METHOD_BRUTEFORCE;
    return slow && !bench->opts->methods_asked ? bench->opts->limit_s : 0;
}

static enum pm_code leave_out(struct pm_bench *bench, enum pm_method method,
    struct pm_bench_tally *tally, const struct pm_bench_pair *pair,
    const struct pm_bench_measured *measured, struct pm_err *err)
{
    const char *name = pm_method_name(method);
    tally->left_out = true;
    if (measured->fell_back) {
        bench->gone[method] = true;
        return pm_report_note(&bench->report, err, "left out: %s (%s)", name, measured->message);
    }
    return pm_report_note(&bench->report, err,
        "left out: %s on %s: one search takes more than %g s (--methods %s has no limit)", name,
        pair->name, bench->opts->limit_s, name);
}

static enum pm_code one_method(struct pm_bench *bench, enum pm_method method,
    struct pm_bench_tally *tally, const struct pm_bench_pair *pair, struct pm_err *err)
{
    struct pm_bench_measured measured;
    const struct pm_bench_job job = {
        .pair = pair,
        .method = method,
        .conf = bench->opts->conf,
        .repeat = bench->opts->repeat,
        .limit_s = limit_of(bench, method),
        .evictor = &bench->evictor,
    };
    enum pm_code rc;

    if (bench->gone[method] || tally->left_out) {
        return PM_OK;
    }
    pm_bench_progress(bench, pair, pm_method_name(method));
    rc = pm_bench_measure(&job, &measured, err);
    if (rc == PM_OK && (measured.too_slow || measured.fell_back)) {
        return leave_out(bench, method, tally, pair, &measured, err);
    }
    if (rc == PM_OK) {
        tally_measured(tally, pair, &measured);
    }
    return rc;
}

/* Streaming is taken from the row of our own first method: same pair, same minute. */
static void tally_opencv(struct pm_bench_tally *tally, const struct pm_bench_tally *ours,
    const struct pm_bench_pair *pair, const struct pm_opencv_answer *answer)
{
    struct pm_bench_row *row = &tally->row;
    size_t n = (size_t)answer->count;
    memcpy(tally->search_ms + tally->timings, answer->ms, n * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        tally->stream_ms[tally->timings + i] =
            ours->timings > 0 ? ours->stream_ms[i % ours->timings] : (double)NAN;
        tally->quality_ms[tally->timings + i] = NAN;
    }
    tally->first_ms[row->pairs] = NAN;
    tally->timings += n;
    tally->evaluations = tally->loss = NAN;
    row->peak_bytes = -1;
    row->repeats = answer->count;
    tally_pair(tally, pair, (int)lround(answer->dy), (int)lround(answer->dx));
    row->pairs++;
}

static enum pm_code opencv(struct pm_bench *bench, struct pm_bench_tally *tally,
    const struct pm_bench_tally *ours, const struct pm_bench_pair *pair, struct pm_err *err)
{
    struct pm_opencv_answer answer;
    enum pm_code rc;
    if (!bench->opts->opencv || bench->opencv_gone) {
        return PM_OK;
    }
    pm_bench_progress(bench, pair, "opencv");
    rc = pm_bench_opencv(pair, bench->opts->repeat, NULL, &answer, err);
    if (rc == PM_EUNSUPPORTED) {
        bench->opencv_gone = true;
        return pm_report_note(&bench->report, err, "left out: opencv (%s)", err->text);
    }
    if (rc == PM_OK) {
        tally_opencv(tally, ours, pair, &answer);
        rc = pm_report_note(&bench->report, err, "opencv: version %s", answer.version);
    }
    return rc;
}

void pm_bench_group_clear(struct pm_bench_group *group)
{
    for (int i = 0; i <= PM_METHOD_COUNT; i++) {
        tally_free(&group->tallies[i]);
    }
}

enum pm_code pm_bench_group_init(
    struct pm_bench_group *group, const struct pm_bench *bench, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    *group = (struct pm_bench_group){0};
    for (int i = 0; i < bench->opts->method_count && rc == PM_OK; i++) {
        rc = tally_init(&group->tallies[i], bench, pm_method_name(bench->opts->methods[i]), err);
    }
    return rc == PM_OK ? tally_init(&group->tallies[PM_METHOD_COUNT], bench, "opencv", err) : rc;
}

enum pm_code pm_bench_group_pair(struct pm_bench_group *group, struct pm_bench *bench,
    const struct pm_bench_pair *pair, struct pm_err *err)
{
    const struct pm_bench_tally *measured = &group->tallies[0];
    enum pm_code rc = PM_OK;
    for (int i = 0; i < bench->opts->method_count && rc == PM_OK; i++) {
        rc = one_method(bench, bench->opts->methods[i], &group->tallies[i], pair, err);
        measured = group->tallies[i].timings > 0 ? &group->tallies[i] : measured;
    }
    return rc == PM_OK ? opencv(bench, &group->tallies[PM_METHOD_COUNT], measured, pair, err) : rc;
}

enum pm_code pm_bench_group_close(
    struct pm_bench_group *group, struct pm_bench *bench, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    for (int i = 0; i <= PM_METHOD_COUNT && rc == PM_OK; i++) {
        rc = tally_close(&group->tallies[i], &bench->report, err);
    }
    return rc;
}
