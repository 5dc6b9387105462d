/*
 * fakegpu: pairmill's CUDA plugin built against the test double, and pairs to run through it.
 * Owns: nothing; the plugin stays loaded. Threads: one. Memory: fakegpu_pair_free().
 * Errors: end the test program; a test that cannot set itself up has failed.
 */
#ifndef PM_TESTS_LIB_FAKEGPU_H
#define PM_TESTS_LIB_FAKEGPU_H

#include "tests/fakecuda/fakecuda.h"
#include "tests/lib/synth.h"
#include "worker/align/align.h"
#include "worker/bitmap.h"
#include "worker/gpu/gpu.h"
#include "worker/mask_scan.h"

/* The double is slow under sanitizers: a selection is enough there. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define FAKEGPU_SHORT 1
#else
#define FAKEGPU_SHORT 0
#endif

/* The plugin's path: FAKEGPU_PLUGIN of the environment, else beside the test program. */
const char *fakegpu_path(void);
/* A library every machine has, in place of the driver's. */
#define FAKEGPU_DRIVER "libm.so.6"
struct pm_gpu_opts fakegpu_opts(void); /* small chunks, so that small images take several */
/* Of the plugin's own double. */
const struct fake_control *fakegpu_control(void);
/* Around a test: the double is reset; when the test has misused the device or left anything of it,
 * it has failed. */
int fakegpu_set_up(void **state);
int fakegpu_tear_down(void **state);
struct pm_gpu *fakegpu_open(void);

struct fakegpu_pair {
    struct pm_image *gt, *target;
    struct pm_prep *gt_prep, *target_prep;
    double gain;
};
void fakegpu_pair_make(struct fakegpu_pair *pair, const struct pm_synth *spec);
/* Of images that are there already, which it then owns. */
void fakegpu_pair_of(struct fakegpu_pair *pair, struct pm_image *gt, struct pm_image *target);
/* The target's pixels move into memory of pool. */
void fakegpu_pair_move(struct fakegpu_pair *pair, struct pm_bufpool *pool);
void fakegpu_pair_free(struct fakegpu_pair *pair);

/* pm_align_find() with this method; gpu may be NULL. */
struct pm_shift fakegpu_find(
    const struct fakegpu_pair *pair, enum pm_method method, struct pm_gpu *gpu, int64_t gt_key);
/* What the mask step asks for at this shift. */
struct pm_mask_scan fakegpu_scan(const struct fakegpu_pair *pair, int dy, int dx);
/* As worker/mask.c does without a GPU; mask is made here. */
void fakegpu_mask_on_cpu(struct pm_mask_scan *scan, struct pm_bitmap *mask);
bool fakegpu_same_bits(double a, double b);
bool fakegpu_same_mask(const struct pm_bitmap *a, const struct pm_bitmap *b);

#endif
