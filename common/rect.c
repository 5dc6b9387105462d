#include "common/rect.h"

/* One axis: n pixels, shift s. */
struct span {
    int gt, target, n;
};

static struct span span_full(int n, int s)
{
    struct span span = {.gt = s > 0 ? s : 0, .target = s < 0 ? -s : 0, .n = n - (s < 0 ? -s : s)};
    return span;
}

/* The table of RAWNIND.md 2.5 with d = 1: for odd s > 0 the last row goes (gt [s, n-1), target
 * [0, n-s-1)), for odd s < 0 the first one (gt [1, n-a), target [a+1, n), a = -s). */
static struct span span_trimmed(int n, int s)
{
    struct span span = span_full(n, s);
    if (s % 2 != 0) {
        span.n -= 1;
        if (s < 0) {
            span.gt += 1;
            span.target += 1;
        }
    }
    return span;
}

static struct pm_overlap join(struct span y, struct span x)
{
    if (y.n <= 0 || x.n <= 0) {
        return (struct pm_overlap){0};
    }
    return (struct pm_overlap){
        .gt_x = x.gt, .gt_y = y.gt, .target_x = x.target, .target_y = y.target, .w = x.n, .h = y.n};
}

struct pm_overlap pm_overlap_full(int w, int h, int dy, int dx)
{
    return join(span_full(h, dy), span_full(w, dx));
}

struct pm_overlap pm_overlap_trimmed(int w, int h, int dy, int dx)
{
    return join(span_trimmed(h, dy), span_trimmed(w, dx));
}
