#include "worker/mask_scan.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/bufpool.h"
#include "worker/kernels/l1.h"
#include "worker/kernels/lossmap.h"
#include "worker/mask_exact.h"
#include "worker/topk.h"

#define WORD PM_LOSSMAP_WORD
#define CHUNK PM_LOSSMAP_CHUNK
/* Of one narrowing step; two steps settle 24 bits of the value, and more are rarely needed. */
#define BINS 4096
/* Losses beyond what float holds count as not finite. */
#define LOSS_MAX 1e38

/* What the passes share. */
struct pass {
    struct pm_mask_scan *scan;
    const struct pm_lossmap_ops *ops;
    struct pm_mask_exact exact;
    struct pm_topk lower; /* the largest lower bounds */
    float *word_max;      /* per word: largest upper bound; INFINITY: look at its pixels */
    size_t words;         /* of a row */
    float slack_max;
    int64_t finite;        /* pixels with a finite loss */
    struct pm_lossmap map; /* bounds of the piece being looked at */
};

size_t pm_quantile_reach(double n, double q)
{
    return (size_t)(n - floor(q * (n - 1)));
}

static size_t word_count(int w, int h)
{
    return ((size_t)w + WORD - 1) / WORD * (size_t)h;
}

static bool has_quantile(double q)
{
    return q < 1; /* 1 switches it off */
}

size_t pm_mask_scan_bytes(int w, int h, double loss_quantile)
{
    size_t bytes = word_count(w, h) * sizeof(float);
    if (has_quantile(loss_quantile)) {
        bytes += pm_topk_bytes(pm_quantile_reach((double)w * h, loss_quantile));
    }
    return bytes;
}

static const void *row_at(const struct pm_image *image, int x, int y)
{
    size_t pixel = (size_t)image->channels * pm_sample_bytes(image->sample);
    return (const char *)pm_image_row(image, y) + (size_t)x * pixel;
}

static const void *gt_at(const struct pass *pass, int x, int y)
{
    const struct pm_mask_scan *scan = pass->scan;
    return row_at(scan->gt, scan->overlap.gt_x + x, scan->overlap.gt_y + y);
}

static const void *target_at(const struct pass *pass, int x, int y)
{
    const struct pm_mask_scan *scan = pass->scan;
    return row_at(scan->target, scan->overlap.target_x + x, scan->overlap.target_y + y);
}

static double exact_at(struct pass *pass, int x, int y)
{
    return pm_mask_exact_px(&pass->exact, gt_at(pass, x, y), target_at(pass, x, y), 0);
}

/* Pixels about which the float kernel knows nothing: the exact value with its own bounds, or NaN,
 * which compares as neither above nor below anything. */
static void settle_unknown(struct pass *pass, int x, int y, int n)
{
    struct pm_lossmap *map = &pass->map;
    for (int i = 0; i < n; i++) {
        if (!(map->upper[i] <= FLT_MAX)) {
            double value = exact_at(pass, x + i, y);
            bool usable = value < LOSS_MAX;
            float near = usable ? (float)value : NAN;
            float slack = near * 1e-6f; /* many float roundings */
            map->lower[i] = near - slack;
            map->upper[i] = near + slack;
            map->slack_max = usable && slack > map->slack_max ? slack : map->slack_max;
        }
    }
}

/* Bounds of pixels [x, x + n) of row y, n <= CHUNK. word_max keeps its INFINITY. */
static void bound(struct pass *pass, int x, int y, int n)
{
    pass->ops->chunk(pass->scan->gt->sample, gt_at(pass, x, y), target_at(pass, x, y), n,
        pass->scan->gt->channels, (float)pass->scan->overlap_gain, &pass->map);
    for (int word = 0; word * WORD < n; word++) {
        if (isinf(pass->map.word_max[word])) {
            settle_unknown(pass, x, y, n);
            return;
        }
    }
}

/* ---- pass 1 ---- */

static void push_word(struct pass *pass, int first, int n)
{
    for (int i = first; i < first + n; i++) {
        pm_topk_push(&pass->lower, pass->map.lower[i]);
    }
}

static void collect(struct pass *pass, int x, int y, int n)
{
    float *word_max = pass->word_max + (size_t)y * pass->words + (size_t)x / WORD;
    bound(pass, x, y, n);
    for (int word = 0; word * WORD < n; word++) {
        int first = word * WORD, left = n - first < WORD ? n - first : WORD;
        word_max[word] = pass->map.word_max[word];
        if (isinf(word_max[word])) {
            for (int i = first; i < first + left; i++) {
                pass->finite += !isnan(pass->map.upper[i]);
            }
        } else {
            pass->finite += left;
        }
        if (word_max[word] > pass->lower.cut && pass->lower.k > 0) {
            push_word(pass, first, left);
        }
    }
    if (pass->map.slack_max > pass->slack_max) {
        pass->slack_max = pass->map.slack_max;
    }
}

static uint64_t exposure_word(const struct pm_image *gt, const void *row, int n, double limit)
{
    uint64_t bits = 0;
    for (int i = 0; i < n; i++) {
        bool ok = true;
        for (int c = 0; c < gt->channels; c++) {
            ok = ok && pm_sample_below(gt->sample, row, i * gt->channels + c, limit);
        }
        bits |= (uint64_t)ok << i;
    }
    return bits;
}

/* RAWNIND.md 2.6 step 1 for pixels [x, x + n) of row y. Whole chunks are nearly always fine. */
static void expose(struct pass *pass, struct pm_bitmap *ok, int x, int y, int n)
{
    const struct pm_mask_scan *scan = pass->scan;
    const struct pm_image *gt = scan->gt_source;
    uint64_t *words = pm_bitmap_row(ok, y) + x / WORD;
    const void *all = row_at(gt, scan->overlap.gt_x + x, scan->overlap.gt_y + y);
    bool fine = pass->ops->all_below(gt->sample, all, n * gt->channels, scan->overexposure);

    for (int word = 0; word * WORD < n; word++) {
        int first = word * WORD, left = n - first < WORD ? n - first : WORD;
        const void *row = row_at(gt, scan->overlap.gt_x + x + first, scan->overlap.gt_y + y);
        words[word] = fine ? pm_bitmap_low(left) : exposure_word(gt, row, left, scan->overexposure);
    }
}

/* The reported loss, row by row as pm_align_loss() does it, so that the two agree to the bit. */
static void add_loss(struct pass *pass, int y, struct pm_l1_sum *all)
{
    struct pm_mask_scan *scan = pass->scan;
    int row = scan->overlap.gt_y + y - scan->trimmed.gt_y;
    int64_t start = pm_mono_us(scan->clock);

    if (row < 0 || row >= scan->trimmed.h) {
        return;
    }
    struct pm_l1_sum sum = pm_l1()->exact[scan->gt->sample](
        row_at(scan->gt, scan->trimmed.gt_x, scan->trimmed.gt_y + row),
        row_at(scan->target, scan->trimmed.target_x, scan->trimmed.target_y + row),
        (size_t)scan->trimmed.w * (size_t)scan->gt->channels, scan->pair_gain);
    all->sum += sum.sum;
    all->count += sum.count;
    scan->loss_us += pm_mono_us(scan->clock) - start;
}

static void look_at_all(struct pass *pass, struct pm_bitmap *ok)
{
    struct pm_mask_scan *scan = pass->scan;
    struct pm_l1_sum loss = {0};
    for (int y = 0; y < scan->overlap.h; y++) {
        for (int x = 0; x < scan->overlap.w; x += CHUNK) {
            int n = scan->overlap.w - x < CHUNK ? scan->overlap.w - x : CHUNK;
            collect(pass, x, y, n);
            expose(pass, ok, x, y, n);
        }
        add_loss(pass, y, &loss);
    }
    scan->loss = loss.count > 0
                     ? loss.sum / (double)loss.count / pm_sample_full_scale(scan->gt->sample)
                     : (double)NAN;
}

/* ---- the quantile ---- */

struct bin {
    int64_t count;
    double min, max;
};

/* Pixels with an exact loss in [lo, hi] into bins; returns how many lie above hi. */
static int64_t fill_bins(struct pass *pass, double lo, double hi, struct bin *bins)
{
    const struct pm_mask_scan *scan = pass->scan;
    int64_t above = 0;
    double per_unit = BINS / (hi - lo);

    for (int i = 0; i < BINS; i++) {
        bins[i] = (struct bin){0, INFINITY, -INFINITY};
    }
    for (size_t word = 0; word < pass->words * (size_t)scan->overlap.h; word++) {
        if ((double)pass->word_max[word] < lo) {
            continue;
        }
        int y = (int)(word / pass->words), x = (int)(word % pass->words) * WORD;
        int n = scan->overlap.w - x < WORD ? scan->overlap.w - x : WORD;
        bound(pass, x, y, n);
        for (int i = 0; i < n; i++) {
            if ((double)pass->map.lower[i] > hi) {
                above++;
            } else if ((double)pass->map.upper[i] >= lo) {
                double value = exact_at(pass, x + i, y);
                if (value > hi) {
                    above++;
                } else if (value >= lo) {
                    int at = hi > lo ? (int)((value - lo) * per_unit) : 0;
                    struct bin *bin = &bins[at < BINS ? at : BINS - 1];
                    bin->count++;
                    bin->min = value < bin->min ? value : bin->min;
                    bin->max = value > bin->max ? value : bin->max;
                }
            }
        }
    }
    return above;
}

/* The rank-th largest exact loss, by narrowing [lo, hi], which must hold it, bin by bin: bounded
 * memory however many pixels tie. Every round leaves a smaller interval that begins and ends with
 * real values, so that it ends when those two are one. */
static double settle_rank(struct pass *pass, int64_t rank, double lo, double hi, struct bin *bins)
{
    for (;;) {
        int64_t from_top = fill_bins(pass, lo, hi, bins);
        int at = BINS - 1;
        assert(from_top < rank);
        while (from_top + bins[at].count < rank) {
            from_top += bins[at].count;
            at--;
            assert(at >= 0);
        }
        if (bins[at].min == bins[at].max) {
            return bins[at].min;
        }
        lo = bins[at].min;
        hi = bins[at].max;
    }
}

/* An order statistic of values that are each within slack of a bound is within slack of the same
 * order statistic of the bounds. */
static double rank_largest(struct pass *pass, int64_t rank, struct bin *bins)
{
    double lower = (double)pm_topk_largest(&pass->lower, (size_t)rank);
    double slack = (double)pass->slack_max;
    return settle_rank(pass, rank, lower, lower + 2.0 * slack * (1 + 1e-6) + 1e-30, bins);
}

double pm_quantile_lerp(double a, double b, double t)
{
    return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
}

static enum pm_code find_threshold(struct pass *pass, struct pm_err *err)
{
    struct pm_mask_scan *scan = pass->scan;
    double n = (double)pass->finite;
    double rank = scan->loss_quantile * (n - 1);
    double part = rank - floor(rank);

    scan->threshold = scan->loss_threshold;
    if (pass->finite > 0 && has_quantile(scan->loss_quantile)) {
        struct bin *bins = malloc(BINS * sizeof *bins);
        if (bins == NULL) {
            return pm_err_set(err, PM_ENOMEM, "no memory for the mask's quantile");
        }
        int64_t from_top = (int64_t)pm_quantile_reach(n, scan->loss_quantile);
        double quantile = rank_largest(pass, from_top, bins);
        if (part > 0 && from_top > 1) {
            quantile = pm_quantile_lerp(quantile, rank_largest(pass, from_top - 1, bins), part);
        }
        scan->threshold = quantile < scan->threshold ? quantile : scan->threshold;
        free(bins);
    }
    if (scan->threshold == 0) {
        scan->threshold = 1.0; /* a perfect pair */
    }
    return PM_OK;
}

/* ---- pass 2 ---- */

static uint64_t decide_word(struct pass *pass, int x, int y, int n)
{
    const double threshold = pass->scan->threshold;
    uint64_t bits = 0;
    bound(pass, x, y, n);
    for (int i = 0; i < n; i++) {
        bool keep = (double)pass->map.upper[i] < threshold;
        if (!keep && !((double)pass->map.lower[i] >= threshold)) {
            keep = exact_at(pass, x + i, y) < threshold;
        }
        bits |= (uint64_t)keep << i;
    }
    return bits;
}

static void decide_all(struct pass *pass, struct pm_bitmap *keep)
{
    const struct pm_mask_scan *scan = pass->scan;
    for (int y = 0; y < scan->overlap.h; y++) {
        const float *word_max = pass->word_max + (size_t)y * pass->words;
        uint64_t *row = pm_bitmap_row(keep, y);
        for (size_t word = 0; word < pass->words; word++) {
            int x = (int)word * WORD;
            int n = scan->overlap.w - x < WORD ? scan->overlap.w - x : WORD;
            row[word] = (double)word_max[word] < scan->threshold ? pm_bitmap_low(n)
                                                                 : decide_word(pass, x, y, n);
        }
    }
}

enum pm_code pm_mask_scan_run(
    struct pm_mask_scan *scan, struct pm_bitmap *keep, struct pm_bitmap *ok, struct pm_err *err)
{
    const struct pm_overlap *o = &scan->overlap;
    size_t max_bytes = word_count(o->w, o->h) * sizeof(float);
    struct pass pass = {
        .scan = scan, .ops = pm_lossmap_ops(), .words = ((size_t)o->w + WORD - 1) / WORD};
    enum pm_code rc = PM_OK;

    scan->loss_us = 0;
    pm_mask_exact_init(&pass.exact, scan->gt->sample, scan->gt->channels, scan->overlap_gain);
    pass.word_max = pm_bufpool_get(scan->pool, max_bytes);
    if (pass.word_max == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for the mask of %dx%d pixels", o->w, o->h);
    }
    if (has_quantile(scan->loss_quantile)) {
        rc = pm_topk_init(&pass.lower, pm_quantile_reach((double)o->w * o->h, scan->loss_quantile),
            scan->pool, err);
        if (rc != PM_OK) {
            goto out;
        }
    }
    look_at_all(&pass, ok);
    rc = find_threshold(&pass, err);
    if (rc != PM_OK) {
        goto out;
    }
    decide_all(&pass, keep);
out:
    pm_topk_fini(&pass.lower);
    pm_bufpool_put(scan->pool, pass.word_max, max_bytes);
    return rc;
}
