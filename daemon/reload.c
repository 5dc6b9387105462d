#include "daemon/reload.h"

#include <string.h>

#include "daemon/outputs.h"

static enum pm_code load(struct pm_reload *reload)
{
    enum pm_code rc = pm_conf_new(&reload->conf, &reload->err);
    if (rc == PM_OK) {
        rc = pm_conf_load(reload->conf, reload->path, &reload->err);
    }
    if (rc == PM_OK) {
        rc = pm_conf_check(reload->conf, true, &reload->err);
    }
    if (rc == PM_OK && strcmp(reload->conf->db, reload->db) != 0) {
        rc = pm_err_set(&reload->err, PM_ECONF,
            "%s: db is now \"%s\"; restart pairmilld to change the database", reload->path,
            reload->conf->db);
    }
    return rc == PM_OK ? pm_outputs_take(reload->outputs, reload->conf, NULL, NULL, &reload->err)
                       : rc;
}

static void on_work(uv_work_t *work)
{
    struct pm_reload *reload = work->data;
    if (load(reload) != PM_OK) {
        pm_conf_unref(reload->conf);
        reload->conf = NULL;
    }
}

static void start(struct pm_reload *reload, uv_loop_t *loop);

static void on_done(uv_work_t *work, int status)
{
    struct pm_reload *reload = work->data;
    struct pm_conf *conf = reload->conf;
    (void)status;
    reload->busy = false;
    reload->conf = NULL;
    if (reload->again) {
        pm_conf_unref(conf);
        reload->again = false;
        start(reload, work->loop);
        return;
    }
    reload->done(reload->ctx, conf, conf == NULL ? &reload->err : NULL);
}

static void start(struct pm_reload *reload, uv_loop_t *loop)
{
    int rc;
    reload->work.data = reload;
    reload->conf = NULL;
    rc = uv_queue_work(loop, &reload->work, on_work, on_done);
    reload->busy = rc == 0;
    if (rc != 0) {
        pm_err_set(&reload->err, PM_EIO, "cannot read the settings again: %s", uv_strerror(rc));
        reload->done(reload->ctx, NULL, &reload->err);
    }
}

void pm_reload_start(struct pm_reload *reload, uv_loop_t *loop, const char *path, const char *db,
    void (*done)(void *ctx, struct pm_conf *conf, const struct pm_err *err), void *ctx)
{
    if (reload->busy) {
        reload->again = true;
        return;
    }
    reload->path = path;
    reload->db = db;
    reload->done = done;
    reload->ctx = ctx;
    start(reload, loop);
}
