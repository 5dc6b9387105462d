#include "daemon/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/printable.h"

struct look {
    bool running;
    int worker; /* that has it now; a person may have given it to another by hand */
    int attempts;
    int64_t gt_id, target_id;
    bool outdated; /* an input has changed since the claim */
    bool gone;
};

static enum pm_code look_at(
    struct pm_store *store, int64_t job_id, struct look *look, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "job_look");
    bool row;
    pm_query_int(query, ":job", job_id);
    enum pm_code rc = pm_query_step(query, &row, err);
    *look = (struct look){0};
    if (rc == PM_OK && row) {
        look->running = strcmp(pm_query_col_text(query, 0, NULL), "running") == 0;
        look->attempts = (int)pm_query_col_int(query, 1);
        look->gt_id = pm_query_col_int(query, 2);
        look->target_id = pm_query_col_int(query, 3);
        look->outdated = pm_query_col_int(query, 4) != 0;
        look->gone = pm_query_col_int(query, 5) != 0;
        look->worker = (int)pm_query_col_int(query, 6);
    }
    pm_query_end(query);
    return rc;
}

/* message may hold bytes of a file name; the column is for people. */
static void bind_message(struct pm_query *query, const char *message)
{
    char text[PM_PRINTABLE_SIZE(sizeof((struct pm_result *)0)->message)];
    pm_printable(text, sizeof text, message, strlen(message));
    pm_query_text(query, ":message", text);
}

struct end {
    int64_t job_id;
    int worker;
    enum pm_code code;
    int step; /* -1: not known */
    const char *message;
    struct pm_verdict verdict;
    int64_t at_us;
};

static enum pm_code end_job(struct pm_store *store, const struct end *end, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "job_end");
    int64_t delay_us = end->verdict.delay_us;
    pm_query_int(query, ":job", end->job_id);
    pm_query_text(query, ":state", end->verdict.state);
    pm_query_int(query, ":back", end->verdict.attempt_back);
    pm_query_int(query, ":not_before", delay_us > 0 ? end->at_us + delay_us : 0);
    pm_query_int(query, ":worker", end->worker);
    pm_query_int(query, ":now", end->at_us);
    if (end->code != PM_OK) {
        pm_query_text(query, ":code", pm_code_name(end->code));
        pm_query_text(
            query, ":stage", end->step >= 0 ? pm_step_name((enum pm_step)end->step) : NULL);
        bind_message(query, end->message);
    }
    return pm_query_run(query, err);
}

static enum pm_code run_for_job(
    struct pm_store *store, const char *name, int64_t job_id, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, name);
    pm_query_int(query, ":job", job_id);
    return pm_query_run(query, err);
}

static enum pm_code throw_away(
    struct pm_store *store, int64_t job_id, int64_t now_us, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "job_outdated");
    pm_query_int(query, ":job", job_id);
    pm_query_int(query, ":now", now_us);
    return pm_query_run(query, err);
}

static enum pm_code doubt_inputs(
    struct pm_store *store, const struct look *look, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "image_doubt");
    pm_query_int(query, ":gt", look->gt_id);
    pm_query_int(query, ":target", look->target_id);
    return pm_query_run(query, err);
}

/* What is stored beside the job's own row. */
static enum pm_code store_outcome(struct pm_store *store, const struct pm_result *result,
    const struct look *look, struct pm_err *err)
{
    enum pm_fate fate = pm_code_fate(result->code);
    bool has_result = fate == PM_FATE_NONE || fate == PM_FATE_HOLD;
    enum pm_code rc = pm_queue_timings(store, result, has_result, err);
    if (rc == PM_OK && has_result) {
        rc = pm_queue_result(store, result, fate == PM_FATE_HOLD, err);
    }
    if (rc == PM_OK && fate == PM_FATE_MISSING && !look->gone) {
        rc = doubt_inputs(store, look, err);
    }
    return rc;
}

enum pm_code pm_queue_finish(struct pm_store *store, const struct pm_result *result,
    int max_attempts, double jitter, int64_t now_us, struct pm_err *err)
{
    struct look look;
    enum pm_code rc = look_at(store, result->job_id, &look, err);
    if (rc != PM_OK || !look.running || look.worker != result->worker) {
        return rc;
    }
    if (look.outdated) {
        return throw_away(store, result->job_id, now_us, err);
    }
    struct end end = {.job_id = result->job_id,
        .worker = result->worker,
        .code = result->code,
        .step = (int)result->step,
        .message = result->message[0] != '\0' ? result->message : pm_code_text(result->code),
        .verdict = pm_queue_fate(result->code, look.attempts, max_attempts, jitter),
        .at_us = now_us};
    if (look.gone && strcmp(end.verdict.state, "queued") == 0) {
        end.verdict.state = "missing"; /* there is nothing to try again with */
        end.verdict.delay_us = 0;
    }
    rc = end_job(store, &end, err);
    return rc == PM_OK ? store_outcome(store, result, &look, err) : rc;
}

/* --- a dead owner's jobs --- */

struct left {
    int64_t job_id;
    int worker, attempts;
    int step;           /* the last one its owner told; -1: none */
    bool traced;        /* the owner said it had started this one */
    const char *signal; /* the owner died of it in this one's worker; NULL: not known */
    int kills;          /* pm_owner_kills() */
    int deaths;         /* pm_owner_deaths() */
};

static enum pm_code list_running(
    struct pm_store *store, struct left **out, size_t *count, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "job_running");
    size_t cap = 0;
    enum pm_code rc;
    bool row;
    while ((rc = pm_query_step(query, &row, err)) == PM_OK && row) {
        if (*count == cap) {
            cap = cap * 2 + 64;
            struct left *grown = realloc(*out, cap * sizeof *grown);
            if (grown == NULL) {
                rc = pm_err_set(err, PM_ENOMEM, "%zu running jobs: out of memory", cap);
                break;
            }
            *out = grown;
        }
        (*out)[(*count)++] = (struct left){.job_id = pm_query_col_int(query, 0),
            .worker = (int)pm_query_col_int(query, 1),
            .attempts = (int)pm_query_col_int(query, 2),
            .step = -1};
    }
    pm_query_end(query);
    return rc;
}

/* When the process died of a signal in a worker, the pair of that worker is to blame, and no other.
 * When nobody knows of one (SIGKILL, no memory, no power), any worker may have been the cause. It
 * leases several jobs but works on one: that one counts, the others are innocent; but when it left
 * no word about any, they all count, so that nothing is tried for ever. */
static bool innocent(const struct left *all, size_t count, const struct left *one)
{
    for (size_t i = 0; i < count; i++) {
        if (one->signal == NULL && all[i].signal != NULL) {
            return true;
        }
        if (!one->traced && all[i].worker == one->worker && all[i].traced) {
            return true;
        }
    }
    return false;
}

/* Of several pairs that were being worked on when the process died, one is to blame. Before they
 * have their last try they are pulled apart, so that it does not take the others along again. */
#define APART_US ((int64_t)5000000) /* longer than nearly every pair takes */
#define APART_MAX 12                /* no pair waits more than a minute for it */

static int64_t apart_us(int tries, int max_attempts, int *last_tries)
{
    if (tries + 1 != max_attempts) {
        return 0;
    }
    int before = (*last_tries)++;
    return APART_US * (before < APART_MAX ? before : APART_MAX);
}

/* SIGKILL and a power cut come from outside, but may be the pair's fault (no memory): it is when
 * one death followed the other while it was at work, and as many hit it as hit others. After each
 * it lets others go first: were it not to blame, the next one would hit them. */
#define KILLED_US ((int64_t)250000) /* four times as long after each in a row */
#define KILLED_STEPS_MAX 3

static int64_t step_aside_us(const struct left *left)
{
    int steps = left->kills - 1 < KILLED_STEPS_MAX ? left->kills - 1 : KILLED_STEPS_MAX;
    return left->kills > 0 ? KILLED_US << 2 * steps : 0;
}

/* A pair whose worker did not get as far as to say that it began: only should that never work. */
#define UNBEGUN_MAX 10 /* times max_attempts */

/* How often it was tried as far as crashes go. */
static int tries_of(const struct left *left, int max_attempts)
{
    bool blamed = left->kills >= max_attempts && left->kills * 2 >= left->deaths;
    if (left->deaths == 0) { /* the owner has said why it died */
        return left->attempts;
    }
    blamed |= left->kills == 0 && left->attempts / UNBEGUN_MAX >= max_attempts;
    return blamed ? max_attempts : left->kills < max_attempts ? left->kills : max_attempts - 1;
}

static void tell_crash(const struct left *left, int max_attempts, char *text, size_t size)
{
    if (left->kills > 0) {
        snprintf(text, size, "the process was killed while working on it, %d time%s in a row",
            left->kills, left->kills == 1 ? "" : "s");
    } else {
        snprintf(text, size, "the process died%s%s while working on it, attempt %d of %d",
            left->signal != NULL ? " of " : "", left->signal != NULL ? left->signal : "",
            left->attempts, max_attempts);
    }
}

static enum pm_code end_left(struct pm_store *store, const struct left *left, int max_attempts,
    int *last_tries, int64_t now_us, struct pm_err *err)
{
    char message[128];
    int tries = tries_of(left, max_attempts);
    struct end end = {.job_id = left->job_id,
        .worker = left->worker,
        .code = PM_ECRASH,
        .step = left->step,
        .message = message,
        .verdict = pm_queue_fate(PM_ECRASH, tries, max_attempts, 0.5),
        .at_us = now_us};
    tell_crash(left, max_attempts, message, sizeof message);
    end.verdict.delay_us += apart_us(tries, max_attempts, last_tries);
    end.verdict.delay_us += step_aside_us(left);
    return end_job(store, &end, err);
}

enum pm_code pm_queue_recover(struct pm_store *store, const struct pm_owner *owner,
    int max_attempts, int64_t now_us, int64_t *count, struct pm_err *err)
{
    struct left *left = NULL;
    size_t n = 0;
    int last_tries = 0;
    enum pm_code rc = list_running(store, &left, &n, err);
    for (size_t i = 0; i < n; i++) {
        left[i].traced = pm_owner_last_step(owner, left[i].job_id, &left[i].step);
        left[i].signal = pm_owner_last_signal(owner, left[i].job_id);
        left[i].kills = pm_owner_kills(owner, left[i].job_id);
        left[i].deaths = pm_owner_deaths(owner);
    }
    for (size_t i = 0; rc == PM_OK && i < n; i++) {
        bool spare = pm_owner_was_unsaved(owner) || innocent(left, n, &left[i]);
        rc = spare ? run_for_job(store, "job_unlease", left[i].job_id, err)
                   : end_left(store, &left[i], max_attempts, &last_tries, now_us, err);
    }
    free(left);
    *count = (int64_t)n;
    return rc;
}

enum pm_code pm_queue_release(struct pm_store *store, struct pm_err *err)
{
    return pm_query_run(pm_query_start(store, "job_unlease_all"), err);
}
