/*
 * pairjson: pair.json, the record beside a pair's files.
 * Owns: nothing. Threads: any. Memory: the writer's. Errors: the writer's.
 *
 * Equal inputs and settings give equal bytes: no dates, no timings, no absolute paths. Names that
 * are not UTF-8 are shown with U+FFFD and kept whole as hex beside it ("gt" and "gt_hex").
 */
#ifndef PM_WORKER_PAIRJSON_H
#define PM_WORKER_PAIRJSON_H

#include "common/json.h"

struct pm_task;

/* Everything but this file must be in task and in its partial folder. */
void pm_pair_json(struct pm_json *json, const struct pm_task *task);

#endif
