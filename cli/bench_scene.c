#include "cli/bench_scene.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Octaves of 2, 4 ... 512 px, amplitude growing with the size as in photographs (about 1/f). */
#define OCTAVES 9
#define CELL(octave) (2 << (octave))
/* Scene coordinates are moved here, a multiple of every cell, so that none is negative. */
#define ORIGIN (1 << 20)
#define EDGE_OCTAVE 5 /* of 64 px: where it crosses its middle, the scene jumps */
#define TINT_OCTAVE 4 /* of 32 px: what makes red and blue differ from green */
#define DARKEST 0.08  /* of full scale: keeps noise off 0, where integers would cut it */
#define CONTRAST 0.6
#define JUMP 0.12

/* Variance of the noise, share of full scale: photon * signal + read^2. The levels are those of
 * tests/lib/make_pairs.py: about a photograph at ISO 3200, and one at ISO 25600. */
static const struct {
    const char *name;
    double photon, read;
} noises[PM_BENCH_NOISES] = {
    {"none", 0, 0},
    {"medium", 0.0004, 0.004},
    {"heavy", 0.004, 0.02},
};

const char *pm_bench_noise_name(enum pm_bench_noise noise)
{
    return noises[noise].name;
}

/* splitmix64: every place and use has its own number, so nothing depends on the order of calls. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static float unit(uint64_t seed, int y, int x)
{
    uint64_t bits = mix(seed ^ ((uint64_t)(uint32_t)y << 32 | (uint32_t)x));
    return (float)(bits >> 40) * 0x1p-24f;
}

struct pm_bench_scene pm_bench_scene_of(
    struct pm_bench_size size, enum pm_bench_noise noise, int max_shift, uint64_t seed)
{
    int ry = size.h / 4 < max_shift ? size.h / 4 : max_shift;
    int rx = size.w / 4 < max_shift ? size.w / 4 : max_shift;
    return (struct pm_bench_scene){
        .w = size.w,
        .h = size.h,
        .dy = (int)(mix(seed + 1) % (uint64_t)(2 * ry + 1)) - ry,
        .dx = (int)(mix(seed + 2) % (uint64_t)(2 * rx + 1)) - rx,
        .gain = 0.6 + (double)(mix(seed + 3) % 1000) / 1000.0,
        .noise = noise,
        .seed = seed,
    };
}

/* Room for one row of the scene while it is drawn. */
struct rows {
    float *light, *edge, *tint; /* w each */
    float *lattice;             /* w / 2 + 3: one octave's values, already between two rows */
};

/* out = scale * the octave along row y, from x0; both in scene coordinates. */
static void octave_row(
    const struct rows *rows, uint64_t seed, int octave, int y, int x0, int w, float *out)
{
    int cell = CELL(octave), ly = y / cell, lx = x0 / cell, cells = (x0 + w - 1) / cell - lx + 2;
    float fy = (float)(y - ly * cell) / (float)cell, step = 1.0f / (float)cell;

    for (int i = 0; i < cells; i++) {
        float above = unit(seed, ly, lx + i), below = unit(seed, ly + 1, lx + i);
        rows->lattice[i] = above + (below - above) * fy;
    }
    for (int x = 0; x < w; x++) {
        int at = x0 + x, i = at / cell;
        float fx = (float)(at - i * cell) * step, left = rows->lattice[i - lx];
        out[x] = left + (rows->lattice[i - lx + 1] - left) * fx;
    }
}

/* light: 0..1 along one row of the scene; edge and tint: their octaves. */
static void scene_row(const struct rows *rows, uint64_t seed, int y, int x0, int w)
{
    float total = 0;
    memset(rows->light, 0, (size_t)w * sizeof *rows->light);
    for (int i = 0; i < OCTAVES; i++) {
        float weight = sqrtf((float)(i + 1));
        octave_row(rows, mix(seed + 16 + (uint64_t)i), i, y, x0, w, rows->edge);
        for (int x = 0; x < w; x++) {
            rows->light[x] += weight * rows->edge[x];
        }
        total += weight;
    }
    for (int x = 0; x < w; x++) {
        rows->light[x] /= total;
    }
    octave_row(rows, mix(seed + 8), EDGE_OCTAVE, y, x0, w, rows->edge);
    octave_row(rows, mix(seed + 9), TINT_OCTAVE, y, x0, w, rows->tint);
}

/* Mean 0, deviation 1: the sum of four 16-bit uniforms, near enough to Gaussian (|z| < 3.5). */
static float gaussian(uint64_t bits)
{
    uint32_t sum = (uint32_t)(bits & 0xffff) + (uint32_t)(bits >> 16 & 0xffff) +
                   (uint32_t)(bits >> 32 & 0xffff) + (uint32_t)(bits >> 48);
    return ((float)sum * 0x1p-16f - 2.0f) * 1.7320508f; /* variance of the sum is 4/12 */
}

struct view {
    int y0, x0;          /* the scene's place at the image's (0, 0) */
    float scale;         /* sample per light, full scale 1 */
    float photon, read2; /* variance of the noise; 0, 0: none */
    uint64_t noise_seed;
};

static uint16_t sample(float light, const struct view *view, int y, int i)
{
    float value = light * view->scale;
    float variance = view->photon * value + view->read2;
    if (variance > 0) {
        uint64_t place = (uint64_t)(uint32_t)y << 32 | (uint32_t)i;
        value += sqrtf(variance) * gaussian(mix(view->noise_seed ^ place));
    }
    value = value < 0 ? 0 : value > 1 ? 1 : value;
    return (uint16_t)(value * 65535.0f + 0.5f);
}

static void image_row(
    const struct rows *rows, const struct view *view, struct pm_image *image, int y)
{
    uint16_t *out = (uint16_t *)(void *)(image->data + (size_t)y * image->stride);
    for (int x = 0; x < image->w; x++) {
        float jump = rows->edge[x] > 0.5f ? (float)JUMP : 0;
        float light = (float)DARKEST + (float)CONTRAST * rows->light[x] + jump;
        float tint = 0.3f * (rows->tint[x] - 0.5f);
        *out++ = sample(light * (1 + tint), view, y, 3 * x);
        *out++ = sample(light, view, y, 3 * x + 1);
        *out++ = sample(light * (1 - tint), view, y, 3 * x + 2);
    }
}

static enum pm_code draw(const struct pm_bench_scene *scene, const struct view *view,
    struct pm_image **out, struct pm_err *err)
{
    size_t w = (size_t)scene->w;
    float *room = calloc(3 * w + w / 2 + 3, sizeof *room);
    struct pm_image *image = NULL;
    enum pm_code rc;

    if (room == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a %dx%d scene", scene->w, scene->h);
    }
    rc = pm_image_new(&image, scene->w, scene->h, 3, PM_U16, NULL, err);
    if (rc == PM_OK) {
        const struct rows rows = {room, room + w, room + 2 * w, room + 3 * w};
        memset(image->data, 0, image->bytes); /* the ends of the rows too */
        for (int y = 0; y < scene->h; y++) {
            scene_row(&rows, scene->seed, ORIGIN + y + view->y0, ORIGIN + view->x0, scene->w);
            image_row(&rows, view, image, y);
        }
        *out = image;
    }
    free(room);
    return rc;
}

enum pm_code pm_bench_scene_draw(const struct pm_bench_scene *scene, struct pm_image **gt,
    struct pm_image **target, struct pm_err *err)
{
    double exposure = fmin(1, scene->gain); /* the brighter of the two stays below full scale */
    double read = noises[scene->noise].read;
    const struct view clean = {.scale = (float)exposure};
    const struct view noisy = {
        .y0 = scene->dy,
        .x0 = scene->dx,
        .scale = (float)(exposure / scene->gain),
        .photon = (float)noises[scene->noise].photon,
        .read2 = (float)(read * read),
        .noise_seed = mix(scene->seed + 4),
    };
    enum pm_code rc = draw(scene, &clean, gt, err);

    if (rc == PM_OK) {
        rc = draw(scene, &noisy, target, err);
        if (rc != PM_OK) {
            pm_image_free(*gt);
            *gt = NULL;
        }
    }
    return rc;
}
