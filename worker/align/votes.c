#include "worker/align/votes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/rect.h"
#include "worker/align/stage.h"
#include "worker/kernels/l1.h"

#define GROUPS 8       /* of rows, and regions a side */
#define COLUMNS 96     /* blocks of columns at most, */
#define BLOCK_PX 12    /* none narrower than this */
#define SAMPLES 600000 /* about so many samples of the overlap are looked at, */
#define ROWS_LEAST 32  /* but not fewer rows than this */
#define CLEAR 3.0      /* standard errors that make a region's vote clear */
#define FEW_COLUMNS 6  /* fewer blocks say nothing about columns */

/* Sums of one block: of the alternative's loss less the answer's, in either half. */
struct block {
    double sum[2];
};

struct pm_votes {
    const struct pm_align_query *query;
    struct pm_stage stage;
    int x0, x1, y0, y1; /* of gt: what all share */
    int columns, rows;  /* blocks of columns, rows looked at */
    struct block table[PM_VOTES_MOST][GROUPS][COLUMNS];
    double samples[GROUPS][2];            /* per column block, in either half */
    unsigned char *row[2];                /* staged gt from x0 on, and target */
    int staged_y, staged_from, staged_to; /* px of the target that row[1] holds */
    size_t row_bytes;
};

enum pm_code pm_votes_new(struct pm_votes **out, struct pm_err *err)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? PM_OK : pm_err_set(err, PM_ENOMEM, "no memory to compare parts");
}

void pm_votes_free(struct pm_votes *votes)
{
    if (votes != NULL) {
        free(votes->row[0]);
        free(votes->row[1]);
        free(votes);
    }
}

static bool grow(struct pm_votes *votes, size_t bytes)
{
    if (bytes > votes->row_bytes) {
        votes->row_bytes = 0;
        for (int i = 0; i < 2; i++) {
            free(votes->row[i]);
            votes->row[i] = malloc(bytes);
        }
        votes->row_bytes = votes->row[0] != NULL && votes->row[1] != NULL ? bytes : 0;
    }
    return bytes <= votes->row_bytes;
}

/* Keeps of the shared pixels those that this shift's overlap has too. */
static void share(struct pm_votes *votes, int dy, int dx)
{
    const struct pm_image *gt = votes->query->gt->image;
    struct pm_overlap o = pm_overlap_full(gt->w, gt->h, dy, dx);

    votes->x0 = o.gt_x > votes->x0 ? o.gt_x : votes->x0;
    votes->y0 = o.gt_y > votes->y0 ? o.gt_y : votes->y0;
    votes->x1 = o.gt_x + o.w < votes->x1 ? o.gt_x + o.w : votes->x1;
    votes->y1 = o.gt_y + o.h < votes->y1 ? o.gt_y + o.h : votes->y1;
}

static int edge_of(const struct pm_votes *votes, int column)
{
    return votes->x0 + (int)((int64_t)(votes->x1 - votes->x0) * column / votes->columns);
}

/* Stages the target's row for this shift and those 1 px beside it, unless it is there. */
static void stage_target(struct pm_votes *votes, int y, int dx)
{
    int from = votes->x0 - dx, to = votes->x1 - dx;

    if (votes->staged_y == y && from >= votes->staged_from && to <= votes->staged_to) {
        return;
    }
    from -= from > 0;
    to += to < votes->query->target->image->w;
    pm_stage_target(&votes->stage, from, y, to - from, votes->row[1]);
    votes->staged_y = y;
    votes->staged_from = from;
    votes->staged_to = to;
}

/* The loss of every block of row y at one shift. */
static void add_row(const struct pm_votes *votes, int y, struct pm_candidate s, double *sum)
{
    const struct pm_image *gt = votes->query->gt->image, *target = votes->query->target->image;
    size_t channels = (size_t)gt->channels, pixel = channels * pm_sample_bytes(gt->sample);
    size_t beside =
        votes->stage.exact_only ? 0 : (size_t)(votes->x0 - s.dx - votes->staged_from) * channels;

    for (int c = 0; c < votes->columns; c++) {
        int x = edge_of(votes, c);
        size_t n = (size_t)(edge_of(votes, c + 1) - x) * channels;
        size_t at = (size_t)(x - votes->x0) * channels;
        if (votes->stage.exact_only) {
            sum[c] = votes->stage.l1
                         ->exact[gt->sample](
                             (const unsigned char *)pm_image_row(gt, y) + (size_t)x * pixel,
                             (const unsigned char *)pm_image_row(target, y - s.dy) +
                                 (size_t)(x - s.dx) * pixel,
                             n, votes->query->gain)
                         .sum;
        } else if (votes->stage.is_float) {
            sum[c] = votes->stage.l1->row_f32((const float *)(const void *)votes->row[0] + at,
                (const float *)(const void *)votes->row[1] + beside + at, n);
        } else {
            sum[c] =
                (double)votes->stage.l1->row_i16((const int16_t *)(const void *)votes->row[0] + at,
                    (const int16_t *)(const void *)votes->row[1] + beside + at, n);
        }
    }
}

/* One row: the answer's losses, and by how much the alternatives' are larger. */
static void count_row(struct pm_votes *votes, int i, struct pm_candidate answer,
    const struct pm_candidate *alternatives, int count)
{
    int y = votes->y0 +
            (int)(((int64_t)2 * i + 1) * (votes->y1 - votes->y0) / (2 * (int64_t)votes->rows));
    int group = i * GROUPS / votes->rows, half = i & 1, n = votes->x1 - votes->x0;
    double here[COLUMNS] = {0}, there[COLUMNS] = {0};

    votes->staged_y = -1;
    if (!votes->stage.exact_only) {
        pm_stage_gt(&votes->stage, votes->x0, y, n, votes->row[0]);
    }
    for (int k = -1; k < count; k++) {
        struct pm_candidate s = k < 0 ? answer : alternatives[k];
        if (!votes->stage.exact_only) {
            stage_target(votes, y - s.dy, s.dx);
        }
        add_row(votes, y, s, k < 0 ? here : there);
        for (int c = 0; k >= 0 && c < votes->columns; c++) {
            votes->table[k][group][c].sum[half] += there[c] - here[c];
        }
    }
    votes->samples[group][half] += 1;
}

/* The frame is cut into split x split regions. The mean of one in both halves; false: one of them
 * is empty. */
static bool region(const struct pm_votes *votes, int k, int split, int at, double mean[2])
{
    int g0 = GROUPS / split * (at / split), g1 = g0 + GROUPS / split;
    int c0 = votes->columns * (at % split) / split, c1 = votes->columns * (at % split + 1) / split;

    for (int half = 0; half < 2; half++) {
        double sum = 0, samples = 0;
        for (int g = g0; g < g1; g++) {
            samples += votes->samples[g][half];
            for (int c = c0; c < c1; c++) {
                sum += votes->table[k][g][c].sum[half];
            }
        }
        if (!(samples > 0) || c1 == c0) {
            return false;
        }
        mean[half] = sum / samples;
    }
    return true;
}

/* See struct pm_vote. The noise of a region is taken from how far its halves are apart, on average
 * over the frame. */
static double opposed(const struct pm_votes *votes, int k, int split)
{
    double mean[2], squares = 0, with = 0, against = 0, error;
    int n = 0;

    for (int i = 0; i < split * split; i++) {
        if (region(votes, k, split, i, mean)) {
            squares += (mean[0] - mean[1]) * (mean[0] - mean[1]) / 4;
            n++;
        }
    }
    error = n > 0 ? sqrt(squares / n) : 0;
    for (int i = 0; i < split * split; i++) {
        if (region(votes, k, split, i, mean)) {
            double v = (mean[0] + mean[1]) / 2;
            with += v > CLEAR * error ? v : 0;
            against += v < -CLEAR * error ? -v : 0;
        }
    }
    return with > 0 ? against / with : against > 0 ? (double)INFINITY : 0;
}

/* The mean over columns against the part of its spread that both halves have in common. */
static double z_columns(const struct pm_votes *votes, int k)
{
    double v[COLUMNS][2] = {{0}}, mean[2] = {0, 0}, common = 0;
    int n = votes->columns;

    if (n < FEW_COLUMNS) {
        return INFINITY;
    }
    for (int c = 0; c < n; c++) {
        for (int i = 0; i < 2 * GROUPS; i++) {
            v[c][i % 2] += votes->table[k][i / 2][c].sum[i % 2];
        }
        mean[0] += v[c][0] / n;
        mean[1] += v[c][1] / n;
    }
    for (int c = 0; c < n; c++) {
        common += (v[c][0] - mean[0]) * (v[c][1] - mean[1]) / (n - 1);
    }
    if (!(common > 0)) {
        return INFINITY;
    }
    return (mean[0] + mean[1]) / 2 / sqrt(common / n);
}

enum pm_code pm_votes_take(struct pm_votes *votes, const struct pm_align_query *query, int dy,
    int dx, const struct pm_candidate *alternatives, int count, struct pm_vote *out,
    struct pm_err *err)
{
    const struct pm_image *gt = query->gt->image;
    struct pm_candidate answer = {.dy = dy, .dx = dx};
    double per_row;

    votes->query = query;
    pm_stage_init(&votes->stage, query);
    votes->x0 = votes->y0 = 0;
    votes->x1 = gt->w;
    votes->y1 = gt->h;
    share(votes, dy, dx);
    for (int k = 0; k < count; k++) {
        share(votes, alternatives[k].dy, alternatives[k].dx);
        out[k] = (struct pm_vote){.opposed = 0, .z_columns = INFINITY};
    }
    if (votes->x1 - votes->x0 < BLOCK_PX || votes->y1 - votes->y0 < 2 * GROUPS) {
        return PM_OK;
    }
    if (!grow(votes, (size_t)gt->w * (size_t)gt->channels * sizeof(float))) {
        return pm_err_set(err, PM_ENOMEM, "no memory to compare parts");
    }
    votes->columns = (votes->x1 - votes->x0) / BLOCK_PX;
    votes->columns = votes->columns < COLUMNS ? votes->columns : COLUMNS;
    per_row = (double)(votes->x1 - votes->x0) * gt->channels;
    votes->rows = (int)fmax(ROWS_LEAST, SAMPLES / per_row);
    votes->rows = votes->rows < votes->y1 - votes->y0 ? votes->rows : votes->y1 - votes->y0;
    memset(votes->table, 0, sizeof votes->table);
    memset(votes->samples, 0, sizeof votes->samples);
    for (int i = 0; i < votes->rows; i++) {
        count_row(votes, i, answer, alternatives, count);
    }
    for (int k = 0; k < count; k++) {
        out[k] = (struct pm_vote){
            .opposed = fmax(opposed(votes, k, GROUPS), opposed(votes, k, GROUPS / 2)),
            .z_columns = z_columns(votes, k)};
    }
    return PM_OK;
}
