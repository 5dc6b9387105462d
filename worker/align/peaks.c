#include "worker/align/peaks.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static bool before(const struct pm_candidate *a, const struct pm_candidate *b)
{
    return pm_shift_better(-a->score, a->dy, a->dx, -b->score, b->dy, b->dx);
}

int pm_peaks_insert(struct pm_candidate *list, int count, int max, struct pm_candidate candidate)
{
    int at = count;
    if (count == max) {
        if (max == 0 || !before(&candidate, &list[max - 1])) {
            return count;
        }
        at = max - 1; /* the last one goes */
    }
    for (; at > 0 && before(&candidate, &list[at - 1]); at--) {
        list[at] = list[at - 1];
    }
    list[at] = candidate;
    return count < max ? count + 1 : max;
}

static bool is_peak(const struct pm_scored *scored, int dy, int dx, double here)
{
    for (int i = 0; i < 9; i++) {
        int y = dy - 1 + i / 3, x = dx - 1 + i % 3;
        double there;
        if (i == 4 || abs(y) > scored->range.dy || abs(x) > scored->range.dx) {
            continue;
        }
        there = scored->score(scored->ctx, y, x);
        if (there > here || (i < 4 && !(there < here))) {
            return false;
        }
    }
    return here > -(double)INFINITY;
}

int pm_peaks_find(const struct pm_scored *scored, struct pm_candidate *list, int max)
{
    int count = 0;
    for (int dy = -scored->range.dy; dy <= scored->range.dy; dy++) {
        for (int dx = -scored->range.dx; dx <= scored->range.dx; dx++) {
            double score = scored->score(scored->ctx, dy, dx);
            if (is_peak(scored, dy, dx, score)) {
                count = pm_peaks_insert(
                    list, count, max, (struct pm_candidate){.dy = dy, .dx = dx, .score = score});
            }
        }
    }
    return count;
}
