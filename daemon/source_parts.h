/*
 * source_parts: what the files of a source share; for them only.
 * Owns, threads, memory, errors: see source.h.
 */
#ifndef PM_DAEMON_SOURCE_PARTS_H
#define PM_DAEMON_SOURCE_PARTS_H

#include "daemon/check.h"
#include "daemon/handover.h"
#include "daemon/settle.h"
#include "daemon/source.h"
#include "daemon/walk.h"
#include "daemon/watch.h"

#define PM_SOURCE_NEW_DIRS 256  /* new folders to walk one by one; beyond, walk everything */
#define PM_SOURCE_TICK_US 20000 /* while something is going on */
#define PM_SOURCE_RESCAN_GAP_US 1000000 /* between full walks caused by lost events */

/* The full walk under way or just ended. */
struct pm_source_full {
    bool running;             /* the walk under way is a full one */
    bool incomplete;          /* something could not be seen or remembered */
    bool watch_failed;        /* a folder could not be watched */
    bool to_tell;             /* ended completely; the ledger does not know yet */
    int64_t wall_us, mono_us; /* when it began */
    int64_t tell_by_us;       /* told by then even if a file it saw has not settled */
};

struct pm_source {
    struct pm_source_opts opts;
    char *name, *input;
    char **skip;
    struct pm_settle *settle;
    struct pm_check *check;
    struct pm_handover *handover;
    struct pm_watch *watch; /* NULL: polled */
    struct pm_walk *walk;   /* NULL: none under way */
    struct pm_source_full full;
    char **new_dirs; /* folders below input to walk */
    size_t new_dir_count;
    int64_t rescan_at_us, rescan_ended_us;
    int64_t quiet_until_us; /* no warning before */
    int64_t walks, ignored;
    long overflows; /* of watches closed since */
    bool stopping, watching, unreadable, watch_warned;
};

/* source.c */
int64_t pm_source_now_us(const struct pm_source *source);
int64_t pm_source_earlier(int64_t a, int64_t b);
const char *pm_source_base_name(const char *path);
/* True at most once a minute: a folder that stays unreadable must not fill the journal. */
bool pm_source_may_warn(struct pm_source *source);
/* Out of memory: the file will be seen again by the next walk, which must not declare it gone. */
void pm_source_lose(void *ctx, const struct pm_err *err);
void pm_source_told(struct pm_source *source, enum pm_sighting_kind kind, const char *path,
    const struct pm_stamp *stamp);
/* As many files wait as may. */
bool pm_source_crowded(const struct pm_source *source);

/* source_walk.c */
int64_t pm_source_period_us(const struct pm_source *source);
/* The next walk that is due, if any; lets a held one go on. */
void pm_source_walk_due(struct pm_source *source);
/* Tells the ledger of a complete walk once all it saw has been told. */
void pm_source_tell_walked(struct pm_source *source);
void pm_source_drop_new_dirs(struct pm_source *source);

/* source_events.c */
/* Before each full walk: opens inotify when it is wanted and not open (the kernel may have had none
 * to give the last time). */
void pm_source_watch(struct pm_source *source);
/* Something cannot be watched: said once, until everything is watched again. */
void pm_source_polled(struct pm_source *source, const struct pm_err *err);

#endif
