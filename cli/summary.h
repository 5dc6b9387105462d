/*
 * summary: what a run says at its end: how many, how fast, what failed and why, where it all is.
 * Owns: nothing. Threads: one. Memory: none kept. Errors: those of the store.
 */
#ifndef PM_CLI_SUMMARY_H
#define PM_CLI_SUMMARY_H

#include <stdio.h>

#include "common/conf.h"
#include "daemon/ledger.h"

struct pm_summary {
    const struct pm_conf *conf;
    const struct pm_counts *counts; /* at the end */
    int64_t before;                 /* pairs already finished when it began */
    double elapsed_s;
};

enum pm_code pm_summary_print(const struct pm_summary *summary, FILE *to, struct pm_err *err);
/* Why there was nothing to do, and the layout expected, as the message of err. */
void pm_summary_nothing(const struct pm_conf *conf, struct pm_err *err);

#endif
