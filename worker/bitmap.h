/*
 * bitmap: one bit a pixel, 64 to a word; what a mask is made of.
 * Owns: its words, taken from a pm_bufpool when one is given.
 * Threads: one at a time writes; read-only use may be shared.
 * Memory: h * stride words; bits beyond w in a row's last word are always 0. pm_bitmap_fini().
 * Errors: PM_ENOMEM only.
 */
#ifndef PM_WORKER_BITMAP_H
#define PM_WORKER_BITMAP_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/rect.h"

struct pm_bufpool;

struct pm_bitmap {
    int w, h;        /* px */
    size_t stride;   /* words from row to row */
    uint64_t *words; /* bit x%64 of word x/64 is column x */
    struct pm_bufpool *pool;
};

/* Bytes the words of a w x h bitmap take. */
size_t pm_bitmap_bytes(int w, int h);
/* All bits 0. pool may be NULL. */
enum pm_code pm_bitmap_init(
    struct pm_bitmap *map, int w, int h, struct pm_bufpool *pool, struct pm_err *err);
void pm_bitmap_fini(struct pm_bitmap *map); /* zeroed is fine */

static inline uint64_t *pm_bitmap_row(const struct pm_bitmap *map, int y)
{
    return map->words + (size_t)y * map->stride;
}

/* The n lowest bits of a word, 1..64. */
static inline uint64_t pm_bitmap_low(int n)
{
    return ~(uint64_t)0 >> (64 - n);
}

/* One erosion, then one dilation, by the 3x3 cross; outside is 0: scipy's binary_opening. */
enum pm_code pm_bitmap_open(struct pm_bitmap *map, struct pm_err *err);
/* map &= other, of the same size. */
void pm_bitmap_and(struct pm_bitmap *map, const struct pm_bitmap *other);
/* Bits set inside rect, which must lie inside map. */
int64_t pm_bitmap_count(const struct pm_bitmap *map, struct pm_rect rect);

#endif
