/*
 * aligned: a synthetic pair ready for the alignment methods, and their plain answer to check by.
 * Owns: both images and both preps. Threads: one. Memory: pm_pair_close(). Errors: assert.
 */
#ifndef PM_TESTS_LIB_ALIGNED_H
#define PM_TESTS_LIB_ALIGNED_H

#include "tests/lib/synth.h"
#include "worker/align/align.h"
#include "worker/align/ops.h"

struct pm_pair {
    struct pm_image *gt_image, *target_image;
    struct pm_prep *gt_prep, *target_prep;
    struct pm_align_input gt, target;
    struct pm_align_query query; /* at the whole images' gain, within max_shift */
};

void pm_pair_open(struct pm_pair *pair, const struct pm_synth *spec);
void pm_pair_open_within(struct pm_pair *pair, const struct pm_synth *spec, int max_shift);
/* Takes over two images. */
void pm_pair_wrap(struct pm_pair *pair, struct pm_image *gt, struct pm_image *target);
/* After a change of the images: what is derived from them is made anew; the gain stays. */
void pm_pair_renew(struct pm_pair *pair);
void pm_pair_close(struct pm_pair *pair);

/* Runs one method with its own aligner and no wisdom; a failure ends the test. */
struct pm_shift pm_pair_find(
    const struct pm_pair *pair, enum pm_method method, int max_shift, bool quality);
/* The same, and returns what pm_align_find does. */
enum pm_code pm_pair_try(const struct pm_pair *pair, const struct pm_align_opts *opts,
    struct pm_shift *shift, struct pm_err *err);

/* RAWNIND.md 2.4 written out over single samples, NaN and infinite ones left out. */
double pm_pair_plain_loss(const struct pm_pair *pair, double gain, int dy, int dx);
/* mean(gt) / mean(target), sample by sample. */
double pm_pair_plain_gain(const struct pm_pair *pair);
/* The smallest plain loss with |dy| <= ry, |dx| <= rx; equal ones: nearer to (0,0). */
void pm_pair_plain_search(
    const struct pm_pair *pair, double gain, int ry, int rx, int *best_dy, int *best_dx);

#endif
