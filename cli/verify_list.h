/*
 * verify_list: what the database says must be in the outputs, for pairmill verify.
 * Owns: the lists and their texts. Threads: one; entries may be shared out once loaded.
 * Memory: all done pairs, some 300 bytes each. Errors: those of the store, PM_ENOMEM.
 */
#ifndef PM_CLI_VERIFY_LIST_H
#define PM_CLI_VERIFY_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/store.h"

/* A done pair. */
struct pm_verify_entry {
    int64_t job_id;
    bool active;  /* its source is in the configuration: it could be done again */
    char *folder; /* of its outputs; NULL: it has no result */
    int64_t finished_us;
    char record[17]; /* hash of pair.json; "": made before it was kept */
    char gt_hash[17], target_hash[17];
    /* written by who checks it */
    bool broken; /* something is missing or changed */
    bool guests; /* files of others lie in its folder */
};

struct pm_verify_list {
    struct pm_verify_entry *entries; /* by folder, those without first */
    size_t count;
    char **pending; /* folders of pairs that are about to be done, sorted */
    size_t pending_count;
    char **inputs, **outputs; /* of every source; source_count each */
    size_t source_count;
};

/* list: zeroed. */
enum pm_code pm_verify_list_load(
    struct pm_verify_list *list, struct pm_store *store, struct pm_err *err);
void pm_verify_list_clear(struct pm_verify_list *list);
/* Whether a done pair has its outputs there, or a pair will have soon. */
bool pm_verify_list_knows(const struct pm_verify_list *list, const char *folder);
/* Whether a done pair has. */
bool pm_verify_list_done(const struct pm_verify_list *list, const char *folder);

#endif
