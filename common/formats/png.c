#include "common/formats/png.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <png.h>
#include <zlib.h>

#include "common/formats/placer.h"
#include "common/infile.h"

/* libpng reads and writes in pieces of a few bytes; the file system should not have to. */
#define BUFFER_BYTES ((size_t)256 << 10)
/* zlib's state and window, libpng's rows beside ours. */
#define LIBRARY_BYTES (1 << 20)

/* A file as libpng sees it. libpng reports errors by never returning: every function that calls it
 * sets `jump` first and keeps nothing it would have to free in its own variables. */
struct stream {
    int fd;
    bool reading;
    int64_t pos;       /* in the file, of buffer[0] */
    size_t used, fill; /* reading: consumed, and available; writing: fill only */
    int sys_errno;
    char said[192]; /* libpng's message */
    jmp_buf jump;
    png_structp png;
    png_infop info;
    unsigned char *buffer; /* BUFFER_BYTES */
};

static void on_error(png_structp png, png_const_charp text)
{
    struct stream *stream = png_get_error_ptr(png);
    snprintf(stream->said, sizeof stream->said, "%s", text);
    longjmp(stream->jump, 1);
}

/* Nothing that makes a pixel doubtful is a mere warning: IDAT is guarded by its CRC. */
static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep data, size_t n)
{
    struct stream *stream = png_get_io_ptr(png);
    while (n > 0) {
        if (stream->used == stream->fill) {
            stream->pos += (int64_t)stream->fill;
            stream->used = stream->fill = 0;
            int64_t got = pm_infile_pread(stream->fd, stream->buffer, BUFFER_BYTES, stream->pos);
            if (got <= 0) {
                stream->sys_errno = got < 0 ? errno : 0;
                png_error(png, "it ends too early");
            }
            stream->fill = (size_t)got;
        }
        size_t some = stream->fill - stream->used < n ? stream->fill - stream->used : n;
        memcpy(data, stream->buffer + stream->used, some);
        stream->used += some;
        data += some;
        n -= some;
    }
}

static void on_flush(png_structp png)
{
    struct stream *stream = png_get_io_ptr(png);
    size_t done = 0;
    while (done < stream->fill) {
        ssize_t put =
            pwrite(stream->fd, stream->buffer + done, stream->fill - done, (off_t)stream->pos);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            stream->sys_errno = errno;
            png_error(png, "write failed");
        }
        done += (size_t)put;
        stream->pos += put;
    }
    stream->fill = 0;
}

static void on_write(png_structp png, png_bytep data, size_t n)
{
    struct stream *stream = png_get_io_ptr(png);
    while (n > 0) {
        size_t some = BUFFER_BYTES - stream->fill < n ? BUFFER_BYTES - stream->fill : n;
        memcpy(stream->buffer + stream->fill, data, some);
        stream->fill += some;
        data += some;
        n -= some;
        if (stream->fill == BUFFER_BYTES) {
            on_flush(png);
        }
    }
}

static void stream_fini(struct stream *stream)
{
    if (stream->reading) {
        png_destroy_read_struct(&stream->png, &stream->info, NULL);
    } else {
        png_destroy_write_struct(&stream->png, &stream->info);
    }
    free(stream->buffer);
}

/* Also after an error the caller calls stream_fini(). */
static enum pm_code stream_init(
    struct stream *stream, int fd, const char *path, bool reading, struct pm_err *err)
{
    memset(stream, 0, sizeof *stream);
    stream->fd = fd;
    stream->reading = reading;
    stream->buffer = malloc(BUFFER_BYTES);
    stream->png =
        reading ? png_create_read_struct(PNG_LIBPNG_VER_STRING, stream, on_error, on_warning)
                : png_create_write_struct(PNG_LIBPNG_VER_STRING, stream, on_error, on_warning);
    stream->info = stream->png != NULL ? png_create_info_struct(stream->png) : NULL;
    if (stream->buffer == NULL || stream->info == NULL) {
        return pm_err_set(err, PM_ENOMEM, "%s: no memory for libpng", path);
    }
    if (reading) {
        png_set_read_fn(stream->png, stream, on_read);
    } else {
        png_set_write_fn(stream->png, stream, on_write, on_flush);
    }
    return PM_OK;
}

static enum pm_code stream_fail(const struct stream *stream, const char *path, struct pm_err *err)
{
    const char *verb = stream->reading ? "read" : "write";
    if (stream->sys_errno != 0) {
        return pm_err_errno(err, stream->sys_errno, "%s: cannot %s", path, verb);
    }
    if (strcmp(stream->said, "Out of memory") == 0) { /* png_malloc()'s words */
        return pm_err_set(err, PM_ENOMEM, "%s: no memory to %s it", path, verb);
    }
    if (!stream->reading) {
        return pm_err_set(err, PM_EIO, "%s: cannot write: %s", path, stream->said);
    }
    return pm_err_set(
        err, PM_EFORMAT, "%s: damaged or truncated PNG: %s; copy it again", path, stream->said);
}

/* ---- reading ---- */

struct header {
    uint32_t w, h; /* px */
    int channels;
    enum pm_sample sample;
    bool interlaced;
    bool alpha;            /* a channel, or a colour that stands for clear */
    size_t file_row_bytes; /* before the samples are expanded */
};

/* Reads up to the pixels, and has libpng expand them to 8- or 16-bit grey or RGB, host byte order,
 * values untouched: neither gamma nor background nor alpha is applied. */
static enum pm_code read_header(
    struct stream *stream, const char *path, struct header *header, struct pm_err *err)
{
    png_structp png = stream->png;
    int bits, color;

    if (setjmp(stream->jump) != 0) {
        return stream_fail(stream, path, err);
    }
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX); /* pm_limits_check() decides */
    /* Text, profiles and the like are skipped, unpacked by nobody: a few KB of them can be made to
     * unpack to gigabytes. */
    png_set_keep_unknown_chunks(png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    png_set_chunk_malloc_max(png, 0);
    png_read_info(png, stream->info);
    bits = png_get_bit_depth(png, stream->info);
    color = png_get_color_type(png, stream->info);
    *header = (struct header){
        .w = png_get_image_width(png, stream->info),
        .h = png_get_image_height(png, stream->info),
        .channels = color & PNG_COLOR_MASK_COLOR ? 3 : 1,
        .sample = bits == 16 ? PM_U16 : PM_U8,
        .interlaced = png_get_interlace_type(png, stream->info) != PNG_INTERLACE_NONE,
        .alpha = color & PNG_COLOR_MASK_ALPHA || png_get_valid(png, stream->info, PNG_INFO_tRNS),
        .file_row_bytes = png_get_rowbytes(png, stream->info),
    };
    if (color == PNG_COLOR_TYPE_PALETTE) {
        png_set_palette_to_rgb(png);
    }
    if (color == PNG_COLOR_TYPE_GRAY && bits < 8) {
        png_set_expand_gray_1_2_4_to_8(png);
    }
    png_set_strip_alpha(png);
    if (bits == 16 && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) {
        png_set_swap(png); /* PNG is big-endian */
    }
    return PM_OK;
}

/* The row sink runs below setjmp() too, but never when libpng jumps. */
static enum pm_code read_pixels(struct stream *stream, const char *path,
    const struct header *header, struct pm_placer *placer, struct pm_err *err)
{
    size_t row_bytes =
        (size_t)header->w * (size_t)header->channels * pm_sample_bytes(header->sample);

    if (setjmp(stream->jump) != 0) {
        return stream_fail(stream, path, err);
    }
    int passes = png_set_interlace_handling(stream->png);
    png_read_update_info(stream->png, stream->info);
    if (png_get_rowbytes(stream->png, stream->info) != row_bytes) {
        png_error(stream->png, "rows of an unexpected size");
    }
    for (int pass = 0; pass < passes; pass++) {
        for (int y = 0; y < placer->source_h; y++) {
            png_read_row(stream->png, pm_placer_row(placer, y), NULL);
            if (pass == passes - 1 && y < placer->source_h - 1) {
                pm_placer_report(placer, y + 1);
            }
        }
    }
    png_read_end(stream->png, NULL); /* checks what follows, the last CRC among it */
    pm_placer_report(placer, placer->source_h);
    return PM_OK;
}

/* Leaves the stream at the pixels. Also after an error the caller calls stream_fini(). */
static enum pm_code begin(struct stream *stream, int fd, const char *path,
    const struct pm_limits *limits, struct header *header, struct pm_err *err)
{
    enum pm_code rc = stream_init(stream, fd, path, true, err);
    if (rc == PM_OK) {
        rc = read_header(stream, path, header, err);
    }
    if (rc == PM_OK) {
        rc = pm_limits_check(
            limits, path, header->w, header->h, header->channels, header->sample, err);
    }
    return rc;
}

enum pm_code pm_png_probe(int fd, const char *path, const struct pm_limits *limits,
    struct pm_image_info *info, struct pm_err *err)
{
    struct stream stream;
    struct header header = {0};
    enum pm_code rc = begin(&stream, fd, path, limits, &header, err);
    if (rc == PM_OK) {
        *info = (struct pm_image_info){
            .w = (int)header.w,
            .h = (int)header.h,
            .channels = header.channels,
            .sample = header.sample,
            .decoded_bytes = (int64_t)pm_image_bytes(
                (int)header.w, (int)header.h, header.channels, header.sample),
            /* libpng's two rows, at most 8 bytes a pixel each, beside the buffer and zlib */
            .scratch_bytes = (int64_t)(BUFFER_BYTES + LIBRARY_BYTES + 16 * (size_t)header.w +
                                       header.file_row_bytes),
        };
    }
    stream_fini(&stream);
    return rc;
}

enum pm_code pm_png_read(int fd, const char *path, const struct pm_limits *limits,
    struct pm_bufpool *pool, const struct pm_row_sink *sink, struct pm_image **out,
    struct pm_err *err)
{
    struct pm_image *image = NULL;
    struct pm_placer placer;
    struct stream stream;
    struct header header = {0};
    enum pm_code rc;

    rc = begin(&stream, fd, path, limits, &header, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = pm_image_new(
        &image, (int)header.w, (int)header.h, header.channels, header.sample, pool, err);
    if (rc != PM_OK) {
        pm_err_wrap(err, "%s", path);
        goto out;
    }
    image->alpha_dropped = header.alpha;
    pm_placer_init(&placer, image, 1, false, sink);
    rc = read_pixels(&stream, path, &header, &placer, err);
    if (rc == PM_OK) {
        *out = image;
        image = NULL;
    }
out:
    pm_image_free(image);
    stream_fini(&stream);
    return rc;
}

/* ---- writing masks ---- */

/* Bits x0 .. x0+w-1 of words as bytes 0 or 255; row holds 8 bytes more than w. */
static void expand_bits(const uint64_t *words, int x0, int w, unsigned char *row)
{
    for (int x = 0; x < w; x += 8) {
        int bit = x0 + x;
        int shift = bit % 64;
        uint64_t eight = words[bit / 64] >> shift;
        if (shift > 56 && bit / 64 < (x0 + w - 1) / 64) { /* the rest lies in the next word */
            eight |= words[bit / 64 + 1] << (64 - shift);
        }
        /* Bit i becomes byte i: the product holds the byte 8 times, the mask keeps bit i of copy i,
         * adding 0x7f carries it into the copy's top bit, and 1 * 0xff fills the byte. */
        eight = (eight & 0xff) * 0x0101010101010101u & 0x8040201008040201u;
        eight = (eight + 0x7f7f7f7f7f7f7f7fu) >> 7 & 0x0101010101010101u;
        eight *= 0xff;
        memcpy(row + x, &eight, 8);
    }
}

static enum pm_code write_rows(struct stream *stream, const char *path, const uint64_t *bits,
    size_t stride_words, int x0, int w, int h, unsigned char *row, struct pm_err *err)
{
    png_structp png = stream->png;

    assert(row != NULL);
    if (setjmp(stream->jump) != 0) {
        return stream_fail(stream, path, err);
    }
    png_set_user_limits(png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
    png_set_IHDR(png, stream->info, (png_uint_32)w, (png_uint_32)h, 8, PNG_COLOR_TYPE_GRAY,
        PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    /* Masks are runs of two values: on 24 MP this beats zlib's level 1 in time (36 : 47 ms) and in
     * size (34 : 129 KB), and any filter costs more than it saves. */
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
    png_set_compression_level(png, 1);
    png_set_compression_strategy(png, Z_RLE);
    png_set_compression_buffer_size(png, BUFFER_BYTES);
    png_write_info(png, stream->info);
    for (int y = 0; y < h; y++) {
        expand_bits(bits + (size_t)y * stride_words, x0, w, row);
        png_write_row(png, row);
    }
    png_write_end(png, NULL);
    on_flush(png);
    return PM_OK;
}

enum pm_code pm_png_write_mask(int fd, const char *path, const uint64_t *bits, size_t stride_words,
    int x0, int w, int h, struct pm_err *err)
{
    unsigned char *row = malloc((size_t)w + 8);
    struct stream stream;
    enum pm_code rc;

    assert(x0 >= 0 && w > 0 && h > 0);
    rc = stream_init(&stream, fd, path, false, err);
    if (rc == PM_OK && row == NULL) {
        rc = pm_err_set(err, PM_ENOMEM, "%s: no memory to write it", path);
    }
    if (rc == PM_OK) {
        rc = write_rows(&stream, path, bits, stride_words, x0, w, h, row, err);
    }
    stream_fini(&stream);
    free(row);
    return rc;
}
