/*
 * tiff_file: opens a TIFF for reading and finds out what it holds, before anything is allocated;
 * for the files of tiff only.
 * Owns: the libtiff handle, from pm_tiff_file_init() to pm_tiff_file_fini().
 * Threads: one. Memory: libtiff's tables. Errors: as reader.h.
 */
#ifndef PM_COMMON_FORMATS_TIFF_FILE_H
#define PM_COMMON_FORMATS_TIFF_FILE_H

#include <stddef.h>

#include "common/formats/reader.h"
#include "common/formats/tiff_stream.h"

/* Strips are treated as tiles ("blocks") as wide as the image. */
struct pm_tiff_layout {
    uint32_t w, h; /* px, as stored */
    int samples;   /* a pixel, as stored */
    int channels;  /* of these are kept: the first 1 or 3 */
    enum pm_sample sample;
    int orientation; /* 1..8 */
    bool invert;     /* integers, 0 is white */
    bool ycbcr;      /* JPEG's; decoded to RGB */
    bool separate;   /* a plane for each sample */
    bool tiled;
    bool bits_reversed; /* FillOrder 2 */
    uint16_t compression;
    int planes;                /* to be read */
    int plane_samples;         /* interleaved in each */
    uint32_t block_w, block_h; /* px; the last row of strips may be lower, tiles are padded */
    uint32_t across, down;     /* blocks in a plane */
    size_t row_bytes;          /* of one block */
    uint64_t block_bytes;      /* decoded */
    uint64_t count_max;        /* largest block as stored, bytes; set by check_blocks() */
    uint64_t dir_bytes;        /* what the tags hold; libtiff keeps it in memory */
};

struct pm_tiff_file {
    struct pm_tiff_stream stream;
    TIFF *tif;
    const char *path; /* the caller's */
    struct pm_tiff_layout layout;
};

/* Opens and checks everything that can be checked before decoding; file must stay where it is. Also
 * after an error the caller calls fini. */
enum pm_code pm_tiff_file_init(struct pm_tiff_file *file, int fd, const char *path,
    const struct pm_limits *limits, struct pm_err *err);
void pm_tiff_file_fini(struct pm_tiff_file *file);

#endif
