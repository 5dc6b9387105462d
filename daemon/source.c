#include "daemon/source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "daemon/check.h"
#include "daemon/handover.h"
#include "daemon/settle.h"
#include "daemon/walk.h"
#include "daemon/watch.h"

#define NEW_DIRS_MAX 256      /* new folders to walk one by one; beyond, walk everything */
#define TICK_US 20000         /* while something is going on */
#define RESCAN_GAP_US 1000000 /* between full walks caused by lost events */
#define WARN_GAP_US 60000000  /* one complaint a minute */
#define CLOCK_JUMP_US 2000000 /* wall against monotonic time; more is a jump, not a drift */
#define STRAGGLER_US 60000000 /* how long a complete walk waits for files that keep changing */

/* The full walk under way or just ended. */
struct full {
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
    struct full full;
    char **new_dirs; /* folders below input to walk */
    size_t new_dir_count;
    int64_t rescan_at_us, rescan_ended_us;
    int64_t quiet_until_us; /* no warning before */
    int64_t walks, ignored;
    long overflows; /* of watches closed since */
    bool stopping, watching, unreadable, watch_warned;
};

static int64_t now_us(const struct pm_source *source)
{
    return pm_mono_us(source->opts.clock);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* True at most once a minute: a folder that stays unreadable must not fill the journal. */
static bool may_warn(struct pm_source *source)
{
    int64_t now = now_us(source);
    if (now < source->quiet_until_us) {
        return false;
    }
    source->quiet_until_us = now + WARN_GAP_US;
    return true;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* --- towards the ledger --- */

/* Out of memory: the file will be seen again by the next walk, which must not declare it gone. */
static void lose(void *ctx, const struct pm_err *err)
{
    struct pm_source *source = ctx;
    source->full.incomplete = true;
    if (may_warn(source)) {
        pm_log(PM_LOG_WARN, "source=%s event=missed message=\"%s\"", source->name, err->text);
    }
}

static void tell(struct pm_source *source, enum pm_sighting_kind kind, const char *path,
    const struct pm_stamp *stamp)
{
    struct pm_err err;
    if (pm_handover_add(source->handover, kind, path, stamp, &err) != PM_OK) {
        lose(source, &err);
    }
}

static bool crowded(const struct pm_source *source)
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
    tell(ctx, PM_SEEN, path, stamp);
}

static void gone(void *ctx, const char *path)
{
    tell(ctx, PM_GONE, path, NULL);
}

/* --- walks --- */

/* On a pool thread. */
static int enter_dir(void *ctx, const char *path)
{
    const struct pm_source *source = ctx;
    bool root = strcmp(path, source->input) == 0;
    return pm_watch_ask(source->watch, path, root);
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
        pm_err_set(&err, PM_ENOSPC, "the kernel's limit fs.inotify.max_user_watches is reached");
    } else if (result == -ENOENT || result == -ENOTDIR || result == -EACCES || result == -ELOOP) {
        return; /* gone or closed to us: the listing will say so */
    } else {
        pm_err_errno(&err, -result, "inotify_add_watch \"%s\"", rel);
    }
    source->full.watch_failed = true;
    source->watching = false;
    if (!source->full.running && source->opts.poll_us > 0) {
        source->rescan_at_us =
            earlier(source->rescan_at_us, source->rescan_ended_us + source->opts.poll_us);
    }
    if (!source->watch_warned) {
        source->watch_warned = true;
        pm_log(PM_LOG_WARN, "source=%s event=polling every_s=%lld message=\"%s\"", source->name,
            (long long)(source->opts.poll_us / 1000000), err.text);
    }
}

static void saw_file(void *ctx, const char *rel, const struct pm_stamp *stamp)
{
    struct pm_source *source = ctx;
    enum pm_settle_verdict verdict;
    struct pm_err err;

    if (pm_settle_saw(source->settle, rel, stamp, now_us(source), &verdict, &err) != PM_OK) {
        lose(source, &err);
    } else if (verdict == PM_SETTLE_SETTLED) {
        tell(source, PM_SEEN, rel, stamp);
    }
    if (crowded(source)) {
        pm_walk_hold(source->walk, true);
    }
}

static int64_t period_us(const struct pm_source *source)
{
    return source->watching ? source->opts.rescan_us : source->opts.poll_us;
}

static void complain(
    struct pm_source *source, const struct pm_walk_counts *counts, const struct pm_err *result)
{
    if (may_warn(source)) {
        pm_log(PM_LOG_WARN, "source=%s event=walk_incomplete errors=%lld first=\"%s\"",
            source->name, (long long)counts->errors, result->text);
    }
}

static void full_walk_ended(
    struct pm_source *source, const struct pm_walk_counts *counts, bool complete, bool root_lost)
{
    struct full *full = &source->full;
    int64_t now = now_us(source);

    full->running = false;
    full->to_tell = complete && !full->incomplete;
    full->tell_by_us = now + STRAGGLER_US + 2 * source->opts.settle_us;
    pm_settle_mark(source->settle);
    pm_settle_trim(source->settle, (size_t)counts->files);
    source->ignored = counts->ignored;
    source->unreadable = root_lost;
    source->watching = source->watch != NULL && !full->watch_failed && !root_lost;
    if (source->watching) {
        source->watch_warned = false;
    }
    source->rescan_ended_us = now;
    if (!source->opts.once && period_us(source) > 0) {
        source->rescan_at_us = earlier(source->rescan_at_us, now + period_us(source));
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
        full_walk_ended(source, counts, result->code == PM_OK, root_lost);
    } else if (result->code != PM_OK) {
        pm_source_rescan(source); /* part of a new folder was not seen */
    }
    source->opts.stirred(source->opts.ctx);
}

static void drop_new_dirs(struct pm_source *source)
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
        .done = walk_done,
        .ctx = source,
    };
    struct pm_err err;
    if (pm_walk_start(&source->walk, &opts, &err) != PM_OK) {
        source->rescan_at_us = now_us(source) + RESCAN_GAP_US;
        source->full.running = false;
        lose(source, &err);
    }
}

static void start_full_walk(struct pm_source *source)
{
    drop_new_dirs(source); /* they are part of everything */
    source->rescan_at_us = INT64_MAX;
    source->full = (struct full){
        .running = true, .wall_us = pm_wall_us(source->opts.clock), .mono_us = now_us(source)};
    start_walk(source, "");
}

static void start_due_walk(struct pm_source *source)
{
    if (source->walk != NULL) {
        if (!crowded(source)) {
            pm_walk_hold(source->walk, false);
        }
        return;
    }
    if (now_us(source) >= source->rescan_at_us) {
        start_full_walk(source);
    } else if (source->new_dir_count > 0) {
        char *start = source->new_dirs[--source->new_dir_count];
        start_walk(source, start);
        free(start);
    }
}

/* Tells the ledger of a complete walk once all it saw has been told. Sightings carry UTC, so when
 * the wall clock jumped meanwhile "not seen since" means nothing, and the next walk has to do it.
 */
static void tell_walked(struct pm_source *source)
{
    struct full *full = &source->full;
    int64_t now = now_us(source);
    int64_t drift = pm_wall_us(source->opts.clock) - full->wall_us - (now - full->mono_us);

    if (!full->to_tell || (pm_settle_marked(source->settle) > 0 && now < full->tell_by_us)) {
        return;
    }
    full->to_tell = false;
    if (!full->incomplete && drift > -CLOCK_JUMP_US && drift < CLOCK_JUMP_US) {
        pm_handover_walked(source->handover, full->wall_us);
    }
}

/* --- events --- */

static bool covered(const struct pm_source *source, const char *path)
{
    for (size_t i = 0; i < source->new_dir_count; i++) {
        const char *const dir = source->new_dirs[i];
        if (pm_walk_inside(path, &dir, 1)) {
            return true;
        }
    }
    return false;
}

static void new_dir(struct pm_source *source, const char *path)
{
    char *absolute = pm_walk_join(source->input, path);
    char *copy = pm_walk_join(path, "");
    bool skip = pm_walk_hidden(base_name(path)) || covered(source, path) ||
                (absolute != NULL && pm_walk_inside(absolute, (const char *const *)source->skip,
                                         source->opts.skip_count));

    if (!skip && (absolute == NULL || copy == NULL || source->new_dir_count == NEW_DIRS_MAX)) {
        pm_source_rescan(source);
    } else if (!skip) {
        source->new_dirs[source->new_dir_count++] = copy;
        copy = NULL;
    }
    free(copy);
    free(absolute);
}

static void touched(struct pm_source *source, const char *path)
{
    struct pm_err err;
    if (pm_walk_name(base_name(path)) != PM_NAME_IMAGE) {
        return;
    }
    if (pm_settle_count(source->settle) >= PM_SOURCE_UNSETTLED) {
        pm_source_rescan(source); /* as if the kernel's queue had overflowed */
    } else if (pm_settle_touch(source->settle, path, now_us(source), &err) != PM_OK) {
        lose(source, &err);
        pm_source_rescan(source);
    }
}

static void on_event(void *ctx, enum pm_watch_kind kind, const char *path)
{
    struct pm_source *source = ctx;
    switch (kind) {
    case PM_WATCH_FILE:
        touched(source, path);
        break;
    case PM_WATCH_DIR_NEW:
        new_dir(source, path);
        break;
    case PM_WATCH_LOST:
        pm_log(PM_LOG_WARN, "source=%s event=events_lost overflows=%ld", source->name,
            pm_watch_overflows(source->watch));
        pm_source_rescan(source);
        break;
    case PM_WATCH_DIR_AWAY:
        pm_source_rescan(source); /* only a full walk can tell what is gone with it */
        break;
    }
    source->opts.stirred(source->opts.ctx);
}

/* --- the module --- */

void pm_source_rescan(struct pm_source *source)
{
    int64_t at = now_us(source);
    if (source->walks > 0 && at < source->rescan_ended_us + RESCAN_GAP_US) {
        at = source->rescan_ended_us + RESCAN_GAP_US;
    }
    source->rescan_at_us = earlier(source->rescan_at_us, at);
}

static void open_watch(struct pm_source *source)
{
    struct pm_watch_opts opts = {.loop = source->opts.loop, .event = on_event, .ctx = source};
    struct pm_err err;
    if (pm_watch_open(&source->watch, &opts, &err) != PM_OK) {
        source->watch_warned = true;
        pm_log(PM_LOG_WARN, "source=%s event=polling every_s=%lld message=\"%s\"", source->name,
            (long long)(source->opts.poll_us / 1000000), err.text);
    }
}

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
        .lost = lose,
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
    source->new_dirs = calloc(NEW_DIRS_MAX, sizeof(char *));
    if (source->name == NULL || source->input == NULL || source->new_dirs == NULL ||
        !copy_skip(source)) {
        pm_err_set(err, rc, "no memory for source \"%s\"", opts->name);
        goto out;
    }
    rc = open_parts(source, err);
    if (rc != PM_OK) {
        goto out;
    }
    if (opts->watch && !opts->once) {
        open_watch(source);
    }
    *out = source;
    source = NULL;
out:
    pm_source_free(source);
    return rc;
}

int64_t pm_source_tick(struct pm_source *source)
{
    int64_t now = now_us(source);
    int64_t next_us;

    if (source->stopping) {
        return INT64_MAX;
    }
    pm_check_some(source->check);
    start_due_walk(source);
    tell_walked(source);
    pm_handover_flush(source->handover);
    if (source->walk != NULL || pm_check_busy(source->check) > 0 || source->new_dir_count > 0 ||
        !pm_handover_idle(source->handover)) {
        return now + TICK_US;
    }
    next_us = earlier(pm_settle_next_us(source->settle), source->rescan_at_us);
    return source->full.to_tell ? earlier(next_us, source->full.tell_by_us) : next_us;
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
    if (source->walk == NULL && source->walks > 0 && period_us(source) > 0) {
        source->rescan_at_us =
            earlier(source->rescan_at_us, source->rescan_ended_us + period_us(source));
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
        drop_new_dirs(source);
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
           source->rescan_at_us > now_us(source);
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
