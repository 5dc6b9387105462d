#include "daemon/ingest.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "daemon/source.h"
#include "daemon/walk.h"

#define SOON_MS 10        /* after an event: let more come, then tick */
#define IDLE_MS 250       /* the longest sleep of the timer, so a jump of the clock is noticed */
#define GAUGES_US 1000000 /* how often the ledger is told what has changed */
#define LAG_BUSY_MS 10    /* how finely blocking is measured while there is work */

struct member {
    struct pm_source *source;
    struct pm_gauges told; /* what the ledger knows */
    bool ever_told;
};

struct pm_ingest {
    struct pm_ingest_opts opts;
    struct pm_conf *conf;
    struct member *members;
    size_t count;
    struct pm_source **leaving; /* stopped; freed when nothing of them is under way */
    size_t leaving_count;
    int64_t overflows; /* of sources that left */
    int64_t walks;
    uv_timer_t timer;
    uv_timer_t lag_timer;
    uv_async_t answered; /* the ledger has committed something */
    uint64_t lag_due_ns;
    int64_t lag_max_us;
    int64_t gauges_at_us;
    int open_handles;
    bool soon; /* the timer runs for SOON_MS already */
    bool stopped, closing;
};

static void on_timer(uv_timer_t *timer);
static void tick(struct pm_ingest *ingest);

/* --- what the sources call --- */

static void on_stirred(void *ctx)
{
    struct pm_ingest *ingest = ctx;
    if (!ingest->soon && !ingest->closing) {
        ingest->soon = true;
        uv_timer_start(&ingest->timer, on_timer, SOON_MS, 0);
    }
}

/* On the ledger's thread. */
static void on_wake(void *ctx)
{
    struct pm_ingest *ingest = ctx;
    uv_async_send(&ingest->answered);
}

static void on_answered(uv_async_t *async)
{
    tick(async->data);
}

/* --- how long the loop was blocked --- */

static bool busy(const struct pm_ingest *ingest)
{
    for (size_t i = 0; i < ingest->count; i++) {
        if (!pm_source_idle(ingest->members[i].source)) {
            return true;
        }
    }
    return ingest->leaving_count > 0;
}

/* The timer is late by as much as callbacks held the loop up. */
static void on_lag_timer(uv_timer_t *timer)
{
    struct pm_ingest *ingest = timer->data;
    uint64_t now_ns = uv_hrtime();
    uint64_t sleep_ms = busy(ingest) ? LAG_BUSY_MS : IDLE_MS;

    if (ingest->lag_due_ns != 0 && now_ns > ingest->lag_due_ns) {
        int64_t lag_us = (int64_t)((now_ns - ingest->lag_due_ns) / 1000);
        if (lag_us > ingest->lag_max_us) {
            ingest->lag_max_us = lag_us;
        }
    }
    uv_timer_start(timer, on_lag_timer, sleep_ms, 0);
    ingest->lag_due_ns = (uv_now(timer->loop) + sleep_ms) * 1000000;
}

/* --- gauges --- */

static int64_t all_overflows(const struct pm_ingest *ingest)
{
    int64_t sum = ingest->overflows;
    for (size_t i = 0; i < ingest->count; i++) {
        struct pm_source_stats stats;
        pm_source_stats(ingest->members[i].source, &stats);
        sum += stats.overflows;
    }
    return sum;
}

static bool same_gauges(const struct pm_gauges *a, const struct pm_gauges *b)
{
    return a->settling == b->settling && a->ignored == b->ignored && a->overflows == b->overflows &&
           a->loop_lag_max_us == b->loop_lag_max_us && a->watching == b->watching;
}

/* Only what has changed: an idle service writes nothing. */
static void tell_gauges(struct pm_ingest *ingest)
{
    int64_t overflows = all_overflows(ingest);
    for (size_t i = 0; i < ingest->count; i++) {
        struct member *member = &ingest->members[i];
        struct pm_source_stats stats;
        struct pm_gauges gauges;

        pm_source_stats(member->source, &stats);
        gauges = (struct pm_gauges){.settling = stats.settling,
            .ignored = stats.ignored,
            .overflows = overflows,
            .loop_lag_max_us = ingest->lag_max_us,
            .watching = stats.watching};
        if (!member->ever_told || !same_gauges(&gauges, &member->told)) {
            pm_ledger_gauges(ingest->opts.ledger, pm_source_name(member->source), &gauges);
            member->told = gauges;
            member->ever_told = true;
        }
    }
}

/* --- the timer --- */

static void leave(struct pm_ingest *ingest, struct pm_source *source)
{
    struct pm_source_stats stats;
    pm_source_stats(source, &stats);
    ingest->overflows += stats.overflows;
    ingest->walks += stats.walks;
    pm_source_stop(source);
    ingest->leaving[ingest->leaving_count++] = source; /* room was made at open or reload */
}

/* Once closing, the ledger has ended and will answer nothing more. */
static void reap(struct pm_ingest *ingest)
{
    size_t kept = 0;
    for (size_t i = 0; i < ingest->leaving_count; i++) {
        struct pm_source *source = ingest->leaving[i];
        bool over = ingest->closing || !pm_source_unanswered(source);
        if (over && pm_source_stopped(source)) {
            pm_source_free(source);
        } else {
            ingest->leaving[kept++] = source;
        }
    }
    ingest->leaving_count = kept;
}

static void sleep_until(struct pm_ingest *ingest, int64_t next_us)
{
    int64_t now_us = pm_mono_us(ingest->opts.clock);
    int64_t wait_ms = IDLE_MS;
    if (next_us <= now_us || ingest->leaving_count > 0) {
        wait_ms = SOON_MS;
    } else if ((next_us - now_us) / 1000 + 1 < IDLE_MS) {
        wait_ms = (next_us - now_us) / 1000 + 1;
    }
    ingest->soon = wait_ms <= SOON_MS;
    uv_timer_start(&ingest->timer, on_timer, (uint64_t)wait_ms, 0);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct pm_ingest *ingest = handle->data;
    if (--ingest->open_handles > 0) {
        return;
    }
    pm_conf_unref(ingest->conf);
    free(ingest->members);
    free(ingest->leaving);
    free(ingest);
}

static void close_handles(struct pm_ingest *ingest)
{
    uv_close((uv_handle_t *)&ingest->timer, on_handle_closed);
    uv_close((uv_handle_t *)&ingest->lag_timer, on_handle_closed);
    uv_close((uv_handle_t *)&ingest->answered, on_handle_closed);
}

static void tick(struct pm_ingest *ingest)
{
    int64_t next_us = INT64_MAX;
    int64_t now_us = pm_mono_us(ingest->opts.clock);

    reap(ingest);
    if (ingest->closing) {
        if (ingest->leaving_count == 0) {
            close_handles(ingest);
        } else {
            uv_timer_start(&ingest->timer, on_timer, SOON_MS, 0);
        }
        return;
    }
    for (size_t i = 0; i < ingest->count; i++) {
        int64_t source_us = pm_source_tick(ingest->members[i].source);
        next_us = source_us < next_us ? source_us : next_us;
    }
    if (!ingest->stopped && now_us >= ingest->gauges_at_us) {
        ingest->gauges_at_us = now_us + GAUGES_US;
        tell_gauges(ingest);
    }
    sleep_until(ingest, next_us);
}

static void on_timer(uv_timer_t *timer)
{
    tick(timer->data);
}

/* --- sources from the settings --- */

/* The path without symbolic links, so that "output inside input" can be seen; as given when it
 * cannot be followed now. NULL when out of memory. */
static char *canonical(const char *path)
{
    char *real = realpath(path, NULL);
    return real != NULL ? real : strdup(path);
}

struct plan {
    char *input;
    char **outputs; /* of all sources, canonical */
    const char **skip;
    size_t output_count, skip_count;
};

static void plan_clear(struct plan *plan)
{
    for (size_t i = 0; i < plan->output_count; i++) {
        free(plan->outputs[i]);
    }
    free(plan->outputs);
    free(plan->skip);
    free(plan->input);
    *plan = (struct plan){0};
}

static enum pm_code plan_make(
    struct plan *plan, const struct pm_conf *conf, int index, struct pm_err *err)
{
    size_t count = (size_t)conf->source_count;
    *plan = (struct plan){.input = canonical(conf->sources[index].input)};
    plan->outputs = calloc(count, sizeof(char *));
    plan->skip = calloc(count, sizeof(char *));
    for (size_t i = 0; plan->input != NULL && plan->outputs != NULL && plan->skip != NULL; i++) {
        const char *const input = plan->input;
        char *output;
        if (i == count) {
            return PM_OK;
        }
        output = canonical(conf->sources[i].output);
        if (output == NULL) {
            break;
        }
        plan->outputs[plan->output_count++] = output;
        if (pm_walk_inside(output, &input, 1) && strcmp(output, input) != 0) {
            plan->skip[plan->skip_count++] = output;
        }
    }
    plan_clear(plan);
    return pm_err_set(err, PM_ENOMEM, "no memory for source \"%s\"", conf->sources[index].name);
}

static struct pm_source_opts source_opts(
    struct pm_ingest *ingest, const struct pm_conf *conf, const char *name, const struct plan *plan)
{
    return (struct pm_source_opts){
        .loop = ingest->opts.loop,
        .ledger = ingest->opts.ledger,
        .clock = ingest->opts.clock,
        .name = name,
        .input = plan->input,
        .skip = plan->skip,
        .skip_count = plan->skip_count,
        .watch = conf->watch,
        .once = ingest->opts.once,
        .settle_us = (int64_t)(conf->settle_s * 1e6),
        .rescan_us = (int64_t)conf->rescan_s * 1000000,
        .poll_us = (int64_t)conf->poll_s * 1000000,
        .stirred = on_stirred,
        .wake = on_wake,
        .ctx = ingest,
    };
}

/* The source as it is now when nothing but times changed; otherwise a new one. */
static enum pm_code open_member(struct pm_ingest *ingest, const struct pm_conf *conf, int index,
    struct member *out, struct pm_err *err)
{
    struct plan plan;
    struct pm_source_opts opts;
    enum pm_code rc = plan_make(&plan, conf, index, err);
    if (rc != PM_OK) {
        return rc;
    }
    opts = source_opts(ingest, conf, conf->sources[index].name, &plan);
    for (size_t i = 0; i < ingest->count; i++) {
        struct member *old = &ingest->members[i];
        if (old->source != NULL && pm_source_same(old->source, &opts)) {
            pm_source_retime(old->source, &opts);
            *out = *old;
            old->source = NULL; /* moved */
            goto out;
        }
    }
    rc = pm_source_open(&out->source, &opts, err);
out:
    plan_clear(&plan);
    return rc;
}

/* Takes conf's sources; on an error those that could be opened run, and the error is told. */
static enum pm_code take_sources(struct pm_ingest *ingest, struct pm_conf *conf, struct pm_err *err)
{
    size_t count = (size_t)conf->source_count;
    struct member *members = calloc(count + 1, sizeof *members);
    struct pm_source **leaving = realloc(ingest->leaving,
        (ingest->leaving_count + ingest->count + count + 1) * sizeof(struct pm_source *));
    enum pm_code rc = PM_OK;
    size_t opened = 0;

    if (leaving != NULL) {
        ingest->leaving = leaving;
    }
    if (members == NULL || leaving == NULL) {
        free(members);
        return pm_err_set(err, PM_ENOMEM, "no memory for the sources");
    }
    for (int i = 0; i < conf->source_count; i++) {
        enum pm_code one = open_member(ingest, conf, i, &members[opened], err);
        if (one == PM_OK) {
            opened++;
        } else {
            rc = one;
        }
    }
    for (size_t i = 0; i < ingest->count; i++) {
        if (ingest->members[i].source != NULL) {
            leave(ingest, ingest->members[i].source);
        }
    }
    free(ingest->members);
    ingest->members = members;
    ingest->count = opened;
    pm_conf_unref(ingest->conf);
    ingest->conf = pm_conf_ref(conf);
    return rc;
}

/* --- the module --- */

static enum pm_code init_handles(struct pm_ingest *ingest, struct pm_err *err)
{
    uv_loop_t *loop = ingest->opts.loop;
    int rc = uv_async_init(loop, &ingest->answered, on_answered);
    if (rc != 0) {
        return pm_err_set(err, PM_EIO, "cannot start ingest: %s", uv_strerror(rc));
    }
    uv_timer_init(loop, &ingest->timer);
    uv_timer_init(loop, &ingest->lag_timer);
    ingest->answered.data = ingest->timer.data = ingest->lag_timer.data = ingest;
    ingest->open_handles = 3;
    return PM_OK;
}

enum pm_code pm_ingest_open(
    struct pm_ingest **out, const struct pm_ingest_opts *opts, struct pm_err *err)
{
    struct pm_ingest *ingest = calloc(1, sizeof *ingest);
    enum pm_code rc;

    *out = NULL;
    if (ingest == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for ingest");
    }
    ingest->opts = *opts;
    rc = init_handles(ingest, err);
    if (rc != PM_OK) {
        free(ingest);
        return rc;
    }
    rc = take_sources(ingest, opts->conf, err);
    if (rc != PM_OK) {
        pm_ingest_stop(ingest);
        pm_ingest_close(ingest);
        return rc;
    }
    uv_timer_start(&ingest->lag_timer, on_lag_timer, 0, 0);
    uv_timer_start(&ingest->timer, on_timer, 0, 0);
    *out = ingest;
    return PM_OK;
}

void pm_ingest_reload(struct pm_ingest *ingest, struct pm_conf *conf)
{
    struct pm_err err;
    if (ingest->stopped) {
        return;
    }
    if (take_sources(ingest, conf, &err) != PM_OK) {
        pm_log(PM_LOG_ERR, "event=reload message=\"%s\"", err.text);
    }
    on_stirred(ingest);
}

void pm_ingest_rescan(struct pm_ingest *ingest)
{
    for (size_t i = 0; i < ingest->count; i++) {
        pm_source_rescan(ingest->members[i].source);
    }
    on_stirred(ingest);
}

void pm_ingest_stop(struct pm_ingest *ingest)
{
    if (ingest->stopped) {
        return;
    }
    ingest->stopped = true;
    uv_timer_stop(&ingest->lag_timer);
    tell_gauges(ingest); /* the last word, also of a run shorter than a second */
    for (size_t i = 0; i < ingest->count; i++) {
        leave(ingest, ingest->members[i].source);
    }
    ingest->count = 0;
}

void pm_ingest_close(struct pm_ingest *ingest)
{
    if (ingest != NULL && !ingest->closing) {
        pm_ingest_stop(ingest);
        ingest->closing = true;
        uv_timer_start(&ingest->timer, on_timer, 0, 0);
    }
}

bool pm_ingest_idle(const struct pm_ingest *ingest)
{
    return !busy(ingest);
}

void pm_ingest_stats(const struct pm_ingest *ingest, struct pm_ingest_stats *stats)
{
    *stats = (struct pm_ingest_stats){.overflows = ingest->overflows,
        .walks = ingest->walks,
        .loop_lag_max_us = ingest->lag_max_us,
        .sources = (int)ingest->count};
    for (size_t i = 0; i < ingest->count; i++) {
        struct pm_source_stats one;
        pm_source_stats(ingest->members[i].source, &one);
        stats->settling += one.settling;
        stats->ignored += one.ignored;
        stats->overflows += one.overflows;
        stats->walks += one.walks;
        stats->watched += one.watching;
        stats->unreadable += one.unreadable;
    }
}
