/*
 * stepkit: one worker step under test: a real pair on disk, a worker, and the task that travels.
 * Owns: everything in struct stepkit. Threads: one. Memory: freed by stepkit_tear_down().
 * Errors: a cmocka failure.
 */
#ifndef PM_TESTS_LIB_STEPKIT_H
#define PM_TESTS_LIB_STEPKIT_H

#include "tests/lib/workerkit.h"
#include "worker/task.h"

struct stepkit {
    struct kit kit;
    char *dir;
    struct pm_job job;
    struct pm_result result;
    struct pm_task task;
    struct pm_err err;
};

/* A pair of 64x48 u16 RGB files, moved by (3, -2), and a task for it; cmocka's *state. */
int stepkit_set_up(void **state);
int stepkit_tear_down(void **state);
/* All steps up to and with the mask. */
void stepkit_run_to_mask(struct stepkit *f);

#endif
