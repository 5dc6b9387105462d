/*
 * png: PNG in (8/16-bit grey, RGB, palette; alpha dropped) and 8-bit grey out for masks; the only
 * place that includes png.h.
 * Owns: nothing between calls. Threads: any. Memory: see reader.h. Errors: as reader.h.
 */
#ifndef PM_COMMON_FORMATS_PNG_H
#define PM_COMMON_FORMATS_PNG_H

#include "common/formats/reader.h"

enum pm_code pm_png_probe(int fd, const char *path, const struct pm_limits *limits,
    struct pm_image_info *info, struct pm_err *err);
enum pm_code pm_png_read(int fd, const char *path, const struct pm_limits *limits,
    struct pm_bufpool *pool, const struct pm_row_sink *sink, struct pm_image **out,
    struct pm_err *err);
/* Writes a w x h mask as 8-bit grey, 0 or 255, to the empty file fd (not closed, not synced).
 * bits: one bit a pixel, bit x%64 of word x/64 of its row; stride_words words from row to row;
 * x0 is the bit where column 0 lies. */
enum pm_code pm_png_write_mask(int fd, const char *path, const uint64_t *bits, size_t stride_words,
    int x0, int w, int h, struct pm_err *err);

#endif
