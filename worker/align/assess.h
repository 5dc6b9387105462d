/*
 * assess: how far to trust an answer that was found without confirm.h (by original, bruteforce).
 * The answer is never changed: confirm looks from it, from the other candidates and from those that
 * hills.h finds, and what it sees goes to quality.h. When confirm prefers another shift, the
 * confidence is 0. Owns: one confirm, one quality, one search of hills. Threads: one thread at a
 * time. Memory: theirs. Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_ASSESS_H
#define PM_WORKER_ALIGN_ASSESS_H

#include "worker/align/confirm.h"

struct pm_assess;

enum pm_code pm_assess_new(struct pm_assess **out, struct pm_err *err);
void pm_assess_free(struct pm_assess *assess); /* NULL is fine */

#define PM_ASSESS_OTHERS 15

/* shift->dy, dx is the answer; others (at most PM_ASSESS_OTHERS are looked at) are shifts that came
 * near it. Fills what pm_quality_measure() fills. */
enum pm_code pm_assess_answer(struct pm_assess *assess, const struct pm_align_query *query,
    const struct pm_candidate *others, int count, struct pm_shift *shift, struct pm_err *err);

#endif
