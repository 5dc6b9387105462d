/*
 * bench_files: given pairs for the bench: two files in memory, and the pairs a folder holds.
 * Owns: a list owns its paths. Threads: one. Memory: pm_pairlist_clear(), pm_bench_pair_clear().
 * Errors: those of reader.h; PM_ESIZE when the two differ in shape.
 */
#ifndef PM_CLI_BENCH_FILES_H
#define PM_CLI_BENCH_FILES_H

#include "cli/bench.h"

/* Decodes both; when their sample types differ, into the common one. */
enum pm_code pm_bench_load(struct pm_bench_pair *pair, const char *gt, const char *target,
    const struct pm_conf *conf, struct pm_err *err);

struct pm_pairlist {
    char **paths; /* gt, target, gt, target ... */
    size_t count; /* of paths */
};

/* The first `most` pairs below folder as DESIGN.md 2.3 makes them (SCENE/gt/FILE with SCENE/FILE, a
 * scene at any depth), in the order of their names. Hidden entries are left out, and links to
 * folders are not followed. */
enum pm_code pm_bench_find(
    struct pm_pairlist *list, const char *folder, size_t most, struct pm_err *err);
void pm_pairlist_clear(struct pm_pairlist *list); /* zeroed is fine */

#endif
