/*
 * ledger: the thread with the only connection that writes the database.
 * Owns: the flock beside the database, the writing pm_store, the request queue.
 * Threads: every call may come from any thread; only claim and the *_wait calls block. Callbacks
 * run on the ledger thread and must only hand over (uv_async_send, condition variable).
 * Memory: requests are copied on the way in; answers belong to the caller.
 * Errors: PM_EOWNED when another process holds the flock (its pid is in the message), PM_EVERSION,
 * PM_EDB, PM_EIO. Once open, a busy or full database delays, it never loses a request: the thread
 * keeps it and tries again until it is committed.
 *
 * Everything waiting is drained into one BEGIN IMMEDIATE transaction (group commit). The attempt is
 * counted when the claim commits; a result and the next claim of the same worker share a commit.
 */
#ifndef PM_DAEMON_LEDGER_H
#define PM_DAEMON_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/err.h"
#include "common/result.h"

struct pm_ledger;

/* Opens or makes the database of conf->db: flock, schema, migration, recovery (running rows of the
 * dead owner back to queued, or quarantined when their attempts are spent), sources of conf; then
 * starts the thread. Folders the database needs are made. */
enum pm_code pm_ledger_open(
    struct pm_ledger **out, struct pm_conf *conf, const struct pm_clock *clock, struct pm_err *err);
/* The same; starting is called on this thread every now and then until it returns, as long as it
 * gets on: opening an old database, or one that somebody has locked, may take minutes. */
enum pm_code pm_ledger_open_telling(struct pm_ledger **out, struct pm_conf *conf,
    const struct pm_clock *clock, void (*starting)(void *ctx), void *ctx, struct pm_err *err);
/* Commits everything handed in so far, puts rows still running back to queued, checkpoints, ends
 * the thread, releases the flock. NULL is fine. */
void pm_ledger_close(struct pm_ledger *ledger);
/* From this time (real, monotonic, us) on a database that cannot be written is waited for no
 * longer: whoever waits for an answer gets PM_EDB, and the end comes without it. What was running
 * is queued again at the next start. Only the first call and earlier times count; without one,
 * close waits 30 s. From any thread. */
void pm_ledger_end_by(struct pm_ledger *ledger, int64_t end_by_us);
/* New settings (SIGHUP): sources added, removed or changed. */
void pm_ledger_reload(struct pm_ledger *ledger, struct pm_conf *conf);

/* --- ingest (loop thread) --- */

enum pm_sighting_kind {
    PM_SEEN, /* the file is there and has settled in this state */
    PM_GONE, /* the file is not there any more */
    PM_KEPT  /* it is there, but has not settled or cannot be looked at; may be a folder. Only keeps
                pm_ledger_walked from taking what is known of it, or of all below it, for gone */
};

struct pm_sighting {
    enum pm_sighting_kind kind;
    /* Below the source's input, bytes; NUL-terminated, no leading slash. With PM_GONE it may be a
     * folder: then every known file below it is gone. */
    const char *path;
    struct pm_stamp stamp; /* PM_SEEN only */
};

/* Hands over what was seen in source (index into conf->sources at the time of the last open/reload,
 * by name). Known files in a known state change nothing; a new or changed one is a new revision,
 * makes pairs, and wakes claims. done(ctx) is called after the commit. Order is kept. */
enum pm_code pm_ledger_sight(struct pm_ledger *ledger, const char *source_name,
    const struct pm_sighting *sightings, size_t count, void (*done)(void *ctx), void *ctx,
    struct pm_err *err);
/* After a complete walk of source: every known file not sighted since since_us (UTC, the walk's
 * start) is gone. */
enum pm_code pm_ledger_walked(struct pm_ledger *ledger, const char *source_name, int64_t since_us,
    void (*done)(void *ctx), void *ctx, struct pm_err *err);
/* `pairmill run --overwrite`: everything known of every source is queued again with fresh attempts;
 * call before ingest starts. */
enum pm_code pm_ledger_redo_all_wait(struct pm_ledger *ledger, struct pm_err *err);

struct pm_gauges {           /* what only the loop knows; stored for the views */
    int64_t settling;        /* files seen but not yet settled, this source */
    int64_t ignored;         /* files that are not images by their name, this source */
    int64_t overflows;       /* inotify queue overflows since start, all sources */
    int64_t loop_lag_max_us; /* longest the loop was blocked since start */
    bool watching;           /* false: this source is polled only */
};
void pm_ledger_gauges(
    struct pm_ledger *ledger, const char *source_name, const struct pm_gauges *gauges);

/* --- workers (their own threads) --- */

/* Commits the finished results (may be none) and leases the next ready jobs to worker, at most max,
 * all sharing one gt; blocks until there are some. *count 0 means: stop, there will be no more
 * (pm_ledger_stop_claims was called). results are consumed (cleared), whatever happens.
 * max 0: only hands the results over, leases nothing and does not wait for jobs (*count is 0): the
 * pool tells each finished pair at once while more of the same claim are still to be done. A leased
 * job that was never started comes back as a result with code PM_ECANCELED (attempt given back). */
enum pm_code pm_ledger_turn(struct pm_ledger *ledger, int worker, struct pm_result *results,
    size_t result_count, struct pm_job *jobs, size_t max, size_t *count, struct pm_err *err);
/* The same, but waits for jobs no longer than wait_us (more or less: it is looked at once a second;
 * 0: for ever): then PM_ECANCELED, with the results taken. */
enum pm_code pm_ledger_turn_within(struct pm_ledger *ledger, int worker, struct pm_result *results,
    size_t result_count, struct pm_job *jobs, size_t max, int64_t wait_us, size_t *count,
    struct pm_err *err);
/* Makes every present and later turn return no job; results are still taken. */
void pm_ledger_stop_claims(struct pm_ledger *ledger);
/* A worker's own thread is about to start this job (one of those its turn gave). One pwrite, no
 * commit; it outlives a crash of the process: recovery then blames this job and gives the others
 * claimed with it their attempt back. So call it before each job. */
void pm_ledger_start(struct pm_ledger *ledger, int worker, int64_t job_id);
/* A worker shows it is alive and where it is (enum pm_step, -1 idle); cheap, no commit of its own.
 * From any thread; ignored when job_id is not the one started last. */
void pm_ledger_beat(struct pm_ledger *ledger, int worker, int64_t job_id, int step);
/* Whether it makes no progress, for the workers view; from any thread. */
void pm_ledger_hangs(struct pm_ledger *ledger, int worker, bool hangs);
/* Cache counters for the cache_stats view. */
struct pm_cache_stats;
/* What the worker with the GPU says of it, for the view workers. Any thread. */
void pm_ledger_gpu(struct pm_ledger *ledger, const char *state);
void pm_ledger_cache(
    struct pm_ledger *ledger, const char *cache_name, const struct pm_cache_stats *stats);

/* --- looking and steering (any thread) --- */

struct pm_counts { /* as of the last commit, all sources */
    int64_t waiting, settling, queued, running, done, failed, quarantined, missing, total;
    int64_t ready;       /* queued and due now (not waiting for a retry time) */
    int64_t next_due_us; /* UTC; when the next delayed retry is due; 0: none */
    bool paused;
};
void pm_ledger_counts(struct pm_ledger *ledger, struct pm_counts *counts);
/* What a source's output has free, for the health view. */
void pm_ledger_free_space(struct pm_ledger *ledger, const char *source_name, int64_t bytes);
/* Free space below min_free stops claims until it is back; set by the service's timer. */
void pm_ledger_hold_claims(struct pm_ledger *ledger, bool hold);
/* True while the thread makes progress: for the watchdog. */
bool pm_ledger_alive(struct pm_ledger *ledger);
/* True, with the reason in err, once the database turned out to be beyond use: damaged, or refused
 * for a minute. The thread has ended then, every request is answered with the same. */
bool pm_ledger_broken(struct pm_ledger *ledger, struct pm_err *err);

struct pm_retry_filter {
    int64_t id; /* one job; 0: all that match */
    bool failed, quarantined, missing, stale,
        done;          /* which states; all false: failed+quarantined */
    const char *scene; /* NULL: any */
};
enum pm_code pm_ledger_pause_wait(
    struct pm_ledger *ledger, const char *source_name, bool paused, struct pm_err *err);
enum pm_code pm_ledger_retry_wait(struct pm_ledger *ledger, const struct pm_retry_filter *filter,
    int64_t *released, struct pm_err *err);

#endif
