/*
 * handover: one source's sightings on their way to the ledger, in batches, one at a time.
 * Owns: the batch being filled.
 * Threads: loop thread; only the ledger's answer comes from its thread, and wakes the loop.
 * Memory: at most PM_HANDOVER_BATCH sightings wait here; whoever brings them stops when full.
 * Errors: PM_ENOMEM; a batch the ledger cannot take now is kept and offered again.
 */
#ifndef PM_DAEMON_HANDOVER_H
#define PM_DAEMON_HANDOVER_H

#include <stdbool.h>

#include "daemon/ledger.h"

#define PM_HANDOVER_BATCH 5000

struct pm_handover;

/* wake(ctx) is called on the ledger's thread after each commit; it must only wake the loop. */
enum pm_code pm_handover_new(struct pm_handover **out, struct pm_ledger *ledger,
    const char *source_name, void (*wake)(void *ctx), void *ctx, struct pm_err *err);
/* The ledger must be closed, or nothing of this one under way. NULL is fine. */
void pm_handover_free(struct pm_handover *handover);

/* Time to stop bringing more; the answers still under way when it becomes full are taken, too. */
bool pm_handover_full(const struct pm_handover *handover);
/* path is copied. */
enum pm_code pm_handover_add(struct pm_handover *handover, enum pm_sighting_kind kind,
    const char *path, const struct pm_stamp *stamp, struct pm_err *err);
/* After everything added so far: a complete walk that began at since_us (UTC) has been told. */
void pm_handover_walked(struct pm_handover *handover, int64_t since_us);
/* Sends what waits, unless a batch is still under way. */
void pm_handover_flush(struct pm_handover *handover);
/* Drops what was not sent and takes nothing more (the source is being removed). */
void pm_handover_mute(struct pm_handover *handover);
/* A batch was sent and is not acknowledged yet. */
bool pm_handover_busy(const struct pm_handover *handover);
/* Nothing waits and nothing is under way. */
bool pm_handover_idle(const struct pm_handover *handover);

#endif
