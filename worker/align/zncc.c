#include "worker/align/zncc.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "worker/align/fftplans.h"
#include "worker/align/peaks.h"

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
    const struct pm_fft *fft;
    int w, h, ry, rx;
    int padded_w, padded_h;
    size_t capacity; /* floats each of `real` has room for */
    float *real[2];  /* gt, target; the correlation ends up in real[0] */
    float (*spectrum[2])[2];
    size_t strip_capacity, table_capacity, row_capacity;
    double *strip_memory;
    double *row; /* two rows of w: a row's values, or the running sums of columns */
    struct strips plain[2], squared[2];
    double *table; /* [dy + ry][dx + rx] */
};

enum pm_code pm_zncc_new(struct pm_zncc **out, struct pm_err *err)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? PM_OK : pm_err_set(err, PM_ENOMEM, "no memory for a correlation");
}

static void free_arrays(struct pm_zncc *zncc)
{
    for (int i = 0; i < 2; i++) {
        pm_fft_release(zncc->real[i]);
        pm_fft_release(zncc->spectrum[i]);
        zncc->real[i] = NULL;
        zncc->spectrum[i] = NULL;
    }
    zncc->capacity = 0;
}

void pm_zncc_free(struct pm_zncc *zncc)
{
    if (zncc == NULL) {
        return;
    }
    free_arrays(zncc);
    free(zncc->strip_memory);
    free(zncc->row);
    free(zncc->table);
    free(zncc);
}

/* The spectra need 2 * (w/2 + 1) * h floats; one capacity, the larger, serves all four arrays. */
static bool grow_arrays(struct pm_zncc *zncc)
{
    size_t need = (size_t)(zncc->padded_w + 2) * (size_t)zncc->padded_h;
    if (need <= zncc->capacity) {
        return true;
    }
    free_arrays(zncc);
    for (int i = 0; i < 2; i++) {
        zncc->real[i] = pm_fft_alloc(need * sizeof(float));
        zncc->spectrum[i] = pm_fft_alloc(need * sizeof(float));
        if (zncc->real[i] == NULL || zncc->spectrum[i] == NULL) {
            free_arrays(zncc);
            return false;
        }
    }
    zncc->capacity = need;
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
        !grow(&zncc->row, &zncc->row_capacity, 2 * (size_t)zncc->w) ||
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

enum pm_code pm_zncc_size(struct pm_zncc *zncc, struct pm_fftplans *plans, int w, int h, int ry,
    int rx, struct pm_err *err)
{
    zncc->w = w;
    zncc->h = h;
    zncc->ry = ry;
    zncc->rx = rx;
    /* Shifts up to r wrap into the padding when there are r px of it, and never onto the image. */
    zncc->padded_w = pm_fft_smooth_size(w + rx);
    zncc->padded_h = pm_fft_smooth_size(h + ry);
    if (!grow_arrays(zncc) || !grow_tables(zncc)) {
        return pm_err_set(err, PM_ENOMEM, "no memory to correlate %dx%d luma images", w, h);
    }
    return pm_fft_get(plans, zncc->padded_w, zncc->padded_h, &zncc->fft, err);
}

float *pm_zncc_gt(struct pm_zncc *zncc, size_t *stride)
{
    *stride = (size_t)zncc->padded_w;
    return zncc->real[0];
}

float *pm_zncc_target(struct pm_zncc *zncc, size_t *stride)
{
    *stride = (size_t)zncc->padded_w;
    return zncc->real[1];
}

/* Takes the mean away, which keeps the float sums of the FFT small, and zeroes the padding. */
static void centre(struct pm_zncc *zncc, float *real)
{
    size_t stride = (size_t)zncc->padded_w, w = (size_t)zncc->w, h = (size_t)zncc->h;
    double sum = 0;
    float mean;
    for (size_t y = 0; y < h; y++) {
        for (size_t x = 0; x < w; x++) {
            sum += (double)real[y * stride + x];
        }
    }
    mean = (float)(sum / (double)(w * h));
    for (size_t y = 0; y < h; y++) {
        for (size_t x = 0; x < w; x++) {
            real[y * stride + x] -= mean;
        }
        memset(real + y * stride + w, 0, (stride - w) * sizeof *real);
    }
    memset(real + h * stride, 0, ((size_t)zncc->padded_h - h) * stride * sizeof *real);
}

/* One row's values (or their squares) as doubles; its sum. */
static double widen(const float *in, int w, bool square, double *out)
{
    double sum = 0;
    for (int x = 0; x < w; x++) {
        double v = (double)in[x];
        out[x] = square ? v * v : v;
        sum += out[x];
    }
    return sum;
}

/* Adds row k (counted from the top or the bottom) to the two corners at its end. */
static void corner_row(
    const struct pm_zncc *zncc, struct strips *strips, int bottom, int k, const double *row)
{
    size_t nx = (size_t)zncc->rx + 1;
    for (int right = 0; right < 2; right++) {
        const double *above = strips->corner[bottom][right] + (size_t)(k - 1) * nx;
        double *here = strips->corner[bottom][right] + (size_t)k * nx;
        double sum = 0;
        here[0] = 0;
        for (int l = 1; l <= zncc->rx; l++) {
            sum += right != 0 ? row[zncc->w - l] : row[l - 1];
            here[l] = above[l] + sum;
        }
    }
}

static void corners(
    const struct pm_zncc *zncc, const float *real, bool square, struct strips *strips)
{
    size_t nx = (size_t)zncc->rx + 1;
    for (int bottom = 0; bottom < 2; bottom++) {
        strips->rows[bottom][0] = 0;
        memset(strips->corner[bottom][0], 0, nx * sizeof(double));
        memset(strips->corner[bottom][1], 0, nx * sizeof(double));
        for (int k = 1; k <= zncc->ry; k++) {
            int y = bottom != 0 ? zncc->h - k : k - 1;
            double sum =
                widen(real + (size_t)y * (size_t)zncc->padded_w, zncc->w, square, zncc->row);
            strips->rows[bottom][k] = strips->rows[bottom][k - 1] + sum;
            corner_row(zncc, strips, bottom, k, zncc->row);
        }
    }
}

/* Needs zncc->row + w to hold the sum of every column. */
static void side_columns(const struct pm_zncc *zncc, struct strips *strips)
{
    const double *column = zncc->row + zncc->w;
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

static void measure(
    const struct pm_zncc *zncc, const float *real, bool square, struct strips *strips)
{
    double *column = zncc->row + zncc->w;
    memset(column, 0, (size_t)zncc->w * sizeof *column);
    for (int y = 0; y < zncc->h; y++) {
        const float *in = real + (size_t)y * (size_t)zncc->padded_w;
        for (int x = 0; x < zncc->w; x++) {
            double v = (double)in[x];
            column[x] += square ? v * v : v;
        }
    }
    side_columns(zncc, strips);
    corners(zncc, real, square, strips);
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

/* gt's spectrum times the conjugate of target's, scaled for the transform back. */
static void multiply(const struct pm_zncc *zncc)
{
    size_t n = (size_t)(zncc->padded_w / 2 + 1) * (size_t)zncc->padded_h;
    float scale = 1.0F / ((float)zncc->padded_w * (float)zncc->padded_h);
    float(*a)[2] = zncc->spectrum[0];
    const float(*b)[2] = (const float(*)[2])zncc->spectrum[1];
    for (size_t i = 0; i < n; i++) {
        float re = a[i][0] * b[i][0] + a[i][1] * b[i][1];
        float im = a[i][1] * b[i][0] - a[i][0] * b[i][1];
        a[i][0] = re * scale;
        a[i][1] = im * scale;
    }
}

/* What is left of an overlap's variance must be more than the rounding of the sums it came from
 * (float input, 2^-24 relative, squared and summed): less means an even patch. */
#define EVEN 1e-6

static double score(const struct pm_zncc *zncc, int dy, int dx)
{
    double n = (double)(zncc->h - abs(dy)) * (double)(zncc->w - abs(dx));
    double gt = rest(zncc, &zncc->plain[0], dy, dx);
    double gt2 = rest(zncc, &zncc->squared[0], dy, dx);
    double target = rest(zncc, &zncc->plain[1], -dy, -dx);
    double target2 = rest(zncc, &zncc->squared[1], -dy, -dx);
    double var_gt = gt2 - gt * gt / n, var_target = target2 - target * target / n;
    size_t y = (size_t)(dy < 0 ? dy + zncc->padded_h : dy);
    size_t x = (size_t)(dx < 0 ? dx + zncc->padded_w : dx);
    double product = (double)zncc->real[0][y * (size_t)zncc->padded_w + x] - gt * target / n;
    if (!(var_gt > EVEN * zncc->squared[0].total) ||
        !(var_target > EVEN * zncc->squared[1].total)) {
        return 0;
    }
    return fmax(-1, fmin(1, product / sqrt(var_gt * var_target)));
}

void pm_zncc_run(struct pm_zncc *zncc)
{
    double *out = zncc->table;
    for (int i = 0; i < 2; i++) {
        centre(zncc, zncc->real[i]);
        measure(zncc, zncc->real[i], false, &zncc->plain[i]);
        measure(zncc, zncc->real[i], true, &zncc->squared[i]);
        pm_fft_forward_rows(zncc->fft, zncc->real[i], zncc->h, zncc->spectrum[i]);
    }
    multiply(zncc);
    pm_fft_backward_rows(zncc->fft, zncc->spectrum[0], zncc->ry + 1, zncc->ry, zncc->real[0]);
    for (int dy = -zncc->ry; dy <= zncc->ry; dy++) {
        for (int dx = -zncc->rx; dx <= zncc->rx; dx++) {
            *out++ = score(zncc, dy, dx);
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
