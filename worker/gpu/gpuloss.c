/* gpuloss: the reported loss of a pair, summed by rows on the device and down the rows here. */
#include <math.h>
#include <stdlib.h>

#include "common/rect.h"
#include "worker/gpu/gpu_parts.h"
#include "worker/kernels/l1.h"

#define CHECKED_ROWS 8 /* rows whose loss the CPU takes, too */

/* Whether rows spread over the overlap have the sums the CPU gives them. */
static bool check_rows(
    const struct pm_cuda_rows *rows, const struct pm_image *gt, const struct pm_image *target)
{
    size_t pixel = (size_t)gt->channels * pm_sample_bytes(gt->sample);
    for (int i = 0; i < CHECKED_ROWS; i++) {
        int y = (int)((int64_t)i * (rows->h - 1) / (CHECKED_ROWS - 1));
        const char *g = pm_image_row(gt, rows->gt_y + y);
        const char *t = pm_image_row(target, rows->target_y + y);
        struct pm_l1_sum sum = pm_l1()->exact[gt->sample](g + (size_t)rows->gt_x * pixel,
            t + (size_t)rows->target_x * pixel, (size_t)rows->w * (size_t)gt->channels, rows->gain);
        if (sum.sum != rows->sum[y] || sum.count != rows->count[y]) {
            return false;
        }
    }
    return true;
}

bool pm_gpu_loss(struct pm_gpu *gpu, const struct pm_image *gt, const struct pm_image *target,
    double gain, int dy, int dx, double *loss)
{
    const struct pm_overlap o = pm_overlap_trimmed(gt->w, gt->h, dy, dx);
    struct pm_cuda_rows rows = {.gt_x = o.gt_x,
        .gt_y = o.gt_y,
        .target_x = o.target_x,
        .target_y = o.target_y,
        .w = o.w,
        .h = o.h,
        .gain = gain};
    struct pm_cuda_status status;
    double sum = 0;
    int64_t count = 0;
    bool done;

    *loss = (double)NAN;
    if (!pm_gpu_has(gpu, gt, target) || o.w <= 0 || o.h <= 0) {
        return false;
    }
    rows.sum = malloc((size_t)o.h * sizeof *rows.sum);
    rows.count = malloc((size_t)o.h * sizeof *rows.count);
    done = rows.sum != NULL && rows.count != NULL && PM_GPU_CALL(gpu, loss, &rows);
    if (done && !check_rows(&rows, gt, target)) {
        gpu->counts.failures++;
        pm_gpu_distrust(gpu, "a row's loss differs from the CPU's");
        done = false;
    }
    for (int y = 0; done && y < o.h; y++) { /* in this order on every machine, loss.c */
        sum += rows.sum[y];
        count += rows.count[y];
    }
    *loss = done && count > 0 ? sum / (double)count / pm_sample_full_scale(gt->sample) : *loss;
    free(rows.sum);
    free(rows.count);
    return done;
}
