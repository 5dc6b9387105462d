/*
 * bench_fill: a queue filled in a hurry, for `pairmill bench queue` and the tests of the views:
 * scenes of PM_FILL_GTS gts and PM_FILL_TARGETS targets whose files exist in the database only.
 * Goes the ledger's own way: the same calls, many in one transaction.
 * Owns: nothing. Threads: one. Memory: none kept. Errors: those of the queue.
 */
#ifndef PM_CLI_BENCH_FILL_H
#define PM_CLI_BENCH_FILL_H

#include "daemon/queue.h"

#define PM_FILL_GTS 2
#define PM_FILL_TARGETS 50
#define PM_FILL_JOBS 100     /* of a scene: each gt with each target */
#define PM_FILL_SOURCE "lab" /* the source that must be configured */

/* Scenes [first, first + count) sighted in one transaction, files in the order of a walk. */
enum pm_code pm_fill_scenes(struct pm_store *store, struct pm_seen *seen, int first, int count,
    int64_t now_us, struct pm_err *err);
/* Claims 8 jobs for each of 8 workers and ends them, in two transactions, as a busy ledger would;
 * every hundredth fails. *n: how many there were. */
enum pm_code pm_fill_round(
    struct pm_store *store, const char *recipe, int64_t now_us, int *n, struct pm_err *err);

#endif
