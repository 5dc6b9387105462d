#include "worker/align/bands.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/rect.h"
#include "worker/align/stage.h"
#include "worker/kernels/l1.h"

#define BLOCK_PX 1024   /* columns at a time: 4 staged rows of RGB int16 are 24 KB */
#define EDGE_PX 4       /* neighbours' overlaps differ by at most this many columns a side */
#define PHASE 5         /* the bands of a coarser step are among those of a finer one */
#define ENOUGH_BANDS 24 /* fewer give no usable spread */
#define FIRST_SHIFTS 64 /* table size to begin with */

/* One shift of the table. */
struct entry {
    int dy, dx;
    struct pm_overlap overlap; /* trimmed */
    size_t at;                 /* of its first band in cells[] */
    bool complete;             /* every band is summed */
};

/* Sum over one band of one shift. count 0 in a band inside the overlap: not summed yet, or no
 * finite sample; count < 0: never summed. */
struct cell {
    double sum; /* staged units, or samples' units when exact_only */
    double count;
};

struct pm_bands {
    const struct pm_align_query *query;
    struct pm_stage stage;
    struct pm_range range;
    int w, h, channels;
    int band_rows, count; /* rows of a band, bands */
    double unit;          /* full scale 1 per unit of sum */
    struct entry *entries;
    int entry_count, entry_capacity;
    struct cell *cells;
    size_t cell_capacity;
    unsigned char *rows; /* staged: 1 gt row block, a ring of 3 target row blocks */
    size_t row_bytes;
};

/* The nine shifts around a centre, at the work of one call.
 */
struct nine {
    int dy, dx;
    int entry[3][3];         /* [dy' - dy + 1][k], dx' = dx + 1 - k; -1: outside the range */
    int first_row, last_row; /* of the three: all, or only the middle one */
};

enum pm_code pm_bands_new(struct pm_bands **out, struct pm_err *err)
{
    struct pm_bands *bands = calloc(1, sizeof *bands);

    if (bands == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for the full-resolution comparison");
    }
    bands->row_bytes = 3 * sizeof(float) * (BLOCK_PX + 4 * EDGE_PX);
    bands->row_bytes = (bands->row_bytes + 127) / 64 * 64;
    bands->rows = aligned_alloc(64, 4 * bands->row_bytes);
    if (bands->rows == NULL) {
        free(bands);
        return pm_err_set(err, PM_ENOMEM, "no memory for the full-resolution comparison");
    }
    *out = bands;
    return PM_OK;
}

void pm_bands_free(struct pm_bands *bands)
{
    if (bands == NULL) {
        return;
    }
    free(bands->entries);
    free(bands->cells);
    free(bands->rows);
    free(bands);
}

enum pm_code pm_bands_begin(
    struct pm_bands *bands, const struct pm_align_query *query, struct pm_err *err)
{
    const struct pm_image *gt = query->gt->image;

    (void)err;
    assert(gt->w >= 8 && gt->h >= 8);
    bands->query = query;
    pm_stage_init(&bands->stage, query);
    bands->range = pm_align_range(gt->w, gt->h, query->max_shift);
    bands->w = gt->w;
    bands->h = gt->h;
    bands->channels = gt->channels;
    bands->band_rows = PM_BAND_ROWS;
    while (bands->band_rows > 1 && gt->h < 64 * bands->band_rows) {
        bands->band_rows /= 2; /* so that small images too have a spread over bands */
    }
    bands->count = (gt->h + bands->band_rows - 1) / bands->band_rows;
    bands->unit =
        bands->stage.exact_only ? 1 / pm_sample_full_scale(gt->sample) : bands->stage.unit;
    bands->entry_count = 0;
    return PM_OK;
}

struct pm_range pm_bands_range(const struct pm_bands *bands)
{
    return bands->range;
}

int pm_bands_first_step(const struct pm_bands *bands)
{
    int step = 16;
    while (step > 1 && bands->count / step < ENOUGH_BANDS) {
        step /= 4;
    }
    return step;
}

int pm_bands_count(const struct pm_bands *bands)
{
    return bands->count;
}

int pm_bands_shifts(const struct pm_bands *bands)
{
    return bands->entry_count;
}

struct pm_bands_at pm_bands_shift(const struct pm_bands *bands, int i)
{
    return (struct pm_bands_at){bands->entries[i].dy, bands->entries[i].dx};
}

bool pm_bands_complete(const struct pm_bands *bands, int i)
{
    return bands->entries[i].complete;
}

double pm_bands_rounding(const struct pm_bands *bands)
{
    return bands->stage.exact_only ? 0 : bands->stage.rounding;
}

double pm_bands_share(const struct pm_bands *bands, int step)
{
    (void)bands;
    return 1.0 / step;
}

static int find(const struct pm_bands *bands, int dy, int dx)
{
    for (int i = bands->entry_count - 1; i >= 0; i--) {
        if (bands->entries[i].dy == dy && bands->entries[i].dx == dx) {
            return i;
        }
    }
    return -1;
}

static bool grow(struct pm_bands *bands)
{
    if (bands->entry_count == bands->entry_capacity) {
        int more = bands->entry_capacity > 0 ? 2 * bands->entry_capacity : FIRST_SHIFTS;
        struct entry *larger = realloc(bands->entries, (size_t)more * sizeof *larger);
        if (larger == NULL) {
            return false;
        }
        bands->entries = larger;
        bands->entry_capacity = more;
    }
    size_t need = (size_t)(bands->entry_count + 1) * (size_t)bands->count;
    if (need > bands->cell_capacity) {
        size_t more = 2 * need;
        struct cell *larger = realloc(bands->cells, more * sizeof *larger);
        if (larger == NULL) {
            return false;
        }
        bands->cells = larger;
        bands->cell_capacity = more;
    }
    return true;
}

/* The index of a shift's entry, made when it is new; -1: outside the range, -2: out of memory. */
static int enter(struct pm_bands *bands, int dy, int dx)
{
    int at;

    if (abs(dy) > bands->range.dy || abs(dx) > bands->range.dx) {
        return -1;
    }
    at = find(bands, dy, dx);
    if (at >= 0) {
        return at;
    }
    if (!grow(bands)) {
        return -2;
    }
    at = bands->entry_count++;
    bands->entries[at] = (struct entry){.dy = dy,
        .dx = dx,
        .overlap = pm_overlap_trimmed(bands->w, bands->h, dy, dx),
        .at = (size_t)at * (size_t)bands->count};
    for (int b = 0; b < bands->count; b++) {
        bands->cells[bands->entries[at].at + (size_t)b] = (struct cell){0, -1};
    }
    return at;
}

/* Rows of band b inside a shift's overlap: [*y0, *y1) of gt. */
static void rows_of(const struct pm_bands *bands, const struct entry *e, int b, int *y0, int *y1)
{
    int top = b * bands->band_rows, bottom = top + bands->band_rows;

    *y0 = top > e->overlap.gt_y ? top : e->overlap.gt_y;
    *y1 = bottom < e->overlap.gt_y + e->overlap.h ? bottom : e->overlap.gt_y + e->overlap.h;
    *y1 = *y1 > *y0 ? *y1 : *y0;
}

/* Bands [*first, *end) lie inside the overlap of every shift at most 1 px from (dy, dx), trimming
 * included; a grid of its own per centre would make shifts incomparable. */
static void interior(const struct pm_bands *bands, int dy, int *first, int *end)
{
    int top = (dy > 0 ? dy : 0) + 2;
    int bottom = bands->h - (dy < 0 ? -dy : 0) - 2;

    *first = (top + bands->band_rows - 1) / bands->band_rows;
    *end = bottom / bands->band_rows;
    *end = *end > *first ? *end : *first;
}

/* Whether band b is summed for shifts around dy with this step. */
static bool wanted(int b, int first, int end, int step)
{
    return b < first || b >= end || b % step == PHASE % step;
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
static double edges(const struct pm_bands *bands, const struct entry *e, int y, int x0, int x1)
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

static struct cell *cell_of(const struct pm_bands *bands, int entry, int b)
{
    return &bands->cells[bands->entries[entry].at + (size_t)b];
}

/* One row of one shift in staged samples, block by block. */
static double staged_row(const struct pm_bands *bands, const struct entry *e, int y)
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
static struct pm_l1_sum exact_row(const struct pm_bands *bands, const struct entry *e, int y)
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
    const struct entry *e = &bands->entries[entry];
    struct cell *cell = cell_of(bands, entry, b);
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
    *cell = (struct cell){.sum = sum, .count = count};
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
        missing[i / 3] |= e >= 0 && cell_of(bands, e, b)->count < 0;
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
                *cell_of(bands, e, b) = (struct cell){.sum = sum[i][k],
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
            nine->entry[i][k] = skip ? -1 : enter(bands, dy - 1 + i, dx + 1 - k);
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
    interior(bands, dy, &first, &end);
    for (int b = 0; b < bands->count; b++) {
        if (!wanted(b, first, end, step)) {
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

/* What the bands add up to of which every shift asked about is summed; interior ones stand for
 * those left out. `frame` is the dy of the neighbourhood whose interior counts: one for all shifts
 * that are compared, or the weights would differ more than the shifts do. */
struct totals {
    struct cell inside, border;
    int sampled;
};

static void add_cell(struct totals *t, bool in, const struct cell *cell)
{
    struct cell *to = in ? &t->inside : &t->border;

    to->sum += cell->sum;
    to->count += cell->count;
    t->sampled += in;
}

static double mean_of(const struct pm_bands *bands, const struct totals *t, int interior_count)
{
    double weight = t->sampled > 0 ? (double)interior_count / t->sampled : 0;
    double count = t->border.count + weight * t->inside.count;

    return count > 0 ? (t->border.sum + weight * t->inside.sum) / count * bands->unit : (double)NAN;
}

double pm_bands_loss(const struct pm_bands *bands, int dy, int dx, int step, int frame)
{
    int entry = find(bands, dy, dx);
    struct totals total = {.sampled = 0};
    int first, end;

    if (entry < 0) {
        return NAN;
    }
    interior(bands, frame, &first, &end);
    for (int b = 0; b < bands->count; b++) {
        const struct cell *cell = cell_of(bands, entry, b);
        if (wanted(b, first, end, step) && cell->count >= 0) {
            add_cell(&total, b >= first && b < end, cell);
        }
    }
    return mean_of(bands, &total, end - first);
}

/* The mean difference's error from its spread over bands, by successive differences: a slow trend
 * down the frame is scene, not noise. */
struct spread {
    double before, squares;
    int n;
};

static void add_spread(struct spread *s, const struct cell *a, const struct cell *b)
{
    double here;

    if (!(a->count > 0) || !(b->count > 0)) {
        return;
    }
    here = a->sum / a->count - b->sum / b->count;
    if (s->n++ > 0) {
        s->squares += (here - s->before) * (here - s->before);
    }
    s->before = here;
}

struct pm_bands_difference pm_bands_compare(
    const struct pm_bands *bands, struct pm_bands_at a, struct pm_bands_at b, int step, int frame)
{
    int ea = find(bands, a.dy, a.dx), eb = find(bands, b.dy, b.dx);
    struct totals ta = {.sampled = 0}, tb = {.sampled = 0};
    struct spread spread = {.n = 0};
    double error;
    int first, end;

    if (ea < 0 || eb < 0) {
        return (struct pm_bands_difference){NAN, INFINITY, INFINITY};
    }
    interior(bands, frame, &first, &end);
    for (int i = 0; i < bands->count; i++) {
        const struct cell *ca = cell_of(bands, ea, i), *cb = cell_of(bands, eb, i);
        if (wanted(i, first, end, step) && ca->count >= 0 && cb->count >= 0) {
            add_cell(&ta, i >= first && i < end, ca);
            add_cell(&tb, i >= first && i < end, cb);
            add_spread(&spread, ca, cb);
        }
    }
    error = spread.n > 2 ? sqrt(spread.squares / 2 / (spread.n - 1) / spread.n) * bands->unit
                         : (double)INFINITY;
    return (struct pm_bands_difference){
        .loss = mean_of(bands, &ta, end - first) - mean_of(bands, &tb, end - first),
        .sampling = step == 1 ? 0 : error,
        .noise = error,
    };
}
