/*
 * verify_crew: the threads of pairmill verify: each takes the next pair until there is none.
 * Owns: the threads, a reader of the database for each. Threads: called from one.
 * Memory: none kept. Errors: the first of any thread, which ends all.
 */
#ifndef PM_CLI_VERIFY_CREW_H
#define PM_CLI_VERIFY_CREW_H

#include <stdint.h>

#include "cli/findings.h"
#include "cli/verify_list.h"

struct pm_verify_sum {
    int64_t pairs, bad_pairs; /* bad: something missing or changed */
    int64_t files, bytes;     /* hashed */
    int64_t redone;           /* pairs that changed while they were looked at */
};

/* Checks every entry of list on `workers` threads. show, a few times a second on the calling thread
 * and once at the end, how far it is; may be NULL. */
enum pm_code pm_verify_crew(struct pm_verify_list *list, const char *db, int workers,
    struct pm_findings *findings, struct pm_verify_sum *sum,
    void (*show)(void *ctx, const struct pm_verify_sum *sum, bool last), void *ctx,
    struct pm_err *err);

#endif
