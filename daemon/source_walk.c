#include "daemon/source_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

#define CLOCK_JUMP_US 2000000 /* wall against monotonic time; more is a jump, not a drift */
#define STRAGGLER_US 60000000 /* how long a complete walk waits for files that keep changing */

/* On a pool thread. */
static int enter_dir(void *ctx, int fd)
{
    const struct pm_source *source = ctx;
    return pm_watch_ask(source->watch, fd);
}

static void entered_dir(void *ctx, const char *rel, int result)
{
    struct pm_source *source = ctx;
    struct pm_err err = {.text = ""};

    if (result >= 0) {
        if (pm_watch_keep(source->watch, result, rel, &err) == PM_OK) {
            return;
        }
    } else if (result == -ENOSPC) {
        pm_err_set(
            &err, PM_ENOSPC, "the kernel's limit fs.inotify.max_user_watches is reached; raise it");
    } else if (result == -EACCES) {
        return; /* closed to us: the listing will say so */
    } else {
        pm_err_errno(&err, -result, "inotify_add_watch \"%s\"", rel);
    }
    source->full.watch_failed = true;
    source->watching = false;
    if (!source->full.running && source->opts.poll_us > 0) {
        source->rescan_at_us =
            pm_source_earlier(source->rescan_at_us, source->rescan_ended_us + source->opts.poll_us);
    }
    pm_source_polled(source, &err);
}

static void saw_file(void *ctx, const char *rel, const struct pm_stamp *stamp)
{
    struct pm_source *source = ctx;
    enum pm_settle_verdict verdict;
    struct pm_err err;

    if (pm_settle_saw(source->settle, rel, stamp, pm_source_now_us(source), &verdict, &err) !=
        PM_OK) {
        pm_source_lose(source, &err);
    } else if (verdict == PM_SETTLE_SETTLED) {
        pm_source_told(source, PM_SEEN, rel, stamp);
    }
    if (pm_source_crowded(source)) {
        pm_walk_hold(source->walk, true);
    }
}

/* It is not gone, for all anybody knows. */
static void saw_shut(void *ctx, const char *rel)
{
    pm_source_told(ctx, PM_KEPT, rel, NULL);
}

int64_t pm_source_period_us(const struct pm_source *source)
{
    return source->watching ? source->opts.rescan_us : source->opts.poll_us;
}

static void complain(
    struct pm_source *source, const struct pm_walk_counts *counts, const struct pm_err *result)
{
    if (pm_source_may_warn(source)) {
        /* A run looks once: there is no next walk that could see what this one did not. */
        pm_log(source->opts.once ? PM_LOG_ERR : PM_LOG_WARN,
            "source=%s event=walk_incomplete unseen=%lld first=\"%s\"", source->name,
            (long long)counts->unseen, result->text);
    }
}

static void full_walk_ended(
    struct pm_source *source, const struct pm_walk_counts *counts, bool complete, bool root_lost)
{
    struct pm_source_full *full = &source->full;
    int64_t now = pm_source_now_us(source);

    full->running = false;
    full->to_tell = complete && !full->incomplete;
    full->tell_by_us = now + STRAGGLER_US + 2 * source->opts.settle_us;
    pm_settle_mark(source->settle);
    pm_settle_trim(source->settle, (size_t)counts->files);
    source->ignored = counts->ignored;
    source->unreadable = root_lost;
    source->watching = source->watch != NULL && !full->watch_failed && !root_lost;
    if (source->watching && source->watch_warned) {
        source->watch_warned = false;
        pm_log(PM_LOG_INFO, "source=%s event=watching", source->name);
    }
    source->rescan_ended_us = now;
    if (source->rescan_at_us < now + PM_SOURCE_RESCAN_GAP_US) { /* asked for meanwhile */
        source->rescan_at_us = now + PM_SOURCE_RESCAN_GAP_US;
    }
    if (!source->opts.once && pm_source_period_us(source) > 0) {
        source->rescan_at_us =
            pm_source_earlier(source->rescan_at_us, now + pm_source_period_us(source));
    }
    pm_log(source->walks == 0 ? PM_LOG_INFO : PM_LOG_DEBUG,
        "source=%s event=walked folders=%lld files=%lld ignored=%lld links=%lld watching=%d "
        "ms=%.0f",
        source->name, (long long)counts->dirs, (long long)counts->files, (long long)counts->ignored,
        (long long)counts->links, source->watching, (double)(now - full->mono_us) / 1e3);
    source->walks++;
}

static void walk_done(
    void *ctx, const struct pm_walk_counts *counts, const struct pm_err *result, bool root_lost)
{
    struct pm_source *source = ctx;
    source->walk = NULL;
    if (source->stopping) {
        pm_watch_close(source->watch);
        source->watch = NULL;
        return;
    }
    if (result->code != PM_OK) {
        complain(source, counts, result);
    }
    if (source->full.running) {
        bool complete = counts->lost == 0 && !root_lost && result->code != PM_ECANCELED;
        full_walk_ended(source, counts, complete, root_lost);
    } else if (result->code != PM_OK) {
        pm_source_rescan(source); /* part of a new folder was not seen */
    }
    source->opts.stirred(source->opts.ctx);
}

void pm_source_drop_new_dirs(struct pm_source *source)
{
    while (source->new_dir_count > 0) {
        free(source->new_dirs[--source->new_dir_count]);
    }
}

static void start_walk(struct pm_source *source, const char *start)
{
    struct pm_walk_opts opts = {
        .loop = source->opts.loop,
        .root = source->input,
        .start = start,
        .skip = (const char *const *)source->skip,
        .skip_count = source->opts.skip_count,
        .enter = source->watch == NULL ? NULL : enter_dir,
        .entered = entered_dir,
        .file = saw_file,
        .unseen = saw_shut,
        .done = walk_done,
        .ctx = source,
    };
    struct pm_err err;
    if (pm_walk_start(&source->walk, &opts, &err) != PM_OK) {
        source->rescan_at_us = pm_source_now_us(source) + PM_SOURCE_RESCAN_GAP_US;
        source->full.running = false;
        pm_source_lose(source, &err);
    }
}

static void start_full_walk(struct pm_source *source)
{
    pm_source_drop_new_dirs(source); /* they are part of everything */
    pm_source_watch(source);
    source->rescan_at_us = INT64_MAX;
    source->full = (struct pm_source_full){.running = true,
        .wall_us = pm_wall_us(source->opts.clock),
        .mono_us = pm_source_now_us(source)};
    start_walk(source, "");
}

void pm_source_walk_due(struct pm_source *source)
{
    if (source->walk != NULL) {
        if (!pm_source_crowded(source)) {
            pm_walk_hold(source->walk, false);
        }
        return;
    }
    if (pm_source_now_us(source) >= source->rescan_at_us) {
        start_full_walk(source);
    } else if (source->new_dir_count > 0) {
        char *start = source->new_dirs[--source->new_dir_count];
        start_walk(source, start);
        free(start);
    }
}

/* Files that change for ever are not gone either. */
static void straggles(void *ctx, const char *path)
{
    pm_source_told(ctx, PM_KEPT, path, NULL);
}

/* Tells the ledger of a complete walk once all it saw has been told. Sightings carry UTC, so when
 * the wall clock jumped meanwhile "not seen since" means nothing, and the next walk has to do it.
 */
void pm_source_tell_walked(struct pm_source *source)
{
    struct pm_source_full *full = &source->full;
    int64_t now = pm_source_now_us(source);
    int64_t drift = pm_wall_us(source->opts.clock) - full->wall_us - (now - full->mono_us);

    if (!full->to_tell || (pm_settle_marked(source->settle) > 0 && now < full->tell_by_us)) {
        return;
    }
    full->to_tell = false;
    pm_settle_each_marked(source->settle, straggles, source);
    if (!full->incomplete && drift > -CLOCK_JUMP_US && drift < CLOCK_JUMP_US) {
        pm_handover_walked(source->handover, full->wall_us);
    }
}

void pm_source_rescan(struct pm_source *source)
{
    int64_t at = pm_source_now_us(source);
    if (source->walks > 0 && at < source->rescan_ended_us + PM_SOURCE_RESCAN_GAP_US) {
        at = source->rescan_ended_us + PM_SOURCE_RESCAN_GAP_US;
    }
    source->rescan_at_us = pm_source_earlier(source->rescan_at_us, at);
}
