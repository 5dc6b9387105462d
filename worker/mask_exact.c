#include "worker/mask_exact.h"

#include <math.h>

static double root_of(double v)
{
    return v > 0 ? pow(v, 1 / 2.2) : v;
}

void pm_mask_exact_init(
    struct pm_mask_exact *exact, enum pm_sample sample, int channels, double gain)
{
    *exact = (struct pm_mask_exact){.sample = sample, .channels = channels, .gain = gain};
    if (sample == PM_U8) {
        for (int i = 0; i < 256; i++) {
            exact->gt_root[i] = root_of(i / 255.0);
            exact->target_root[i] = root_of(gain * (i / 255.0));
        }
    }
    /* seen starts as 0, whose root is 0: already true. */
}

static double value_at(enum pm_sample sample, const void *row, int i)
{
    switch (sample) {
    case PM_U8:
        return ((const uint8_t *)row)[i] / 255.0;
    case PM_U16:
        return ((const uint16_t *)row)[i] / 65535.0;
    case PM_F16:
        return (double)pm_half_to_float(((const uint16_t *)row)[i]);
    case PM_F32:
        return (double)((const float *)row)[i];
    }
    return (double)NAN;
}

static double remembered_root(struct pm_mask_exact *exact, int slot, double v)
{
    if (v != exact->seen[slot]) {
        exact->seen[slot] = v;
        exact->root[slot] = root_of(v);
    }
    return exact->root[slot];
}

static double channel_loss(
    struct pm_mask_exact *exact, const void *gt_row, const void *target_row, int i, int channel)
{
    if (exact->sample == PM_U8) {
        return fabs(exact->gt_root[((const uint8_t *)gt_row)[i]] -
                    exact->target_root[((const uint8_t *)target_row)[i]]);
    }
    double a = value_at(exact->sample, gt_row, i);
    double b = exact->gain * value_at(exact->sample, target_row, i);
    return a == b
               ? a - b /* NaN for infinities */
               : fabs(remembered_root(exact, channel, a) - remembered_root(exact, channel + 3, b));
}

double pm_mask_exact_px(
    struct pm_mask_exact *exact, const void *gt_row, const void *target_row, int x)
{
    double sum = 0;
    for (int c = 0; c < exact->channels; c++) {
        sum += channel_loss(exact, gt_row, target_row, x * exact->channels + c, c);
    }
    return isfinite(sum) ? sum : (double)NAN;
}
