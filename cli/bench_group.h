/*
 * bench_group: all methods on pairs of one kind (a size and noise, or one given pair), and the rows
 * that come of it. Owns: its timings; a pm_bench owns its report and evictor. Threads: one, and no
 * other in the process while it measures. Memory: pm_bench_group_clear(). Errors: those of
 * bench_measure.h and bench_opencv.h.
 */
#ifndef PM_CLI_BENCH_GROUP_H
#define PM_CLI_BENCH_GROUP_H

#include "cli/bench.h"
#include "cli/bench_report.h"
#include "cli/bench_stream.h"

/* One run of the bench. */
struct pm_bench {
    struct pm_cli *cli;
    const struct pm_bench_opts *opts;
    struct pm_evictor evictor;
    struct pm_report report;
    bool gone[PM_METHOD_COUNT]; /* methods that were left out for good */
    bool opencv_gone;
    bool terminal; /* somebody watches: say what is being done */
};

/* What is learnt about one method over the pairs of one size and noise. */
struct pm_bench_tally {
    struct pm_bench_row row;
    double *search_ms, *stream_ms, *quality_ms, *first_ms; /* pairs * repeat; first: pairs */
    size_t timings;
    double evaluations, loss; /* sums */
    bool left_out;
};

/* All methods on pairs of one kind, which come one after the other so that only one is in memory.
 */
struct pm_bench_group {
    struct pm_bench_tally tallies[PM_METHOD_COUNT + 1]; /* the last: opencv */
};

void pm_bench_group_clear(struct pm_bench_group *group); /* zeroed is fine */
enum pm_code pm_bench_group_init(
    struct pm_bench_group *group, const struct pm_bench *bench, struct pm_err *err);
/* Pairs come one after the other, so that only one is in memory; at most opts->pairs of them. */
enum pm_code pm_bench_group_pair(struct pm_bench_group *group, struct pm_bench *bench,
    const struct pm_bench_pair *pair, struct pm_err *err);
/* Puts a row into the report for every method that was not left out. */
enum pm_code pm_bench_group_close(
    struct pm_bench_group *group, struct pm_bench *bench, struct pm_err *err);
/* Says on a terminal what is being done; pair may be NULL. */
void pm_bench_progress(
    const struct pm_bench *bench, const struct pm_bench_pair *pair, const char *what);

#endif
