/*
 * gputest: whether a GPU computes what the CPU computes: small pairs of every sample type, both
 * ways; shift, loss and mask must be equal to the bit.
 * Owns: nothing. Threads: the gpu's. Memory: under 2 MiB for a moment. Errors: PM_ENOMEM; PM_EIO
 * with a line that says what differs.
 */
#ifndef PM_WORKER_GPU_GPUTEST_H
#define PM_WORKER_GPU_GPUTEST_H

#include "common/conf.h"
#include "worker/gpu/gpu.h"

struct pm_gputest_report {
    int pairs;             /* compared */
    double gpu_ms, cpu_ms; /* spent on them; small pairs, so not a comparison of speed */
};

/* report may be NULL. The gpu must be alive. */
enum pm_code pm_gputest_run(
    struct pm_gpu *gpu, struct pm_gputest_report *report, struct pm_err *err);
/* Opens a gpu and tests it: it stays off when it is not there or fails. Errors: PM_ENOMEM. */
enum pm_code pm_gpu_start(struct pm_gpu **out, const struct pm_gpu_opts *opts, struct pm_err *err);
struct pm_gpu_opts pm_gpu_opts_of(const struct pm_conf *conf);
/* The one the settings name; *out is NULL when they name none. */
enum pm_code pm_gpu_of_conf(struct pm_gpu **out, const struct pm_conf *conf, struct pm_err *err);

#endif
