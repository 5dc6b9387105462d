#include "worker/align/levelsearch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/kernels/l1.h"

#define RATIO_ROWS 8 /* one in so many tells the brightness of an overlap */
#define FIRST_MOVES                                                                                \
    8          /* from a peak to its minimum it is never far; the rest is for a closer look */
#define KEEP 4 /* rows and columns of overlap a level shift must leave */

/* The nine losses around a place, once taken: descents from many peaks run together. */
struct place {
    int dy, dx, row_step; /* row_step 0: free */
    double loss[3][3];
};
#define PLACES 1024 /* a power of 2; a search looks at some 100 to 300 */

struct pm_levelsearch {
    const struct pm_l1_ops *l1;
    const int16_t *gt, *target; /* comparable */
    int w, h, ry, rx;
    size_t stride;
    double unit;
    int16_t
        *scaled;  /* one of the two levels, brought to the other's scale; or both of factor < 4 */
    float *luma;  /* factor < 4 only */
    double *grid; /* losses of pm_levelsearch_grid() */
    size_t grid_capacity;
    size_t capacity, luma_capacity;
    int64_t evaluations;
    struct place places[PLACES]; /* a hash table */
    int place_count;
};

enum pm_code pm_levelsearch_new(struct pm_levelsearch **out, struct pm_err *err)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? PM_OK : pm_err_set(err, PM_ENOMEM, "no memory to search a level");
}

void pm_levelsearch_free(struct pm_levelsearch *search)
{
    if (search != NULL) {
        free(search->scaled);
        free(search->luma);
        free(search->grid);
        free(search);
    }
}

int pm_levelsearch_factor(const struct pm_image *image)
{
    int side = image->w < image->h ? image->w : image->h;

    return side >= 384 ? 4 : side >= 192 ? 2 : 1;
}

static bool grow(struct pm_levelsearch *search, size_t planes, size_t lumas)
{
    if (planes > search->capacity) {
        free(search->scaled);
        search->scaled = malloc(planes * sizeof *search->scaled);
        search->capacity = search->scaled != NULL ? planes : 0;
    }
    if (lumas > search->luma_capacity) {
        free(search->luma);
        search->luma = malloc(lumas * sizeof *search->luma);
        search->luma_capacity = search->luma != NULL ? lumas : 0;
    }
    return search->scaled != NULL && (lumas == 0 || search->luma != NULL);
}

/* The stored levels: one is used as it is, the other brought to its scale. */
static void take_levels(struct pm_levelsearch *search, const struct pm_align_query *query)
{
    const struct pm_level *gt = pm_prep_level(query->gt->prep);
    const struct pm_level *target = pm_prep_level(query->target->prep);
    double ratio = query->gain * target->unit / gt->unit;
    bool scale_target = ratio <= 1;

    search->gt = scale_target ? gt->data : search->scaled;
    search->target = scale_target ? search->scaled : target->data;
    search->unit = scale_target ? gt->unit : target->unit * query->gain;
    search->l1->stage_i16(scale_target ? target->data : gt->data, gt->stride * (size_t)gt->h,
        (int16_t)fmin(32767, nearbyint(32768 * (scale_target ? ratio : 1 / ratio))),
        search->scaled);
}

static float largest(const float *v, size_t n)
{
    float most = 0;

    for (size_t i = 0; i < n; i++) {
        most = fabsf(v[i]) > most ? fabsf(v[i]) : most;
    }
    return most;
}

/* Luma of small images, at factor 1 or 2. */
static void take_luma(struct pm_levelsearch *search, const struct pm_align_query *query, int factor)
{
    size_t n = search->stride * (size_t)search->h;
    float *luma[2] = {search->luma, search->luma + n};
    float gain = (float)query->gain;
    float most;

    pm_prep_luma(query->gt->prep, query->gt->image, factor, luma[0], search->stride);
    pm_prep_luma(query->target->prep, query->target->image, factor, luma[1], search->stride);
    most = fmaxf(largest(luma[0], n), gain * largest(luma[1], n));
    most = most > 0 && isfinite(16383 / most) ? most : 1;
    for (size_t i = 0; i < n; i++) {
        search->scaled[i] = (int16_t)lrintf(luma[0][i] * (16383 / most));
        search->scaled[n + i] = (int16_t)lrintf(luma[1][i] * gain * (16383 / most));
    }
    search->gt = search->scaled;
    search->target = search->scaled + n;
    search->unit = (double)most / 16383;
}

enum pm_code pm_levelsearch_begin(
    struct pm_levelsearch *search, const struct pm_align_query *query, struct pm_err *err)
{
    const struct pm_image *image = query->gt->image;
    struct pm_range range = pm_align_range(image->w, image->h, query->max_shift);
    int factor = pm_levelsearch_factor(image);
    size_t n;

    search->l1 = pm_l1();
    search->w = image->w / factor;
    search->h = image->h / factor;
    search->stride = (size_t)search->w;
    n = search->stride * (size_t)search->h + 64; /* kernels of whole rows may read on */
    search->ry = range.dy / factor + 1;
    search->rx = range.dx / factor + 1;
    search->ry = search->ry < search->h - KEEP ? search->ry : search->h - KEEP;
    search->rx = search->rx < search->w - KEEP ? search->rx : search->w - KEEP;
    search->evaluations = 0;
    search->place_count = 0;
    memset(search->places, 0, sizeof search->places);
    if (!grow(search, factor == 4 ? n : 2 * n, factor == 4 ? 0 : 2 * n)) {
        return pm_err_set(err, PM_ENOMEM, "no memory to search a level");
    }
    if (factor == 4) {
        take_levels(search, query);
    } else {
        take_luma(search, query, factor);
    }
    return PM_OK;
}

void pm_levelsearch_planes(const struct pm_levelsearch *search, const int16_t **gt,
    const int16_t **target, int *w, int *h, size_t *stride, double *unit)
{
    *gt = search->gt;
    *target = search->target;
    *w = search->w;
    *h = search->h;
    *stride = search->stride;
    *unit = search->unit;
}

/* Losses at (dy - 1 + i, dx - 1 + j) over the region all nine share. */
static void take_nine(
    struct pm_levelsearch *search, int dy, int dx, int row_step, double loss[3][3])
{
    int x0 = dx + 1 > 0 ? dx + 1 : 0, x1 = dx - 1 < 0 ? search->w + dx - 1 : search->w;
    int y0 = dy + 1 > 0 ? dy + 1 : 0, y1 = dy - 1 < 0 ? search->h + dy - 1 : search->h;
    uint64_t sum[3][3] = {{0}};
    int64_t rows = 0;

    for (int y = y0; y < y1; y += row_step, rows++) {
        const int16_t *a = search->gt + (size_t)y * search->stride + x0;
        for (int i = 0; i < 3; i++) {
            const int16_t *b = search->target + (size_t)(y - (dy - 1 + i)) * search->stride;
            search->l1->row3_i16(a, b + (x0 - dx - 1), 1, (size_t)(x1 - x0), sum[i]);
        }
    }
    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) { /* sum[i][k] belongs to dx + 1 - k */
            loss[i][2 - k] = (double)sum[i][k] * search->unit / ((double)rows * (x1 - x0));
        }
    }
    search->evaluations += 9;
}

/* The place of that key, or a free one to fill; NULL: none left. */
static struct place *find_place(struct pm_levelsearch *search, int dy, int dx, int row_step)
{
    uint32_t hash = ((uint32_t)dy * 0x9e3779b1u ^ (uint32_t)dx) * 0x85ebca6bu + (uint32_t)row_step;

    for (uint32_t i = 0; i < PLACES; i++) {
        struct place *place = &search->places[(hash + i) % PLACES];
        if (place->dy == dy && place->dx == dx && place->row_step == row_step) {
            return place;
        }
        if (place->row_step == 0) {
            return search->place_count < PLACES / 4 * 3 ? place : NULL;
        }
    }
    return NULL;
}

static void nine(struct pm_levelsearch *search, int dy, int dx, int row_step, double loss[3][3])
{
    struct place *place = find_place(search, dy, dx, row_step);

    if (place == NULL || place->row_step == 0) {
        take_nine(search, dy, dx, row_step, loss);
        if (place != NULL) {
            *place = (struct place){.dy = dy, .dx = dx, .row_step = row_step};
            memcpy(place->loss, loss, sizeof place->loss);
            search->place_count++;
        }
    } else {
        memcpy(loss, place->loss, sizeof place->loss);
    }
}

double pm_levelsearch_loss(struct pm_levelsearch *search, int dy, int dx, int row_step)
{
    int x0 = dx > 0 ? dx : 0, x1 = dx < 0 ? search->w + dx : search->w;
    int y0 = dy > 0 ? dy : 0, y1 = dy < 0 ? search->h + dy : search->h;
    uint64_t sum = 0;
    int64_t rows = 0;

    for (int y = y0; y < y1; y += row_step, rows++) {
        sum += search->l1->row_i16(search->gt + (size_t)y * search->stride + x0,
            search->target + (size_t)(y - dy) * search->stride + (x0 - dx), (size_t)(x1 - x0));
    }
    search->evaluations++;
    return (double)sum * search->unit / ((double)rows * (x1 - x0));
}

/* Where two straight slopes through three points meet: L1 has a kink at its minimum, not a bend. */
static double meet(double before, double here, double after)
{
    double high = before > after ? before : after;

    return high > here ? fmax(-0.5, fmin(0.5, 0.5 * (before - after) / (high - here))) : 0;
}

struct pm_level_hill pm_levelsearch_descend(
    struct pm_levelsearch *search, int dy, int dx, int row_step)
{
    struct pm_level_hill hill;
    double loss[3][3];

    dy = dy > search->ry ? search->ry : dy < -search->ry ? -search->ry : dy;
    dx = dx > search->rx ? search->rx : dx < -search->rx ? -search->rx : dx;
    for (int moves = row_step > 2 ? FIRST_MOVES : 2 * (search->ry + search->rx) + 4;; moves--) {
        int best = 4;
        nine(search, dy, dx, row_step, loss);
        for (int i = 0; i < 9; i++) {
            bool inside = abs(dy - 1 + i / 3) <= search->ry && abs(dx - 1 + i % 3) <= search->rx;
            if (inside && loss[i / 3][i % 3] < loss[best / 3][best % 3]) {
                best = i;
            }
        }
        if (best == 4 || moves <= 0) {
            break;
        }
        dy += best / 3 - 1;
        dx += best % 3 - 1;
    }
    hill = (struct pm_level_hill){.dy = dy, .dx = dx, .loss = loss[1][1]};
    hill.top_dy = dy + meet(loss[0][1], loss[1][1], loss[2][1]);
    hill.top_dx = dx + meet(loss[1][0], loss[1][1], loss[1][2]);
    return hill;
}

/* No neighbour on the grid is lower. */
static bool is_dip(const double *grid, int rows, int columns, int y, int x)
{
    for (int i = 0; i < 9; i++) {
        int ny = y - 1 + i / 3, nx = x - 1 + i % 3;
        if (ny >= 0 && ny < rows && nx >= 0 && nx < columns &&
            grid[ny * columns + nx] < grid[y * columns + x]) {
            return false;
        }
    }
    return true;
}

int pm_levelsearch_grid(
    struct pm_levelsearch *search, int spacing, int row_step, struct pm_level_at *lowest, int max)
{
    int half_y = search->ry / spacing, half_x = search->rx / spacing;
    int rows = 2 * half_y + 1, columns = 2 * half_x + 1, count = 0;
    size_t need = (size_t)rows * (size_t)columns;

    if (need > search->grid_capacity) {
        free(search->grid);
        search->grid = malloc(need * sizeof *search->grid);
        search->grid_capacity = search->grid != NULL ? need : 0;
        if (search->grid == NULL) {
            return 0; /* only a second opinion */
        }
    }
    for (int i = 0; i < rows * columns; i++) {
        search->grid[i] = pm_levelsearch_loss(
            search, (i / columns - half_y) * spacing, (i % columns - half_x) * spacing, row_step);
    }
    for (int i = 0; i < rows * columns; i++) {
        int at;
        if (!is_dip(search->grid, rows, columns, i / columns, i % columns)) {
            continue;
        }
        at = count < max ? count++ : max;
        for (; at > 0 && search->grid[i] < lowest[at - 1].loss; at--) {
            if (at < max) {
                lowest[at] = lowest[at - 1];
            }
        }
        if (at < max) {
            lowest[at] = (struct pm_level_at){.dy = (i / columns - half_y) * spacing,
                .dx = (i % columns - half_x) * spacing,
                .loss = search->grid[i]};
        }
    }
    return count;
}

double pm_levelsearch_unrelated(struct pm_levelsearch *search)
{
    int y = search->h / 3, x = search->w / 3;
    double sum = 0;

    for (int i = 0; i < 9; i++) {
        if (i != 4) {
            sum += pm_levelsearch_loss(
                search, (i / 3 - 1) * y, (i % 3 - 1) * x, search->h > 256 ? 16 : 1);
        }
    }
    return sum / 8;
}

double pm_levelsearch_ratio(const struct pm_levelsearch *search, int dy, int dx)
{
    int x0 = dx > 0 ? dx : 0, x1 = dx < 0 ? search->w + dx : search->w;
    int y0 = dy > 0 ? dy : 0, y1 = dy < 0 ? search->h + dy : search->h;
    struct pm_l1_moments m = {.n = 0};

    for (int y = y0; y < y1 && x1 - 1 > x0; y += RATIO_ROWS) {
        search->l1->moments(search->gt + (size_t)y * search->stride + x0,
            search->target + (size_t)(y - dy) * search->stride + (x0 - dx), (size_t)(x1 - 1 - x0),
            &m);
    }
    return m.a > 0 && m.b > 0 ? (double)m.a / (double)m.b : (double)NAN;
}

int64_t pm_levelsearch_evaluations(const struct pm_levelsearch *search)
{
    return search->evaluations;
}
