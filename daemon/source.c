#include "daemon/source_parts.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define WARN_GAP_US 60000000 /* one complaint a minute */

int64_t pm_source_now_us(const struct pm_source *source)
{
    return pm_mono_us(source->opts.clock);
}

int64_t pm_source_earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* True at most once a minute: a folder that stays unreadable must not fill the journal. */
bool pm_source_may_warn(struct pm_source *source)
{
    int64_t now = pm_source_now_us(source);
    if (now < source->quiet_until_us) {
        return false;
    }
    source->quiet_until_us = now + WARN_GAP_US;
    return true;
}

const char *pm_source_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* --- towards the ledger --- */

/* Out of memory: the file will be seen again by the next walk, which must not declare it gone. */
void pm_source_lose(void *ctx, const struct pm_err *err)
{
    struct pm_source *source = ctx;
    source->full.incomplete = true;
    if (pm_source_may_warn(source)) {
        pm_log(PM_LOG_WARN, "source=%s event=missed message=\"%s\"", source->name, err->text);
    }
}

void pm_source_told(struct pm_source *source, enum pm_sighting_kind kind, const char *path,
    const struct pm_stamp *stamp)
{
    struct pm_err err;
    if (pm_handover_add(source->handover, kind, path, stamp, &err) != PM_OK) {
        pm_source_lose(source, &err);
    }
}

bool pm_source_crowded(const struct pm_source *source)
{
    return pm_handover_full(source->handover) ||
           pm_settle_count(source->settle) >= PM_SOURCE_UNSETTLED;
}

static bool handover_full(void *ctx)
{
    const struct pm_source *source = ctx;
    return pm_handover_full(source->handover);
}

static void settled(void *ctx, const char *path, const struct pm_stamp *stamp)
{
    pm_source_told(ctx, PM_SEEN, path, stamp);
}

static void gone(void *ctx, const char *path)
{
    pm_source_told(ctx, PM_GONE, path, NULL);
}

/* --- the module --- */

static bool copy_skip(struct pm_source *source)
{
    source->skip = calloc(source->opts.skip_count + 1, sizeof(char *));
    for (size_t i = 0; source->skip != NULL && i < source->opts.skip_count; i++) {
        source->skip[i] = strdup(source->opts.skip[i]);
        if (source->skip[i] == NULL) {
            return false;
        }
    }
    return source->skip != NULL;
}

static enum pm_code open_parts(struct pm_source *source, struct pm_err *err)
{
    const struct pm_source_opts *opts = &source->opts;
    struct pm_check_opts check = {
        .loop = opts->loop,
        .clock = opts->clock,
        .root = source->input,
        .full = handover_full,
        .settled = settled,
        .gone = gone,
        .lost = pm_source_lose,
        .ctx = source,
    };
    enum pm_code rc = pm_settle_new(&source->settle, opts->settle_us, err);
    if (rc == PM_OK) {
        check.settle = source->settle;
        rc = pm_check_new(&source->check, &check, err);
    }
    if (rc == PM_OK) {
        rc = pm_handover_new(
            &source->handover, opts->ledger, opts->name, opts->wake, opts->ctx, err);
    }
    return rc;
}

enum pm_code pm_source_open(
    struct pm_source **out, const struct pm_source_opts *opts, struct pm_err *err)
{
    struct pm_source *source = calloc(1, sizeof *source);
    enum pm_code rc = PM_ENOMEM;

    *out = NULL;
    if (source == NULL) {
        return pm_err_set(err, rc, "no memory for source \"%s\"", opts->name);
    }
    source->opts = *opts;
    source->name = strdup(opts->name);
    source->input = strdup(opts->input);
    source->new_dirs = calloc(PM_SOURCE_NEW_DIRS, sizeof(char *));
    if (source->name == NULL || source->input == NULL || source->new_dirs == NULL ||
        !copy_skip(source)) {
        pm_err_set(err, rc, "no memory for source \"%s\"", opts->name);
        goto out;
    }
    rc = open_parts(source, err);
    if (rc != PM_OK) {
        goto out;
    }
    *out = source;
    source = NULL;
out:
    pm_source_free(source);
    return rc;
}

int64_t pm_source_tick(struct pm_source *source)
{
    int64_t now = pm_source_now_us(source);
    int64_t next_us;

    if (source->stopping) {
        return INT64_MAX;
    }
    pm_check_some(source->check);
    pm_source_walk_due(source);
    pm_source_tell_walked(source);
    pm_handover_flush(source->handover);
    if (source->walk != NULL || pm_check_busy(source->check) > 0 || source->new_dir_count > 0 ||
        !pm_handover_idle(source->handover)) {
        return now + PM_SOURCE_TICK_US;
    }
    next_us = pm_source_earlier(pm_settle_next_us(source->settle), source->rescan_at_us);
    return source->full.to_tell ? pm_source_earlier(next_us, source->full.tell_by_us) : next_us;
}

bool pm_source_same(const struct pm_source *source, const struct pm_source_opts *opts)
{
    bool same = !source->stopping && strcmp(source->name, opts->name) == 0 &&
                strcmp(source->input, opts->input) == 0 && source->opts.watch == opts->watch &&
                source->opts.skip_count == opts->skip_count;
    for (size_t i = 0; same && i < opts->skip_count; i++) {
        same = strcmp(source->skip[i], opts->skip[i]) == 0;
    }
    return same;
}

void pm_source_retime(struct pm_source *source, const struct pm_source_opts *opts)
{
    source->opts.settle_us = opts->settle_us;
    source->opts.rescan_us = opts->rescan_us;
    source->opts.poll_us = opts->poll_us;
    pm_settle_set_time(source->settle, opts->settle_us);
    if (source->walk == NULL && source->walks > 0 && pm_source_period_us(source) > 0) {
        source->rescan_at_us = pm_source_earlier(
            source->rescan_at_us, source->rescan_ended_us + pm_source_period_us(source));
    }
}

void pm_source_stop(struct pm_source *source)
{
    if (source->stopping) {
        return;
    }
    source->stopping = true;
    pm_handover_mute(source->handover);
    pm_check_stop(source->check);
    if (source->watch != NULL) {
        source->overflows += pm_watch_overflows(source->watch);
    }
    if (source->walk != NULL) {
        pm_walk_cancel(source->walk); /* its enter hook may be using the watch right now */
    } else {
        pm_watch_close(source->watch);
        source->watch = NULL;
    }
}

bool pm_source_stopped(const struct pm_source *source)
{
    return source->stopping && source->walk == NULL && pm_check_busy(source->check) == 0;
}

bool pm_source_unanswered(const struct pm_source *source)
{
    return pm_handover_busy(source->handover);
}

void pm_source_free(struct pm_source *source)
{
    if (source == NULL) {
        return;
    }
    if (source->new_dirs != NULL) {
        pm_source_drop_new_dirs(source);
    }
    for (size_t i = 0; source->skip != NULL && i < source->opts.skip_count; i++) {
        free(source->skip[i]);
    }
    free(source->skip);
    free(source->new_dirs);
    pm_check_free(source->check);
    pm_settle_free(source->settle);
    pm_handover_free(source->handover);
    free(source->name);
    free(source->input);
    free(source);
}

bool pm_source_idle(const struct pm_source *source)
{
    return source->walks > 0 && source->walk == NULL && source->new_dir_count == 0 &&
           pm_check_busy(source->check) == 0 && pm_settle_count(source->settle) == 0 &&
           !source->full.to_tell && pm_handover_idle(source->handover) &&
           source->rescan_at_us > pm_source_now_us(source);
}

void pm_source_stats(const struct pm_source *source, struct pm_source_stats *stats)
{
    *stats = (struct pm_source_stats){
        .settling = (int64_t)pm_settle_count(source->settle),
        .ignored = source->ignored,
        .overflows = source->overflows,
        .walks = source->walks,
        .watching = source->watching,
        .unreadable = source->unreadable,
    };
    if (source->watch != NULL && !source->stopping) {
        stats->overflows += pm_watch_overflows(source->watch);
    }
}

const char *pm_source_name(const struct pm_source *source)
{
    return source->name;
}
