/*
 * task: the record that travels through a worker's steps, and the worker itself; for the step files
 * (decode, gain, align_step, mask, crop, publish) only.
 * Owns: pm_task_clear() gives back whatever the steps have left in it, in any state.
 * Threads: one task, one worker, one thread. Memory: admitted by the budget in decode.
 * Errors: none of its own.
 *
 * Each field has one writer, named above it; later steps only read.
 */
#ifndef PM_WORKER_TASK_H
#define PM_WORKER_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cache.h"
#include "common/result.h"
#include "worker/bitmap.h"
#include "worker/load.h"
#include "worker/partial.h"
#include "worker/worker.h"

struct pm_aligner;

struct pm_worker {
    int index;
    const struct pm_worker_env *env;
    struct pm_aligner *aligner; /* made for the first pair */
};

struct pm_task {
    /* worker.c */
    const struct pm_conf *conf;
    const struct pm_job *job;
    struct pm_result *result; /* each step fills what it finds */
    int64_t bytes;            /* set by the running step: what it read, looked at or wrote */

    /* decode.c: the files as they are */
    struct pm_cache_entry *gt_entry;
    const struct pm_loaded *gt; /* the cache's */
    struct pm_loaded *target;
    size_t admitted; /* bytes of the budget held */
    /* decode.c: the same as the computing steps see them, in one sample type; each is either the
     * file's own or the converted one beside it */
    const struct pm_loaded *gt_work, *target_work;
    struct pm_loaded *gt_converted, *target_converted;

    /* gain.c: mean(gt) / mean(target), whole images */
    double gain;

    /* mask.c */
    struct pm_bitmap mask; /* of the overlap, which is result->overlap */
    double mask_threshold, mask_gain;

    /* crop.c makes it and writes the crops into it; publish.c adds the rest and moves it */
    struct pm_partial partial;
};

void pm_task_clear(struct pm_worker *self, struct pm_task *task);

enum pm_code pm_decode_run(struct pm_worker *self, struct pm_task *task, struct pm_err *err);
enum pm_code pm_gain_run(struct pm_worker *self, struct pm_task *task, struct pm_err *err);
enum pm_code pm_align_run(struct pm_worker *self, struct pm_task *task, struct pm_err *err);
enum pm_code pm_mask_run(struct pm_worker *self, struct pm_task *task, struct pm_err *err);
enum pm_code pm_crop_run(struct pm_worker *self, struct pm_task *task, struct pm_err *err);
enum pm_code pm_publish_run(struct pm_worker *self, struct pm_task *task, struct pm_err *err);

/* True when the pair is to be given up: err is filled with PM_ECANCELED. */
bool pm_worker_abandoned(const struct pm_worker *self, struct pm_err *err);

#endif
