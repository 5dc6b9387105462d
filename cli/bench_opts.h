/*
 * bench_opts: the options of `pairmill bench align`, taken apart and checked.
 * Owns: nothing; file names belong to args. Threads: one. Memory: none. Errors: PM_EUSAGE, naming
 * the option and what it takes.
 */
#ifndef PM_CLI_BENCH_OPTS_H
#define PM_CLI_BENCH_OPTS_H

#include "cli/bench.h"

extern const struct pm_arg pm_bench_args[];

/* opts: filled from the defaults and args; conf must outlive it. */
enum pm_code pm_bench_opts_of(struct pm_bench_opts *opts, const struct pm_args *args,
    const struct pm_conf *conf, struct pm_err *err);

#endif
