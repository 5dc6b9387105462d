/*
 * verify_pair: one done pair's folder held against the database, for pairmill verify.
 * Owns: nothing. Threads: one a checker. Memory: pair.json and the names it lists.
 * Errors: PM_ENOMEM and those of the store; what is wrong with the folder is a finding.
 *
 * The database has the hash of pair.json, and pair.json the hash of every other file. When
 * pair.json itself is not what it was, nothing can be said of the others but whether their names
 * are ours.
 */
#ifndef PM_CLI_VERIFY_PAIR_H
#define PM_CLI_VERIFY_PAIR_H

#include <stdint.h>

#include "cli/findings.h"
#include "cli/verify_list.h"

struct pm_verify_checker {
    struct pm_store *store; /* a reader of this thread's own */
    struct pm_findings *findings;
    int64_t files, bytes; /* hashed */
    int64_t redone;       /* pairs that changed while they were looked at: left out */
};

/* Adds what is wrong with entry to the findings and marks entry. A pair that is queued again while
 * it is looked at has no findings: its folder is about to be another. */
enum pm_code pm_verify_pair(
    struct pm_verify_checker *checker, struct pm_verify_entry *entry, struct pm_err *err);

#endif
