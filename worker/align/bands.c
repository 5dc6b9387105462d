#include "worker/align/bands.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

#include "worker/align/bands_parts.h"

#define PHASE 5         /* the bands of a coarser step are among those of a finer one */
#define ENOUGH_BANDS 24 /* fewer give no usable spread */
#define FIRST_SHIFTS 64 /* table size to begin with */

enum pm_code pm_bands_new(struct pm_bands **out, struct pm_err *err)
{
    struct pm_bands *bands = calloc(1, sizeof *bands);

    if (bands == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for the full-resolution comparison");
    }
    bands->row_bytes = 3 * sizeof(float) * (PM_BANDS_BLOCK_PX + 4 * PM_BANDS_EDGE_PX);
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
        struct pm_band_shift *larger = realloc(bands->entries, (size_t)more * sizeof *larger);
        if (larger == NULL) {
            return false;
        }
        bands->entries = larger;
        bands->entry_capacity = more;
    }
    size_t need = (size_t)(bands->entry_count + 1) * (size_t)bands->count;
    if (need > bands->cell_capacity) {
        size_t more = 2 * need;
        struct pm_band_cell *larger = realloc(bands->cells, more * sizeof *larger);
        if (larger == NULL) {
            return false;
        }
        bands->cells = larger;
        bands->cell_capacity = more;
    }
    return true;
}

int pm_bands_enter(struct pm_bands *bands, int dy, int dx)
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
    bands->entries[at] = (struct pm_band_shift){.dy = dy,
        .dx = dx,
        .overlap = pm_overlap_trimmed(bands->w, bands->h, dy, dx),
        .at = (size_t)at * (size_t)bands->count};
    for (int b = 0; b < bands->count; b++) {
        bands->cells[bands->entries[at].at + (size_t)b] = (struct pm_band_cell){0, -1};
    }
    return at;
}

void pm_bands_interior(const struct pm_bands *bands, int dy, int *first, int *end)
{
    int top = (dy > 0 ? dy : 0) + 2;
    int bottom = bands->h - (dy < 0 ? -dy : 0) - 2;

    *first = (top + bands->band_rows - 1) / bands->band_rows;
    *end = bottom / bands->band_rows;
    *end = *end > *first ? *end : *first;
}

bool pm_bands_wanted(int b, int first, int end, int step)
{
    return b < first || b >= end || b % step == PHASE % step;
}

/* What the bands add up to of which every shift asked about is summed; interior ones stand for
 * those left out. `frame` is the dy of the neighbourhood whose interior counts: one for all shifts
 * that are compared, or the weights would differ more than the shifts do. */
struct totals {
    struct pm_band_cell inside, border;
    int sampled;
};

static void add_cell(struct totals *t, bool in, const struct pm_band_cell *cell)
{
    struct pm_band_cell *to = in ? &t->inside : &t->border;

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
    pm_bands_interior(bands, frame, &first, &end);
    for (int b = 0; b < bands->count; b++) {
        const struct pm_band_cell *cell = pm_bands_cell(bands, entry, b);
        if (pm_bands_wanted(b, first, end, step) && cell->count >= 0) {
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

static void add_spread(struct spread *s, const struct pm_band_cell *a, const struct pm_band_cell *b)
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
    pm_bands_interior(bands, frame, &first, &end);
    for (int i = 0; i < bands->count; i++) {
        const struct pm_band_cell *ca = pm_bands_cell(bands, ea, i),
                                  *cb = pm_bands_cell(bands, eb, i);
        if (pm_bands_wanted(i, first, end, step) && ca->count >= 0 && cb->count >= 0) {
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
