#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/align/assess.h"
#include "worker/align/blocks.h"
#include "worker/align/ops.h"
#include "worker/align/peaks.h"
#include "worker/align/stage.h"
#include "worker/kernels/l1.h"

/* Every shift of the range is taken, and the smallest loss wins: the plain answer the other methods
 * are held against. It is exact, yet need not read every pixel for every shift. blocks.h says how
 * much a shift must lose at least; strip by strip that is replaced by the real sum, and a shift is
 * given up as soon as the total exceeds what its whole overlap may sum to for it to win. Strips are
 * read in PASSES interleaved sets, so that those read so far stand for the whole image.
 *
 * The row kernels work on rounded samples. The error of a difference is bounded (stage.rounding),
 * so a shift is given up only if it loses by more than that, and those that the bound cannot
 * separate from the best are decided by pm_align_loss() itself. */

#define PASSES 32

/* Shifts whose true loss is taken at the start, to have a sharp bound from then on. */
#define FIRST_EXACT 4

/* Float kernels are good to 1e-6 relative (l1.h); ten times that is a safe bound. */
#define FLOAT_ERROR 1e-5
#define DOUBLE_ERROR 1e-12 /* sums of up to 10^9 doubles, generously */

/* More shifts than this within the rounding of the best: the images are flat or repeat themselves
 * to the last bit. Those with the smallest sums are compared exactly and the pair is `ambiguous`.
 */
#define FINALISTS 256

struct brute {
    const struct pm_align_query *query;
    struct pm_range range;
    struct pm_stage stage;
    double unit;        /* full scale 1 per unit of sum[] */
    double error;       /* largest error of a mean of sum[], full scale 1 */
    double relative;    /* and relative to it */
    double bound;       /* the true loss of the best shift is at most this, full scale 1 */
    unsigned char *row; /* staged rows: gt, then target */
    size_t row_bytes;   /* of one of them */
    size_t row_capacity, table_capacity;
    /* Tables over all shifts, [dy + range.dy][dx + range.dx]: */
    double *sum;    /* over the rows read; INFINITY: given up */
    double *least;  /* what the strips not read yet add at least, full scale 1 */
    int64_t *count; /* finite samples behind sum; only with stage.exact_only */
    /* The shifts of the dy at hand still in the race: */
    struct alive {
        int dx;
        size_t index; /* in the tables */
        struct pm_overlap overlap;
    } * alive;
    int alive_count;
    struct pm_blocks *blocks;
    struct pm_assess *assess;
};

static void bruteforce_stop(void *scratch)
{
    struct brute *self = scratch;
    if (self == NULL) {
        return;
    }
    pm_assess_free(self->assess);
    pm_blocks_free(self->blocks);
    free(self->row);
    free(self->sum);
    free(self->least);
    free(self->count);
    free(self->alive);
    free(self);
}

static enum pm_code bruteforce_start(void **scratch, struct pm_err *err)
{
    struct brute *self = calloc(1, sizeof *self);
    enum pm_code rc;
    if (self == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for method bruteforce");
    }
    rc = pm_assess_new(&self->assess, err);
    if (rc == PM_OK) {
        rc = pm_blocks_new(&self->blocks, err);
    }
    if (rc != PM_OK) {
        bruteforce_stop(self);
        return rc;
    }
    *scratch = self;
    return PM_OK;
}

static size_t side_of(const struct brute *self)
{
    return 2 * (size_t)self->range.dx + 1;
}

static size_t table_size(const struct brute *self)
{
    return side_of(self) * (2 * (size_t)self->range.dy + 1);
}

static size_t index_of(const struct brute *self, int dy, int dx)
{
    return (size_t)(dy + self->range.dy) * side_of(self) + (size_t)(dx + self->range.dx);
}

/* Makes all tables n long, or none; false: out of memory. */
static bool grow_tables(struct brute *self, size_t n)
{
    if (n <= self->table_capacity) {
        return true;
    }
    free(self->sum);
    free(self->least);
    free(self->count);
    free(self->alive);
    self->sum = malloc(n * sizeof *self->sum);
    self->least = malloc(n * sizeof *self->least);
    self->count = malloc(n * sizeof *self->count);
    self->alive = malloc(n * sizeof *self->alive);
    self->table_capacity = n;
    if (self->sum == NULL || self->least == NULL || self->count == NULL || self->alive == NULL) {
        self->table_capacity = 0;
        return false;
    }
    return true;
}

static bool grow_rows(struct brute *self, size_t bytes)
{
    if (bytes > self->row_capacity) {
        free(self->row);
        self->row = aligned_alloc(64, bytes);
        self->row_capacity = self->row != NULL ? bytes : 0;
    }
    return bytes <= self->row_capacity;
}

static enum pm_code set_up(
    struct brute *self, const struct pm_align_query *query, struct pm_err *err)
{
    const struct pm_image *gt = query->gt->image;
    size_t staged, n;

    self->query = query;
    self->range = pm_align_range(gt->w, gt->h, query->max_shift);
    pm_stage_init(&self->stage, query);
    self->unit = self->stage.exact_only ? 1 / pm_sample_full_scale(gt->sample) : self->stage.unit;
    self->error = self->stage.exact_only ? 0 : self->stage.rounding;
    self->relative = self->stage.is_float ? FLOAT_ERROR : DOUBLE_ERROR;
    self->bound = INFINITY;
    staged = (size_t)gt->w * (size_t)gt->channels * pm_stage_bytes(&self->stage);
    self->row_bytes = (staged + 63) / 64 * 64;
    n = table_size(self);
    if (!grow_tables(self, n) || !grow_rows(self, 2 * self->row_bytes)) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a table of %zu shifts", n);
    }
    memset(self->sum, 0, n * sizeof *self->sum);
    memset(self->least, 0, n * sizeof *self->least);
    memset(self->count, 0, n * sizeof *self->count);
    return pm_blocks_build(self->blocks, gt, query->target->image, query->gain, err);
}

/* A row of the overlap, from the staged rows. */
static double sum_staged(const struct brute *self, const struct pm_overlap *o)
{
    size_t channels = (size_t)self->query->gt->image->channels;
    size_t gt = channels * (size_t)o->gt_x, target = channels * (size_t)o->target_x;
    const void *a = self->row, *b = self->row + self->row_bytes;
    if (self->stage.is_float) {
        return self->stage.l1->row_f32(
            (const float *)a + gt, (const float *)b + target, channels * (size_t)o->w);
    }
    return (double)self->stage.l1->row_i16(
        (const int16_t *)a + gt, (const int16_t *)b + target, channels * (size_t)o->w);
}

/* Where the staged samples cannot serve: the exact kernel, straight from the images. */
static void add_exact(struct brute *self, const struct alive *alive, int target_y)
{
    const struct pm_image *gt = self->query->gt->image, *target = self->query->target->image;
    const struct pm_overlap *o = &alive->overlap;
    size_t pixel = (size_t)gt->channels * pm_sample_bytes(gt->sample);
    const unsigned char *a = pm_image_row(gt, target_y + o->gt_y - o->target_y);
    const unsigned char *b = pm_image_row(target, target_y);
    struct pm_l1_sum sum = self->stage.l1->exact[gt->sample](a + (size_t)o->gt_x * pixel,
        b + (size_t)o->target_x * pixel, (size_t)o->w * (size_t)gt->channels, self->query->gain);
    self->sum[alive->index] += sum.sum;
    self->count[alive->index] += sum.count;
}

/* Adds a row to every shift of dy still in the race. */
static void add_row(struct brute *self, int dy, int target_y)
{
    int w = self->query->gt->image->w;
    if (!self->stage.exact_only && self->alive_count > 0) {
        pm_stage_gt(&self->stage, 0, target_y + dy, w, self->row);
        pm_stage_target(&self->stage, 0, target_y, w, self->row + self->row_bytes);
    }
    for (int i = 0; i < self->alive_count; i++) {
        const struct alive *alive = &self->alive[i];
        if (self->stage.exact_only) {
            add_exact(self, alive, target_y);
        } else {
            self->sum[alive->index] += sum_staged(self, &alive->overlap);
        }
    }
}

/* Replaces the least a strip adds by what it does add. */
static void add_strip(struct brute *self, int dy, int strip)
{
    for (int i = 0; i < self->alive_count; i++) {
        const struct alive *alive = &self->alive[i];
        self->least[alive->index] -= pm_blocks_least(self->blocks, &alive->overlap, strip);
    }
    for (int r = 0; r < PM_BLOCK; r++) {
        add_row(self, dy, PM_BLOCK * strip + r);
    }
}

/* Bit-reversed, so that the strips read so far are always spread evenly. */
static int offset_of_pass(int pass)
{
    int offset = 0;
    for (int bit = 1; bit < PASSES; bit *= 2) {
        offset = 2 * offset + ((pass & bit) != 0);
    }
    return offset;
}

/* Samples of the overlap of a shift. */
static double samples_of(const struct brute *self, int dy, int dx)
{
    const struct pm_image *gt = self->query->gt->image;
    struct pm_overlap o = pm_overlap_trimmed(gt->w, gt->h, dy, dx);
    return (double)o.w * (double)o.h * (double)gt->channels;
}

/* The sum at which a shift can no longer win, in units of sum[]. Leaving out samples that are not
 * finite only makes the mean of the others larger than this allows for. */
static double limit_of(const struct brute *self, int dy, int dx)
{
    double mean = (self->bound + self->error) * (1 + self->relative);
    return mean / self->unit * samples_of(self, dy, dx);
}

static void enlist(struct brute *self, int dy)
{
    const struct pm_image *gt = self->query->gt->image;
    self->alive_count = 0;
    for (int dx = -self->range.dx; dx <= self->range.dx; dx++) {
        self->alive[self->alive_count++] = (struct alive){.dx = dx,
            .index = index_of(self, dy, dx),
            .overlap = pm_overlap_trimmed(gt->w, gt->h, dy, dx)};
    }
}

/* Gives up the shifts of dy that can no longer win. */
static void prune(struct brute *self, int dy)
{
    int kept = 0;
    for (int i = 0; i < self->alive_count; i++) {
        size_t index = self->alive[i].index;
        double total = self->sum[index] + self->least[index] / self->unit;
        if (total > limit_of(self, dy, self->alive[i].dx)) {
            self->sum[index] = INFINITY;
        } else {
            self->alive[kept++] = self->alive[i];
        }
    }
    self->alive_count = kept;
}

/* Fills least[] of all shifts. */
static void estimate(struct brute *self)
{
    for (int dy = -self->range.dy; dy <= self->range.dy; dy++) {
        int first, end;
        enlist(self, dy);
        pm_blocks_strips(&self->alive[0].overlap, &first, &end); /* the same for every dx */
        for (int strip = first; strip < end; strip++) {
            for (int i = 0; i < self->alive_count; i++) {
                const struct alive *alive = &self->alive[i];
                self->least[alive->index] += pm_blocks_least(self->blocks, &alive->overlap, strip);
            }
        }
    }
}

/* The mean the kernels found for a shift whose rows were all read; NaN: no finite sample. */
static double mean_of(const struct brute *self, int dy, int dx)
{
    size_t index = index_of(self, dy, dx);
    double n = self->stage.exact_only ? (double)self->count[index] : samples_of(self, dy, dx);
    return n > 0 ? self->sum[index] * self->unit / n : (double)NAN;
}

static void lower_bound(struct brute *self, double loss)
{
    if (loss < self->bound) {
        self->bound = loss;
    }
}

static double exact_loss(const struct brute *self, int dy, int dx)
{
    const struct pm_align_query *query = self->query;
    return pm_align_loss(query->gt->image, query->target->image, query->gain, dy, dx);
}

/* The least the mean of a shift can be, negative so that larger is better. */
static double promise(const void *ctx, int dy, int dx)
{
    const struct brute *self = ctx;
    double n = samples_of(self, dy, dx);
    return n > 0 ? -self->least[index_of(self, dy, dx)] / n : -(double)INFINITY;
}

/* The rows of an overlap that belong to no whole strip of it. */
static void add_edges(struct brute *self, int dy, int first, int end)
{
    const struct pm_image *gt = self->query->gt->image;
    struct pm_overlap o = pm_overlap_trimmed(gt->w, gt->h, dy, 0);
    for (int y = o.target_y; y < o.target_y + o.h; y++) {
        if (y < PM_BLOCK * first || y >= PM_BLOCK * end) {
            add_row(self, dy, y);
        }
    }
}

/* Reads the rows of one dy as long as any of its shifts is in the race. */
static void race(struct brute *self, int dy)
{
    int first, end;
    enlist(self, dy);
    pm_blocks_strips(&self->alive[0].overlap, &first, &end);
    prune(self, dy);
    for (int pass = 0; pass < PASSES && self->alive_count > 0; pass++) {
        for (int strip = first + offset_of_pass(pass); strip < end; strip += PASSES) {
            add_strip(self, dy, strip);
        }
        prune(self, dy);
    }
    add_edges(self, dy, first, end);
    for (int i = 0; i < self->alive_count; i++) {
        double mean = mean_of(self, dy, self->alive[i].dx);
        lower_bound(self, mean * (1 + self->relative) + self->error);
    }
}

/* The shifts whose mean the kernels cannot separate from the best, smallest first. */
static int finalists(const struct brute *self, struct pm_candidate *list, bool *overfull)
{
    int count = 0;
    *overfull = false;
    for (int dy = -self->range.dy; dy <= self->range.dy; dy++) {
        for (int dx = -self->range.dx; dx <= self->range.dx; dx++) {
            double mean = mean_of(self, dy, dx);
            if (mean * (1 - self->relative) - self->error <= self->bound) {
                *overfull = *overfull || count == FINALISTS;
                count = pm_peaks_insert(list, count, FINALISTS,
                    (struct pm_candidate){.dy = dy, .dx = dx, .score = -mean});
            }
        }
    }
    return count;
}

static void decide(const struct brute *self, struct pm_shift *shift)
{
    struct pm_candidate list[FINALISTS];
    double best = NAN;
    bool overfull;
    int count = finalists(self, list, &overfull);

    for (int i = 0; i < count; i++) {
        double loss = exact_loss(self, list[i].dy, list[i].dx);
        if (isnan(best) ||
            pm_shift_better(loss, list[i].dy, list[i].dx, best, shift->dy, shift->dx)) {
            best = loss;
            shift->dy = list[i].dy;
            shift->dx = list[i].dx;
        }
    }
    if (overfull) {
        shift->flags |= PM_FLAG_AMBIGUOUS;
    }
}

static int search(struct brute *self, struct pm_candidate *found, int max)
{
    const struct pm_scored scored = {.score = promise, .ctx = self, .range = self->range};
    int count;
    estimate(self);
    count = pm_peaks_find(&scored, found, max);
    for (int i = 0; i < count && i < FIRST_EXACT; i++) {
        lower_bound(self, exact_loss(self, found[i].dy, found[i].dx));
    }
    for (int dy = -self->range.dy; dy <= self->range.dy; dy++) {
        race(self, dy);
    }
    return count;
}

static enum pm_code bruteforce_run(
    void *scratch, const struct pm_align_query *query, struct pm_shift *shift, struct pm_err *err)
{
    struct brute *self = scratch;
    struct pm_candidate found[PM_ASSESS_OTHERS];
    enum pm_code rc = set_up(self, query, err);
    int count;

    if (rc != PM_OK) {
        return rc;
    }
    count = search(self, found, PM_ASSESS_OTHERS);
    decide(self, shift);
    shift->evaluations = (int64_t)table_size(self);
    if (query->quality) {
        unsigned flags = shift->flags;
        rc = pm_assess_answer(self->assess, query, found, count, shift, err);
        shift->flags |= flags;
    }
    return rc;
}

const struct pm_align_ops pm_align_bruteforce = {
    .method = PM_METHOD_BRUTEFORCE,
    .start = bruteforce_start,
    .run = bruteforce_run,
    .stop = bruteforce_stop,
};
