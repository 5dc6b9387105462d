/*
 * verify_repair: queues the pairs again whose outputs are missing or changed, for pairmill verify.
 * Owns: nothing. Threads: one. Memory: none kept.
 * Errors: PM_EOWNED when somebody holds the database and does not listen, else the ledger's.
 */
#ifndef PM_CLI_VERIFY_REPAIR_H
#define PM_CLI_VERIFY_REPAIR_H

#include "cli/findings.h"
#include "cli/verify_list.h"
#include "common/conf.h"

/* Through the owner when one runs, else straight into the database under the flock. No file is
 * touched; doing a pair again replaces its folder, so a pair in whose folder others keep files is
 * left out. kept: broken pairs that were not queued, each with its reason. */
enum pm_code pm_verify_repair(struct pm_verify_list *list, struct pm_conf *conf, int64_t *requeued,
    struct pm_findings *kept, struct pm_err *err);

#endif
