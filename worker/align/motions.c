#include "worker/align/motions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/kernels/blocks8.h"

#define SIDE PM_BLOCKS8_SIDE
#define SHORTER 260    /* values along the shorter side from which low-passing goes on */
#define COMPARED 1e7   /* differences that all shifts may cost: ~1 ms */
#define STEP 2         /* of the shifts looked at for a second motion */
#define FEWEST 12      /* blocks that say something */
#define NEAR 2         /* values; nearer than this to the answer is no other motion */
#define FLOOR_RANK 0.1 /* of the blocks' smaller losses: what noise leaves of any block */
#define FLOOR_KEPT 0.3 /* of the floor stays in the comparison: its spread */
#define BELONGS 0.5    /* of the loss at the other motion */
#define MEAN_VALUE 640 /* a plane's mean; what is six times as bright is cut off */

struct pm_motions {
    int16_t *gt, *target; /* w x h, rows w apart, up to PM_BLOCKS8_MOST */
    int32_t *sums;        /* w x h, before they are scaled */
    float *table;         /* [shift][block]: loss; INFINITY: not wholly in the overlap */
    size_t gt_values, target_values, sum_values, table_values;
    double *scratch; /* one value a block */
    size_t scratch_values;
    int w, h;
    int factor;             /* px of the image per value */
    int reach_y, reach_x;   /* the table's shifts: -reach..reach, 1 beyond the range */
    int down, across;       /* blocks */
    int origin_y, origin_x; /* of the first block in gt */
};

enum pm_code pm_motions_new(struct pm_motions **out, struct pm_err *err)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? PM_OK : pm_err_set(err, PM_ENOMEM, "no memory to look for motions");
}

void pm_motions_free(struct pm_motions *motions)
{
    if (motions != NULL) {
        free(motions->gt);
        free(motions->target);
        free(motions->sums);
        free(motions->table);
        free(motions->scratch);
        free(motions);
    }
}

/* Makes *p hold count values of size bytes; what it held is gone. */
static bool room(void **p, size_t *have, size_t count, size_t size)
{
    if (count > *have) {
        free(*p);
        *p = malloc(count * size);
        *have = *p != NULL ? count : 0;
    }
    return count <= *have;
}

static bool grow(struct pm_motions *m)
{
    size_t plane = (size_t)m->w * (size_t)m->h;
    size_t blocks = (size_t)m->down * (size_t)m->across;
    size_t shifts = (2 * (size_t)m->reach_y + 1) * (2 * (size_t)m->reach_x + 1);

    return room((void **)&m->gt, &m->gt_values, plane, sizeof *m->gt) &&
           room((void **)&m->target, &m->target_values, plane, sizeof *m->target) &&
           room((void **)&m->sums, &m->sum_values, plane, sizeof *m->sums) &&
           room((void **)&m->table, &m->table_values, shifts * blocks, sizeof *m->table) &&
           room((void **)&m->scratch, &m->scratch_values, blocks, sizeof *m->scratch);
}

/* How many level values a side are joined into one, so that all shifts can be afforded. */
static int joined(int w, int h, int range_y, int range_x, int factor)
{
    int shorter = w < h ? w : h;

    for (int k = 1;; k *= 2) {
        double shifts = (2.0 * range_y / (factor * k) + 3) * (2.0 * range_x / (factor * k) + 3);
        if (k == PM_BLOCKS8_JOIN_MOST ||
            (shorter / k < SHORTER && shifts / (STEP * STEP) * w * h / k / k <= COMPARED)) {
            return k;
        }
    }
}

/* The sum of every k x k values of a level, into m->sums; returns the sum of all. */
static double join(const struct pm_motions *m, const int16_t *level, size_t stride, int k)
{
    double all = 0;

    for (int y = 0; y < m->h; y++) {
        pm_blocks8_join(level + (size_t)(y * k) * stride, stride, k, m->w, m->sums + y * m->w);
    }
    for (int i = 0; i < m->w * m->h; i++) {
        all += m->sums[i];
    }
    return all;
}

/* m->sums as a plane to compare. */
static void scale(const struct pm_motions *m, double factor, int16_t *to)
{
    for (int i = 0; i < m->w * m->h; i++) {
        double value = m->sums[i] * factor;
        to[i] = (int16_t)(value < 0 ? 0 : value > PM_BLOCKS8_MOST ? PM_BLOCKS8_MOST : value);
    }
}

static float *losses_at(const struct pm_motions *m, int dy, int dx)
{
    size_t blocks = (size_t)m->down * (size_t)m->across;
    size_t shift =
        (size_t)(dy + m->reach_y) * (2 * (size_t)m->reach_x + 1) + (size_t)(dx + m->reach_x);

    return m->table + shift * blocks;
}

/* Blocks [*first, *end) along one axis that lie wholly in the overlap of shift d. */
static void in_view(int n, int origin, int blocks, int d, int *first, int *end)
{
    int low = (d > 0 ? d : 0) - origin, high = n + (d < 0 ? d : 0) - origin;

    *first = low > 0 ? (low + SIDE - 1) / SIDE : 0;
    *end = high > 0 ? high / SIDE : 0;
    *end = *end < blocks ? *end : blocks;
}

static void forget(const struct pm_motions *m)
{
    size_t shifts = (2 * (size_t)m->reach_y + 1) * (2 * (size_t)m->reach_x + 1);

    for (size_t i = 0; i < shifts; i++) {
        m->table[i * (size_t)m->down * (size_t)m->across] = NAN;
    }
}

/* The blocks' losses at one shift, taken when first asked for. */
static const float *losses(const struct pm_motions *m, int dy, int dx)
{
    float *out = losses_at(m, dy, dx);
    int y0, y1, x0, x1;

    if (!isnan(out[0])) {
        return out;
    }
    in_view(m->h, m->origin_y, m->down, dy, &y0, &y1);
    in_view(m->w, m->origin_x, m->across, dx, &x0, &x1);
    for (int i = 0; i < m->down * m->across; i++) {
        out[i] = INFINITY;
    }
    for (int b = y0; b < y1 && x1 > x0; b++) {
        int y = m->origin_y + b * SIDE, x = m->origin_x + x0 * SIDE;
        pm_blocks8_row(m->gt + y * m->w + x, m->target + (y - dy) * m->w + (x - dx), (size_t)m->w,
            x1 - x0, out + b * m->across + x0);
    }
    return out;
}

/* The smallest loss of block i within 1 of (dy, dx): a shift lies between values. */
static double around(const struct pm_motions *m, int dy, int dx, int i)
{
    double least = INFINITY;

    for (int k = 0; k < 9; k++) {
        int y = dy - 1 + k / 3, x = dx - 1 + k % 3;
        if (abs(y) <= m->reach_y && abs(x) <= m->reach_x) {
            double loss = (double)losses(m, y, x)[i];
            least = loss < least ? loss : least;
        }
    }
    return least;
}

/* What the blocks would gain, could each choose between (dy, dx) and the answer. */
static double help(const struct pm_motions *m, int dy, int dx)
{
    const float *there = losses(m, dy, dx);
    double sum = 0;

    for (int i = 0; i < m->down * m->across; i++) {
        if (isfinite(m->scratch[i]) && (double)there[i] < m->scratch[i]) {
            sum += m->scratch[i] - (double)there[i];
        }
    }
    return sum;
}

/* The second motion; scratch: the blocks' losses at the answer. False: none helps. */
static bool second_motion(
    const struct pm_motions *m, int dy, int dx, int *second_dy, int *second_dx)
{
    double most = 0;

    for (int y = -m->reach_y + 1; y < m->reach_y; y += STEP) {
        for (int x = -m->reach_x + 1; x < m->reach_x; x += STEP) {
            double gained;
            if (abs(y - dy) <= NEAR && abs(x - dx) <= NEAR) {
                continue;
            }
            gained = help(m, y, x);
            if (gained > most) {
                most = gained;
                *second_dy = y;
                *second_dx = x;
            }
        }
    }
    return most > 0;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Deals the blocks that both see out to the two motions. */
static void share_out(
    struct pm_motions *m, const int first[2], const int second[2], struct pm_motion_shares *out)
{
    int count = m->down * m->across;
    double floor_loss;

    out->blocks = out->first = out->second = 0;
    for (int i = 0; i < count; i++) {
        double here = around(m, first[0], first[1], i);
        double there = around(m, second[0], second[1], i);
        if (isfinite(here) && isfinite(there)) {
            m->scratch[out->blocks++] = fmin(here, there);
        }
    }
    qsort(m->scratch, (size_t)out->blocks, sizeof *m->scratch, by_value);
    floor_loss = out->blocks > 0 ? m->scratch[(int)(FLOOR_RANK * out->blocks)] : 0;
    for (int i = 0; i < count; i++) {
        double here = around(m, first[0], first[1], i);
        double there = around(m, second[0], second[1], i);
        if (isfinite(here) && isfinite(there)) {
            here = fmax(0, here - floor_loss) + FLOOR_KEPT * floor_loss;
            there = fmax(0, there - floor_loss) + FLOOR_KEPT * floor_loss;
            out->first += here < BELONGS * there;
            out->second += there < BELONGS * here;
        }
    }
}

/* Sizes for a level of w x h, of which k x k values are joined. */
static void lay_out(struct pm_motions *m, int w, int h, struct pm_range range, int factor, int k)
{
    m->w = w / k;
    m->h = h / k;
    m->factor = factor * k;
    m->reach_y = (range.dy + m->factor - 1) / m->factor + 1;
    m->reach_x = (range.dx + m->factor - 1) / m->factor + 1;
    m->down = m->h / SIDE;
    m->across = m->w / SIDE;
    m->origin_y = m->h % SIDE / 2;
    m->origin_x = m->w % SIDE / 2;
}

enum pm_code pm_motions_measure(struct pm_motions *motions, const struct pm_levelsearch *level,
    const struct pm_align_query *query, int dy, int dx, int factor, double ratio,
    struct pm_motion_shares *out, struct pm_err *err)
{
    struct pm_range range =
        pm_align_range(query->gt->image->w, query->gt->image->h, query->max_shift);
    const int16_t *gt, *target;
    size_t stride;
    double unit, mean, to_mean;
    int w, h, k, first[2], second[2] = {0, 0};

    *out = (struct pm_motion_shares){.blocks = 0};
    pm_levelsearch_planes(level, &gt, &target, &w, &h, &stride, &unit);
    k = joined(w, h, range.dy, range.dx, factor);
    lay_out(motions, w, h, range, factor, k);
    if (motions->down * motions->across < FEWEST) {
        return PM_OK;
    }
    if (!grow(motions)) {
        return pm_err_set(err, PM_ENOMEM, "no memory to look for motions");
    }
    mean = join(motions, gt, stride, k) / ((double)motions->w * motions->h);
    to_mean = mean > 0 ? MEAN_VALUE / mean : 0;
    scale(motions, to_mean, motions->gt);
    join(motions, target, stride, k);
    scale(motions, isnan(ratio) ? to_mean : to_mean * ratio, motions->target);
    forget(motions);
    first[0] = (int)lrint((double)dy / motions->factor);
    first[1] = (int)lrint((double)dx / motions->factor);
    for (int i = 0; i < motions->down * motions->across; i++) {
        motions->scratch[i] = around(motions, first[0], first[1], i);
        out->blocks += isfinite(motions->scratch[i]);
    }
    out->first = out->blocks;
    if (second_motion(motions, first[0], first[1], &second[0], &second[1])) {
        out->dy = second[0] * motions->factor;
        out->dx = second[1] * motions->factor;
        share_out(motions, first, second, out);
    }
    return PM_OK;
}
