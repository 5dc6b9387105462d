/*
 * outputs: the folders results go to, each held by one process at a time, whatever its database.
 * Owns: an open descriptor of each folder and the flock on it; the kernel lets go of both when the
 * process dies. Threads: any, one at a time. Memory: pm_outputs_free() lets go of all.
 * Errors: PM_EOWNED when another process holds one, PM_ENOMEM, else those of making the folder. A
 * file system without locks on folders costs the lock, not the service.
 */
#ifndef PM_DAEMON_OUTPUTS_H
#define PM_DAEMON_OUTPUTS_H

#include "common/conf.h"
#include "common/err.h"

struct pm_outputs;

enum pm_code pm_outputs_new(struct pm_outputs **out, struct pm_err *err);
void pm_outputs_free(struct pm_outputs *outputs); /* NULL is fine */

/* Makes the folder of every source that is not held yet, takes it, and sweeps its .partial: what
 * lies there is dead now. A folder once taken is held to the end, since pairs of a source that left
 * the settings may still be on their way. step(ctx) is called before each; may be NULL. */
enum pm_code pm_outputs_take(struct pm_outputs *outputs, const struct pm_conf *conf,
    void (*step)(void *ctx), void *ctx, struct pm_err *err);

#endif
