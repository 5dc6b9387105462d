/*
 * bench_scale: pairs per second when several threads align at once, each its own pair.
 * Owns: nothing. Threads: makes and joins its own. Memory: an aligner a thread while it runs.
 * Errors: those of align.h, of the first thread that has one.
 */
#ifndef PM_CLI_BENCH_SCALE_H
#define PM_CLI_BENCH_SCALE_H

#include "cli/bench.h"

struct pm_scale_job {
    const struct pm_bench_pair *pairs; /* thread i takes pair i % pair_count */
    size_t pair_count;
    enum pm_method method;
    const struct pm_conf *conf;
    int workers;
    int repeat; /* searches (both preps included) of each thread at least, after one not counted */
    double
        at_least_s; /* and that long at least: searches of small images take no time to speak of */
};

enum pm_code pm_bench_scale(
    const struct pm_scale_job *job, double *pairs_per_s, struct pm_err *err);

#endif
