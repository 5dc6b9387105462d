/*
 * bands_parts: what bands.c and bands_sum.c share; nobody else includes it.
 */
#ifndef PM_WORKER_ALIGN_BANDS_PARTS_H
#define PM_WORKER_ALIGN_BANDS_PARTS_H

#include "common/rect.h"
#include "worker/align/bands.h"
#include "worker/align/stage.h"

#define PM_BANDS_BLOCK_PX 1024 /* columns at a time: 4 staged rows of RGB int16 are 24 KB */
#define PM_BANDS_EDGE_PX 4     /* neighbours' overlaps differ by at most this many columns a side */

/* One shift of the table. */
struct pm_band_shift {
    int dy, dx;
    struct pm_overlap overlap; /* trimmed */
    size_t at;                 /* of its first band in cells[] */
    bool complete;             /* every band is summed */
};

/* Sum over one band of one shift. count 0 in a band inside the overlap: not summed yet, or no
 * finite sample; count < 0: never summed. */
struct pm_band_cell {
    double sum; /* staged units, or samples' units when exact_only */
    double count;
};

struct pm_bands {
    const struct pm_align_query *query;
    struct pm_stage stage;
    struct pm_range range;
    int w, h, channels;
    int band_rows, count; /* rows of a band, bands */
    double unit;          /* full scale 1 per unit of sum */
    struct pm_band_shift *entries;
    int entry_count, entry_capacity;
    struct pm_band_cell *cells;
    size_t cell_capacity;
    unsigned char *rows; /* staged: 1 gt row block, a ring of 3 target row blocks */
    size_t row_bytes;
};

/* The index of a shift's entry, made when it is new; -1: outside the range, -2: out of memory. */
int pm_bands_enter(struct pm_bands *bands, int dy, int dx);
/* Bands [*first, *end) lie inside the overlap of every shift at most 1 px from (dy, dx), trimming
 * included; a grid of its own per centre would make shifts incomparable. */
void pm_bands_interior(const struct pm_bands *bands, int dy, int *first, int *end);
/* Whether band b is summed for shifts around dy with this step. */
bool pm_bands_wanted(int b, int first, int end, int step);

static inline struct pm_band_cell *pm_bands_cell(const struct pm_bands *bands, int entry, int b)
{
    return &bands->cells[bands->entries[entry].at + (size_t)b];
}

#endif
