/*
 * bench_pair: `pairmill bench pair`: all of one pair's work, from its two files to its durable
 * output folder, beside plainly reading the same files and writing and syncing the same bytes.
 * In a folder of its own, removed afterwards.
 * Owns: nothing. Threads: one, as one worker. Memory: that of a worker. Errors: those of the steps.
 */
#ifndef PM_CLI_BENCH_PAIR_H
#define PM_CLI_BENCH_PAIR_H

#include "cli/cli.h"

/* argv[0] is "pair"; an exit code. */
int pm_cli_bench_pair(struct pm_cli *cli, int argc, char **argv);

#endif
