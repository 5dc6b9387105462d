#include "daemon/check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/below.h"
#include "daemon/walk.h"

struct slot {
    uv_work_t work;
    struct pm_check *check;
    struct pm_settle_entry *entry; /* NULL: free */
    char *path;                    /* absolute */
    struct stat st;
    int rc; /* 0 or -errno */
};

struct pm_check {
    struct pm_check_opts opts;
    struct slot slots[PM_CHECK_AT_ONCE];
    int busy;
    bool stopped;
};

enum pm_code pm_check_new(
    struct pm_check **out, const struct pm_check_opts *opts, struct pm_err *err)
{
    struct pm_check *check = calloc(1, sizeof *check);
    *out = check;
    if (check == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to look at files");
    }
    check->opts = *opts;
    return PM_OK;
}

void pm_check_free(struct pm_check *check)
{
    free(check);
}

/* Not there any more, or behind a link, which is the same to us. */
static bool is_gone(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP;
}

static void answer(struct pm_check *check, struct slot *slot)
{
    const struct pm_check_opts *opts = &check->opts;
    const char *path = slot->path + strlen(opts->root);
    int64_t now_us = pm_mono_us(opts->clock);

    path += *path == '/';
    if (slot->rc == 0 && S_ISREG(slot->st.st_mode)) {
        struct pm_stamp stamp = pm_walk_stamp(&slot->st);
        if (pm_settle_answer(opts->settle, slot->entry, &stamp, now_us) == PM_SETTLE_SETTLED) {
            opts->settled(opts->ctx, path, &stamp);
        }
    } else if (!pm_settle_drop(opts->settle, slot->entry, now_us)) {
        /* something happened to it meanwhile: it will be looked at again */
    } else if (slot->rc == 0 || is_gone(slot->rc)) {
        opts->gone(opts->ctx, path);
    } else {
        struct pm_err err;
        pm_err_errno(&err, -slot->rc, "\"%s\"", slot->path);
        opts->lost(opts->ctx, &err);
    }
}

/* On a pool thread. libuv's lstat takes a path, in which a folder may have become a link. */
static void look_work(uv_work_t *work)
{
    struct slot *slot = work->data;
    size_t root_bytes = strlen(slot->check->opts.root);
    slot->rc = pm_below_stat(slot->path, root_bytes, &slot->st) == 0 ? 0 : -errno;
}

static void look_done(uv_work_t *work, int status)
{
    struct slot *slot = work->data;
    struct pm_check *check = slot->check;
    (void)status; /* never cancelled */

    if (!check->stopped) {
        answer(check, slot);
    }
    free(slot->path);
    slot->path = NULL;
    slot->entry = NULL;
    check->busy--;
    pm_check_some(check);
}

static bool start(struct pm_check *check, struct pm_settle_entry *entry)
{
    struct slot *slot = check->slots;

    while (slot->entry != NULL) {
        slot++; /* the caller has seen that one is free */
    }
    slot->path = pm_walk_join(check->opts.root, pm_settle_path(entry));
    slot->check = check;
    slot->work.data = slot;
    if (slot->path == NULL ||
        uv_queue_work(check->opts.loop, &slot->work, look_work, look_done) != 0) {
        free(slot->path);
        slot->path = NULL;
        return false;
    }
    slot->entry = entry;
    check->busy++;
    return true;
}

void pm_check_some(struct pm_check *check)
{
    const struct pm_check_opts *opts = &check->opts;
    int64_t now_us = pm_mono_us(opts->clock);

    while (!check->stopped && check->busy < PM_CHECK_AT_ONCE && !opts->full(opts->ctx)) {
        struct pm_settle_entry *entry = pm_settle_ask(opts->settle, now_us);
        if (entry == NULL) {
            return;
        }
        if (!start(check, entry)) {
            struct pm_err err;
            pm_err_set(&err, PM_ENOMEM, "no memory to look at \"%s\"", pm_settle_path(entry));
            pm_settle_drop(opts->settle, entry, now_us);
            opts->lost(opts->ctx, &err);
            return;
        }
    }
}

int pm_check_busy(const struct pm_check *check)
{
    return check->busy;
}

void pm_check_stop(struct pm_check *check)
{
    check->stopped = true;
}
