#include "worker/align/prep.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/bufpool.h"
#include "worker/align/prep_levels.h"
#include "worker/kernels/l1.h"
#include "worker/kernels/pyramid.h"

#define LEVEL_MAX 16383 /* 2^14 - 1; so that the difference of two level values fits int16 */
#define F16_COLUMNS 960 /* px widened at a time: 4 rows of RGB floats stay in the first cache */
#define HIST_BITS 12
#define LINE_VALUES 32 /* int16 values in 64 bytes, a cache line nearly everywhere */

struct pm_prep {
    int w, h, channels;
    enum pm_sample sample;
    struct pm_bufpool *pool;
    const struct pm_pyramid_ops *pyramid;
    const struct pm_l1_ops *l1;
    int next_row; /* rows before this one are in */
    struct pm_level level;
    int16_t *data; /* the level's */
    size_t data_bytes;
    float *means;         /* float samples only, until finish: block means */
    uint32_t *sums;       /* integer samples: block sums of the rows at hand; one level row */
    unsigned char *blank; /* a row of zeros, for the last rows when h % 4 != 0 */
    int shift;            /* integer samples: data = block sum >> shift */
    uint64_t int_sum[3];  /* per channel */
    double float_sum[3];
    int64_t bad[3]; /* samples not finite */
    uint32_t max;   /* largest integer sample */
};

static bool is_float(const struct pm_prep *prep)
{
    return prep->sample == PM_F16 || prep->sample == PM_F32;
}

static size_t level_count(const struct pm_prep *prep)
{
    return (size_t)prep->level.w * (size_t)prep->level.h;
}

/* The buffers of a prep whose shape is set; false when out of memory. */
static bool allocate(struct pm_prep *prep)
{
    size_t row = (size_t)prep->w * (size_t)prep->channels * sizeof(float);

    prep->data_bytes = (level_count(prep) + 64) * sizeof *prep->data;
    prep->data = pm_bufpool_get(prep->pool, prep->data_bytes);
    prep->blank = calloc(1, row);
    if (is_float(prep)) {
        prep->means = malloc((level_count(prep) + 1) * sizeof *prep->means);
    }
    prep->sums = malloc(((size_t)prep->w + 4) * sizeof *prep->sums);
    return prep->data != NULL && prep->blank != NULL && prep->sums != NULL &&
           (prep->means != NULL || !is_float(prep));
}

enum pm_code pm_prep_new_from(struct pm_prep **out, int w, int h, int channels,
    enum pm_sample sample, struct pm_bufpool *pool, struct pm_err *err)
{
    struct pm_prep *prep = calloc(1, sizeof *prep);

    assert(w > 0 && h > 0 && (channels == 1 || channels == 3));
    if (prep == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to prepare an image for alignment");
    }
    prep->w = w;
    prep->h = h;
    prep->channels = channels;
    prep->sample = sample;
    prep->pool = pool;
    prep->pyramid = pm_pyramid();
    prep->l1 = pm_l1();
    prep->level = (struct pm_level){.w = w / 4, .h = h / 4, .factor = 4, .stride = (size_t)w / 4};
    if (!allocate(prep)) {
        pm_prep_free(prep);
        return pm_err_set(err, PM_ENOMEM, "no memory to prepare a %dx%d image for alignment", w, h);
    }
    prep->level.data = prep->data;
    *out = prep;
    return PM_OK;
}

enum pm_code pm_prep_new(
    struct pm_prep **out, int w, int h, int channels, enum pm_sample sample, struct pm_err *err)
{
    return pm_prep_new_from(out, w, h, channels, sample, NULL, err);
}

void pm_prep_free(struct pm_prep *prep)
{
    if (prep == NULL) {
        return;
    }
    pm_bufpool_put(prep->pool, prep->data, prep->data_bytes);
    free(prep->means);
    free(prep->sums);
    free(prep->blank);
    free(prep);
}

/* Block sums of one level row into the level. The shift grows when a brighter row comes, and what
 * is stored already follows: (v >> a) >> b == v >> (a + b), so the result does not depend on the
 * order of the rows, and dark images keep all their bits. */
static void store_sums(struct pm_prep *prep, int y)
{
    int16_t *row = prep->data + (size_t)y * prep->level.stride;
    size_t before = (size_t)y * prep->level.stride;
    uint32_t bits = prep->pyramid->narrow(prep->sums, (size_t)prep->level.w, prep->shift, row);
    int more = 0;

    while (bits >> (prep->shift + more) > LEVEL_MAX) {
        more++;
    }
    if (more > 0) {
        for (size_t i = 0; i < before; i++) {
            prep->data[i] = (int16_t)(prep->data[i] >> more);
        }
        prep->shift += more;
        prep->pyramid->narrow(prep->sums, (size_t)prep->level.w, prep->shift, row);
    }
    /* The next row's lines come while its pixels are summed; written cold they cost 1 ms in 15. */
    for (int x = 0; x < prep->level.w && y + 1 < prep->level.h; x += LINE_VALUES) {
        __builtin_prefetch(row + prep->level.stride + x, 1);
    }
}

static void quad_f16(struct pm_prep *prep, const unsigned char *const rows[4], float *out)
{
    float wide[4][F16_COLUMNS * 3];
    const float *const wide_rows[4] = {wide[0], wide[1], wide[2], wide[3]};

    for (int x = 0; x < prep->w; x += F16_COLUMNS) {
        int n = prep->w - x < F16_COLUMNS ? prep->w - x : F16_COLUMNS;
        size_t first = (size_t)x * (size_t)prep->channels;
        for (int r = 0; r < 4; r++) {
            const uint16_t *in = (const uint16_t *)(const void *)rows[r];
            prep->l1->stage_f16(in + first, (size_t)n * (size_t)prep->channels, 1.0f, wide[r]);
        }
        prep->pyramid->quad_f32(
            wide_rows, n, prep->channels, out + x / 4, prep->float_sum, prep->bad);
    }
}

/* Four rows; level_y < 0: an incomplete group, only its sums count. */
static void take_quad(struct pm_prep *prep, const unsigned char *const rows[4], int level_y)
{
    float *means = (float *)(void *)prep->sums; /* same size; unused by float images */

    if (is_float(prep) && level_y >= 0) {
        means = prep->means + (size_t)level_y * prep->level.stride;
    }
    switch (prep->sample) {
    case PM_U8:
        prep->pyramid->quad_u8((const uint8_t *const *)rows, prep->w, prep->channels, prep->sums,
            prep->int_sum, &prep->max);
        break;
    case PM_U16:
        prep->pyramid->quad_u16((const uint16_t *const *)(const void *)rows, prep->w,
            prep->channels, prep->sums, prep->int_sum, &prep->max);
        break;
    case PM_F16:
        quad_f16(prep, rows, means);
        break;
    case PM_F32:
        prep->pyramid->quad_f32((const float *const *)(const void *)rows, prep->w, prep->channels,
            means, prep->float_sum, prep->bad);
        break;
    }
    if (!is_float(prep) && level_y >= 0) {
        store_sums(prep, level_y);
    }
}

void pm_prep_rows(struct pm_prep *prep, const struct pm_image *image, int y0, int y1)
{
    int quads = prep->h / 4;

    assert(y0 == prep->next_row && y1 <= prep->h && image->w == prep->w);
    for (int q = y0 / 4; q <= quads; q++) {
        int last = 4 * q + 4 < prep->h ? 4 * q + 4 : prep->h;
        const unsigned char *rows[4];
        if (last > y1 || last == 4 * q) {
            break; /* not all of its rows are there yet, or none are left */
        }
        for (int r = 0; r < 4; r++) {
            rows[r] = 4 * q + r < last ? pm_image_row(image, 4 * q + r) : prep->blank;
        }
        take_quad(prep, rows, q < quads ? q : -1);
    }
    prep->next_row = y1;
}

static void sink_rows(void *ctx, const struct pm_image *image, int y0, int y1)
{
    pm_prep_rows(ctx, image, y0, y1);
}

struct pm_row_sink pm_prep_sink(struct pm_prep *prep)
{
    return (struct pm_row_sink){.rows = sink_rows, .ctx = prep};
}

/* The size that all but 1 in 2000 block means stay below, by a histogram over the leading bits of
 * their floats: a few hot pixels must not take the bits from the scene. */
static float robust_limit(const float *means, size_t count)
{
    uint32_t *hist = calloc((size_t)1 << HIST_BITS, sizeof *hist);
    size_t total = 0, seen = 0;
    float limit = 0;

    for (size_t i = 0; i < count; i++) {
        float v = fabsf(means[i]);
        limit = v > limit ? v : limit;
    }
    if (hist == NULL) {
        return limit; /* only less robust */
    }
    for (size_t i = 0; i < count; i++) {
        float v = fabsf(means[i]);
        uint32_t bits;
        if (isfinite(v)) {
            memcpy(&bits, &v, sizeof bits);
            hist[bits >> (31 - HIST_BITS)]++;
            total++;
        }
    }
    for (uint32_t b = 0; b < 1u << HIST_BITS; b++) {
        seen += hist[b];
        if (seen >= total - total / 2000) {
            uint32_t bits = (b + 1) << (31 - HIST_BITS);
            float top;
            memcpy(&top, &bits, sizeof top);
            limit = isfinite(top) && 2 * top < limit ? 2 * top : limit;
            break;
        }
    }
    free(hist);
    return limit;
}

/* Float block means to the level's int16; blocks without a finite sample get the mean. */
static void quantise(struct pm_prep *prep)
{
    size_t count = level_count(prep);
    float limit = robust_limit(prep->means, count);
    float scale = limit > 0 ? LEVEL_MAX / limit : 0;
    double mean = pm_prep_mean(prep);

    if (!isfinite(scale)) { /* all subnormal: as good as flat */
        scale = 0;
    }
    for (size_t i = 0; i < count; i++) {
        float v = isfinite(prep->means[i]) ? prep->means[i] : (float)mean;
        float q = v * scale;
        q = q > LEVEL_MAX ? LEVEL_MAX : q < -LEVEL_MAX ? -LEVEL_MAX : q;
        prep->data[i] = (int16_t)lrintf(isfinite(q) ? q : 0);
    }
    prep->level.unit = scale > 0 ? 1 / (double)scale : 1;
}

void pm_prep_finish(struct pm_prep *prep)
{
    assert(prep->next_row == prep->h);
    if (is_float(prep)) {
        quantise(prep);
        free(prep->means);
        prep->means = NULL;
    } else {
        prep->level.unit =
            ldexp(1.0, prep->shift) / (16.0 * prep->channels * pm_sample_full_scale(prep->sample));
    }
}

enum pm_code pm_prep_of_image(
    struct pm_prep **out, const struct pm_image *image, struct pm_err *err)
{
    enum pm_code rc = pm_prep_new(out, image->w, image->h, image->channels, image->sample, err);

    if (rc == PM_OK) {
        pm_prep_rows(*out, image, 0, image->h);
        pm_prep_finish(*out);
    }
    return rc;
}

static double channel_total(const struct pm_prep *prep, int channel)
{
    return is_float(prep) ? prep->float_sum[channel] : (double)prep->int_sum[channel];
}

static double mean_of(const struct pm_prep *prep, int first, int end)
{
    double sum = 0;
    int64_t count = 0;

    for (int c = first; c < end; c++) {
        sum += channel_total(prep, c);
        count += (int64_t)prep->w * prep->h - prep->bad[c];
    }
    return count > 0 ? sum / (double)count / pm_sample_full_scale(prep->sample) : (double)NAN;
}

double pm_prep_mean(const struct pm_prep *prep)
{
    return mean_of(prep, 0, prep->channels);
}

double pm_prep_channel_mean(const struct pm_prep *prep, int channel)
{
    assert(channel >= 0 && channel < prep->channels);
    return mean_of(prep, channel, channel + 1);
}

int64_t pm_prep_non_finite(const struct pm_prep *prep)
{
    return prep->bad[0] + prep->bad[1] + prep->bad[2];
}

size_t pm_prep_bytes(const struct pm_prep *prep)
{
    size_t row = (size_t)prep->w * ((size_t)prep->channels * sizeof(float) + sizeof *prep->sums);
    size_t means = prep->means != NULL ? level_count(prep) * sizeof *prep->means : 0;

    return sizeof *prep + prep->data_bytes + row + means;
}

const struct pm_level *pm_prep_level(const struct pm_prep *prep)
{
    return &prep->level;
}

double pm_prep_max(const struct pm_prep *prep)
{
    return prep->sample == PM_U8 ? 255.0 : is_float(prep) ? (double)NAN : (double)prep->max;
}
