/* publish: adds mask and record to the crops, makes all durable, and gives it its name. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/formats/png.h"
#include "worker/outname.h"
#include "worker/pairjson.h"
#include "worker/place.h"
#include "worker/task.h"

static enum pm_code write_mask(struct pm_task *task, struct pm_err *err)
{
    const struct pm_bitmap *mask = &task->mask;
    int fd;
    enum pm_code rc = pm_partial_create(&task->partial, "mask.png", &fd, err);
    if (rc != PM_OK) {
        return rc;
    }
    rc = pm_png_write_mask(fd, "mask.png", mask->words, mask->stride, 0, mask->w, mask->h, err);
    if (rc != PM_OK) {
        close(fd);
        return pm_err_wrap(err, "%s", task->job->output);
    }
    return pm_partial_finish(&task->partial, "mask.png", fd, err);
}

static enum pm_code write_all(int fd, const char *text, const char *path, struct pm_err *err)
{
    size_t left = strlen(text);
    while (left > 0) {
        ssize_t n = write(fd, text, left);
        if (n < 0 && errno != EINTR) {
            return pm_err_errno(err, errno, "%s: cannot write", path);
        }
        if (n > 0) {
            text += n;
            left -= (size_t)n;
        }
    }
    return PM_OK;
}

static enum pm_code write_record(struct pm_task *task, struct pm_err *err)
{
    struct pm_json json;
    int fd;
    enum pm_code rc;

    pm_json_init(&json, true);
    pm_pair_json(&json, task);
    if (pm_json_text(&json) == NULL) {
        rc = pm_err_set(err, PM_ENOMEM, "no memory for pair.json");
        goto out;
    }
    rc = pm_partial_create(&task->partial, "pair.json", &fd, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = write_all(fd, pm_json_text(&json), "pair.json", err);
    if (rc != PM_OK) {
        close(fd);
        pm_err_wrap(err, "%s", task->job->output);
        goto out;
    }
    rc = pm_partial_finish(&task->partial, "pair.json", fd, err);
    if (rc == PM_OK) {
        const struct pm_partial_file *last = &task->partial.files[task->partial.file_count - 1];
        memcpy(task->result->record, last->hash, sizeof task->result->record);
    }
out:
    pm_json_fini(&json);
    return rc;
}

static enum pm_code name_output(struct pm_task *task, const char *name, struct pm_err *err)
{
    const struct pm_job *job = task->job;
    bool top = strcmp(job->scene, ".") == 0;
    if (asprintf(&task->result->output_dir, "%s%s%s/%s", job->output, top ? "" : "/",
            top ? "" : job->scene, name) < 0) {
        task->result->output_dir = NULL;
        return pm_err_set(err, PM_ENOMEM, "no memory for a path");
    }
    return PM_OK;
}

enum pm_code pm_publish_run(struct pm_worker *self, struct pm_task *task, struct pm_err *err)
{
    char name[PM_OUTNAME_MAX + 1];
    struct pm_place place = {.scene = task->job->scene, .name = name};
    int64_t before = task->partial.bytes;
    enum pm_code rc = pm_outname(task->job->gt_path, task->job->target_path, name, err);

    (void)self;
    if (rc == PM_OK) {
        rc = name_output(task, name, err); /* nothing may fail once it is in place */
    }
    if (rc == PM_OK) {
        rc = write_mask(task, err);
    }
    if (rc == PM_OK) {
        rc = write_record(task, err);
    }
    if (rc == PM_OK) {
        rc = pm_partial_sync(&task->partial, err);
    }
    if (rc == PM_OK) {
        rc = pm_place(&task->partial, &place, err);
    }
    task->bytes = task->partial.bytes - before;
    return rc;
}
