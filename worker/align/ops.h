/*
 * ops: the shape every alignment method has; what only the methods and align.c share.
 * Adding a method is one new file with one of these and one entry in align.c's table.
 * Owns, threads, memory: scratch is made by start on the thread that runs it, freed by stop.
 * Errors: run never logs; PM_ENOMEM and PM_EOVERLAP are its only own errors.
 */
#ifndef PM_WORKER_ALIGN_OPS_H
#define PM_WORKER_ALIGN_OPS_H

#include "worker/align/align.h"

struct pm_fftplans; /* worker/align/fftplans.h */

struct pm_align_query {
    const struct pm_align_input *gt, *target; /* same size, channels, sample type; checked */
    double gain;                              /* usable; checked */
    int max_shift;                            /* px, already limited so that an overlap remains */
    bool quality;
    struct pm_fftplans *plans;
    struct pm_gpu *gpu; /* NULL: none */
    int64_t gt_key;     /* see align.h */
};

struct pm_align_ops {
    enum pm_method method;
    enum pm_code (*start)(void **scratch, struct pm_err *err);
    /* Fills dy, dx, evaluations, backend, and what else it learns on the way (confidence, flags).
     */
    enum pm_code (*run)(void *scratch, const struct pm_align_query *query, struct pm_shift *shift,
        struct pm_err *err);
    void (*stop)(void *scratch); /* NULL is fine */
};

extern const struct pm_align_ops pm_align_original;
extern const struct pm_align_ops pm_align_bruteforce;
extern const struct pm_align_ops pm_align_fft;
extern const struct pm_align_ops pm_align_hierarchical;
extern const struct pm_align_ops pm_align_cuda; /* PM_EUNSUPPORTED: let the CPU do this pair */

#endif
