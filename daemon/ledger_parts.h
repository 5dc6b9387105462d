/*
 * ledger_parts: what the files of the ledger share; for them only.
 * Owns, threads, memory, errors: see ledger.h; each field says under which lock it is.
 */
#ifndef PM_DAEMON_LEDGER_PARTS_H
#define PM_DAEMON_LEDGER_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/cache.h"
#include "daemon/ledger.h"
#include "daemon/owner.h"
#include "daemon/queue.h"

#define PM_LEDGER_CACHES 8
#define PM_LEDGER_ALIVE_US                                                                         \
    30000000                          /* SQLite waits 10 s for somebody else's lock, then it beats \
                                       */
#define PM_LEDGER_QUEUED_RESULTS 1024 /* handed over and not committed; beyond, workers wait */

enum pm_request_kind {
    PM_REQUEST_SIGHT,
    PM_REQUEST_WALKED,
    PM_REQUEST_TURN,
    PM_REQUEST_PAUSE,
    PM_REQUEST_RETRY,
    PM_REQUEST_RELOAD
};

/* What somebody asked for. On the asker's stack when it waits for the answer, else on the heap.
 * What a transaction that may yet be rolled back has reached is kept apart (tried_*) until its
 * commit. */
struct pm_request {
    enum pm_request_kind kind;
    struct pm_request *next;
    bool waits;    /* the asker waits for `answered`, and owns the memory */
    bool answered; /* under lock */
    enum pm_code rc;
    struct pm_err err;

    char *source_name; /* SIGHT, WALKED, PAUSE */
    void (*done)(void *ctx);
    void *ctx;
    bool complete; /* in the transaction being tried */

    struct pm_sighting *sightings; /* SIGHT; paths in the same allocation */
    size_t count, pos, tried_pos;
    int64_t since_us; /* WALKED */

    int worker; /* TURN */
    struct pm_result *results;
    size_t result_count;
    bool results_stored; /* committed; from now on it only waits for jobs */
    bool degraded;       /* the results could not be stored: only that they failed is */
    struct pm_job *jobs;
    size_t max, got;
    int64_t until_us; /* mono, real; it waits for jobs until then; 0: for ever */

    bool paused;                   /* PAUSE */
    struct pm_retry_filter filter; /* RETRY */
    int64_t after, tried_after, released, tried_released;
    struct pm_conf *conf; /* RELOAD */
};

struct pm_request_list {
    struct pm_request *first, *last;
};

void pm_request_push(struct pm_request_list *list, struct pm_request *request);
struct pm_request *pm_request_pop(struct pm_request_list *list);
void pm_request_remove(struct pm_request_list *list, struct pm_request *request);
void pm_request_free(struct pm_request *request); /* one on the heap; NULL is fine */

struct pm_source_gauge {
    char *name;
    struct pm_gauges gauges;
    int64_t free_bytes; /* of its output; -1: not known */
    bool dirty;
};

struct pm_cache_gauge {
    char name[32]; /* "": unused */
    struct pm_cache_stats stats;
    bool dirty;
};

struct pm_worker_slot {
    struct pm_worker_gauge gauge;
    bool dirty;
    bool told; /* pm_ledger_start is used: a beat about another job is late news */
};

struct pm_ledger {
    const struct pm_clock *clock;
    struct pm_owner *owner;
    pthread_t thread;

    /* only the ledger thread, once it runs */
    struct pm_store *store;
    struct pm_conf *conf;
    struct pm_seen seen;
    struct pm_request_list turns; /* in order of arrival; those without work wait here */
    struct pm_request_list work;  /* everything else, in order of arrival */
    bool maybe_ready;          /* a claim might find something: it has not failed since a change */
    int64_t busy_mark_us;      /* mono; since when work time has not been counted */
    int64_t busy_us;           /* counted, not stored yet */
    int64_t done, failed;      /* results in the transaction being tried */
    int64_t flushed_us;        /* mono, real; gauges were stored */
    int64_t idle_since_us;     /* mono, real; no commit since */
    int64_t truncate_after_us; /* mono, real; the next try to empty the log file */
    int64_t data_version;      /* of the database, when it was last looked at */
    int64_t outside_us;        /* mono, real; when that was */
    int64_t told_wal_bytes;    /* length of the log file the health view knows */
    int checkpointed_pages;    /* log length at the last checkpoint */
    int64_t checkpoint_us;     /* UTC; when the log was last copied whole; 0: not yet */
    int hard_failures;         /* transactions in a row that failed and will not pass */
    int64_t commits;
    _Atomic int64_t busy_waits; /* commits that found the database locked for the whole timeout */
    _Atomic int64_t troubles;   /* waits for a full or failing disk */
    uint64_t random;            /* jitter of the delays; any value but 0 */
    int64_t complained_us;      /* mono, real; of the last line in the log about trouble */

    _Atomic int64_t beat_us;   /* mono, real; the thread was seen alive */
    _Atomic int64_t end_by_us; /* mono, real; troubles are endured until then; 0: for ever */
    atomic_bool broken;        /* it gave up: the database cannot be used */
    struct pm_err fault;       /* why; set before broken, never after */

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t wake;
    pthread_cond_t answer;
    struct pm_request_list inbox;
    size_t queued_results;
    bool stop_claims, hold, closing;
    bool ended; /* the thread answers nobody any more */
    bool poked; /* something outside has changed: look again at once */
    struct pm_counts counts;

    /* Who writes traces of the workers to the lock file; may wait for the disk. Taken before
     * gauge_lock, never by the loop. */
    pthread_mutex_t trace_lock;
    pthread_mutex_t gauge_lock; /* what follows; never held together with lock */
    struct pm_source_gauge *sources;
    size_t source_count;
    struct pm_cache_gauge caches[PM_LEDGER_CACHES];
    struct pm_worker_slot workers[PM_OWNER_WORKERS];
    bool gauges_dirty;
    char gpu[256]; /* "": nobody has said anything */
    int64_t overflows, loop_lag_max_us;
    bool space_low; /* claims are held */
};

/* The thread; arg is the ledger. Ends when closing (ledger_thread.c). */
void *pm_ledger_thread(void *arg);
/* pm_mono_us of the real clock: waits are real even when a test's clock is not. */
int64_t pm_ledger_real_us(void);

/* Fills in that the database could not be written, or why not; results it brought are gone. */
void pm_ledger_refuse_late(struct pm_ledger *ledger, struct pm_request *request);

/* One transaction with everything that waits, or with `only` alone when that is given; all or
 * nothing (ledger_apply.c). */
enum pm_code pm_ledger_transact(struct pm_ledger *ledger, struct pm_request *only,
    struct pm_counts *counts, struct pm_err *err);
/* After it: counts are published, requests that are complete answered. */
void pm_ledger_settle(struct pm_ledger *ledger, const struct pm_counts *counts);
/* Tells the asker and lets the request go; it is on no list any more. */
void pm_ledger_answer(struct pm_ledger *ledger, struct pm_request *request);
/* The results of a turn are in the database, or lost: their memory goes. */
void pm_ledger_results_stored(struct pm_ledger *ledger, struct pm_request *turn);

/* First transaction: sources, recovery, facts (ledger_life.c). */
enum pm_code pm_ledger_begin_life(struct pm_ledger *ledger, struct pm_err *err);
/* Last one: nothing runs without an owner, nothing settles, nobody works. */
enum pm_code pm_ledger_end_life(struct pm_ledger *ledger, struct pm_err *err);

/* What the loop, the workers and the caches have told (ledger_gauges.c): whether it is time to
 * store it; stores it, in a transaction. */
bool pm_ledger_gauges_due(struct pm_ledger *ledger);
enum pm_code pm_ledger_store_gauges(struct pm_ledger *ledger, struct pm_err *err);
/* The log file has been emptied: tells so, if that is news to people. */
void pm_ledger_log_emptied(struct pm_ledger *ledger);
/* The transaction they were stored in came to nothing: all of them at the next chance. */
void pm_ledger_gauges_again(struct pm_ledger *ledger);
void pm_ledger_gauges_fini(struct pm_ledger *ledger);
void pm_ledger_note_hold(struct pm_ledger *ledger, bool hold);
/* A worker's lease as it begins and ends, for traces and views. */
void pm_ledger_note_lease(struct pm_ledger *ledger, int worker, int64_t job_id);
void pm_ledger_note_results(struct pm_ledger *ledger, const struct pm_request *turn);

#endif
