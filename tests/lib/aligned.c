#include "tests/lib/aligned.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/rect.h"

void pm_pair_renew(struct pm_pair *pair)
{
    pm_prep_free(pair->gt_prep);
    pm_prep_free(pair->target_prep);
    if (pm_prep_of_image(&pair->gt_prep, pair->gt_image, NULL) != PM_OK ||
        pm_prep_of_image(&pair->target_prep, pair->target_image, NULL) != PM_OK) {
        abort();
    }
    pair->gt = (struct pm_align_input){.image = pair->gt_image, .prep = pair->gt_prep};
    pair->target = (struct pm_align_input){.image = pair->target_image, .prep = pair->target_prep};
}

void pm_pair_wrap(struct pm_pair *pair, struct pm_image *gt, struct pm_image *target)
{
    *pair = (struct pm_pair){.gt_image = gt, .target_image = target};
    pm_pair_renew(pair);
    pair->query = (struct pm_align_query){.gt = &pair->gt, .target = &pair->target, .gain = 1};
    /* Two black images have none, and it stays 1. */
    (void)pm_align_gain(pair->gt_prep, pair->target_prep, &pair->query.gain, NULL);
}

void pm_pair_open(struct pm_pair *pair, const struct pm_synth *spec)
{
    struct pm_image *gt, *target;
    pm_synth_pair(spec, &gt, &target);
    pm_pair_wrap(pair, gt, target);
}

void pm_pair_open_within(struct pm_pair *pair, const struct pm_synth *spec, int max_shift)
{
    pm_pair_open(pair, spec);
    pair->query.max_shift = max_shift;
}

void pm_pair_close(struct pm_pair *pair)
{
    pm_prep_free(pair->gt_prep);
    pm_prep_free(pair->target_prep);
    pm_image_free(pair->gt_image);
    pm_image_free(pair->target_image);
}

enum pm_code pm_pair_try(const struct pm_pair *pair, const struct pm_align_opts *opts,
    struct pm_shift *shift, struct pm_err *err)
{
    struct pm_aligner *aligner;
    enum pm_code rc = pm_aligner_new(&aligner, NULL, err);
    if (rc == PM_OK) {
        rc = pm_align_find(aligner, &pair->gt, &pair->target, opts, shift, err);
        pm_aligner_free(aligner);
    }
    return rc;
}

struct pm_shift pm_pair_find(
    const struct pm_pair *pair, enum pm_method method, int max_shift, bool quality)
{
    struct pm_align_opts opts = {
        .method = method,
        .max_shift = max_shift,
        .auto_bruteforce_below = 64,
        .auto_hierarchical_from = 256,
        .quality = quality,
    };
    struct pm_shift shift;
    struct pm_err err = {0};
    if (pm_pair_try(pair, &opts, &shift, &err) != PM_OK) {
        fprintf(stderr, "%s: %s\n", pm_method_name(method), err.text);
        abort();
    }
    return shift;
}

double pm_pair_plain_loss(const struct pm_pair *pair, double gain, int dy, int dx)
{
    const struct pm_image *gt = pair->gt_image, *target = pair->target_image;
    struct pm_overlap o = pm_overlap_trimmed(gt->w, gt->h, dy, dx);
    double sum = 0;
    double count = 0;
    for (int y = 0; y < o.h; y++) {
        for (int x = 0; x < o.w; x++) {
            for (int c = 0; c < gt->channels; c++) {
                double a = pm_synth_get(gt, o.gt_y + y, o.gt_x + x, c);
                double b = pm_synth_get(target, o.target_y + y, o.target_x + x, c);
                if (isfinite(a) && isfinite(b)) {
                    sum += fabs(a - gain * b);
                    count++;
                }
            }
        }
    }
    return count > 0 ? sum / count : (double)NAN;
}

static double plain_mean(const struct pm_image *image)
{
    double sum = 0;
    double count = 0;
    for (int y = 0; y < image->h; y++) {
        for (int x = 0; x < image->w; x++) {
            for (int c = 0; c < image->channels; c++) {
                double v = pm_synth_get(image, y, x, c);
                if (isfinite(v)) {
                    sum += v;
                    count++;
                }
            }
        }
    }
    return sum / count;
}

double pm_pair_plain_gain(const struct pm_pair *pair)
{
    return plain_mean(pair->gt_image) / plain_mean(pair->target_image);
}

void pm_pair_plain_search(
    const struct pm_pair *pair, double gain, int ry, int rx, int *best_dy, int *best_dx)
{
    double best = INFINITY;
    for (int dy = -ry; dy <= ry; dy++) {
        for (int dx = -rx; dx <= rx; dx++) {
            double loss = pm_pair_plain_loss(pair, gain, dy, dx);
            if (loss < best || (loss == best && hypot(dy, dx) < hypot(*best_dy, *best_dx))) {
                best = loss;
                *best_dy = dy;
                *best_dx = dx;
            }
        }
    }
}
