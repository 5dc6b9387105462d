#include "daemon/check.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/walk.h"

struct slot {
    uv_fs_t req;
    struct pm_check *check;
    struct pm_settle_entry *entry; /* NULL: free */
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

static void answer(struct pm_check *check, struct pm_settle_entry *entry, const uv_fs_t *req)
{
    const struct pm_check_opts *opts = &check->opts;
    const char *path = req->path + strlen(opts->root);
    int64_t now_us = pm_mono_us(opts->clock);

    path += *path == '/';
    if (req->result == 0 && S_ISREG(req->statbuf.st_mode)) {
        struct pm_stamp stamp = pm_walk_stamp(&req->statbuf);
        if (pm_settle_answer(opts->settle, entry, &stamp, now_us) == PM_SETTLE_SETTLED) {
            opts->settled(opts->ctx, path, &stamp);
        }
    } else if (!pm_settle_drop(opts->settle, entry, now_us)) {
        /* something happened to it meanwhile: it will be looked at again */
    } else if (req->result == 0 || req->result == UV_ENOENT || req->result == UV_ENOTDIR) {
        opts->gone(opts->ctx, path);
    } else {
        struct pm_err err;
        pm_err_errno(&err, -(int)req->result, "\"%s\"", req->path);
        opts->lost(opts->ctx, &err);
    }
}

static void on_stat(uv_fs_t *req)
{
    struct slot *slot = req->data;
    struct pm_check *check = slot->check;
    struct pm_settle_entry *entry = slot->entry;

    if (!check->stopped) {
        answer(check, entry, req);
    }
    uv_fs_req_cleanup(req);
    slot->entry = NULL;
    check->busy--;
    pm_check_some(check);
}

static bool start(struct pm_check *check, struct pm_settle_entry *entry)
{
    struct slot *slot = check->slots;
    char *path = pm_walk_join(check->opts.root, pm_settle_path(entry));
    int rc = UV_ENOMEM;

    while (slot->entry != NULL) {
        slot++; /* the caller has seen that one is free */
    }
    if (path != NULL) {
        slot->check = check;
        slot->req.data = slot;
        rc = uv_fs_lstat(check->opts.loop, &slot->req, path, on_stat);
        free(path);
    }
    if (rc == 0) {
        slot->entry = entry;
        check->busy++;
    }
    return rc == 0;
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
