/* decode: both images of a pair in memory, and the memory for everything after them. */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/convert.h"
#include "common/infile.h"
#include "worker/align/align.h"
#include "worker/align_step.h"
#include "worker/mask_scan.h"
#include "worker/task.h"

/* A read-ahead call is cut to the device's window (often 128 KiB), so many are made. */
#define AHEAD_STEP ((int64_t)128 << 10)
/* More than this ahead would push out what is being worked on. */
#define AHEAD_MAX ((int64_t)1 << 30)

void pm_worker_prefetch(const char *path, size_t root_bytes)
{
    int64_t size;
    int fd;
    if (pm_infile_open_below(&fd, &size, path, root_bytes, NULL) != PM_OK) {
        return; /* decode will say why */
    }
    for (int64_t at = 0; at < size && at < AHEAD_MAX; at += AHEAD_STEP) {
        (void)posix_fadvise(fd, (off_t)at, (off_t)AHEAD_STEP, POSIX_FADV_WILLNEED);
    }
    close(fd);
}

/* What a pair takes, known from its headers. */
struct need {
    size_t gt;    /* the decoded gt; not admitted here while the cache counts it */
    size_t other; /* everything else */
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Alignment and mask do not run at the same time, so the larger of the two counts. The most an
 * alignment takes is the full-resolution FFT of both images: padded by max_shift, as float and as
 * spectrum. */
static size_t work_bytes(const struct pm_conf *conf, const struct pm_image_info *info)
{
    size_t decoded = (size_t)info->decoded_bytes;
    size_t padded = (size_t)(info->w + 2 * conf->max_shift) *
                    (size_t)(info->h + 2 * conf->max_shift) * sizeof(float);
    int side = info->w < info->h ? info->w : info->h;
    bool full_fft = conf->method == PM_METHOD_FFT ||
                    (conf->method == PM_METHOD_AUTO && side < conf->auto_hierarchical_from);
    size_t align = full_fft ? 4 * padded : decoded * 3 / 10; /* 15% of the pair, align.h */
    size_t mask = 2 * pm_bitmap_bytes(info->w, info->h) +
                  pm_mask_scan_bytes(info->w, info->h, conf->loss_quantile);
    return larger(align, mask) + pm_bitmap_bytes(info->w, info->h);
}

static struct need need_of(
    const struct pm_conf *conf, const struct pm_image_info *gt, const struct pm_image_info *target)
{
    enum pm_sample common = pm_sample_common(gt->sample, target->sample);
    size_t converted = pm_loaded_estimate(gt->w, gt->h, gt->channels, common);
    struct need need = {
        .gt = pm_loaded_estimate(gt->w, gt->h, gt->channels, gt->sample),
        .other = pm_loaded_estimate(target->w, target->h, target->channels, target->sample),
    };
    need.other += gt->sample != common ? converted : 0;
    need.other += target->sample != common ? converted : 0;
    need.other += larger((size_t)larger((size_t)gt->scratch_bytes, (size_t)target->scratch_bytes),
        work_bytes(conf, target));
    return need;
}

static enum pm_code admit(
    struct pm_worker *self, struct pm_task *task, size_t bytes, struct pm_err *err)
{
    enum pm_code rc = pm_budget_acquire(self->env->budget, bytes, err);
    if (rc == PM_ETOOBIG) {
        return pm_err_wrap(err, "%s with %s", task->job->target_path, task->job->gt_path);
    }
    task->admitted = rc == PM_OK ? bytes : 0;
    return rc;
}

static void give_back(struct pm_worker *self, struct pm_task *task, size_t bytes)
{
    pm_budget_release(self->env->budget, bytes);
    task->admitted -= bytes;
}

/* Values larger than the cache's budget are only passed through and not counted there. */
static bool cache_counts(struct pm_worker *self, size_t bytes)
{
    struct pm_cache_stats stats;
    pm_cache_stats(self->env->cache, &stats);
    return bytes <= stats.budget_bytes;
}

/* Memory first, then the cache (cache.h). When the cache has the gt, its bytes are the cache's;
 * when it turns out to have lost it, ask again for everything rather than take more than was
 * admitted. */
static enum pm_code enter_cache(
    struct pm_worker *self, struct pm_task *task, const struct need *need, struct pm_err *err)
{
    struct pm_cache *cache = self->env->cache;
    int64_t key = task->job->gt_image;
    bool with_gt = !(pm_cache_holds(cache, key) && cache_counts(self, need->gt));
    enum pm_code rc;

    for (;;) {
        rc = admit(self, task, need->other + (with_gt ? need->gt : 0), err);
        if (rc != PM_OK) {
            return rc;
        }
        rc = pm_cache_get(cache, key, &task->gt_entry, err);
        if (rc != PM_OK) {
            return rc;
        }
        if (pm_cache_value(task->gt_entry) != NULL || with_gt) {
            break;
        }
        pm_cache_fail(cache, task->gt_entry);
        task->gt_entry = NULL;
        give_back(self, task, task->admitted);
        with_gt = true;
    }
    if (with_gt && pm_cache_value(task->gt_entry) != NULL && cache_counts(self, need->gt)) {
        give_back(self, task, need->gt);
    }
    return PM_OK;
}

static void free_cached(void *value, void *ctx)
{
    (void)ctx;
    pm_loaded_free(value);
}

/* For the images of a pair that are nobody else's. The gt of the cache is everybody's, and freed on
 * any thread: pinned, it would stay so for as long as it is cached; the device gets it once for all
 * its targets. */
static struct pm_bufpool *own_pool(
    const struct pm_worker *self, const struct pm_task *task, const struct pm_image_info *info)
{
    const struct pm_align_opts opts = pm_align_opts_of(task->conf);
    bool goes =
        self->env->gpu_pool != NULL && pm_align_on_gpu(&opts, self->env->gpu, info->w, info->h);
    return goes ? self->env->gpu_pool : self->env->pool;
}

static struct pm_load_opts load_opts(const struct pm_task *task, struct pm_bufpool *pool,
    const struct pm_stamp *stamp, int64_t decoded_bytes)
{
    return (struct pm_load_opts){
        .limits = {.max_pixels = task->conf->max_pixels,
            .max_bytes = decoded_bytes,
            .root_bytes = task->job->root_bytes},
        .pool = pool,
        .stamp = stamp,
        .hash = true,
    };
}

/* The gt from the cache, or into it. */
static enum pm_code take_gt(struct pm_worker *self, struct pm_task *task, const struct need *need,
    const struct pm_image_info *info, struct pm_err *err)
{
    const struct pm_job *job = task->job;
    struct pm_load_opts opts = load_opts(task, self->env->pool, &job->gt, info->decoded_bytes);
    struct pm_loaded *loaded = NULL;
    enum pm_code rc = enter_cache(self, task, need, err);

    if (rc != PM_OK) {
        return rc;
    }
    task->result->gt_cached = pm_cache_value(task->gt_entry) != NULL;
    if (!task->result->gt_cached) {
        rc = pm_load(job->gt_path, &opts, &loaded, err);
        if (rc != PM_OK) {
            pm_cache_fail(self->env->cache, task->gt_entry);
            task->gt_entry = NULL;
            return rc;
        }
        size_t bytes = pm_loaded_bytes(loaded);
        task->bytes += loaded->file_bytes;
        pm_cache_fill(self->env->cache, task->gt_entry, loaded, bytes, free_cached, NULL);
        if (cache_counts(self, bytes)) {
            give_back(self, task, need->gt); /* counted there from now on */
        }
    }
    task->gt = pm_cache_value(task->gt_entry);
    return PM_OK;
}

static struct pm_image_info info_of(const struct pm_loaded *loaded)
{
    const struct pm_image *image = loaded->image;
    return (struct pm_image_info){.w = image->w,
        .h = image->h,
        .channels = image->channels,
        .sample = image->sample,
        .decoded_bytes = (int64_t)image->bytes};
}

/* Both images in one sample type, for the steps that compute. */
static enum pm_code match_samples(struct pm_task *task, struct pm_bufpool *pool, struct pm_err *err)
{
    enum pm_sample gt = task->gt->image->sample, target = task->target->image->sample;
    enum pm_sample common = pm_sample_common(gt, target);
    enum pm_code rc = PM_OK;

    task->gt_work = task->gt;
    task->target_work = task->target;
    if (gt != common) {
        rc = pm_loaded_convert(task->gt, common, pool, &task->gt_converted, err);
        task->gt_work = task->gt_converted;
    }
    if (rc == PM_OK && target != common) {
        rc = pm_loaded_convert(task->target, common, pool, &task->target_converted, err);
        task->target_work = task->target_converted;
    }
    return rc;
}

/* Stamps before anything is opened, so that a file that is gone or another one says so and is not
 * blamed for its content. */
static enum pm_code look_at_files(struct pm_task *task, struct pm_image_info *gt,
    struct pm_image_info *target, struct pm_err *err)
{
    const struct pm_job *job = task->job;
    const struct pm_limits limits = {
        .max_pixels = task->conf->max_pixels, .root_bytes = job->root_bytes};
    enum pm_code rc = pm_stamp_check(job->gt_path, job->root_bytes, &job->gt, NULL, err);
    if (rc == PM_OK) {
        rc = pm_stamp_check(job->target_path, job->root_bytes, &job->target, NULL, err);
    }
    if (rc == PM_OK) {
        rc = pm_image_probe(job->gt_path, &limits, gt, err);
    }
    if (rc == PM_OK) {
        rc = pm_image_probe(job->target_path, &limits, target, err);
    }
    return rc == PM_OK ? pm_shape_check(job->gt_path, gt, job->target_path, target, err) : rc;
}

enum pm_code pm_decode_run(struct pm_worker *self, struct pm_task *task, struct pm_err *err)
{
    const struct pm_job *job = task->job;
    struct pm_image_info gt_info, target_info;
    enum pm_code rc = look_at_files(task, &gt_info, &target_info, err);

    if (rc != PM_OK) {
        return rc;
    }
    struct need need = need_of(task->conf, &gt_info, &target_info);
    rc = take_gt(self, task, &need, &gt_info, err);
    if (rc != PM_OK) {
        return rc;
    }
    struct pm_bufpool *pool = own_pool(self, task, &target_info);
    bool as_it_is = pm_sample_common(gt_info.sample, target_info.sample) == target_info.sample;
    struct pm_load_opts opts =
        load_opts(task, as_it_is ? pool : self->env->pool, &job->target, target_info.decoded_bytes);
    rc = pm_load(job->target_path, &opts, &task->target, err);
    if (rc != PM_OK) {
        return rc;
    }
    task->bytes += task->target->file_bytes;
    gt_info = info_of(task->gt);
    target_info = info_of(task->target);
    rc = pm_shape_check(job->gt_path, &gt_info, job->target_path, &target_info, err);
    if (rc != PM_OK) {
        return rc;
    }
    memcpy(task->result->gt_hash, task->gt->hash, sizeof task->gt->hash);
    memcpy(task->result->target_hash, task->target->hash, sizeof task->target->hash);
    return match_samples(task, pool, err);
}
