/*
 * bench_scene: generated pairs for the bench: a scene with detail of every size and sharp edges,
 * seen twice with a known shift, gain and a sensor's noise; the same for the same seed.
 * Owns: nothing. Threads: any. Memory: the images belong to the caller. Errors: PM_ENOMEM.
 */
#ifndef PM_CLI_BENCH_SCENE_H
#define PM_CLI_BENCH_SCENE_H

#include "cli/bench.h"

struct pm_bench_scene {
    int w, h;
    int dy, dx;                /* px: gt[y+dy, x+dx] = gain * (clean target)[y, x] */
    double gain;               /* gt / target, 0.5 to 2 */
    enum pm_bench_noise noise; /* of the target */
    uint64_t seed;
};

/* A shift within +-max_shift that leaves at least half of each side, and a gain, from the seed. */
struct pm_bench_scene pm_bench_scene_of(
    struct pm_bench_size size, enum pm_bench_noise noise, int max_shift, uint64_t seed);
/* 16-bit RGB. */
enum pm_code pm_bench_scene_draw(const struct pm_bench_scene *scene, struct pm_image **gt,
    struct pm_image **target, struct pm_err *err);

#endif
