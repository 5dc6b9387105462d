#include "worker/align/blocks.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "worker/kernels/l1.h"

/* Ten times what l1.h says of its float kernels. */
#define SUM_ERROR 1e-5

struct pm_blocks {
    const struct pm_l1_ops *l1;
    int w, h;     /* px of the images */
    int columns;  /* floats of one phase of one row of gt; at least w / PM_BLOCK */
    double error; /* largest rounding of one difference of sums, full scale 1 */
    /* gt's sum over the block at (x, y) is gt[y][x % PM_BLOCK][x / PM_BLOCK]: blocks that lie side
     * by side at any shift are neighbours in memory. target[y / PM_BLOCK][x / PM_BLOCK]. */
    float *gt, *target;
    unsigned char *gaps[2]; /* gt by row, target by strip: 1 when a sum is not finite */
    double *line; /* PM_BLOCK rows of sums over PM_BLOCK px of a row, and one row of pixels */
};

enum pm_code pm_blocks_new(struct pm_blocks **out, struct pm_err *err)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? PM_OK : pm_err_set(err, PM_ENOMEM, "no memory for block sums");
}

static void free_arrays(struct pm_blocks *blocks)
{
    free(blocks->gt);
    free(blocks->target);
    free(blocks->gaps[0]);
    free(blocks->gaps[1]);
    free(blocks->line);
    blocks->gt = blocks->target = NULL;
    blocks->gaps[0] = blocks->gaps[1] = NULL;
    blocks->line = NULL;
}

void pm_blocks_free(struct pm_blocks *blocks)
{
    if (blocks == NULL) {
        return;
    }
    free_arrays(blocks);
    free(blocks);
}

/* Arrays for images of w x h; those of the pair before are kept when they fit exactly. */
static bool size_arrays(struct pm_blocks *blocks, int w, int h)
{
    size_t columns = ((size_t)w + PM_BLOCK - 1) / PM_BLOCK, rows = (size_t)h;
    size_t strips = rows / PM_BLOCK + 1;
    if (blocks->gt != NULL && blocks->w == w && blocks->h == h) {
        return true;
    }
    free_arrays(blocks);
    blocks->w = w;
    blocks->h = h;
    blocks->columns = (int)columns;
    blocks->gt = malloc(rows * columns * PM_BLOCK * sizeof(float));
    blocks->target = malloc(strips * columns * sizeof(float));
    blocks->gaps[0] = malloc(rows);
    blocks->gaps[1] = malloc(strips);
    blocks->line = malloc((PM_BLOCK + 1) * (size_t)w * sizeof(double));
    if (blocks->gt == NULL || blocks->target == NULL || blocks->gaps[0] == NULL ||
        blocks->gaps[1] == NULL || blocks->line == NULL) {
        free_arrays(blocks);
        return false;
    }
    return true;
}

static double sample_at(enum pm_sample sample, const void *row, size_t i)
{
    switch (sample) {
    case PM_U8:
        return ((const uint8_t *)row)[i];
    case PM_U16:
        return ((const uint16_t *)row)[i];
    case PM_F16:
        return (double)pm_half_to_float(((const uint16_t *)row)[i]);
    case PM_F32:
        break;
    }
    return (double)((const float *)row)[i];
}

/* The channel sum of every px of row y, times scale; infinite ones become NaN. */
static void add_channels(const struct pm_image *image, int y, double scale, double *out)
{
    const void *row = pm_image_row(image, y);
    size_t channels = (size_t)image->channels;
    for (size_t x = 0; x < (size_t)image->w; x++) {
        double sum = 0;
        for (size_t c = 0; c < channels; c++) {
            sum += sample_at(image->sample, row, x * channels + c);
        }
        out[x] = isfinite(sum) ? sum * scale : (double)NAN;
    }
}

/* Sums over PM_BLOCK px from every x on, into the line that belongs to row y. */
static void make_line(struct pm_blocks *blocks, const struct pm_image *image, int y, double scale)
{
    double *px = blocks->line + (size_t)PM_BLOCK * (size_t)blocks->w;
    double *out = blocks->line + (size_t)(y % PM_BLOCK) * (size_t)blocks->w;
    add_channels(image, y, scale, px);
    for (int x = 0; x + PM_BLOCK <= blocks->w; x++) {
        out[x] = px[x] + px[x + 1] + px[x + 2] + px[x + 3];
    }
}

/* The sum over the block at x, of the PM_BLOCK rows whose lines are at hand. */
static float block_at(struct pm_blocks *blocks, int x, unsigned char *gap)
{
    const double *line = blocks->line + x;
    size_t w = (size_t)blocks->w;
    double sum = line[0] + line[w] + line[2 * w] + line[3 * w];
    if (isnan(sum)) {
        *gap = 1;
    } else if (fabs(sum) * 0x1p-23 > blocks->error) {
        blocks->error = fabs(sum) * 0x1p-23; /* two values, each rounded by up to 2^-24 */
    }
    return (float)sum;
}

static void build_gt(struct pm_blocks *blocks, const struct pm_image *gt, double scale)
{
    for (int y = 0; y < blocks->h; y++) {
        int top = y - PM_BLOCK + 1; /* of the block that row y completes */
        float *out = blocks->gt + (size_t)(top < 0 ? 0 : top) * (size_t)blocks->columns * PM_BLOCK;
        make_line(blocks, gt, y, scale);
        if (top < 0) {
            continue;
        }
        blocks->gaps[0][top] = 0;
        for (int x = 0; x + PM_BLOCK <= blocks->w; x++) {
            out[x % PM_BLOCK * blocks->columns + x / PM_BLOCK] =
                block_at(blocks, x, &blocks->gaps[0][top]);
        }
    }
}

static void build_target(struct pm_blocks *blocks, const struct pm_image *target, double scale)
{
    for (int y = 0; y < blocks->h; y++) {
        int strip = y / PM_BLOCK;
        float *out = blocks->target + (size_t)strip * (size_t)blocks->columns;
        make_line(blocks, target, y, scale);
        if (y % PM_BLOCK != PM_BLOCK - 1) {
            continue;
        }
        blocks->gaps[1][strip] = 0;
        for (int x = 0; x + PM_BLOCK <= blocks->w; x += PM_BLOCK) {
            out[x / PM_BLOCK] = block_at(blocks, x, &blocks->gaps[1][strip]);
        }
    }
}

enum pm_code pm_blocks_build(struct pm_blocks *blocks, const struct pm_image *gt,
    const struct pm_image *target, double gain, struct pm_err *err)
{
    double scale = 1 / pm_sample_full_scale(gt->sample);
    if (!size_arrays(blocks, gt->w, gt->h)) {
        return pm_err_set(err, PM_ENOMEM, "no memory for block sums of %dx%d px", gt->w, gt->h);
    }
    blocks->l1 = pm_l1();
    blocks->error = 0;
    build_gt(blocks, gt, scale);
    build_target(blocks, target, gain * scale);
    return PM_OK;
}

void pm_blocks_strips(const struct pm_overlap *overlap, int *first, int *end)
{
    *first = (overlap->target_y + PM_BLOCK - 1) / PM_BLOCK;
    *end = (overlap->target_y + overlap->h) / PM_BLOCK;
}

/* As the kernel does, leaving out what is not finite. */
static double sum_with_gaps(const float *a, const float *b, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - (double)b[i]);
        sum += isfinite(d) ? d : 0;
    }
    return sum;
}

double pm_blocks_least(const struct pm_blocks *blocks, const struct pm_overlap *overlap, int strip)
{
    int first = (overlap->target_x + PM_BLOCK - 1) / PM_BLOCK;
    int n = (overlap->target_x + overlap->w) / PM_BLOCK - first;
    int x = PM_BLOCK * first + overlap->gt_x - overlap->target_x;
    int y = PM_BLOCK * strip + overlap->gt_y - overlap->target_y;
    size_t columns = (size_t)blocks->columns;
    const float *a, *b;
    double sum;

    if (n <= 0) {
        return 0;
    }
    a = blocks->gt + ((size_t)y * PM_BLOCK + (size_t)(x % PM_BLOCK)) * columns + x / PM_BLOCK;
    b = blocks->target + (size_t)strip * columns + first;
    if (blocks->gaps[0][y] != 0 || blocks->gaps[1][strip] != 0) {
        sum = sum_with_gaps(a, b, (size_t)n);
    } else {
        sum = blocks->l1->row_f32(a, b, (size_t)n);
    }
    sum = sum * (1 - SUM_ERROR) - blocks->error * n;
    return sum > 0 ? sum : 0;
}
