/*
 * worker: one pair's way through the steps decode, gain, align, mask, crop, publish.
 * Owns: its aligner and every scratch buffer; gt images come from the shared cache.
 * Threads: one worker per thread; cache, budget and buffer pool are shared and lock themselves.
 * Memory: what it holds is admitted by the budget before it is allocated.
 * Errors: none; what goes wrong with a pair is its result, and costs only that pair.
 */
#ifndef PM_WORKER_WORKER_H
#define PM_WORKER_WORKER_H

#include <stdatomic.h>

#include "common/budget.h"
#include "common/bufpool.h"
#include "common/cache.h"
#include "common/clock.h"
#include "common/conf.h"
#include "common/result.h"

struct pm_worker;

/* What the workers of a process share. All of it outlives them. */
struct pm_worker_env {
    struct pm_cache *cache;   /* decoded gt images and their preps, by gt_image */
    struct pm_budget *budget; /* memory_max */
    struct pm_bufpool *pool;
    struct pm_bufpool *gpu_pool; /* this worker's own, for images that go to its gpu; or NULL */
    const struct pm_clock *clock;
    const char *wisdom_path;    /* see align.h; may be NULL */
    struct pm_gpu *gpu;         /* this worker's own, opened on its thread; NULL: none */
    const atomic_bool *abandon; /* true: give the running pair up at the next step (ECANCELED) */
    atomic_int *step; /* where this worker is (enum pm_step, -1 idle), for watchdog and views;
                         may be NULL */
    /* Called at the begin of each step, on the worker's thread, before anything can go wrong in it;
     * may be NULL. */
    void (*at_step)(void *ctx, enum pm_step step);
    void *ctx;
};

enum pm_code pm_worker_new(
    struct pm_worker **out, int index, const struct pm_worker_env *env, struct pm_err *err);
void pm_worker_free(struct pm_worker *worker); /* NULL is fine */

/* Does one job with these settings; always fills result (which starts zeroed). When it returns with
 * PM_OK the outputs are complete and durable under result->output_dir. */
void pm_worker_run(struct pm_worker *worker, const struct pm_conf *conf, const struct pm_job *job,
    struct pm_result *result);

/* Asks the kernel to read path into the page cache and does not wait; for the files of the job
 * after the one at hand. Whatever goes wrong is told when that job is run. */
void pm_worker_prefetch(const char *path, size_t root_bytes);

/* Removes what a dead process left in output/.partial; called before any worker starts. */
enum pm_code pm_worker_sweep(const char *output, struct pm_err *err);

/* One pair without queue, masks or crops, for `pairmill align`: decode, gain, shift, loss. */
enum pm_code pm_worker_align_files(const struct pm_conf *conf, const char *gt_path,
    const char *target_path, struct pm_shift *shift, struct pm_err *err);

#endif
