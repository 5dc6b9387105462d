/*
 * queue: what each request to the ledger does to the database, one verb a function.
 * Owns: nothing but struct pm_seen; works on the ledger's writing store.
 * Threads: the ledger thread, inside a transaction the caller opened; the caller may roll it back
 * and call again, so nothing outside the database changes that would matter twice. Memory: jobs and
 * strings handed out belong to the caller. Errors: those of the store; the caller rolls back. The
 * life of a job is drawn in sql/schema/001.sql.
 */
#ifndef PM_DAEMON_QUEUE_H
#define PM_DAEMON_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cache.h"
#include "common/conf.h"
#include "common/err.h"
#include "common/result.h"
#include "common/store.h"
#include "daemon/ledger.h"
#include "daemon/owner.h"

/* --- queue_source.c --- */

/* Makes the sources of conf the active ones and its recipe the current one. A conf without sources
 * (a command that only steers) changes nothing. */
enum pm_code pm_queue_configure(
    struct pm_store *store, const struct pm_conf *conf, int64_t now_us, struct pm_err *err);
/* *id is 0 when there is no such active source. */
enum pm_code pm_queue_source_id(
    struct pm_store *store, const char *name, int64_t *id, struct pm_err *err);

/* --- queue_adopt.c --- */

/* Gives a known source that is not in conf the name of this one, which is not known, when it is the
 * same: one output folder or one that holds its results, and one input folder or one that holds the
 * files it knows, unchanged. Looks at up to 32 files and 8 results. After the sources not in conf
 * were made inactive. */
enum pm_code pm_queue_adopt(struct pm_store *store, const struct pm_conf *conf,
    const struct pm_source_conf *source, bool *adopted, struct pm_err *err);

/* The output of a source was old and is new. *moved: its results lie there now; then all that lay
 * in old are told so, those of other sources, too. */
enum pm_code pm_queue_follow(struct pm_store *store, int64_t source_id, const char *old,
    const char *new, bool *moved, struct pm_err *err);

/* --- queue_sight.c --- */

/* When each image was sighted last in the life of this process. In memory, because writing it down
 * would rewrite every row at every walk. Zeroed is empty. */
struct pm_seen {
    int64_t *at_us; /* by image id */
    size_t count;
};
void pm_seen_fini(struct pm_seen *seen);

/* Takes in what was sighted. */
enum pm_code pm_queue_sight(struct pm_store *store, struct pm_seen *seen, int64_t source_id,
    const struct pm_sighting *sightings, size_t count, int64_t now_us, struct pm_err *err);
/* Every present image of the source not sighted since since_us is gone. */
enum pm_code pm_queue_walked(struct pm_store *store, const struct pm_seen *seen, int64_t source_id,
    int64_t since_us, int64_t now_us, struct pm_err *err);

/* --- queue_claim.c --- */

/* Makes delayed jobs whose time has come ready. */
enum pm_code pm_queue_wake(struct pm_store *store, int64_t now_us, struct pm_err *err);
/* Leases up to max jobs of one gt: the oldest ready one of the highest priority, sources taking
 * turns among equals, and the next of its gt. Counts their attempt. *count 0: none is ready. */
enum pm_code pm_queue_claim(struct pm_store *store, int worker, int64_t now_us, struct pm_job *jobs,
    size_t max, size_t *count, struct pm_err *err);

/* --- queue_fate.c --- */

struct pm_verdict {
    const char *state; /* what the job becomes; a state of the job table */
    int64_t delay_us;  /* queued: not before so long from now; 0: at once */
    bool attempt_back; /* the attempt does not count */
};
/* What becomes of a job that ended with code after so many attempts. jitter 0..1 spreads the delay
 * by 10 % either way; 0.5 is none. */
struct pm_verdict pm_queue_fate(enum pm_code code, int attempts, int max_attempts, double jitter);

/* --- queue_finish.c --- */

/* Stores what became of a job. A result for inputs that have changed meanwhile is thrown away and
 * the job queued again; one for a job that is not running (any more), or that another worker has by
 * now, is ignored. */
enum pm_code pm_queue_finish(struct pm_store *store, const struct pm_result *result,
    int max_attempts, double jitter, int64_t now_us, struct pm_err *err);
/* Jobs a dead owner left running: those it was working on are queued again at once (with one
 * attempt left: 5 s apart, as only one of them is to blame), or quarantined when their attempts are
 * spent; those merely leased get their attempt back, and all of them when the owner did not die but
 * could not write. *count: how many. */
enum pm_code pm_queue_recover(struct pm_store *store, const struct pm_owner *owner,
    int max_attempts, int64_t now_us, int64_t *count, struct pm_err *err);
/* At a clean end: what still runs is queued again, attempt given back. */
enum pm_code pm_queue_release(struct pm_store *store, struct pm_err *err);

/* --- queue_result.c --- */

/* Stores result, crops, the hash of the record and the means they add to; the job is the result's.
 */
enum pm_code pm_queue_result(
    struct pm_store *store, const struct pm_result *result, bool held, struct pm_err *err);
/* Timings of the attempt; counted: also into the sums (attempts that came to an end). */
enum pm_code pm_queue_timings(
    struct pm_store *store, const struct pm_result *result, bool counted, struct pm_err *err);
/* The bucket of a duration: exact below 32 us, then 16 an octave. */
int pm_queue_bucket(int64_t us);

/* --- queue_steer.c --- */

/* source_name NULL: everything. PM_EUSAGE when there is no such source. */
enum pm_code pm_queue_pause(
    struct pm_store *store, const char *source_name, bool paused, struct pm_err *err);
/* Queues again, with fresh attempts, up to limit jobs that match and have an id above *after.
 * *released counts them; *after becomes the last id looked at, 0 when all were. */
enum pm_code pm_queue_retry(struct pm_store *store, const struct pm_retry_filter *filter,
    int64_t limit, int64_t now_us, int64_t *after, int64_t *released, struct pm_err *err);

/* --- queue_gauge.c --- */

enum pm_code pm_queue_counts(struct pm_store *store, struct pm_counts *counts, struct pm_err *err);
enum pm_code pm_queue_gauge(struct pm_store *store, const char *source_name,
    const struct pm_gauges *gauges, struct pm_err *err);
enum pm_code pm_queue_cache(struct pm_store *store, const char *name,
    const struct pm_cache_stats *stats, struct pm_err *err);
struct pm_worker_gauge {
    int64_t job_id; /* 0: idle */
    int step;       /* -1: none yet */
    int64_t since_us, done, failed;
    bool hangs; /* makes no progress */
};
enum pm_code pm_queue_worker(
    struct pm_store *store, int worker, const struct pm_worker_gauge *gauge, struct pm_err *err);
/* One fact for the health view. */
enum pm_code pm_queue_fact(
    struct pm_store *store, const char *name, int64_t value, struct pm_err *err);
enum pm_code pm_queue_fact_text(
    struct pm_store *store, const char *name, const char *value, struct pm_err *err);
/* Adds to the rate of finished jobs and of the time there was work; forgets slots older than an
 * hour. */
enum pm_code pm_queue_rate(struct pm_store *store, int64_t now_us, int64_t done, int64_t failed,
    int64_t busy_us, struct pm_err *err);
/* At start: what only a running daemon knows is emptied. */
enum pm_code pm_queue_gauges_reset(struct pm_store *store, struct pm_err *err);
/* At a clean end: nobody works, nothing settles; the caches' counters stay to be looked at. */
enum pm_code pm_queue_gauges_end(struct pm_store *store, struct pm_err *err);

#endif
