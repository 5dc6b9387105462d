#include "worker/bitmap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/bufpool.h"

#define WORD 64

static size_t stride_of(int w)
{
    return ((size_t)w + WORD - 1) / WORD;
}

size_t pm_bitmap_bytes(int w, int h)
{
    return stride_of(w) * (size_t)h * sizeof(uint64_t);
}

enum pm_code pm_bitmap_init(
    struct pm_bitmap *map, int w, int h, struct pm_bufpool *pool, struct pm_err *err)
{
    size_t bytes = pm_bitmap_bytes(w, h);
    uint64_t *words = pm_bufpool_get(pool, bytes);
    if (words == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a %dx%d mask", w, h);
    }
    memset(words, 0, bytes);
    *map = (struct pm_bitmap){.w = w, .h = h, .stride = stride_of(w), .words = words, .pool = pool};
    return PM_OK;
}

void pm_bitmap_fini(struct pm_bitmap *map)
{
    pm_bufpool_put(map->pool, map->words, pm_bitmap_bytes(map->w, map->h));
    *map = (struct pm_bitmap){0};
}

/* Each pixel's left neighbour moved onto it; 0 comes in at the edge. */
static uint64_t from_left(const uint64_t *row, size_t i)
{
    return row[i] << 1 | (i > 0 ? row[i - 1] >> (WORD - 1) : 0);
}

static uint64_t from_right(const uint64_t *row, size_t i, size_t n)
{
    return row[i] >> 1 | (i + 1 < n ? row[i + 1] << (WORD - 1) : 0);
}

/* A pixel stays when it and its four neighbours are set; rows outside are passed as zeros. */
static void erode_row(
    const uint64_t *above, const uint64_t *row, const uint64_t *below, size_t n, uint64_t *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = above[i] & row[i] & below[i] & from_left(row, i) & from_right(row, i, n);
    }
}

static void dilate_row(
    const uint64_t *above, const uint64_t *row, const uint64_t *below, size_t n, uint64_t *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = above[i] | row[i] | below[i] | from_left(row, i) | from_right(row, i, n);
    }
}

/* In place with four rows of scratch: row y+1 is eroded while row y is still what it was, and only
 * then is row y overwritten by the dilation of the eroded rows y-1, y, y+1. Eroding clears the last
 * column, so that dilating sets no bit beyond w. */
enum pm_code pm_bitmap_open(struct pm_bitmap *map, struct pm_err *err)
{
    size_t n = map->stride;
    uint64_t *scratch = calloc(4 * n + 1, sizeof *scratch); /* + 1: n may be 0 */
    if (scratch == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to open a %dx%d mask", map->w, map->h);
    }
    const uint64_t *none = scratch + 3 * n;
    uint64_t *before = scratch, *here = scratch + n, *after = scratch + 2 * n; /* eroded */
    for (int y = -1; y < map->h; y++) {
        uint64_t *spare = before;
        before = here;
        here = after;
        after = spare;
        if (y + 1 < map->h) {
            erode_row(y >= 0 ? pm_bitmap_row(map, y) : none, pm_bitmap_row(map, y + 1),
                y + 2 < map->h ? pm_bitmap_row(map, y + 2) : none, n, after);
        } else {
            memset(after, 0, n * sizeof *after);
        }
        if (y >= 0) {
            dilate_row(before, here, after, n, pm_bitmap_row(map, y));
        }
    }
    free(scratch);
    return PM_OK;
}

void pm_bitmap_and(struct pm_bitmap *map, const struct pm_bitmap *other)
{
    assert(map->w == other->w && map->h == other->h);
    size_t n = map->stride * (size_t)map->h;
    for (size_t i = 0; i < n; i++) {
        map->words[i] &= other->words[i];
    }
}

int64_t pm_bitmap_count(const struct pm_bitmap *map, struct pm_rect rect)
{
    int64_t count = 0;
    assert(rect.x >= 0 && rect.y >= 0 && rect.x + rect.w <= map->w && rect.y + rect.h <= map->h);
    if (rect.w <= 0) {
        return 0;
    }
    size_t first = (size_t)rect.x / WORD, last = (size_t)(rect.x + rect.w - 1) / WORD;
    uint64_t first_bits = ~(uint64_t)0 << (rect.x % WORD);
    uint64_t last_bits = pm_bitmap_low((rect.x + rect.w - 1) % WORD + 1);
    for (int y = rect.y; y < rect.y + rect.h; y++) {
        const uint64_t *row = pm_bitmap_row(map, y);
        for (size_t i = first; i <= last; i++) {
            uint64_t bits = row[i];
            bits &= i == first ? first_bits : ~(uint64_t)0;
            bits &= i == last ? last_bits : ~(uint64_t)0;
            count += __builtin_popcountll(bits);
        }
    }
    return count;
}
