#include "worker/crop.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/formats/png.h"
#include "common/formats/tiff.h"
#include "worker/task.h"

/* A stride of a pixel on a large image would fill any disk: three files a window. */
#define CROPS_MAX 100000
#define NAME_BYTES 64

int pm_crop_count(int n, int size, int stride)
{
    if (n <= size) {
        return n > 0;
    }
    return (n - size + stride - 1) / stride + 1;
}

int pm_crop_origin(int n, int size, int stride, int i)
{
    int last = n > size ? n - size : 0;
    return i * (int64_t)stride < last ? i * stride : last;
}

enum pm_code pm_crop_plan(const struct pm_bitmap *mask, int size, int stride, double min_valid,
    struct pm_crop **out, size_t *count, struct pm_err *err)
{
    int across = pm_crop_count(mask->w, size, stride), down = pm_crop_count(mask->h, size, stride);
    int64_t all = (int64_t)across * down;
    struct pm_crop *crops;

    if (all > CROPS_MAX) {
        return pm_err_set(err, PM_ECONF,
            "%d x %d windows (crop_size %d, crop_stride %d on %dx%d pixels) are more than %d; "
            "raise "
            "crop_stride",
            across, down, size, stride, mask->w, mask->h, CROPS_MAX);
    }
    crops = calloc((size_t)all + 1, sizeof *crops);
    if (crops == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for the list of crops");
    }
    for (int i = 0; i < all; i++) {
        struct pm_rect rect = {.x = pm_crop_origin(mask->w, size, stride, i % across),
            .y = pm_crop_origin(mask->h, size, stride, i / across),
            .w = mask->w < size ? mask->w : size,
            .h = mask->h < size ? mask->h : size};
        crops[i].rect = rect;
        crops[i].valid = (double)pm_bitmap_count(mask, rect) / ((double)rect.w * (double)rect.h);
        crops[i].written = crops[i].valid >= min_valid;
    }
    *out = crops;
    *count = (size_t)all;
    return PM_OK;
}

/* The file's own samples, bit for bit. */
static enum pm_code write_image(struct pm_task *task, const struct pm_image *image,
    struct pm_rect rect, const char *name, struct pm_err *err)
{
    int fd;
    enum pm_code rc = pm_partial_create(&task->partial, name, &fd, err);
    if (rc != PM_OK) {
        return rc;
    }
    rc = pm_tiff_write(
        fd, name, image, rect, (enum pm_compression)task->conf->crop_compression, err);
    if (rc != PM_OK) {
        close(fd);
        return pm_err_wrap(err, "%s", task->job->output);
    }
    return pm_partial_finish(&task->partial, name, fd, err);
}

static enum pm_code write_mask(
    struct pm_task *task, struct pm_rect rect, const char *name, struct pm_err *err)
{
    int fd;
    enum pm_code rc = pm_partial_create(&task->partial, name, &fd, err);
    if (rc != PM_OK) {
        return rc;
    }
    rc = pm_png_write_mask(fd, name, pm_bitmap_row(&task->mask, rect.y), task->mask.stride, rect.x,
        rect.w, rect.h, err);
    if (rc != PM_OK) {
        close(fd);
        return pm_err_wrap(err, "%s", task->job->output);
    }
    return pm_partial_finish(&task->partial, name, fd, err);
}

static struct pm_rect moved(struct pm_rect rect, int x, int y)
{
    return (struct pm_rect){.x = rect.x + x, .y = rect.y + y, .w = rect.w, .h = rect.h};
}

static enum pm_code write_crop(struct pm_task *task, const struct pm_crop *crop, struct pm_err *err)
{
    const struct pm_overlap *o = &task->result->overlap;
    const struct pm_rect rect = crop->rect;
    char name[NAME_BYTES];
    enum pm_code rc;

    snprintf(name, sizeof name, "crops/%d_%d.gt.tif", rect.x, rect.y);
    rc = write_image(task, task->gt->image, moved(rect, o->gt_x, o->gt_y), name, err);
    if (rc != PM_OK) {
        return rc;
    }
    snprintf(name, sizeof name, "crops/%d_%d.target.tif", rect.x, rect.y);
    rc = write_image(task, task->target->image, moved(rect, o->target_x, o->target_y), name, err);
    if (rc != PM_OK) {
        return rc;
    }
    snprintf(name, sizeof name, "crops/%d_%d.mask.png", rect.x, rect.y);
    return write_mask(task, rect, name, err);
}

enum pm_code pm_crop_run(struct pm_worker *self, struct pm_task *task, struct pm_err *err)
{
    const struct pm_conf *conf = task->conf;
    struct pm_result *result = task->result;
    enum pm_code rc = pm_crop_plan(&task->mask, conf->crop_size, conf->crop_stride,
        conf->crop_min_valid, &result->crops, &result->crop_count, err);

    if (rc == PM_OK) {
        rc = pm_partial_begin(&task->partial, task->job->output, task->job->id, self->index, err);
    }
    for (size_t i = 0; i < result->crop_count && rc == PM_OK; i++) {
        if (pm_worker_abandoned(self, err)) {
            return PM_ECANCELED;
        }
        if (result->crops[i].written) {
            rc = write_crop(task, &result->crops[i], err);
            result->crops_written++;
        }
    }
    task->bytes = task->partial.bytes;
    return rc;
}
