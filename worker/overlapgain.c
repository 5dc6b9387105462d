#include "worker/overlapgain.h"

#include <math.h>
#include <stdbool.h>

#include "worker/kernels/lossmap.h"

/* Beyond this the float kernels of the mask overflow; no exposure differs by 10^20. */
#define GAIN_LIMIT 1e20

struct sum {
    double value; /* in the samples' own units */
    int64_t count;
};

static struct sum sum_u8(const uint8_t *row, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += row[i];
    }
    return (struct sum){(double)sum, (int64_t)n};
}

static struct sum sum_u16(const uint16_t *row, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        sum += row[i];
    }
    return (struct sum){(double)sum, (int64_t)n};
}

static struct sum sum_real(enum pm_sample sample, const void *row, size_t n)
{
    struct sum sum = {0};
    pm_lossmap_ops()->add_finite(sample, row, (int)n, &sum.value, &sum.count);
    return sum;
}

static struct sum sum_rect(const struct pm_image *image, struct pm_rect rect)
{
    size_t channels = (size_t)image->channels;
    size_t skip = (size_t)rect.x * channels * pm_sample_bytes(image->sample);
    size_t n = (size_t)rect.w * channels;
    struct sum all = {0};
    for (int y = rect.y; y < rect.y + rect.h; y++) {
        const void *row = (const char *)pm_image_row(image, y) + skip;
        struct sum sum = image->sample == PM_U8    ? sum_u8(row, n)
                         : image->sample == PM_U16 ? sum_u16(row, n)
                                                   : sum_real(image->sample, row, n);
        all.value += sum.value;
        all.count += sum.count;
    }
    return all;
}

/* The four strips around rect. */
static struct sum sum_around(const struct pm_image *image, struct pm_rect rect)
{
    int right = rect.x + rect.w, below = rect.y + rect.h;
    const struct pm_rect strips[] = {{0, 0, image->w, rect.y},
        {0, below, image->w, image->h - below}, {0, rect.y, rect.x, rect.h},
        {right, rect.y, image->w - right, rect.h}};
    struct sum all = {0};
    for (size_t i = 0; i < sizeof strips / sizeof strips[0]; i++) {
        struct sum sum = sum_rect(image, strips[i]);
        all.value += sum.value;
        all.count += sum.count;
    }
    return all;
}

double pm_rect_mean(const struct pm_image *image, const struct pm_prep *prep, struct pm_rect rect)
{
    double full = pm_sample_full_scale(image->sample);
    int64_t samples = (int64_t)image->w * image->h * image->channels;
    int64_t inside = (int64_t)rect.w * rect.h * image->channels;
    bool is_integer = image->sample == PM_U8 || image->sample == PM_U16;
    struct sum sum;

    /* Integer sums are exact, so that what is left of them is too; a float sum of the whole image
     * may have been rounded on the way. */
    if (is_integer && inside >= samples / 2) {
        double whole = round(pm_prep_mean(prep) * (double)samples * full);
        struct sum around = sum_around(image, rect);
        return (whole - around.value) / (double)(samples - around.count) / full;
    }
    sum = sum_rect(image, rect);
    return sum.count > 0 ? sum.value / (double)sum.count / full : (double)NAN;
}

enum pm_code pm_overlap_gain(const struct pm_image *gt, const struct pm_prep *gt_prep,
    const struct pm_image *target, const struct pm_prep *target_prep, struct pm_overlap overlap,
    double *gain, struct pm_err *err)
{
    double gt_mean = pm_rect_mean(
        gt, gt_prep, (struct pm_rect){overlap.gt_x, overlap.gt_y, overlap.w, overlap.h});
    double target_mean = pm_rect_mean(target, target_prep,
        (struct pm_rect){overlap.target_x, overlap.target_y, overlap.w, overlap.h});
    double ratio = gt_mean / target_mean;
    if (!(gt_mean > 0) || !(target_mean > 0) || !(ratio < GAIN_LIMIT) ||
        !(ratio > 1 / GAIN_LIMIT)) {
        return pm_err_set(err, PM_EGAIN,
            "no usable gain over the overlap: mean %g of the ground truth, %g of the target",
            gt_mean, target_mean);
    }
    *gain = ratio;
    return PM_OK;
}
