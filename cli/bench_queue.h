/*
 * bench_queue: `pairmill bench queue`: whether a large queue stays as fast as a small one.
 * In a folder of its own, removed afterwards: CPU time a job for enqueueing and for claiming and
 * ending, by tenths, then every view, half done and wholly done.
 * Owns: nothing. Threads: one. Memory: that of the store. Errors: those of store and queue.
 */
#ifndef PM_CLI_BENCH_QUEUE_H
#define PM_CLI_BENCH_QUEUE_H

#include "cli/cli.h"

/* argv[0] is "queue"; an exit code. */
int pm_cli_bench_queue(struct pm_cli *cli, int argc, char **argv);

#endif
