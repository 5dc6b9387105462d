/*
 * align_step: what the align step shares with `pairmill align` (alignfiles.c).
 * Owns: nothing. Threads: any; an aligner belongs to one. Memory: the caller's.
 * Errors: those of align.h.
 */
#ifndef PM_WORKER_ALIGN_STEP_H
#define PM_WORKER_ALIGN_STEP_H

#include <stddef.h>

#include "common/conf.h"
#include "worker/align/align.h"
#include "worker/load.h"

struct pm_align_opts pm_align_opts_of(const struct pm_conf *conf);
/* Those of flags for which the result must not be used; 0: it may. alpha_dropped and non_finite
 * never count: they say what was left out, not that the shift is in doubt. */
unsigned pm_flags_refused(enum pm_on_flag on_flag, unsigned flags);
/* "ambiguous, shift_at_limit"; what does not fit is left out. */
void pm_flags_text(unsigned flags, char *out, size_t size);
/* pm_align_find() with the flags that only the files can tell; loss stays NaN. */
enum pm_code pm_align_loaded(struct pm_aligner *aligner, const struct pm_loaded *gt,
    const struct pm_loaded *target, const struct pm_align_opts *opts, struct pm_shift *shift,
    struct pm_err *err);

#endif
