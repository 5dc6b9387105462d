#include "daemon/space.h"

#include <stdlib.h>

#include "common/log.h"

#define LOOK_MS 5000
#define LOOK_LOW_MS 1000     /* while held: go on soon after somebody made room */
#define TOLD_SHARE 64        /* a change of free space by this share is told */
#define WARN_NS 60000000000u /* one line a minute */

struct pm_space {
    uv_loop_t *loop;
    struct pm_ledger *ledger;
    struct pm_conf *conf, *next; /* next: comes into force with the next round */
    uv_timer_t timer;
    uv_fs_t statfs;
    int index;      /* of the source being asked */
    bool asking;    /* statfs is under way */
    bool found_low; /* in this round */
    bool low;       /* what the ledger was told */
    double *told;   /* free bytes of each source the ledger was told; 0: none yet */
    bool closing, timer_closed;
    uint64_t warned_ns; /* 0: not since it was roomy */
};

static void ask(struct pm_space *space);

static void free_when_over(struct pm_space *space)
{
    if (space->timer_closed && !space->asking) {
        pm_conf_unref(space->conf);
        pm_conf_unref(space->next);
        free(space->told);
        free(space);
    }
}

static void on_timer(uv_timer_t *timer)
{
    struct pm_space *space = timer->data;
    if (space->next != NULL) {
        pm_conf_unref(space->conf);
        space->conf = space->next;
        space->next = NULL;
        free(space->told);
        space->told = NULL;
    }
    if (space->told == NULL) { /* without memory for it every look is told */
        space->told = calloc((size_t)space->conf->source_count + 1, sizeof *space->told);
    }
    space->index = 0;
    space->found_low = false;
    ask(space);
}

/* A round has been through all outputs. */
static void conclude(struct pm_space *space)
{
    if (space->found_low != space->low) {
        space->low = space->found_low;
        pm_ledger_hold_claims(space->ledger, space->low);
        if (!space->low) {
            space->warned_ns = 0;
            pm_log(PM_LOG_INFO, "event=space_back");
        }
    }
    uv_timer_start(&space->timer, on_timer, space->low ? LOOK_LOW_MS : LOOK_MS, 0);
}

/* An idle service writes nothing: not every byte another program takes is worth a commit. */
static void tell(struct pm_space *space, double free_bytes)
{
    const struct pm_source_conf *source = &space->conf->sources[space->index];
    double *told = space->told == NULL ? NULL : &space->told[space->index];
    double worth = told == NULL ? 0 : *told / TOLD_SHARE;
    if (told != NULL && *told > 0 && free_bytes > *told - worth && free_bytes < *told + worth) {
        return;
    }
    if (told != NULL) {
        *told = free_bytes;
    }
    pm_ledger_free_space(
        space->ledger, source->name, free_bytes < 9e18 ? (int64_t)free_bytes : INT64_MAX);
}

static void judge(struct pm_space *space, const uv_statfs_t *fs)
{
    const struct pm_source_conf *source = &space->conf->sources[space->index];
    /* Both numbers come from the kernel and fit; their product may not on a huge file system. */
    double free_bytes = (double)fs->f_bavail * (double)fs->f_bsize;
    uint64_t now_ns = uv_hrtime();

    tell(space, free_bytes);
    if (free_bytes >= (double)space->conf->min_free) {
        return;
    }
    space->found_low = true;
    if (space->warned_ns == 0 || now_ns - space->warned_ns >= WARN_NS) {
        space->warned_ns = now_ns;
        pm_log(PM_LOG_ERR,
            "source=%s event=space_low free_mb=%.0f min_free_mb=%.0f message=\"no pair is started "
            "until there is room in %s\"",
            source->name, free_bytes / 1e6, (double)space->conf->min_free / 1e6, source->output);
    }
}

static void on_statfs(uv_fs_t *req)
{
    struct pm_space *space = req->data;
    space->asking = false;
    if (!space->closing && req->result == 0) {
        judge(space, req->ptr);
    }
    uv_fs_req_cleanup(req);
    if (space->closing) {
        free_when_over(space);
        return;
    }
    space->index++;
    ask(space);
}

static void ask(struct pm_space *space)
{
    for (; space->index < space->conf->source_count; space->index++) {
        space->statfs.data = space;
        if (uv_fs_statfs(space->loop, &space->statfs, space->conf->sources[space->index].output,
                on_statfs) == 0) {
            space->asking = true;
            return;
        }
    }
    conclude(space);
}

enum pm_code pm_space_open(struct pm_space **out, uv_loop_t *loop, struct pm_ledger *ledger,
    struct pm_conf *conf, struct pm_err *err)
{
    struct pm_space *space = calloc(1, sizeof *space);
    *out = space;
    if (space == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to watch the free space");
    }
    space->loop = loop;
    space->ledger = ledger;
    space->conf = pm_conf_ref(conf);
    uv_timer_init(loop, &space->timer);
    space->timer.data = space;
    uv_timer_start(&space->timer, on_timer, 0, 0);
    return PM_OK;
}

void pm_space_reload(struct pm_space *space, struct pm_conf *conf)
{
    pm_conf_unref(space->next);
    space->next = pm_conf_ref(conf);
    if (!space->asking) {
        uv_timer_start(&space->timer, on_timer, 0, 0);
    }
}

static void on_closed(uv_handle_t *handle)
{
    struct pm_space *space = handle->data;
    space->timer_closed = true;
    free_when_over(space);
}

void pm_space_close(struct pm_space *space)
{
    if (space != NULL && !space->closing) {
        space->closing = true;
        uv_close((uv_handle_t *)&space->timer, on_closed);
    }
}

bool pm_space_low(const struct pm_space *space)
{
    return space->low;
}
