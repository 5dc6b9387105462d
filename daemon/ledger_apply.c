#include "daemon/ledger_parts.h"

#include <string.h>

#define BATCH_FILES 5000 /* sightings in one transaction: it lasts some 100 ms */
#define RETRY_SLICE 5000 /* jobs in one transaction of a retry */

/* 0..1; xorshift64. */
static double next_random(struct pm_ledger *self)
{
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return (double)(self->random >> 11) / 9007199254740992.0;
}

/* --- applying requests, in a transaction --- */

/* What is left of a result that could not be stored as it is: that it could not. */
static struct pm_result only_failure(const struct pm_request *turn, size_t i)
{
    const struct pm_result *result = &turn->results[i];
    struct pm_result failure = {.job_id = result->job_id,
        .worker = result->worker,
        .code = PM_EDB,
        .step = result->step,
        .started_us = result->started_us,
        .finished_us = result->finished_us};
    memcpy(failure.message, turn->err.text, sizeof failure.message);
    return failure;
}

static enum pm_code apply_results(
    struct pm_ledger *self, struct pm_request *turn, int64_t now_us, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    for (size_t i = 0; rc == PM_OK && i < turn->result_count; i++) {
        struct pm_result failure = only_failure(turn, i);
        const struct pm_result *result = turn->degraded ? &failure : &turn->results[i];
        rc = pm_queue_finish(
            self->store, result, self->conf->max_attempts, next_random(self), now_us, err);
        enum pm_fate fate = pm_code_fate(result->code);
        self->done += fate == PM_FATE_NONE;
        self->failed += fate == PM_FATE_FAIL || fate == PM_FATE_HOLD;
    }
    turn->complete = true;
    self->maybe_ready |= turn->result_count > 0;
    return rc;
}

static enum pm_code apply_sight(struct pm_ledger *self, struct pm_request *request, int64_t now_us,
    size_t *budget, struct pm_err *err)
{
    int64_t source_id;
    size_t n = request->count - request->pos;
    enum pm_code rc = pm_queue_source_id(self->store, request->source_name, &source_id, err);
    if (rc != PM_OK || source_id == 0) {
        request->complete = true; /* the source has left the configuration: nobody wants to know */
        return rc;
    }
    if (request->kind == PM_REQUEST_WALKED) {
        request->complete = true;
        return pm_queue_walked(self->store, &self->seen, source_id, request->since_us, now_us, err);
    }
    n = n < *budget ? n : *budget;
    *budget -= n;
    request->tried_pos = request->pos + n;
    request->complete = request->tried_pos == request->count;
    return pm_queue_sight(
        self->store, &self->seen, source_id, request->sightings + request->pos, n, now_us, err);
}

static enum pm_code apply_retry(
    struct pm_ledger *self, struct pm_request *request, int64_t now_us, struct pm_err *err)
{
    int64_t released = 0;
    request->tried_after = request->after;
    enum pm_code rc = pm_queue_retry(
        self->store, &request->filter, RETRY_SLICE, now_us, &request->tried_after, &released, err);
    request->tried_released = request->released + released;
    request->complete = request->tried_after == 0;
    return rc;
}

static enum pm_code apply_pause(
    struct pm_ledger *self, struct pm_request *request, struct pm_err *err)
{
    enum pm_code rc = pm_queue_pause(self->store, request->source_name, request->paused, err);
    request->complete = true;
    if (rc == PM_EUSAGE) { /* the asker's mistake, not the transaction's */
        request->rc = rc;
        request->err = *err;
        rc = PM_OK;
    }
    return rc;
}

static enum pm_code apply_work(struct pm_ledger *self, struct pm_request *request, int64_t now_us,
    size_t *budget, struct pm_err *err)
{
    self->maybe_ready = true;
    switch (request->kind) {
    case PM_REQUEST_SIGHT:
    case PM_REQUEST_WALKED:
        return apply_sight(self, request, now_us, budget, err);
    case PM_REQUEST_PAUSE:
        return apply_pause(self, request, err);
    case PM_REQUEST_RETRY:
        return apply_retry(self, request, now_us, err);
    case PM_REQUEST_RELOAD:
        request->complete = true;
        return pm_queue_configure(self->store, request->conf, now_us, err);
    case PM_REQUEST_TURN:
        break;
    }
    return PM_OK;
}

static bool claims_allowed(struct pm_ledger *self)
{
    pthread_mutex_lock(&self->lock);
    bool allowed = !self->hold && !self->stop_claims;
    pthread_mutex_unlock(&self->lock);
    return allowed;
}

/* First come, first served, until nothing is ready. */
static enum pm_code apply_claims(struct pm_ledger *self, int64_t now_us, struct pm_err *err)
{
    enum pm_code rc = pm_queue_wake(self->store, now_us, err);
    if (rc == PM_OK && pm_store_changes(self->store) > 0) {
        self->maybe_ready = true;
    }
    if (!claims_allowed(self)) {
        return rc;
    }
    for (struct pm_request *turn = self->turns.first;
         rc == PM_OK && turn != NULL && self->maybe_ready; turn = turn->next) {
        if (turn->max > 0) {
            rc = pm_queue_claim(
                self->store, turn->worker, now_us, turn->jobs, turn->max, &turn->got, err);
            self->maybe_ready = turn->got > 0;
        }
    }
    return rc;
}

/* Time with work and pairs finished, for throughput and eta. */
static enum pm_code apply_rate(struct pm_ledger *self, int64_t now_us, struct pm_err *err)
{
    if (self->done + self->failed == 0) {
        return PM_OK;
    }
    return pm_queue_rate(self->store, now_us, self->done, self->failed, self->busy_us, err);
}

/* only: nothing but this request (looking for the one that fails); NULL: all there is. */
static enum pm_code apply_all(struct pm_ledger *self, struct pm_request *only, struct pm_err *err)
{
    int64_t now_us = pm_wall_us(self->clock);
    size_t budget = BATCH_FILES;
    enum pm_code rc = PM_OK;
    for (struct pm_request *turn = self->turns.first; rc == PM_OK && turn != NULL;
         turn = turn->next) {
        if (!turn->results_stored && (only == NULL || only == turn)) {
            rc = apply_results(self, turn, now_us, err);
        }
    }
    for (struct pm_request *work = self->work.first; rc == PM_OK && work != NULL && budget > 0;
         work = work->next) {
        if (only != NULL && only != work) {
            continue;
        }
        rc = apply_work(self, work, now_us, &budget, err);
        if (!work->complete) {
            break; /* order is kept */
        }
    }
    if (rc == PM_OK) {
        rc = apply_rate(self, now_us, err);
    }
    if (rc == PM_OK && only == NULL) {
        rc = apply_claims(self, now_us, err);
    }
    if (rc == PM_OK && only == NULL && pm_ledger_gauges_due(self)) {
        rc = pm_ledger_store_gauges(self, err);
        self->flushed_us = pm_ledger_real_us();
    }
    return rc;
}

/* --- before and after --- */

static void count_busy(struct pm_ledger *self)
{
    int64_t now_us = pm_mono_us(self->clock);
    if (self->counts.running > 0 && now_us > self->busy_mark_us) {
        self->busy_us += now_us - self->busy_mark_us;
    }
    self->busy_mark_us = now_us;
}

/* Nothing of the transaction came true. */
static void undo(struct pm_ledger *self)
{
    for (struct pm_request *turn = self->turns.first; turn != NULL; turn = turn->next) {
        for (size_t i = 0; i < turn->got; i++) {
            pm_job_clear(&turn->jobs[i]);
        }
        turn->got = 0;
        turn->complete = false;
    }
    for (struct pm_request *work = self->work.first; work != NULL; work = work->next) {
        work->complete = false;
        work->tried_pos = work->pos;
        work->tried_after = work->after;
        work->tried_released = work->released;
        work->rc = PM_OK;
    }
    self->maybe_ready = true;
    pm_ledger_gauges_again(self);
}

enum pm_code pm_ledger_transact(
    struct pm_ledger *self, struct pm_request *only, struct pm_counts *counts, struct pm_err *err)
{
    self->done = self->failed = 0;
    count_busy(self);
    enum pm_code rc = pm_store_begin(self->store, err);
    if (rc == PM_OK) {
        rc = apply_all(self, only, err);
    }
    if (rc == PM_OK) {
        rc = pm_queue_counts(self->store, counts, err);
    }
    if (rc == PM_OK) {
        rc = pm_store_commit(self->store, err);
    }
    if (rc != PM_OK) {
        pm_store_rollback(self->store);
        undo(self);
        return rc;
    }
    self->busy_us = self->done + self->failed > 0 ? 0 : self->busy_us;
    self->commits++;
    self->hard_failures = 0;
    return PM_OK;
}

void pm_ledger_answer(struct pm_ledger *self, struct pm_request *request)
{
    if (request->done != NULL) {
        request->done(request->ctx);
    }
    if (!request->waits) {
        pm_request_free(request);
        return;
    }
    pthread_mutex_lock(&self->lock);
    request->answered = true;
    pthread_cond_broadcast(&self->answer);
    pthread_mutex_unlock(&self->lock);
}

void pm_ledger_results_stored(struct pm_ledger *self, struct pm_request *turn)
{
    pm_ledger_note_results(self, turn);
    for (size_t i = 0; i < turn->result_count; i++) {
        pm_result_clear(&turn->results[i]);
    }
    if (!turn->waits) {
        pthread_mutex_lock(&self->lock);
        self->queued_results -= turn->result_count;
        pthread_mutex_unlock(&self->lock);
    }
    turn->result_count = 0;
    turn->results_stored = true;
}

static void settle_turns(struct pm_ledger *self)
{
    pthread_mutex_lock(&self->lock);
    bool stop = self->stop_claims;
    pthread_mutex_unlock(&self->lock);
    struct pm_request *next;
    for (struct pm_request *turn = self->turns.first; turn != NULL; turn = next) {
        next = turn->next;
        if (turn->complete && !turn->results_stored) {
            pm_ledger_results_stored(self, turn);
        }
        if (turn->results_stored && (turn->got > 0 || turn->max == 0 || stop)) {
            pm_request_remove(&self->turns, turn);
            if (turn->waits) {
                pm_ledger_note_lease(self, turn->worker, turn->got > 0 ? turn->jobs[0].id : 0);
            }
            pm_ledger_answer(self, turn);
        }
    }
}

static void take_conf(struct pm_ledger *self, struct pm_request *request)
{
    struct pm_conf *old = self->conf;
    self->conf = request->conf;
    request->conf = old; /* goes with the request */
}

static void settle_work(struct pm_ledger *self)
{
    struct pm_request *next;
    for (struct pm_request *work = self->work.first; work != NULL; work = next) {
        next = work->next;
        work->pos = work->tried_pos;
        work->after = work->tried_after;
        work->released = work->tried_released;
        if (work->complete) {
            pm_request_remove(&self->work, work);
            if (work->kind == PM_REQUEST_RELOAD) {
                take_conf(self, work);
            }
            pm_ledger_answer(self, work);
        }
    }
}

static void publish(struct pm_ledger *self, const struct pm_counts *counts)
{
    pthread_mutex_lock(&self->lock);
    self->counts = *counts;
    pthread_mutex_unlock(&self->lock);
}

void pm_ledger_settle(struct pm_ledger *self, const struct pm_counts *counts)
{
    publish(self, counts);
    settle_turns(self);
    settle_work(self);
}
