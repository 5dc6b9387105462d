/*
 * synth: image pairs with a known shift, gain and noise, for tests; the same for the same spec.
 * Owns: nothing. Threads: any. Memory: the images belong to the caller (pm_image_free).
 * Errors: out of memory ends the test program (assert).
 * The scene is a function of the place, so any window of it can be had: gt shows the scene from
 * (0, 0), target from (dy, dx), which gives gt[y+dy, x+dx] = gain * (clean target)[y, x].
 */
#ifndef PM_TESTS_LIB_SYNTH_H
#define PM_TESTS_LIB_SYNTH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/image.h"

enum pm_synth_scene {
    PM_SYNTH_TEXTURE,  /* noise of 6 octaves, 1 px to 32 px: decides any shift */
    PM_SYNTH_SMOOTH,   /* its coarse octaves only: no detail below 8 px */
    PM_SYNTH_FLAT,     /* one value everywhere */
    PM_SYNTH_PERIODIC, /* a textured tile of `period` px, repeated both ways */
};

struct pm_synth {
    int w, h;
    int channels; /* 1 or 3 */
    enum pm_sample sample;
    enum pm_synth_scene scene;
    int period;    /* px, PERIODIC only */
    int dy, dx;    /* px */
    double gain;   /* gt / target; 0 reads as 1. Both stay below full scale for any gain > 0 */
    double photon; /* noise variance = photon * signal + read^2, full scale 1, target only */
    double read;
    uint64_t seed; /* another seed, another scene and other noise */
};

/* gt or target may be NULL when only the other is wanted. */
void pm_synth_pair(const struct pm_synth *spec, struct pm_image **gt, struct pm_image **target);

/* One sample, full scale 1 (rounded and clipped to the type), at any place of an image. */
void pm_synth_put(struct pm_image *image, int y, int x, int c, double value);
double pm_synth_get(const struct pm_image *image, int y, int x, int c);

#endif
