/*
 * reader: one door to every image format; the table of formats is in reader.c.
 * Owns: nothing between calls.
 * Threads: any; no shared state.
 * Memory: pm_image_read gives an image the caller frees.
 * Errors: PM_ENOENT, PM_EACCES, PM_EIO, PM_EFORMAT (empty, truncated, damaged, not an image),
 * PM_EUNSUPPORTED (sound, but a kind pairmill does not take), PM_ETOOBIG (checked before anything
 * is allocated), PM_ENOMEM. Every message names the file; a library's own words are appended, never
 * printed.
 */
#ifndef PM_COMMON_FORMATS_READER_H
#define PM_COMMON_FORMATS_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/image.h"

struct pm_limits {
    int64_t max_pixels; /* w * h of one image; refused above */
    int64_t max_bytes;  /* decoded bytes of one image; refused above; 0: no limit */
    size_t root_bytes;  /* below this much of the path no link is followed (infile.h); 0: all are */
};

/* Refuses a w x h image (any numbers a header may hold; channels 1 or 3) with PM_ETOOBIG when it is
 * over the limits or beyond what struct pm_image can describe, PM_EFORMAT when it is empty. For the
 * formats. */
enum pm_code pm_limits_check(const struct pm_limits *limits, const char *path, uint64_t w,
    uint64_t h, int channels, enum pm_sample sample, struct pm_err *err);

/* What a file's header says, orientation applied. */
struct pm_image_info {
    int w, h; /* px */
    int channels;
    enum pm_sample sample;
    int64_t decoded_bytes; /* as pm_image_bytes() */
    int64_t scratch_bytes; /* at most this much more is allocated while decoding; only a ZSTD stream
                              made with --ultra windows may take up to 128 MiB beyond it */
};

/* Called on the reading thread as soon as rows [y0, y1) of image are final, in ascending order, so
 * that a pass over the pixels can run while they are in the cache. Every row is reported exactly
 * once, before pm_image_read returns PM_OK. Not called at all for rows of a read that fails early;
 * a sink may have seen rows of a read that fails later. */
struct pm_row_sink {
    void (*rows)(void *ctx, const struct pm_image *image, int y0, int y1);
    void *ctx;
};

/* True when pairmill can be expected to read a file of this name (by extension, any case). */
bool pm_format_known(const char *file_name);

/* Reads the header only. */
enum pm_code pm_image_probe(const char *path, const struct pm_limits *limits,
    struct pm_image_info *info, struct pm_err *err);
/* Decodes the whole file (first image of a multi-image one). pool and sink may be NULL. */
enum pm_code pm_image_read(const char *path, const struct pm_limits *limits,
    struct pm_bufpool *pool, const struct pm_row_sink *sink, struct pm_image **out,
    struct pm_err *err);

#endif
