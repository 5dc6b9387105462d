/*
 * placer: puts decoded samples where they belong in an image, and tells the row sink.
 * Undoes a file's layout: orientation, separate planes, tiles, extra samples, white as zero.
 * Owns: nothing; a plain record over the reader's image.
 * Threads: the reading one. Memory: none. Errors: none; what is placed must lie inside the image.
 * "Source" means as stored in the file, before the orientation tag is applied.
 */
#ifndef PM_COMMON_FORMATS_PLACER_H
#define PM_COMMON_FORMATS_PLACER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/formats/reader.h"

/* Most rows a sink gets at once: with chunks of pm_placer_chunk_rows() they are still in L2. */
#define PM_PLACER_ROWS_MAX 64

struct pm_placer {
    struct pm_image *image;
    const struct pm_row_sink *sink; /* or NULL */
    int source_h;                   /* px */
    bool upright;                   /* source rows are image rows */
    bool invert;                    /* integer samples: full scale - sample, when reported */
    int reported;                   /* image rows [0, reported) are final and the sink knows */
    unsigned char *origin;          /* where source pixel (0, 0) goes */
    ptrdiff_t step_x, step_y;       /* bytes from there to source (1, 0), (0, 1) */
};

/* True when this orientation tag (1..8) swaps width and height. */
bool pm_placer_transposes(int orientation);

/* image: already in the size after orientation (1..8). */
void pm_placer_init(struct pm_placer *placer, struct pm_image *image, int orientation, bool invert,
    const struct pm_row_sink *sink);

/* How many rows of row_bytes to decode between two reports: about half a MiB, 1 to 64. */
int pm_placer_chunk_rows(size_t row_bytes);

/* Where source row y goes, for decoding right into it; only when placer->upright. */
unsigned char *pm_placer_row(const struct pm_placer *placer, int y);

/* Places source pixels (x .. x+n-1, y). src: `channels` samples for each, the first of them image
 * channel `channel`; src_step: bytes from pixel to pixel, samples to be left out included. */
void pm_placer_put(const struct pm_placer *placer, const unsigned char *src, size_t src_step,
    int channel, int channels, int x, int y, int n);

/* Source rows [0, y1) have been placed completely. Inverts and reports the image rows final by
 * that: these, when upright and a chunk is full; all that is left, at the last source row. */
void pm_placer_report(struct pm_placer *placer, int y1);

#endif
