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
    size_t gt_values, target_values, sum_values;
    float *losses; /* of every block at one shift; INFINITY: not wholly in the overlap */
    /* of every block: the least at the answer, at the second motion, and of both in order */
    double *here, *there, *least;
    size_t loss_values, here_values, there_values, least_values;
    int w, h;
    int factor;             /* px of the image per value */
    int reach_y, reach_x;   /* shifts looked at: -reach..reach, 1 beyond the range */
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
        free(motions->losses);
        free(motions->here);
        free(motions->there);
        free(motions->least);
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
    size_t plane = (size_t)m->w * (size_t)m->h, blocks = (size_t)m->down * (size_t)m->across;

    return room((void **)&m->gt, &m->gt_values, plane, sizeof *m->gt) &&
           room((void **)&m->target, &m->target_values, plane, sizeof *m->target) &&
           room((void **)&m->sums, &m->sum_values, plane, sizeof *m->sums) &&
           room((void **)&m->losses, &m->loss_values, blocks, sizeof *m->losses) &&
           room((void **)&m->here, &m->here_values, blocks, sizeof *m->here) &&
           room((void **)&m->there, &m->there_values, blocks, sizeof *m->there) &&
           room((void **)&m->least, &m->least_values, blocks, sizeof *m->least);
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
        pm_blocks8_join(
            level + (size_t)(y * k) * stride, stride, k, m->w, m->sums + (size_t)y * (size_t)m->w);
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

/* Blocks [*first, *end) along one axis that lie wholly in the overlap of shift d. */
static void in_view(int n, int origin, int blocks, int d, int *first, int *end)
{
    int low = (d > 0 ? d : 0) - origin, high = n + (d < 0 ? d : 0) - origin;

    *first = low > 0 ? (low + SIDE - 1) / SIDE : 0;
    *end = high > 0 ? high / SIDE : 0;
    *end = *end < blocks ? *end : blocks;
}

/* Takes the blocks' losses at one shift. */
static void compare(struct pm_motions *m, int dy, int dx)
{
    int y0, y1, x0, x1;

    in_view(m->h, m->origin_y, m->down, dy, &y0, &y1);
    in_view(m->w, m->origin_x, m->across, dx, &x0, &x1);
    for (int i = 0; i < m->down * m->across; i++) {
        m->losses[i] = INFINITY;
    }
    for (int b = y0; b < y1 && x1 > x0; b++) {
        int y = m->origin_y + b * SIDE, x = m->origin_x + x0 * SIDE;
        pm_blocks8_row(m->gt + (ptrdiff_t)y * m->w + x,
            m->target + (ptrdiff_t)(y - dy) * m->w + (x - dx), (size_t)m->w, x1 - x0,
            m->losses + (ptrdiff_t)b * m->across + x0);
    }
}

/* The smallest loss of each block within 1 of (dy, dx): a shift lies between values. */
static void around(struct pm_motions *m, int dy, int dx, double *least)
{
    for (int i = 0; i < m->down * m->across; i++) {
        least[i] = INFINITY;
    }
    for (int k = 0; k < 9; k++) {
        int y = dy - 1 + k / 3, x = dx - 1 + k % 3;
        if (abs(y) > m->reach_y || abs(x) > m->reach_x) {
            continue;
        }
        compare(m, y, x);
        for (int i = 0; i < m->down * m->across; i++) {
            least[i] = (double)m->losses[i] < least[i] ? (double)m->losses[i] : least[i];
        }
    }
}

/* What the blocks would gain, could each choose between (dy, dx) and the answer. */
static double help(struct pm_motions *m, int dy, int dx)
{
    double sum = 0;

    compare(m, dy, dx);
    for (int i = 0; i < m->down * m->across; i++) {
        if (isfinite(m->here[i]) && (double)m->losses[i] < m->here[i]) {
            sum += m->here[i] - (double)m->losses[i];
        }
    }
    return sum;
}

/* The second motion. False: none helps. */
static bool second_motion(struct pm_motions *m, int dy, int dx, int *second_dy, int *second_dx)
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
static void share_out(struct pm_motions *m, struct pm_motion_shares *out)
{
    int count = m->down * m->across;
    double noise;

    out->blocks = out->first = out->second = 0;
    for (int i = 0; i < count; i++) {
        if (isfinite(m->here[i]) && isfinite(m->there[i])) {
            m->least[out->blocks++] = fmin(m->here[i], m->there[i]);
        }
    }
    qsort(m->least, (size_t)out->blocks, sizeof *m->least, by_value);
    noise = out->blocks > 0 ? m->least[(int)(FLOOR_RANK * out->blocks)] : 0;
    for (int i = 0; i < count; i++) {
        if (isfinite(m->here[i]) && isfinite(m->there[i])) {
            double here = fmax(0, m->here[i] - noise) + FLOOR_KEPT * noise;
            double there = fmax(0, m->there[i] - noise) + FLOOR_KEPT * noise;
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
    int w, h, k, first_dy, first_dx, second_dy = 0, second_dx = 0;

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
    first_dy = (int)lrint((double)dy / motions->factor);
    first_dx = (int)lrint((double)dx / motions->factor);
    around(motions, first_dy, first_dx, motions->here);
    for (int i = 0; i < motions->down * motions->across; i++) {
        out->blocks += isfinite(motions->here[i]);
    }
    out->first = out->blocks;
    if (second_motion(motions, first_dy, first_dx, &second_dy, &second_dx)) {
        out->dy = second_dy * motions->factor;
        out->dx = second_dx * motions->factor;
        around(motions, second_dy, second_dx, motions->there);
        share_out(motions, out);
    }
    return PM_OK;
}
