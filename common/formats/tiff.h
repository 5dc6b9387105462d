/*
 * tiff: TIFF in (tiff.c, tiff_file.c) and out (tiff_write.c); nothing else includes tiffio.h.
 * Owns: nothing between calls. Threads: any. Memory: see reader.h.
 * Errors: as reader.h; libtiff's own messages are collected into struct pm_err, never printed.
 * Reads 8/16-bit unsigned, 16/32-bit float; grey, RGB, RGBA (alpha dropped); strips and tiles;
 * contiguous and separate planes; both byte orders; BigTIFF; none, LZW, Deflate, ZSTD, PackBits,
 * JPEG; predictors 1-3; the orientation tag is applied.
 */
#ifndef PM_COMMON_FORMATS_TIFF_H
#define PM_COMMON_FORMATS_TIFF_H

#include "common/formats/reader.h"
#include "common/rect.h"

enum pm_compression { PM_COMPRESS_NONE, PM_COMPRESS_ZSTD, PM_COMPRESS_DEFLATE };

enum pm_code pm_tiff_probe(int fd, const char *path, const struct pm_limits *limits,
    struct pm_image_info *info, struct pm_err *err);
enum pm_code pm_tiff_read(int fd, const char *path, const struct pm_limits *limits,
    struct pm_bufpool *pool, const struct pm_row_sink *sink, struct pm_image **out,
    struct pm_err *err);
/* Writes the pixels of rect (must lie inside image) bit for bit in the image's sample type to the
 * empty file fd (not closed, not synced). path is for messages. */
enum pm_code pm_tiff_write(int fd, const char *path, const struct pm_image *image,
    struct pm_rect rect, enum pm_compression compression, struct pm_err *err);

#endif
