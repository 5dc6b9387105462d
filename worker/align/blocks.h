/*
 * blocks: what the L1 of a shift must at least be, from sums over 4x4 px blocks. The sum of
 * absolute differences over a block is never less than the difference of the block's sums (the
 * triangle inequality), and comparing those reads 1/16 of the pixels, all channels at once. Noise
 * cancels in the sums, the scene does not: most wrong shifts are known to lose before a pixel is
 * compared. Owns: one sum per px of gt (every block position) and one per block of target. Threads:
 * one at a time. Memory: 4.25 bytes per px of one image, reused while the size stays. Errors:
 * PM_ENOMEM.
 *
 * A strip is four rows of target, 4k .. 4k+3. Blocks with a sample that is not finite count 0.
 */
#ifndef PM_WORKER_ALIGN_BLOCKS_H
#define PM_WORKER_ALIGN_BLOCKS_H

#include "common/image.h"
#include "common/rect.h"

#define PM_BLOCK 4 /* px */

struct pm_blocks;

enum pm_code pm_blocks_new(struct pm_blocks **out, struct pm_err *err);
void pm_blocks_free(struct pm_blocks *blocks); /* NULL is fine */

/* Sums gt and gain * target. */
enum pm_code pm_blocks_build(struct pm_blocks *blocks, const struct pm_image *gt,
    const struct pm_image *target, double gain, struct pm_err *err);

/* The strips *first .. *end - 1 lie wholly inside the overlap; none when it is lower than one. */
void pm_blocks_strips(const struct pm_overlap *overlap, int *first, int *end);

/* At most the sum of |gt - gain * target| over the strip's rows within the overlap, full scale 1.
 */
double pm_blocks_least(const struct pm_blocks *blocks, const struct pm_overlap *overlap, int strip);

#endif
