/*
 * space: holds claims back while an output's file system has less than min_free left, and tells
 * what each has. Owns: a timer and one asynchronous statfs. Threads: loop thread. Memory: freed in
 * the close callbacks. Errors: PM_ENOMEM at open; an output that cannot be asked counts as roomy
 * (publishing will tell).
 */
#ifndef PM_DAEMON_SPACE_H
#define PM_DAEMON_SPACE_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "common/conf.h"
#include "common/err.h"
#include "daemon/ledger.h"

struct pm_space;

/* The first look follows with the first turn of the loop, the next ones every few seconds. */
enum pm_code pm_space_open(struct pm_space **out, uv_loop_t *loop, struct pm_ledger *ledger,
    struct pm_conf *conf, struct pm_err *err);
void pm_space_reload(struct pm_space *space, struct pm_conf *conf);
/* Nothing is told to the ledger afterwards. NULL is fine. */
void pm_space_close(struct pm_space *space);
/* Claims are being held. */
bool pm_space_low(const struct pm_space *space);

#endif
