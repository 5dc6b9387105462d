/* The sums of bands: staged rows, the nine shifts of a neighbourhood at once. */
#include <math.h>

#include "worker/align/bands_parts.h"
#include "worker/kernels/l1.h"

#define BLOCK_PX PM_BANDS_BLOCK_PX
#define EDGE_PX PM_BANDS_EDGE_PX

/* The nine shifts around a centre, at the work of one call.
 */
struct nine {
    int dy, dx;
    int entry[3][3];         /* [dy' - dy + 1][k], dx' = dx + 1 - k; -1: outside the range */
    int first_row, last_row; /* of the three: all, or only the middle one */
};

/* Rows of band b inside a shift's overlap: [*y0, *y1) of gt. */
static void rows_of(
    const struct pm_bands *bands, const struct pm_band_shift *e, int b, int *y0, int *y1)
{
    int top = b * bands->band_rows, bottom = top + bands->band_rows;

    *y0 = top > e->overlap.gt_y ? top : e->overlap.gt_y;
    *y1 = bottom < e->overlap.gt_y + e->overlap.h ? bottom : e->overlap.gt_y + e->overlap.h;
    *y1 = *y1 > *y0 ? *y1 : *y0;
}

/* Columns all of the (up to) three shifts of a row of the nine share: [*x0, *x1) of gt. */
static void shared_columns(const struct pm_bands *bands, const int entry[3], int *x0, int *x1)
{
    *x0 = 0;
    *x1 = bands->w;
    for (int k = 0; k < 3; k++) {
        if (entry[k] >= 0) {
            const struct pm_overlap *o = &bands->entries[entry[k]].overlap;
            *x0 = o->gt_x > *x0 ? o->gt_x : *x0;
            *x1 = o->gt_x + o->w < *x1 ? o->gt_x + o->w : *x1;
        }
    }
}

static void *row_buffer(const struct pm_bands *bands, int i)
{
    return bands->rows + (size_t)i * bands->row_bytes;
}

/* n px of one gt row against one target row, staged on the spot: the few columns at the borders. */
static double edge(const struct pm_bands *bands, int y, int x, int n, int dy, int dx)
{
    union {
        float f[EDGE_PX * 3];
        int16_t i[EDGE_PX * 3];
    } a, b;
    size_t samples = (size_t)n * (size_t)bands->channels;

    if (n <= 0) {
        return 0;
    }
    pm_stage_gt(&bands->stage, x, y, n, &a);
    pm_stage_target(&bands->stage, x - dx, y - dy, n, &b);
    if (bands->stage.is_float) {
        return bands->stage.l1->row_f32(a.f, b.f, samples);
    }
    return (double)bands->stage.l1->row_i16(a.i, b.i, samples);
}

/* The columns of one row that a shift has beyond the shared ones [x0, x1). */
static double edges(
    const struct pm_bands *bands, const struct pm_band_shift *e, int y, int x0, int x1)
{
    double sum = 0;
    int left = e->overlap.gt_x, right = e->overlap.gt_x + e->overlap.w;

    for (int x = left; x < x0; x += EDGE_PX) {
        sum += edge(bands, y, x, x0 - x < EDGE_PX ? x0 - x : EDGE_PX, e->dy, e->dx);
    }
    for (int x = x1; x < right; x += EDGE_PX) {
        sum += edge(bands, y, x, right - x < EDGE_PX ? right - x : EDGE_PX, e->dy, e->dx);
    }
    return sum;
}

/* Adds |gt - target| of the three shifts of one dy for n px from column x of row y; both rows are
 * staged, the target's from column x - dx - 1 on. */
static void add3(
    const struct pm_bands *bands, const void *gt, const void *target, int n, double sum[3])
{
    size_t samples = (size_t)n * (size_t)bands->channels;
    size_t step = (size_t)bands->channels;
    uint64_t whole[3] = {0};

    if (bands->stage.is_float) {
        bands->stage.l1->row3_f32(gt, target, step, samples, sum);
        return;
    }
    bands->stage.l1->row3_i16(gt, target, step, samples, whole);
    for (int k = 0; k < 3; k++) {
        sum[k] += (double)whole[k];
    }
}

/* Asks for what the next band will need of these columns while this one is summed. */
static void prefetch(const struct pm_image *image, int x, int y, int n)
{
    size_t pixel = (size_t)image->channels * pm_sample_bytes(image->sample);
    const unsigned char *row;

    if (y < 0 || y >= image->h) {
        return;
    }
    x = x > 0 ? x : 0;
    row = (const unsigned char *)pm_image_row(image, y) + (size_t)x * pixel;
    n = x + n < image->w ? n : image->w - x;
    for (size_t i = 0; n > 0 && i < (size_t)n * pixel; i += 64) {
        __builtin_prefetch(row + i, 0, 2);
    }
}

/* One block of columns [x, x + n), shared by all shifts, of rows [y0, y1): sums for every row of
 * the nine that may use row y. Target rows go through a ring of three. */
static void sum_block(const struct pm_bands *bands, const struct nine *nine, int x, int n, int y0,
    int y1, int next, double sum[3][3])
{
    const int from = x - nine->dx - 1;

    for (int y = y0; y < y1; y++) {
        int lead = y == y0 ? nine->last_row : nine->first_row;
        pm_stage_gt(&bands->stage, x, y, n, row_buffer(bands, 3));
        /* Row i of the nine is dy' = dy - 1 + i and reads target row y - dy'. The smallest i reads
         * the newest row; the others were staged for the gt rows before. */
        for (int i = lead; i >= nine->first_row; i--) {
            int ty = y - (nine->dy - 1 + i);
            if (ty >= 0 && ty < bands->h) {
                pm_stage_target(&bands->stage, from, ty, n + 2, row_buffer(bands, (ty + 3) % 3));
            }
        }
        for (int i = nine->first_row; i <= nine->last_row; i++) {
            int ty = y - (nine->dy - 1 + i);
            if (ty >= 0 && ty < bands->h) {
                add3(bands, row_buffer(bands, 3), row_buffer(bands, (ty + 3) % 3), n, sum[i]);
            }
        }
        if (next >= 0) {
            prefetch(bands->stage.gt, x, next + y - y0, n);
            prefetch(bands->stage.target, from, next + y - y0 - nine->dy, n + 2);
        }
    }
}

/* A band in which all shifts have the same rows [y0, y1). */
static void sum_band(const struct pm_bands *bands, const struct nine *nine, int y0, int y1,
    int next, double sum[3][3])
{
    int x0 = 0, x1 = bands->w;

    for (int i = nine->first_row; i <= nine->last_row; i++) {
        int a, b;
        shared_columns(bands, nine->entry[i], &a, &b);
        x0 = a > x0 ? a : x0;
        x1 = b < x1 ? b : x1;
    }
    /* row3 reads one column more on either side, for shifts that may lie outside the range. */
    x0 = x0 > nine->dx + 1 ? x0 : nine->dx + 1;
    x1 = x1 < bands->w + nine->dx - 1 ? x1 : bands->w + nine->dx - 1;
    for (int x = x0; x < x1; x += BLOCK_PX) {
        int n = x1 - x < BLOCK_PX ? x1 - x : BLOCK_PX;
        sum_block(bands, nine, x, n, y0, y1, next, sum);
    }
    for (int i = nine->first_row; i <= nine->last_row; i++) {
        for (int k = 0; k < 3; k++) {
            for (int y = y0; nine->entry[i][k] >= 0 && y < y1; y++) {
                sum[i][k] += edges(bands, &bands->entries[nine->entry[i][k]], y, x0, x1);
            }
        }
    }
}

/* One row of one shift in staged samples, block by block. */
static double staged_row(const struct pm_bands *bands, const struct pm_band_shift *e, int y)
{
    const struct pm_overlap *o = &e->overlap;
    double sum = 0;

    for (int x = 0; x < o->w; x += BLOCK_PX) {
        int n = o->w - x < BLOCK_PX ? o->w - x : BLOCK_PX;
        size_t samples = (size_t)n * (size_t)bands->channels;
        pm_stage_gt(&bands->stage, o->gt_x + x, y, n, row_buffer(bands, 3));
        pm_stage_target(&bands->stage, o->target_x + x, y - e->dy, n, row_buffer(bands, 0));
        if (bands->stage.is_float) {
            sum += bands->stage.l1->row_f32(row_buffer(bands, 3), row_buffer(bands, 0), samples);
        } else {
            sum += (double)bands->stage.l1->row_i16(
                row_buffer(bands, 3), row_buffer(bands, 0), samples);
        }
    }
    return sum;
}

/* The same from the file's own samples, leaving out those that are not finite. */
static struct pm_l1_sum exact_row(
    const struct pm_bands *bands, const struct pm_band_shift *e, int y)
{
    const struct pm_image *gt = bands->stage.gt;
    size_t pixel = (size_t)gt->channels * pm_sample_bytes(gt->sample);
    const unsigned char *g = pm_image_row(gt, y);
    const unsigned char *t = pm_image_row(bands->stage.target, y - e->dy);

    return bands->stage.l1->exact[gt->sample](g + (size_t)e->overlap.gt_x * pixel,
        t + (size_t)e->overlap.target_x * pixel, (size_t)e->overlap.w * (size_t)gt->channels,
        bands->query->gain);
}

/* A shift's band by itself: at the top and bottom, where its rows are its own, and wherever samples
 * that are not finite must be left out. */
static void sum_single(struct pm_bands *bands, int entry, int b)
{
    const struct pm_band_shift *e = &bands->entries[entry];
    struct pm_band_cell *cell = pm_bands_cell(bands, entry, b);
    double sum = 0;
    double count = 0;
    int y0, y1;

    if (cell->count >= 0) {
        return;
    }
    rows_of(bands, e, b, &y0, &y1);
    for (int y = y0; y < y1; y++) {
        if (bands->stage.exact_only) {
            struct pm_l1_sum row = exact_row(bands, e, y);
            sum += row.sum;
            count += (double)row.count;
        } else {
            sum += staged_row(bands, e, y);
            count += (double)e->overlap.w * bands->channels;
        }
    }
    *cell = (struct pm_band_cell){.sum = sum, .count = count};
}

/* All shifts of the nine that lack band b. */
static void sum_missing(struct pm_bands *bands, const struct nine *nine, int b, int next)
{
    struct nine todo = *nine;
    double sum[3][3] = {{0}};
    int y0 = b * bands->band_rows, y1 = y0 + bands->band_rows;
    bool missing[3] = {false, false, false};

    for (int i = 0; i < 9; i++) {
        int e = nine->entry[i / 3][i % 3];
        missing[i / 3] |= e >= 0 && pm_bands_cell(bands, e, b)->count < 0;
    }
    while (todo.first_row <= todo.last_row && !missing[todo.first_row]) {
        todo.first_row++;
    }
    while (todo.first_row <= todo.last_row && !missing[todo.last_row]) {
        todo.last_row--;
    }
    if (todo.first_row > todo.last_row) {
        return;
    }
    sum_band(bands, &todo, y0, y1, next, sum);
    for (int i = todo.first_row; i <= todo.last_row; i++) {
        for (int k = 0; k < 3; k++) {
            int e = nine->entry[i][k];
            if (e >= 0) {
                *pm_bands_cell(bands, e, b) = (struct pm_band_cell){.sum = sum[i][k],
                    .count = (double)(y1 - y0) * bands->entries[e].overlap.w * bands->channels};
            }
        }
    }
}

static enum pm_code enter_nine(
    struct pm_bands *bands, int dy, int dx, bool all, struct nine *nine, struct pm_err *err)
{
    *nine = (struct nine){.dy = dy, .dx = dx, .first_row = 0, .last_row = 2};
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            bool skip = !all && (i != 1 || k != 1);
            nine->entry[i][k] = skip ? -1 : pm_bands_enter(bands, dy - 1 + i, dx + 1 - k);
            if (nine->entry[i][k] == -2) {
                return pm_err_set(err, PM_ENOMEM, "no memory to compare shifts");
            }
        }
    }
    return PM_OK;
}

enum pm_code pm_bands_sum3(
    struct pm_bands *bands, int dy, int dx, int step, bool all_nine, struct pm_err *err)
{
    struct nine nine;
    enum pm_code rc = enter_nine(bands, dy, dx, all_nine, &nine, err);
    int first, end;

    if (rc != PM_OK) {
        return rc;
    }
    pm_bands_interior(bands, dy, &first, &end);
    for (int b = 0; b < bands->count; b++) {
        if (!pm_bands_wanted(b, first, end, step)) {
            continue;
        }
        if (b >= first && b < end && !bands->stage.exact_only) {
            int next = b + step < end ? (b + step) * bands->band_rows : -1;
            sum_missing(bands, &nine, b, next);
            continue;
        }
        for (int i = 0; i < 9; i++) {
            if (nine.entry[i / 3][i % 3] >= 0) {
                sum_single(bands, nine.entry[i / 3][i % 3], b);
            }
        }
    }
    for (int i = 0; i < 9 && step == 1; i++) {
        if (nine.entry[i / 3][i % 3] >= 0) {
            bands->entries[nine.entry[i / 3][i % 3]].complete = true;
        }
    }
    return PM_OK;
}
