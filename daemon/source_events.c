#include "daemon/source_parts.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"

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
    bool skip = pm_walk_hidden(pm_source_base_name(path)) || covered(source, path) ||
                (absolute != NULL && pm_walk_inside(absolute, (const char *const *)source->skip,
                                         source->opts.skip_count));

    if (!skip &&
        (absolute == NULL || copy == NULL || source->new_dir_count == PM_SOURCE_NEW_DIRS)) {
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
    if (pm_walk_name(pm_source_base_name(path)) != PM_NAME_IMAGE) {
        return;
    }
    if (pm_settle_count(source->settle) >= PM_SOURCE_UNSETTLED) {
        pm_source_rescan(source); /* as if the kernel's queue had overflowed */
    } else if (pm_settle_touch(source->settle, path, pm_source_now_us(source), &err) != PM_OK) {
        pm_source_lose(source, &err);
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
        if (pm_source_may_warn(source)) {
            pm_log(PM_LOG_WARN, "source=%s event=events_lost overflows=%ld", source->name,
                pm_watch_overflows(source->watch));
        }
        pm_source_rescan(source);
        break;
    case PM_WATCH_DIR_AWAY:
        pm_source_rescan(source); /* only a full walk can tell what is gone with it */
        break;
    }
    source->opts.stirred(source->opts.ctx);
}

void pm_source_polled(struct pm_source *source, const struct pm_err *err)
{
    if (!source->watch_warned) {
        source->watch_warned = true;
        pm_log(PM_LOG_WARN, "source=%s event=polling every_s=%lld message=\"%s\"", source->name,
            (long long)(source->opts.poll_us / 1000000), err->text);
    }
}

void pm_source_watch(struct pm_source *source)
{
    struct pm_watch_opts opts = {.loop = source->opts.loop, .event = on_event, .ctx = source};
    struct pm_err err;
    bool wanted = source->opts.watch && !source->opts.once && source->watch == NULL;
    if (wanted && pm_watch_open(&source->watch, &opts, &err) != PM_OK) {
        pm_source_polled(source, &err);
    }
}
