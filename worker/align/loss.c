#include "worker/align/align.h"

#include <math.h>

#include "common/rect.h"
#include "worker/kernels/l1.h"

/* How far ahead of the row being summed the next ones are asked for. */
#define AHEAD_ROWS 2

static void prefetch_row(const struct pm_image *image, int x, int y, size_t bytes)
{
    const unsigned char *row;

    if (y < image->h) {
        row = (const unsigned char *)pm_image_row(image, y) +
              (size_t)x * (size_t)image->channels * pm_sample_bytes(image->sample);
        for (size_t i = 0; i < bytes; i += 64) {
            __builtin_prefetch(row + i);
        }
    }
}

/* Row sums are exact to the bit in every variant (l1.h) and added in row order, so this is one
 * number on every machine: the judge of last resort between shifts. */
double pm_align_loss(
    const struct pm_image *gt, const struct pm_image *target, double gain, int dy, int dx)
{
    const struct pm_overlap o = pm_overlap_trimmed(gt->w, gt->h, dy, dx);
    const struct pm_l1_ops *l1 = pm_l1();
    const size_t n = (size_t)o.w * (size_t)gt->channels;
    const size_t bytes = n * pm_sample_bytes(gt->sample);
    const size_t pixel = (size_t)gt->channels * pm_sample_bytes(gt->sample);
    double sum = 0;
    int64_t count = 0;

    for (int y = 0; y < o.h; y++) {
        const unsigned char *g = pm_image_row(gt, o.gt_y + y);
        const unsigned char *t = pm_image_row(target, o.target_y + y);
        struct pm_l1_sum row;
        prefetch_row(gt, o.gt_x, o.gt_y + y + AHEAD_ROWS, bytes);
        prefetch_row(target, o.target_x, o.target_y + y + AHEAD_ROWS, bytes);
        row = l1->exact[gt->sample](
            g + (size_t)o.gt_x * pixel, t + (size_t)o.target_x * pixel, n, gain);
        sum += row.sum;
        count += row.count;
    }
    return count > 0 ? sum / (double)count / pm_sample_full_scale(gt->sample) : (double)NAN;
}

enum pm_code pm_align_gain(
    const struct pm_prep *gt, const struct pm_prep *target, double *gain, struct pm_err *err)
{
    double g = pm_prep_mean(gt);
    double t = pm_prep_mean(target);

    if (!(g > 0) || !(t > 0) || !isfinite(g / t) || !(g / t > 0)) {
        return pm_err_set(err, PM_EGAIN,
            "no usable gain: the mean is %g in the ground truth and %g in the target; both must be "
            "positive",
            g, t);
    }
    *gain = g / t;
    return PM_OK;
}
