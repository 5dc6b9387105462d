#include "worker/align/stage.h"

#include <math.h>

#include "worker/align/prep_levels.h"
#include "worker/kernels/l1.h"

#define MUL_MAX 32767

/* The two multipliers whose ratio is nearest to `ratio` (target's over gt's, <= 1 or > 1 alike):
 * the larger one runs over the upper part of its range, which leaves an error below 1e-7. */
static void pick_muls(double ratio, uint16_t mul[2])
{
    double best = INFINITY;
    bool target_larger = ratio > 1;
    double r = target_larger ? 1 / ratio : ratio;

    for (int large = MUL_MAX; large > MUL_MAX - MUL_MAX / 8; large--) {
        double small = nearbyint(r * large);
        double error = fabs(small - r * large);
        if (error < best) {
            best = error;
            mul[target_larger ? 1 : 0] = (uint16_t)large;
            mul[target_larger ? 0 : 1] = (uint16_t)small;
        }
    }
}

/* u16: both images shifted up as far as they go, the multipliers bring them to one scale. */
static void scale_u16(struct pm_stage *stage, double gt_max, double target_max)
{
    double max[2] = {gt_max, target_max};
    double ratio;

    for (int i = 0; i < 2; i++) {
        while (stage->up[i] < 15 && max[i] > 0 && ldexp(max[i], stage->up[i] + 1) <= 65535) {
            stage->up[i]++;
        }
    }
    /* staged gt = gt * 2^up0 * mul0 / 65536, staged target = target * 2^up1 * mul1 / 65536. */
    ratio = ldexp(stage->gain, stage->up[0] - stage->up[1]);
    pick_muls(ratio, stage->mul);
    stage->unit = 65536 / ldexp(stage->mul[0] > 0 ? stage->mul[0] : 1, stage->up[0]) / 65535;
}

void pm_stage_init(struct pm_stage *stage, const struct pm_align_query *query)
{
    const struct pm_align_input *gt = query->gt, *target = query->target;

    *stage = (struct pm_stage){
        .gt = gt->image,
        .target = target->image,
        .l1 = pm_l1(),
        .is_float = gt->image->sample == PM_F16 || gt->image->sample == PM_F32,
        .exact_only = pm_prep_non_finite(gt->prep) + pm_prep_non_finite(target->prep) > 0,
        .gain = query->gain,
    };
    if (gt->image->sample == PM_U8) {
        pick_muls(query->gain, stage->mul);
        stage->unit = 256.0 / (stage->mul[0] > 0 ? stage->mul[0] : 1) / 255;
        stage->rounding = 1.5 * stage->unit;
    } else if (gt->image->sample == PM_U16) {
        scale_u16(stage, pm_prep_max(gt->prep), pm_prep_max(target->prep));
        stage->rounding = 1.5 * stage->unit;
    } else {
        stage->unit = 1;
        stage->rounding = 1e-6 * (fabs(pm_prep_mean(gt->prep)) + 1e-30);
    }
    if (!stage->is_float && (stage->mul[0] == 0 || stage->mul[1] == 0)) {
        stage->exact_only = true; /* a gain so far from 1 that one image would vanish */
    }
}

size_t pm_stage_bytes(const struct pm_stage *stage)
{
    return stage->is_float ? sizeof(float) : sizeof(int16_t);
}

static void stage_row(const struct pm_stage *stage, int which, const void *in, size_t n, void *out)
{
    float mul = which == 1 ? (float)stage->gain : 1.0f;

    switch (stage->gt->sample) {
    case PM_U8:
        stage->l1->stage_u8(in, n, stage->mul[which], out);
        break;
    case PM_U16:
        stage->l1->stage_u16(in, n, stage->up[which], stage->mul[which], out);
        break;
    case PM_F16:
        stage->l1->stage_f16(in, n, mul, out);
        break;
    case PM_F32:
        stage->l1->stage_f32(in, n, mul, out);
        break;
    }
}

static void stage_px(const struct pm_stage *stage, int which, int x, int y, int n, void *out)
{
    const struct pm_image *image = which == 0 ? stage->gt : stage->target;
    const unsigned char *row = pm_image_row(image, y);
    size_t channels = (size_t)image->channels;

    row += (size_t)x * channels * pm_sample_bytes(image->sample);
    stage_row(stage, which, row, (size_t)n * channels, out);
}

void pm_stage_gt(const struct pm_stage *stage, int x, int y, int n, void *out)
{
    stage_px(stage, 0, x, y, n, out);
}

void pm_stage_target(const struct pm_stage *stage, int x, int y, int n, void *out)
{
    stage_px(stage, 1, x, y, n, out);
}
