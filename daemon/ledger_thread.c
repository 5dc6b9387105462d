#include "daemon/ledger_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/schema.h"
#include "daemon/crashnote.h"

#define SECOND_US INT64_C(1000000)
#define CHECKPOINT_PAGES 1000             /* 4 MB of log */
#define WARN_PAGES 16384                  /* 64 MiB; the health view says so, too */
#define TROUBLE_US (10 * SECOND_US)       /* a full or failing disk is asked again after so long */
#define COMPLAIN_US (60 * SECOND_US)      /* one line in the log a minute */
#define TRUNCATE_AGAIN_US (5 * SECOND_US) /* a reader kept the log from being emptied */
#define HARD_FAILURES_MAX 6               /* then the database is beyond us */
#define DELAY_MAX_US ((int64_t)2 * 3600 * SECOND_US) /* no retry is put off for longer */

int64_t pm_ledger_real_us(void)
{
    return pm_mono_us(pm_clock_real());
}

static void beat(void *ctx)
{
    struct pm_ledger *self = ctx;
    self->beat_us = pm_ledger_real_us();
}

/* --- trouble --- */

static void complain(struct pm_ledger *self, const struct pm_err *err, const char *what_next)
{
    int64_t now_us = pm_ledger_real_us();
    if (self->complained_us == 0 || now_us - self->complained_us >= COMPLAIN_US) {
        self->complained_us = now_us;
        pm_log(PM_LOG_WARN, "%s; %s", err->text, what_next);
    }
}

static void timed_wait(struct pm_ledger *self, int64_t wait_us)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + wait_us % SECOND_US * 1000;
    until.tv_sec += (time_t)(wait_us / SECOND_US + ns / 1000000000);
    until.tv_nsec = (long)(ns % 1000000000);
    pthread_cond_timedwait(&self->wake, &self->lock, &until);
}

/* Whether troubles are still waited out: always, but when an end has waited long enough. */
static bool patient(const struct pm_ledger *self)
{
    int64_t end_by_us = self->end_by_us;
    return end_by_us == 0 || pm_ledger_real_us() < end_by_us;
}

/* While SQLite waits for a lock. */
static bool wait_on(void *ctx)
{
    beat(ctx);
    return patient(ctx);
}

/* Waits, unless the end comes or somebody says that things have changed. False: an end has waited
 * long enough. */
static bool wait_out(struct pm_ledger *self, int64_t wait_us)
{
    int64_t end_us = pm_ledger_real_us() + wait_us;
    self->troubles++;
    pthread_mutex_lock(&self->lock);
    bool closing = self->closing;
    while (self->closing == closing && !self->poked && patient(self)) {
        int64_t left_us = end_us - pm_ledger_real_us();
        beat(self);
        if (left_us <= 0) {
            break;
        }
        timed_wait(self, left_us < SECOND_US ? left_us : SECOND_US);
    }
    self->poked = false;
    pthread_mutex_unlock(&self->lock);
    return patient(self);
}

enum trouble {
    TROUBLE_LOCKED,  /* somebody else writes */
    TROUBLE_PASSES,  /* full or failing disk, no memory */
    TROUBLE_REQUEST, /* something we were asked to store cannot be stored */
    TROUBLE_BROKEN   /* the database itself: damaged, removed, made unreadable */
};

static enum trouble trouble_of(enum pm_code rc, const struct pm_err *err)
{
    if (rc == PM_EDB) {
        return err->sys_errno == EBUSY     ? TROUBLE_LOCKED
               : err->sys_errno == EUCLEAN ? TROUBLE_BROKEN
                                           : TROUBLE_REQUEST;
    }
    return rc == PM_ENOSPC || rc == PM_EIO || rc == PM_ENOMEM ? TROUBLE_PASSES : TROUBLE_BROKEN;
}

/* Waiting does not mend a damaged database; others are asked again for a minute, since the person
 * who moved one away or took the rights may put it right. */
static bool beyond_use(struct pm_ledger *self, enum trouble trouble, const struct pm_err *err)
{
    if (trouble == TROUBLE_PASSES) {
        return false;
    }
    self->hard_failures++;
    return err->sys_errno == EUCLEAN || self->hard_failures >= HARD_FAILURES_MAX;
}

/* True: try again; false: an end has waited long enough, or it is the end. */
static bool endure(struct pm_ledger *self, enum pm_code rc, const struct pm_err *err)
{
    enum trouble trouble = trouble_of(rc, err);
    if (self->broken) {
        return false;
    }
    if (trouble == TROUBLE_LOCKED) {
        self->busy_waits++; /* SQLite has waited its 10 s already */
        complain(self, err, "another program holds it; trying on, nothing is lost");
        beat(self);
        return patient(self);
    }
    if (beyond_use(self, trouble, err)) {
        self->fault = *err;
        self->broken = true;
        return false;
    }
    complain(self, err, "trying on every 10 s, nothing is lost");
    return wait_out(self, TROUBLE_US);
}

/* Answers request with what is wrong. For results that means: only that they failed is stored. */
static void refuse(struct pm_ledger *self, struct pm_request *request, const struct pm_err *err)
{
    pm_log(PM_LOG_ERR, "%s", err->text);
    request->rc = err->code;
    request->err = *err;
    if (request->kind == PM_REQUEST_TURN && !request->degraded) {
        request->degraded = true;
        request->rc = PM_OK;
        return;
    }
    if (request->kind == PM_REQUEST_TURN) {
        pm_request_remove(&self->turns, request);
        pm_ledger_results_stored(self, request);
    } else {
        pm_request_remove(&self->work, request);
    }
    pm_ledger_answer(self, request);
}

static struct pm_request *first_undone(struct pm_ledger *self)
{
    struct pm_request *turn = self->turns.first;
    while (turn != NULL && turn->results_stored) {
        turn = turn->next;
    }
    return turn != NULL ? turn : self->work.first;
}

/* Some request makes the transaction fail for good: each on its own, so that the others get
 * through. False: an end has waited long enough. */
static bool one_by_one(struct pm_ledger *self)
{
    struct pm_request *request;
    while ((request = first_undone(self)) != NULL) {
        struct pm_counts counts;
        struct pm_err err = {0};
        enum pm_code rc = pm_ledger_transact(self, request, &counts, &err);
        if (rc == PM_OK) {
            pm_ledger_settle(self, &counts);
        } else if (trouble_of(rc, &err) == TROUBLE_REQUEST) {
            refuse(self, request, &err);
        } else if (!endure(self, rc, &err)) {
            return false;
        }
    }
    return true;
}

/* One group commit. False: an end could not wait any longer, what is left is lost. */
static bool commit_round(struct pm_ledger *self)
{
    for (;;) {
        struct pm_counts counts;
        struct pm_err err = {0};
        enum pm_code rc = pm_ledger_transact(self, NULL, &counts, &err);
        if (rc == PM_OK) {
            pm_ledger_settle(self, &counts);
            return true;
        }
        bool suspects = first_undone(self) != NULL && trouble_of(rc, &err) == TROUBLE_REQUEST;
        if (suspects ? !one_by_one(self) : !endure(self, rc, &err)) {
            return false;
        }
    }
}

/* --- the log file --- */

static void checkpoint(struct pm_ledger *self, bool truncate)
{
    struct pm_err err;
    int pages = 0;
    if (pm_store_checkpoint(self->store, truncate, &pages, &err) != PM_OK) {
        complain(self, &err, "the log file stays as it is for now");
    } else if (pages == 0) {
        self->checkpoint_us = pm_wall_us(self->clock);
    }
}

/* While there is work: what readers allow, without waiting. */
static void checkpoint_busy(struct pm_ledger *self)
{
    int pages = pm_store_wal_pages(self->store);
    if (pages < self->checkpointed_pages) {
        self->checkpointed_pages = 0; /* the log began anew */
    }
    if (pages - self->checkpointed_pages >= CHECKPOINT_PAGES) {
        checkpoint(self, false);
        self->checkpointed_pages = pages;
    }
    if (pages >= WARN_PAGES) {
        struct pm_err err;
        pm_err_set(&err, PM_EDB,
            "the log file of '%s' has %d pages: somebody keeps a read "
            "transaction open",
            pm_store_path(self->store), pages);
        complain(self, &err, "it is emptied once that is closed");
    }
}

/* Nothing happened for a second: empty the log. */
static bool truncate_due(const struct pm_ledger *self)
{
    int64_t now_us = pm_ledger_real_us();
    return pm_store_wal_pages(self->store) > 0 && now_us - self->idle_since_us >= SECOND_US &&
           now_us >= self->truncate_after_us;
}

/* --- the thread --- */

/* lock is held. */
static void sort_inbox(struct pm_ledger *self)
{
    struct pm_request *request;
    while ((request = pm_request_pop(&self->inbox)) != NULL) {
        pm_request_push(request->kind == PM_REQUEST_TURN ? &self->turns : &self->work, request);
    }
}

static bool retries_due(const struct pm_ledger *self, int64_t now_us)
{
    int64_t due_us = self->counts.next_due_us;
    return due_us != 0 && (due_us <= now_us || due_us > now_us + DELAY_MAX_US);
}

/* lock is held. Whether a commit is worth it now. */
static bool has_work(struct pm_ledger *self)
{
    bool waiting = false;
    for (struct pm_request *turn = self->turns.first; turn != NULL; turn = turn->next) {
        if (!turn->results_stored || self->stop_claims) {
            return true;
        }
        waiting = true;
    }
    if (self->poked) {
        self->poked = false;
        self->maybe_ready = true;
    }
    return self->work.first != NULL || retries_due(self, pm_wall_us(self->clock)) ||
           (waiting && self->maybe_ready && !self->hold);
}

/* Its results are committed; only jobs are missing. */
static bool is_late(const struct pm_request *turn, int64_t now_us)
{
    return turn->results_stored && turn->until_us != 0 && now_us >= turn->until_us;
}

/* Turns that have waited for jobs as long as they would. Not under the lock. */
static void send_home(struct pm_ledger *self)
{
    int64_t now_us = pm_ledger_real_us();
    struct pm_request *next;
    for (struct pm_request *turn = self->turns.first; turn != NULL; turn = next) {
        next = turn->next;
        if (is_late(turn, now_us)) {
            pm_request_remove(&self->turns, turn);
            turn->rc = pm_err_set(&turn->err, PM_ECANCELED, "no job came");
            pm_ledger_answer(self, turn);
        }
    }
}

static int64_t next_wait_us(const struct pm_ledger *self)
{
    int64_t due_us = self->counts.next_due_us;
    int64_t left_us = due_us != 0 ? due_us - pm_wall_us(self->clock) : SECOND_US;
    return left_us < 1000 ? 1000 : left_us < SECOND_US ? left_us : SECOND_US;
}

/* Whether a person has written to the database: a job queued by hand is to be done, too, and the
 * counts are no longer what we think. Looked at once a second while nothing else happens. */
static bool changed_outside(struct pm_ledger *self)
{
    int64_t now_us = pm_ledger_real_us();
    int64_t before = self->data_version;
    self->outside_us = now_us;
    if (pm_query_value(pm_query_start(self->store, "data_version"), &self->data_version, NULL) !=
        PM_OK) {
        self->data_version = before;
    }
    self->maybe_ready |= self->data_version != before;
    return self->data_version != before;
}

static void finish(struct pm_ledger *self)
{
    struct pm_err err = {0};
    enum pm_code rc;
    while ((rc = pm_ledger_end_life(self, &err)) != PM_OK) {
        if (trouble_of(rc, &err) >= TROUBLE_REQUEST || !endure(self, rc, &err)) {
            if (!self->broken) { /* else it is told why by whoever opened it */
                pm_log(PM_LOG_ERR,
                    "event=unsaved message=\"%s; what ran is queued again at the next start\"",
                    err.text);
            }
            pm_owner_unsaved(self->owner);
            return;
        }
    }
    checkpoint(self, true);
}

/* The end could not commit: nobody may wait for ever. */
static void answer_all(struct pm_ledger *self)
{
    struct pm_request_list *lists[] = {&self->turns, &self->work};
    for (size_t i = 0; i < 2; i++) {
        struct pm_request *request;
        while ((request = pm_request_pop(lists[i])) != NULL) {
            pm_ledger_refuse_late(self, request);
            pm_ledger_answer(self, request);
        }
    }
}

/* lock is held, and again on return. False: the end. */
static bool live_once(struct pm_ledger *self)
{
    bool go_on = true;
    beat(self);
    pthread_mutex_unlock(&self->lock);
    send_home(self);
    pthread_mutex_lock(&self->lock);
    sort_inbox(self);
    bool work = has_work(self) || pm_ledger_gauges_due(self);
    bool empty_log = !work && truncate_due(self);
    bool look = !work && pm_ledger_real_us() - self->outside_us >= SECOND_US;
    if (!work && self->closing) {
        return false;
    }
    if (!work && !empty_log && !look) {
        timed_wait(self, next_wait_us(self));
        return true;
    }
    pthread_mutex_unlock(&self->lock);
    if (work || (look && changed_outside(self))) {
        go_on = commit_round(self);
        checkpoint_busy(self);
        self->idle_since_us = pm_ledger_real_us();
    } else if (empty_log) {
        checkpoint(self, true);
        if (pm_store_wal_pages(self->store) == 0) {
            pm_ledger_log_emptied(self);
        }
        self->truncate_after_us = pm_ledger_real_us() + TRUNCATE_AGAIN_US;
    }
    pthread_mutex_lock(&self->lock);
    return go_on;
}

void *pm_ledger_thread(void *arg)
{
    struct pm_ledger *self = arg;
    pthread_setname_np(pthread_self(), "pm-ledger");
    pm_crashnote_thread(-1, NULL, NULL);
    pm_store_on_progress(self->store, beat, self);
    pm_store_on_wait(self->store, wait_on, self);
    self->idle_since_us = pm_ledger_real_us();
    pthread_mutex_lock(&self->lock);
    while (live_once(self)) {
    }
    self->ended = true;
    sort_inbox(self);
    pthread_mutex_unlock(&self->lock);
    answer_all(self);
    finish(self);
    pm_crashnote_thread_end();
    return NULL;
}
