#include "worker/align/zncc.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "worker/align/fftplans.h"
#include "worker/align/peaks.h"
#include "worker/kernels/correlate.h"

#define AT_ONCE ((size_t)8) /* rows transformed before they go to their blocks */
#define MEAN_ROWS 8 /* one in so many tells the mean; anything near it keeps float sums small */
#define EDGE_ROWS ((size_t)PM_SHIFTS - 1) /* of zeros before and after a block: correlate.h */

/* Rows are transformed by FFT, both images' in one go as real and imaginary parts; columns are not:
 * shifts reach a few percent of the height, and multiplying the rows' spectra at each dy costs less
 * than two transforms of every column and one back. */

/* An overlap touches a corner of either image, so its sum is that of the image less a strip of rows
 * at the top or bottom, less a strip of columns at a side, plus the corner taken away twice. These
 * strips reach only as far as the shifts do: far cheaper than two whole summed-area tables. */
struct strips {
    double total;
    double *rows[2];      /* [0]: sum of the first k rows, k = 0..ry; [1]: of the last k rows */
    double *columns[2];   /* the same for columns, k = 0..rx */
    double *corner[2][2]; /* [bottom][right]: sum of its k x l px, (ry + 1) x (rx + 1) */
};

struct pm_zncc {
    const struct pm_correlate_ops *ops;
    const struct pm_fft *fft;
    int w, h, ry, rx;
    int padded_w;  /* length of the transforms */
    int shifts;    /* 2 ry + 1, rounded up to whole PM_SHIFTS */
    size_t stride; /* of luma */
    size_t step;   /* floats from block to block of a spectrum */
    size_t blocks, row_bins;
    size_t luma_capacity, spectrum_capacity, work_capacity; /* floats */
    float *luma[2];                                         /* gt, target */
    float *spectrum[2];                                     /* correlate.h */
    float *work;
    float (*line)[2];         /* in work: padded_w */
    float (*line_spectra)[2]; /* in work: AT_ONCE lines */
    float *product;           /* in work: shifts rows of one block */
    float (*products)[2];     /* in work: shifts rows of row_bins */
    size_t strip_capacity, table_capacity, column_capacity;
    double *strip_memory;
    double *column; /* w sums each of gt, gt squared, target, target squared */
    struct strips plain[2], squared[2];
    double *table; /* [dy + ry][dx + rx] */
};

enum pm_code pm_zncc_new(struct pm_zncc **out, struct pm_err *err)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? PM_OK : pm_err_set(err, PM_ENOMEM, "no memory for a correlation");
}

void pm_zncc_free(struct pm_zncc *zncc)
{
    if (zncc == NULL) {
        return;
    }
    for (int i = 0; i < 2; i++) {
        pm_fft_release(zncc->luma[i]);
        pm_fft_release(zncc->spectrum[i]);
    }
    pm_fft_release(zncc->work);
    free(zncc->strip_memory);
    free(zncc->column);
    free(zncc->table);
    free(zncc);
}

/* Room for n floats in each of count arrays, contents lost; false: out of memory. */
static bool grow_floats(float **arrays, int count, size_t *capacity, size_t n)
{
    bool done = true;
    if (n <= *capacity) {
        return true;
    }
    *capacity = 0;
    for (int i = 0; i < count; i++) {
        pm_fft_release(arrays[i]);
        arrays[i] = pm_fft_alloc(n * sizeof(float));
        done = done && arrays[i] != NULL;
    }
    *capacity = done ? n : 0;
    return done;
}

static bool grow_arrays(struct pm_zncc *zncc)
{
    size_t line = 2 * (size_t)zncc->padded_w;
    size_t product = (size_t)zncc->shifts * 2 * PM_BINS;
    size_t products = (size_t)zncc->shifts * 2 * zncc->row_bins;
    float *at;
    if (!grow_floats(zncc->luma, 2, &zncc->luma_capacity, zncc->stride * (size_t)zncc->h) ||
        !grow_floats(zncc->spectrum, 2, &zncc->spectrum_capacity, zncc->blocks * zncc->step) ||
        !grow_floats(
            &zncc->work, 1, &zncc->work_capacity, (1 + AT_ONCE) * line + product + products)) {
        return false;
    }
    at = zncc->work; /* every length is even, and so every part 16 bytes aligned or better */
    zncc->products = (float(*)[2])at;
    zncc->product = at + products;
    zncc->line = (float(*)[2])(zncc->product + product);
    zncc->line_spectra = zncc->line + zncc->padded_w;
    return true;
}

/* Room for n values in *memory, contents lost; false: out of memory. */
static bool grow(double **memory, size_t *capacity, size_t n)
{
    double *larger;
    if (n <= *capacity) {
        return true;
    }
    larger = malloc(n * sizeof *larger);
    if (larger == NULL) {
        return false;
    }
    free(*memory);
    *memory = larger;
    *capacity = n;
    return true;
}

static double *lay_out(struct strips *strips, double *at, size_t ny, size_t nx)
{
    for (int i = 0; i < 2; i++) {
        strips->rows[i] = at;
        strips->columns[i] = at + ny;
        at += ny + nx;
    }
    for (int i = 0; i < 4; i++) {
        strips->corner[i / 2][i % 2] = at;
        at += ny * nx;
    }
    return at;
}

static bool grow_tables(struct pm_zncc *zncc)
{
    size_t ny = (size_t)zncc->ry + 1, nx = (size_t)zncc->rx + 1;
    size_t strips = 4 * (2 * (ny + nx) + 4 * ny * nx);
    double *at;
    if (!grow(&zncc->strip_memory, &zncc->strip_capacity, strips) ||
        !grow(&zncc->column, &zncc->column_capacity, 4 * (size_t)zncc->w) ||
        !grow(&zncc->table, &zncc->table_capacity, (2 * ny - 1) * (2 * nx - 1))) {
        return false;
    }
    at = zncc->strip_memory;
    for (int i = 0; i < 2; i++) {
        at = lay_out(&zncc->plain[i], at, ny, nx);
        at = lay_out(&zncc->squared[i], at, ny, nx);
    }
    return true;
}

/* Even, for the alignment of what follows a line. */
static int even_size(int n)
{
    do {
        n = pm_fft_smooth_size(n);
    } while (n % 2 != 0 && n++ > 0);
    return n;
}

enum pm_code pm_zncc_size(struct pm_zncc *zncc, struct pm_fftplans *plans, int w, int h, int ry,
    int rx, struct pm_err *err)
{
    zncc->w = w;
    zncc->h = h;
    zncc->ry = ry;
    zncc->rx = rx;
    zncc->ops = pm_correlate();
    /* Shifts up to rx wrap into the padding when there are rx px of it, and never onto the image.
     */
    zncc->padded_w = even_size(w + rx);
    zncc->shifts = (2 * ry + PM_SHIFTS) / PM_SHIFTS * PM_SHIFTS;
    zncc->stride = (size_t)w;
    zncc->row_bins = (size_t)zncc->padded_w / 2 + 2;
    zncc->row_bins -= zncc->row_bins % 2;
    zncc->blocks = ((size_t)zncc->padded_w / 2 + PM_BINS) / PM_BINS;
    zncc->step = ((size_t)h + 2 * EDGE_ROWS) * 2 * PM_BINS;
    if (!grow_arrays(zncc) || !grow_tables(zncc)) {
        return pm_err_set(err, PM_ENOMEM, "no memory to correlate %dx%d luma images", w, h);
    }
    return pm_fft_get(plans, zncc->padded_w, &zncc->fft, err);
}

float *pm_zncc_gt(struct pm_zncc *zncc, size_t *stride)
{
    *stride = zncc->stride;
    return zncc->luma[0];
}

float *pm_zncc_target(struct pm_zncc *zncc, size_t *stride)
{
    *stride = zncc->stride;
    return zncc->luma[1];
}

/* Row 0 of block 0. */
static float *spectrum_of(const struct pm_zncc *zncc, int image)
{
    return zncc->spectrum[image] + EDGE_ROWS * 2 * PM_BINS;
}

/* Both images row by row: takes the means away, which keeps float sums small, adds up the columns,
 * and puts the rows' spectra in their blocks. */
static void transform(struct pm_zncc *zncc)
{
    size_t w = (size_t)zncc->w, rows = (size_t)zncc->h;
    const struct pm_columns columns = {
        zncc->column, zncc->column + w, zncc->column + 2 * w, zncc->column + 3 * w};
    float mean[2];

    for (int i = 0; i < 2; i++) {
        double sum = 0, seen = 0;
        for (size_t y = 0; y < rows; y += MEAN_ROWS) {
            sum += zncc->ops->sum(zncc->luma[i] + y * zncc->stride, w).sum;
            seen += (double)w;
        }
        mean[i] = (float)(sum / seen);
    }
    memset(zncc->column, 0, 4 * w * sizeof *zncc->column);
    memset(zncc->line, 0, (size_t)zncc->padded_w * sizeof *zncc->line);
    for (size_t y = 0; y < rows; y += AT_ONCE) {
        size_t at = y * 2 * PM_BINS, n = rows - y < AT_ONCE ? rows - y : AT_ONCE;
        for (size_t i = 0; i < n; i++) {
            size_t row = (y + i) * zncc->stride;
            zncc->ops->take(zncc->luma[0] + row, zncc->luma[1] + row, w, mean, columns, zncc->line);
            pm_fft_forward(zncc->fft, zncc->line, zncc->line_spectra + i * (size_t)zncc->padded_w);
        }
        zncc->ops->split((const float(*)[2])zncc->line_spectra, (int)n, (size_t)zncc->padded_w,
            spectrum_of(zncc, 0) + at, spectrum_of(zncc, 1) + at, zncc->step);
    }
}

/* Adds row k (counted from the top or the bottom) to the two corners at its end. */
static void corner_row(const struct pm_zncc *zncc, struct strips *strips, int bottom, int k,
    const float *row, bool square)
{
    size_t nx = (size_t)zncc->rx + 1;
    for (int right = 0; right < 2; right++) {
        const double *above = strips->corner[bottom][right] + (size_t)(k - 1) * nx;
        double *here = strips->corner[bottom][right] + (size_t)k * nx;
        double sum = 0;
        here[0] = 0;
        for (int l = 1; l <= zncc->rx; l++) {
            double v = (double)(right != 0 ? row[zncc->w - l] : row[l - 1]);
            sum += square ? v * v : v;
            here[l] = above[l] + sum;
        }
    }
}

static void corners(
    const struct pm_zncc *zncc, const float *luma, struct strips *plain, struct strips *squared)
{
    size_t nx = (size_t)zncc->rx + 1;
    for (int bottom = 0; bottom < 2; bottom++) {
        plain->rows[bottom][0] = squared->rows[bottom][0] = 0;
        for (int right = 0; right < 2; right++) {
            memset(plain->corner[bottom][right], 0, nx * sizeof(double));
            memset(squared->corner[bottom][right], 0, nx * sizeof(double));
        }
        for (int k = 1; k <= zncc->ry; k++) {
            int y = bottom != 0 ? zncc->h - k : k - 1;
            const float *row = luma + (size_t)y * zncc->stride;
            struct pm_row_sums sums = zncc->ops->sum(row, (size_t)zncc->w);
            plain->rows[bottom][k] = plain->rows[bottom][k - 1] + sums.sum;
            squared->rows[bottom][k] = squared->rows[bottom][k - 1] + sums.squares;
            corner_row(zncc, plain, bottom, k, row, false);
            corner_row(zncc, squared, bottom, k, row, true);
        }
    }
}

static void side_columns(const struct pm_zncc *zncc, const double *column, struct strips *strips)
{
    for (int right = 0; right < 2; right++) {
        double sum = 0;
        strips->columns[right][0] = 0;
        for (int l = 1; l <= zncc->rx; l++) {
            sum += right != 0 ? column[zncc->w - l] : column[l - 1];
            strips->columns[right][l] = sum;
        }
    }
    strips->total = 0;
    for (int x = 0; x < zncc->w; x++) {
        strips->total += column[x];
    }
}

/* After transform(): the sums of both images' edges, and of their squares. */
static void measure(struct pm_zncc *zncc)
{
    for (int i = 0; i < 2; i++) {
        const double *column = zncc->column + 2 * (size_t)i * (size_t)zncc->w;
        side_columns(zncc, column, &zncc->plain[i]);
        side_columns(zncc, column + zncc->w, &zncc->squared[i]);
        corners(zncc, zncc->luma[i], &zncc->plain[i], &zncc->squared[i]);
    }
}

/* The sum over the part of an image that is left when `dy` rows at the top (negative: at the
 * bottom) and `dx` columns at the left (negative: right) are taken away. */
static double rest(const struct pm_zncc *zncc, const struct strips *strips, int dy, int dx)
{
    int bottom = dy < 0, right = dx < 0;
    int k = abs(dy), l = abs(dx);
    size_t nx = (size_t)zncc->rx + 1;
    return strips->total - strips->rows[bottom][k] - strips->columns[right][l] +
           strips->corner[bottom][right][(size_t)k * nx + (size_t)l];
}

/* The sums of the products of rows dy apart, block by block, and from there to one spectrum a dy,
 * scaled for the transform back; split() gave twice each spectrum. */
static void multiply(const struct pm_zncc *zncc)
{
    size_t bins = (size_t)zncc->padded_w / 2 + 1, edge = EDGE_ROWS * 2 * PM_BINS;
    float scale = 0.25F / (float)zncc->padded_w;

    for (size_t b = 0; b < zncc->blocks; b++) {
        size_t from = b * PM_BINS, n = bins - from < PM_BINS ? bins - from : PM_BINS;
        float *gt = spectrum_of(zncc, 0) + b * zncc->step;
        memset(gt - edge, 0, edge * sizeof *gt);
        memset(gt + (size_t)zncc->h * 2 * PM_BINS, 0, edge * sizeof *gt);
        zncc->ops->products(gt, spectrum_of(zncc, 1) + b * zncc->step, zncc->h, -zncc->ry,
            zncc->shifts, zncc->product);
        for (int i = 0; i <= 2 * zncc->ry; i++) {
            const float *in = zncc->product + (size_t)i * 2 * PM_BINS;
            float(*out)[2] = zncc->products + (size_t)i * zncc->row_bins + from;
            for (size_t k = 0; k < n; k++) {
                out[k][0] = scale * in[k];
                out[k][1] = scale * in[PM_BINS + k];
            }
        }
    }
}

/* What is left of an overlap's variance must be more than the rounding of the sums it came from
 * (float input, 2^-24 relative, squared and summed): less means an even patch. */
#define EVEN 1e-6

/* correlation: the row of dy. */
static double score(const struct pm_zncc *zncc, const float *correlation, int dy, int dx)
{
    double n = (double)(zncc->h - abs(dy)) * (double)(zncc->w - abs(dx));
    double gt = rest(zncc, &zncc->plain[0], dy, dx);
    double gt2 = rest(zncc, &zncc->squared[0], dy, dx);
    double target = rest(zncc, &zncc->plain[1], -dy, -dx);
    double target2 = rest(zncc, &zncc->squared[1], -dy, -dx);
    double var_gt = gt2 - gt * gt / n, var_target = target2 - target * target / n;
    double product = (double)correlation[dx < 0 ? dx + zncc->padded_w : dx] - gt * target / n;
    if (!(var_gt > EVEN * zncc->squared[0].total) ||
        !(var_target > EVEN * zncc->squared[1].total)) {
        return 0;
    }
    return fmax(-1, fmin(1, product / sqrt(var_gt * var_target)));
}

void pm_zncc_run(struct pm_zncc *zncc)
{
    float *correlation = &zncc->line[0][0];
    double *out = zncc->table;

    transform(zncc);
    measure(zncc);
    multiply(zncc);
    for (int dy = -zncc->ry; dy <= zncc->ry; dy++) {
        pm_fft_backward(
            zncc->fft, zncc->products + (size_t)(dy + zncc->ry) * zncc->row_bins, correlation);
        for (int dx = -zncc->rx; dx <= zncc->rx; dx++) {
            *out++ = score(zncc, correlation, dy, dx);
        }
    }
}

double pm_zncc_score(const struct pm_zncc *zncc, int dy, int dx)
{
    size_t side = 2 * (size_t)zncc->rx + 1;
    return zncc->table[(size_t)(dy + zncc->ry) * side + (size_t)(dx + zncc->rx)];
}

/* Where the parabola through three neighbours has its top, -0.5..0.5. */
static double top_of(double before, double here, double after)
{
    double bend = before - 2 * here + after;
    if (!(bend < 0)) {
        return 0;
    }
    return fmax(-0.5, fmin(0.5, (before - after) / (2 * bend)));
}

static struct pm_zncc_peak peak_at(const struct pm_zncc *zncc, int dy, int dx)
{
    double here = pm_zncc_score(zncc, dy, dx);
    struct pm_zncc_peak peak = {.dy = dy, .dx = dx, .score = here};
    if (abs(dy) < zncc->ry) {
        peak.dy += top_of(pm_zncc_score(zncc, dy - 1, dx), here, pm_zncc_score(zncc, dy + 1, dx));
    }
    if (abs(dx) < zncc->rx) {
        peak.dx += top_of(pm_zncc_score(zncc, dy, dx - 1), here, pm_zncc_score(zncc, dy, dx + 1));
    }
    return peak;
}

static double score_of(const void *ctx, int dy, int dx)
{
    return pm_zncc_score(ctx, dy, dx);
}

int pm_zncc_peaks(const struct pm_zncc *zncc, struct pm_zncc_peak *peaks, int max)
{
    const struct pm_scored scored = {
        .score = score_of, .ctx = zncc, .range = {.dy = zncc->ry, .dx = zncc->rx}};
    struct pm_candidate list[PM_ZNCC_PEAKS];
    int count = pm_peaks_find(&scored, list, max < PM_ZNCC_PEAKS ? max : PM_ZNCC_PEAKS);
    for (int i = 0; i < count; i++) {
        peaks[i] = peak_at(zncc, list[i].dy, list[i].dx);
    }
    return count;
}
