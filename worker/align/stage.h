/*
 * stage: turns rows of a pair into rows the fast L1 kernels take, with the gain folded in.
 * u8 and u16 become int16 scaled so that the brighter image just fits 15 bits; f16 and f32 become
 * float. A staged difference times `unit` is the difference at full scale 1.
 * Owns: nothing. Threads: any. Memory: none. Errors: none.
 */
#ifndef PM_WORKER_ALIGN_STAGE_H
#define PM_WORKER_ALIGN_STAGE_H

#include "worker/align/ops.h"

struct pm_l1_ops;

struct pm_stage {
    const struct pm_image *gt, *target;
    const struct pm_l1_ops *l1;
    bool is_float;   /* rows are float, else int16_t */
    bool exact_only; /* non-finite samples: only pm_l1_ops.exact may be used */
    double gain;
    double unit;     /* full scale 1 per staged unit */
    double rounding; /* largest error of one staged difference, full scale 1 */
    int up[2];       /* u16: shift left before mul */
    uint16_t mul[2]; /* [0] gt, [1] target */
};

void pm_stage_init(struct pm_stage *stage, const struct pm_align_query *query);
/* Bytes of one staged sample. */
size_t pm_stage_bytes(const struct pm_stage *stage);
/* n px from (x, y); out holds n * channels staged samples. */
void pm_stage_gt(const struct pm_stage *stage, int x, int y, int n, void *out);
void pm_stage_target(const struct pm_stage *stage, int x, int y, int n, void *out);

#endif
