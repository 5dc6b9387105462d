#include "tests/lib/synth.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define OCTAVES 6
#define DARKEST 0.1  /* of full scale: keeps noise off 0, where integers would cut it */
#define CONTRAST 0.6 /* darkest to brightest: 0.1 .. 0.7 */

/* splitmix64: every place and use gets its own number, so nothing depends on the order of calls. */
static uint64_t mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint64_t hash3(uint64_t seed, int y, int x, int salt)
{
    uint64_t place = (uint64_t)(uint32_t)y << 32 | (uint32_t)x;
    return mix(mix(seed + (uint64_t)(uint32_t)salt * 0x632be59bd9b4e019u) ^ place);
}

static double unit(uint64_t bits)
{
    return (double)(bits >> 11) * 0x1p-53;
}

static int floor_div(int a, int b)
{
    int q = a / b;
    return a % b < 0 ? q - 1 : q;
}

/* Random values on a lattice of `step` px, bilinear between them. */
static double octave(uint64_t seed, int y, int x, int step, int salt)
{
    int ly = floor_div(y, step), lx = floor_div(x, step);
    double fy = (double)(y - ly * step) / step, fx = (double)(x - lx * step) / step;
    double a = unit(hash3(seed, ly, lx, salt)), b = unit(hash3(seed, ly, lx + 1, salt));
    double c = unit(hash3(seed, ly + 1, lx, salt)), d = unit(hash3(seed, ly + 1, lx + 1, salt));
    return (a * (1 - fx) + b * fx) * (1 - fy) + (c * (1 - fx) + d * fx) * fy;
}

/* 0..1: all octaves of the scene, coarse ones stronger, as in photographs. */
static double brightness(const struct pm_synth *spec, int y, int x)
{
    double sum = 0, weights = 0;
    int first = spec->scene == PM_SYNTH_SMOOTH ? 3 : 0;
    for (int i = first; i < OCTAVES; i++) {
        double weight = 1 + i;
        sum += weight * octave(spec->seed, y, x, 1 << i, i);
        weights += weight;
    }
    return sum / weights;
}

/* Scene light of one pixel, full scale 1. */
static void light(const struct pm_synth *spec, int y, int x, double *channels)
{
    double value;
    if (spec->scene == PM_SYNTH_PERIODIC) {
        y -= floor_div(y, spec->period) * spec->period;
        x -= floor_div(x, spec->period) * spec->period;
    }
    value = spec->scene == PM_SYNTH_FLAT ? 0.5 : brightness(spec, y, x);
    for (int c = 0; c < spec->channels; c++) {
        bool tinted = c > 0 && spec->scene != PM_SYNTH_FLAT;
        double tint = tinted ? octave(spec->seed, y, x, 16, OCTAVES + c) : 0.5;
        channels[c] = DARKEST + CONTRAST * (0.8 * value + 0.2 * tint);
    }
}

/* Mean 0, deviation 1: the sum of four 16-bit uniforms, near enough to Gaussian (|z| < 3.5). */
static double gaussian(uint64_t bits)
{
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        sum += (double)((bits >> (16 * i)) & 0xffff) + 0.5;
    }
    return (sum / 65536 - 2) * 1.7320508075688772; /* variance of the sum is 4/12 */
}

/* Nearest half, ties to even; values beyond 65504 become infinite. */
static uint16_t to_half(double value)
{
    double a = fabs(value);
    uint16_t sign = signbit(value) ? 0x8000 : 0;
    int exponent;
    double m;
    if (isnan(value)) {
        return 0x7e00;
    }
    if (a >= 65520) {
        return (uint16_t)(sign | 0x7c00);
    }
    if (a < 0x1p-14) { /* subnormal: steps of 2^-24; 1024 of them carry into the exponent */
        return (uint16_t)(sign | (uint16_t)nearbyint(a * 0x1p24));
    }
    exponent = ilogb(a);
    m = nearbyint(ldexp(a, 10 - exponent)); /* 1024..2048; 2048 carries */
    return (uint16_t)(sign | (uint16_t)((exponent + 14) * 1024 + (int)m));
}

void pm_synth_put(struct pm_image *image, int y, int x, int c, double value)
{
    size_t i = (size_t)x * (size_t)image->channels + (size_t)c;
    unsigned char *row = image->data + (size_t)y * image->stride;
    double full = pm_sample_full_scale(image->sample);
    double clipped = fmin(fmax(value, 0), 1) * full + 0.5;
    switch (image->sample) {
    case PM_U8:
        row[i] = (unsigned char)clipped;
        break;
    case PM_U16:
        ((uint16_t *)(void *)row)[i] = (uint16_t)clipped;
        break;
    case PM_F16:
        ((uint16_t *)(void *)row)[i] = to_half(value);
        break;
    case PM_F32:
        ((float *)(void *)row)[i] = (float)value;
        break;
    }
}

double pm_synth_get(const struct pm_image *image, int y, int x, int c)
{
    size_t i = (size_t)x * (size_t)image->channels + (size_t)c;
    const void *row = pm_image_row(image, y);
    double full = pm_sample_full_scale(image->sample);
    switch (image->sample) {
    case PM_U8:
        return ((const unsigned char *)row)[i] / full;
    case PM_U16:
        return ((const uint16_t *)row)[i] / full;
    case PM_F16:
        return (double)pm_half_to_float(((const uint16_t *)row)[i]);
    case PM_F32:
        break;
    }
    return (double)((const float *)row)[i];
}

struct view {
    int y0, x0;   /* the scene's place at the image's (0, 0) */
    double scale; /* image value per scene light */
    bool noisy;
};

static struct pm_image *draw(const struct pm_synth *spec, struct view view)
{
    struct pm_image *image;
    enum pm_code rc =
        pm_image_new(&image, spec->w, spec->h, spec->channels, spec->sample, NULL, NULL);
    assert(rc == PM_OK);
    (void)rc;
    memset(image->data, 0, image->bytes);
    for (int y = 0; y < spec->h; y++) {
        for (int x = 0; x < spec->w; x++) {
            double channels[3];
            light(spec, y + view.y0, x + view.x0, channels);
            for (int c = 0; c < spec->channels; c++) {
                double value = channels[c];
                double sigma = sqrt(spec->photon * value + spec->read * spec->read);
                if (view.noisy && sigma > 0) {
                    value += sigma * gaussian(hash3(~spec->seed, y, x, 100 + c));
                }
                pm_synth_put(image, y, x, c, value * view.scale);
            }
        }
    }
    return image;
}

void pm_synth_pair(const struct pm_synth *spec, struct pm_image **gt, struct pm_image **target)
{
    double gain = spec->gain == 0 ? 1 : spec->gain;
    double exposure = fmin(1, gain); /* the brighter image of the two stays below full scale */
    if (gt != NULL) {
        *gt = draw(spec, (struct view){.scale = exposure});
    }
    if (target != NULL) {
        *target = draw(spec, (struct view){
                                 .y0 = spec->dy,
                                 .x0 = spec->dx,
                                 .scale = exposure / gain,
                                 .noisy = true,
                             });
    }
}
