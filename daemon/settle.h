/*
 * settle: which files have been quiet long enough to be read; knows times and stamps, does no I/O.
 * Owns: one entry for each file that has not settled, and 8 bytes for each state that has.
 * Threads: one at a time (the loop thread). Time comes in as an argument, so a test needs no sleep.
 * Memory: every path is copied. Nothing is done per tick for files that are not due: two queues are
 * kept in the order of their times, so the next one due is always at a head.
 * Errors: PM_ENOMEM only.
 *
 *     touch ──> PROBE ── first stat ──> QUIET ── stat after settle: same ──> settled (entry gone)
 *                 ^                      │ │ └── stat differs: QUIET again, from now
 *                 └──── touch (event) ───┘ └──── stat finds nothing ──> gone (entry gone)
 *
 * A walk brings its own stamp, so what it sees enters QUIET directly. With settle 0 one stat is
 * all: a walk's file is settled at once, a touched one after its first stat.
 */
#ifndef PM_DAEMON_SETTLE_H
#define PM_DAEMON_SETTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/result.h"

struct pm_settle;

enum pm_settle_verdict {
    PM_SETTLE_WAIT,   /* not yet; it will be asked for again */
    PM_SETTLE_SETTLED /* may be read in this state; forgotten here, its state is remembered */
};

/* settle_us: how long a file must stay the same (monotonic time, as every now_us below). */
enum pm_code pm_settle_new(struct pm_settle **out, int64_t settle_us, struct pm_err *err);
void pm_settle_free(struct pm_settle *settle); /* NULL is fine */
/* Takes effect for what is waiting, too. */
void pm_settle_set_time(struct pm_settle *settle, int64_t settle_us);

/* Something happened to path: it has to be quiet from now on. */
enum pm_code pm_settle_touch(
    struct pm_settle *settle, const char *path, int64_t now_us, struct pm_err *err);
/* A walk saw path in this state. A state that settled before needs no second wait. */
enum pm_code pm_settle_saw(struct pm_settle *settle, const char *path, const struct pm_stamp *stamp,
    int64_t now_us, enum pm_settle_verdict *verdict, struct pm_err *err);

/* One file whose time has come to be looked at; NULL: none is due now. The caller stats it and must
 * call answer or drop with it. */
struct pm_settle_entry;
struct pm_settle_entry *pm_settle_ask(struct pm_settle *settle, int64_t now_us);
const char *pm_settle_path(const struct pm_settle_entry *entry); /* valid until the answer */
/* stamp: what the stat found. The entry is gone when the verdict is SETTLED. */
enum pm_settle_verdict pm_settle_answer(struct pm_settle *settle, struct pm_settle_entry *entry,
    const struct pm_stamp *stamp, int64_t now_us);
/* There is no such file any more, or it is no file: forgets the entry, unless something happened to
 * the path since it was asked for (then false: it will be looked at again). */
bool pm_settle_drop(struct pm_settle *settle, struct pm_settle_entry *entry, int64_t now_us);
/* When the next ask will have something, INT64_MAX: never as things stand. */
int64_t pm_settle_next_us(const struct pm_settle *settle);
/* Files that have not settled, those being asked for included. */
size_t pm_settle_count(const struct pm_settle *settle);

/* For "every file a walk saw has been dealt with": marks all entries there are now ... */
void pm_settle_mark(struct pm_settle *settle);
/* ... and tells how many of those are still waiting ... */
size_t pm_settle_marked(const struct pm_settle *settle);
/* ... and which. */
void pm_settle_each_marked(
    const struct pm_settle *settle, void (*each)(void *ctx, const char *path), void *ctx);

/* After a complete walk that saw `files` files: drops remembered states when most of them must be
 * of files that changed or went away since. */
void pm_settle_trim(struct pm_settle *settle, size_t files);

#endif
