/*
 * finish: the way from candidates to an answer that every fast search shares: confirmed at full
 * resolution, judged, and, when it is doubted, looked for once more with far more care: in small
 * images every shift of the range is tried (bruteforce), in larger ones every hill of the level is
 * followed over all its rows. A pair that is clear pays nothing for this.
 * Owns: a confirm, a quality, a search of hills; a bruteforce once one was needed.
 * Threads: one at a time. Memory: theirs. Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_FINISH_H
#define PM_WORKER_ALIGN_FINISH_H

#include "worker/align/hills.h"

struct pm_finish;

enum pm_code pm_finish_new(struct pm_finish **out, struct pm_err *err);
void pm_finish_free(struct pm_finish *finish); /* NULL is fine */
/* Its search, for methods that want no other. */
struct pm_hills *pm_finish_hills(struct pm_finish *finish);

/* Fills dy, dx, evaluations, and with query->quality what pm_quality_measure() fills. */
enum pm_code pm_finish_run(struct pm_finish *finish, const struct pm_align_query *query,
    const struct pm_candidate *candidates, int count, struct pm_shift *shift, struct pm_err *err);

#endif
