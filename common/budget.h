/*
 * budget: admits work by the bytes it will take, so that N workers together keep to memory_max.
 * Owns: only numbers; nothing is allocated on anybody's behalf.
 * Threads: any; acquire blocks.
 * Memory: one small struct. Waiters are served strictly in order of arrival (a big pair is not
 * starved by small ones behind it).
 * Errors: PM_ETOOBIG (more than the whole budget), PM_ECANCELED (shutting down).
 */
#ifndef PM_COMMON_BUDGET_H
#define PM_COMMON_BUDGET_H

#include <stddef.h>

#include "common/err.h"

struct pm_budget; /* opaque */

enum pm_code pm_budget_new(struct pm_budget **out, size_t total_bytes, struct pm_err *err);
/* Nobody may hold or wait any more. NULL is fine. */
void pm_budget_free(struct pm_budget *budget);

/* Takes bytes; blocks until they fit and everyone who came earlier has been served. At once:
 * PM_ETOOBIG when they can never fit, PM_ECANCELED after pm_budget_cancel (also while waiting).
 * On any error nothing is held. A thread that holds bytes and acquires more can deadlock with
 * another that does the same: ask once, for everything. */
enum pm_code pm_budget_acquire(struct pm_budget *budget, size_t bytes, struct pm_err *err);
/* bytes: exactly what was acquired; may also be given back in parts. */
void pm_budget_release(struct pm_budget *budget, size_t bytes);
/* For good: every acquire, waiting or new, returns PM_ECANCELED. Releases still work. */
void pm_budget_cancel(struct pm_budget *budget);

/* Bytes held now, and the most ever held at once. */
size_t pm_budget_used(struct pm_budget *budget);
size_t pm_budget_peak(struct pm_budget *budget);

#endif
