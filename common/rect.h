/*
 * rect: rectangles, and where two images shifted against each other overlap.
 * Owns: nothing; plain values. Threads: any. Memory: none. Errors: an empty overlap has w or h 0.
 * Sign of a shift everywhere in pairmill: gt[y+dy, x+dx] = target[y, x] (RAWNIND.md 2.4).
 */
#ifndef PM_COMMON_RECT_H
#define PM_COMMON_RECT_H

struct pm_rect {
    int x, y; /* px, top left */
    int w, h; /* px; 0 when empty */
};

/* The same area of the scene in either source: equal sizes, two origins. */
struct pm_overlap {
    int gt_x, gt_y;
    int target_x, target_y;
    int w, h; /* px; both 0 when there is none */
};

/* All pixels both w x h images share at shift (dy, dx): profile `aligned`. */
struct pm_overlap pm_overlap_full(int w, int h, int dy, int dx);

/* The overlap of RAWNIND.md 2.5 for an RGB target: an odd shift costs one more row or column of
 * both images. The reported loss (2.4) is taken over this one. */
struct pm_overlap pm_overlap_trimmed(int w, int h, int dy, int dx);

#endif
