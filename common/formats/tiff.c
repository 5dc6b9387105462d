#include "common/formats/tiff.h"

#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "common/bufpool.h"
#include "common/formats/placer.h"
#include "common/formats/tiff_file.h"
#include "common/infile.h"

/* Strips up to here are decoded whole (libdeflate needs that), larger ones row by row. A build for
 * tests may set less, so that small files take both ways. */
#ifndef PM_TIFF_STRIP_WHOLE_MAX
#define PM_TIFF_STRIP_WHOLE_MAX ((uint64_t)16 << 20)
#endif

/* One file on its way into an image. */
struct decoder {
    struct pm_tiff_file file;
    struct pm_placer placer;
    unsigned char *scratch; /* scratch_size() bytes; NULL when rows are read right into the image */
};

/* Uncompressed strips are read by ourselves, in chunks, without libtiff's buffers in between. */
static bool reads_direct(const struct decoder *d)
{
    return d->file.layout.compression == COMPRESSION_NONE && !d->file.layout.tiled &&
           !d->file.layout.bits_reversed;
}

static bool reads_scanlines(const struct decoder *d)
{
    return !d->file.layout.tiled && d->file.layout.block_bytes > PM_TIFF_STRIP_WHOLE_MAX;
}

/* Whether a row as stored is a row of the image, so that no scratch is needed. */
static bool rows_fit(const struct pm_tiff_layout *l)
{
    return l->orientation == 1 && l->plane_samples == l->channels;
}

static size_t scratch_size(const struct decoder *d)
{
    const struct pm_tiff_layout *l = &d->file.layout;
    if (reads_direct(d)) {
        return rows_fit(l) ? 0 : (size_t)pm_placer_chunk_rows(l->row_bytes) * l->row_bytes;
    }
    if (reads_scanlines(d)) {
        return rows_fit(l) ? 0 : l->row_bytes;
    }
    return (size_t)l->block_bytes;
}

/* What libtiff takes beside: its tables, the compressed block, the codec's state. */
static int64_t library_bytes(const struct pm_tiff_layout *l)
{
    uint64_t blocks = (uint64_t)l->across * l->down * (uint64_t)l->planes;
    uint64_t bytes = ((uint64_t)1 << 20) + 32 * blocks + 2 * l->dir_bytes;
    if (l->compression != COMPRESSION_NONE) {
        bytes += l->count_max;
    }
    if (l->compression == COMPRESSION_ZSTD) {
        bytes += (uint64_t)8 << 20; /* the window of levels 1 to 19 */
    }
    if (l->compression == COMPRESSION_JPEG) {
        bytes += 4 * l->block_bytes; /* progressive: all coefficients, 16 bits, and upsampling */
    }
    return (int64_t)bytes;
}

/* 4 or 2 samples at once, whatever vector units there are. */
static void swap_row(unsigned char *row, size_t row_bytes, size_t sample_bytes)
{
    size_t i = 0;
    for (; i + 8 <= row_bytes; i += 8) {
        uint64_t v;
        memcpy(&v, row + i, 8);
        v = (v & 0x00ff00ff00ff00ffu) << 8 | (v >> 8 & 0x00ff00ff00ff00ffu);
        if (sample_bytes == 4) {
            v = (v & 0x0000ffff0000ffffu) << 16 | (v >> 16 & 0x0000ffff0000ffffu);
        }
        memcpy(row + i, &v, 8);
    }
    for (; i < row_bytes; i += sample_bytes) {
        for (size_t a = i, b = i + sample_bytes - 1; a < b; a++, b--) {
            unsigned char byte = row[a];
            row[a] = row[b];
            row[b] = byte;
        }
    }
}

static uint64_t row_offset(const struct decoder *d, int plane, uint32_t y)
{
    const struct pm_tiff_layout *l = &d->file.layout;
    uint32_t strip = (uint32_t)plane * l->down + y / l->block_h;
    return TIFFGetStrileOffset(d->file.tif, strip) + (uint64_t)(y % l->block_h) * l->row_bytes;
}

/* Rows y .. y+n-1 of a plane to rows[0 .. n-1], in the host's byte order; one read as far as they
 * lie together in the file. */
static enum pm_code read_rows(const struct decoder *d, int plane, uint32_t y, int n,
    const struct iovec *rows, struct pm_err *err)
{
    const struct pm_tiff_layout *l = &d->file.layout;
    size_t sample_bytes = pm_sample_bytes(l->sample);

    for (int i = 0, run; i < n; i += run) {
        struct iovec iov[PM_PLACER_ROWS_MAX];
        uint64_t offset = row_offset(d, plane, y + (uint32_t)i);
        int64_t got;
        run = 1;
        while (i + run < n && row_offset(d, plane, y + (uint32_t)(i + run)) ==
                                  offset + (uint64_t)run * l->row_bytes) {
            run++;
        }
        memcpy(iov, rows + i, (size_t)run * sizeof iov[0]);
        if (pm_infile_preadv(d->file.stream.fd, iov, run, (int64_t)offset, &got) != 0) {
            return pm_err_errno(err, errno, "%s: cannot read", d->file.path);
        }
        if ((uint64_t)got != (uint64_t)run * l->row_bytes) {
            return pm_err_set(
                err, PM_EFORMAT, "%s: truncated TIFF: it became shorter while read", d->file.path);
        }
    }
    for (int i = 0; i < n && sample_bytes > 1 && TIFFIsByteSwapped(d->file.tif); i++) {
        swap_row(rows[i].iov_base, l->row_bytes, sample_bytes);
    }
    return PM_OK;
}

/* Uncompressed strips. */
static enum pm_code decode_direct(struct decoder *d, struct pm_err *err)
{
    const struct pm_tiff_layout *l = &d->file.layout;
    struct iovec rows[PM_PLACER_ROWS_MAX];
    uint32_t chunk = (uint32_t)pm_placer_chunk_rows(l->row_bytes);
    size_t step = (size_t)l->plane_samples * pm_sample_bytes(l->sample);

    for (uint32_t y = 0; y < l->h; y += chunk) {
        int n = (int)(l->h - y < chunk ? l->h - y : chunk);
        for (int plane = 0; plane < l->planes; plane++) {
            for (int i = 0; i < n; i++) {
                rows[i].iov_base = d->scratch == NULL ? pm_placer_row(&d->placer, (int)y + i)
                                                      : d->scratch + (size_t)i * l->row_bytes;
                rows[i].iov_len = l->row_bytes;
            }
            enum pm_code rc = read_rows(d, plane, y, n, rows, err);
            if (rc != PM_OK) {
                return rc;
            }
            for (int i = 0; d->scratch != NULL && i < n; i++) {
                pm_placer_put(&d->placer, rows[i].iov_base, step, plane,
                    l->separate ? 1 : l->channels, 0, (int)y + i, (int)l->w);
            }
        }
        pm_placer_report(&d->placer, (int)y + n);
    }
    return PM_OK;
}

/* Large compressed strips: row by row, so that no second image is needed. */
static enum pm_code decode_scanlines(struct decoder *d, struct pm_err *err)
{
    const struct pm_tiff_layout *l = &d->file.layout;
    size_t step = (size_t)l->plane_samples * pm_sample_bytes(l->sample);

    for (int plane = 0; plane < l->planes; plane++) {
        for (uint32_t y = 0; y < l->h; y++) {
            unsigned char *row =
                d->scratch == NULL ? pm_placer_row(&d->placer, (int)y) : d->scratch;
            if (TIFFReadScanline(d->file.tif, row, y, (uint16_t)plane) != 1 ||
                d->file.stream.doubtful) {
                return pm_tiff_stream_fail(&d->file.stream, d->file.path, err);
            }
            if (d->scratch != NULL) {
                pm_placer_put(&d->placer, row, step, plane, l->separate ? 1 : l->channels, 0,
                    (int)y, (int)l->w);
            }
            if (plane == l->planes - 1) {
                pm_placer_report(&d->placer, (int)y + 1);
            }
        }
    }
    return PM_OK;
}

/* Block (bx, by) of a plane through the scratch into the image. */
static enum pm_code decode_block(
    struct decoder *d, int plane, uint32_t bx, uint32_t by, struct pm_err *err)
{
    const struct pm_tiff_layout *l = &d->file.layout;
    uint32_t x = bx * l->block_w, y = by * l->block_h;
    uint32_t w = l->w - x < l->block_w ? l->w - x : l->block_w;
    uint32_t h = l->h - y < l->block_h ? l->h - y : l->block_h;
    uint32_t index = ((uint32_t)plane * l->down + by) * l->across + bx;
    size_t step = (size_t)l->plane_samples * pm_sample_bytes(l->sample);
    tmsize_t needed = (tmsize_t)(l->tiled ? l->block_bytes : (uint64_t)h * l->row_bytes);
    tmsize_t got = l->tiled ? TIFFReadEncodedTile(d->file.tif, index, d->scratch, needed)
                            : TIFFReadEncodedStrip(d->file.tif, index, d->scratch, needed);

    if (got != needed || d->file.stream.doubtful) {
        return pm_tiff_stream_fail(&d->file.stream, d->file.path, err);
    }
    for (uint32_t i = 0; i < h; i++) {
        pm_placer_put(&d->placer, d->scratch + i * l->row_bytes, step, plane,
            l->separate ? 1 : l->channels, (int)x, (int)(y + i), (int)w);
    }
    return PM_OK;
}

/* Tiles, and compressed strips of usual size. */
static enum pm_code decode_blocks(struct decoder *d, struct pm_err *err)
{
    const struct pm_tiff_layout *l = &d->file.layout;

    for (uint32_t by = 0; by < l->down; by++) {
        for (uint32_t bx = 0; bx < l->across; bx++) {
            for (int plane = 0; plane < l->planes; plane++) {
                enum pm_code rc = decode_block(d, plane, bx, by, err);
                if (rc != PM_OK) {
                    return rc;
                }
            }
        }
        pm_placer_report(&d->placer, (int)(by + 1 == l->down ? l->h : (by + 1) * l->block_h));
    }
    return PM_OK;
}

static enum pm_code decode(struct decoder *d, struct pm_err *err)
{
    if (reads_direct(d)) {
        return decode_direct(d, err);
    }
    return reads_scanlines(d) ? decode_scanlines(d, err) : decode_blocks(d, err);
}

enum pm_code pm_tiff_probe(int fd, const char *path, const struct pm_limits *limits,
    struct pm_image_info *info, struct pm_err *err)
{
    struct decoder d;
    enum pm_code rc = pm_tiff_file_init(&d.file, fd, path, limits, err);
    if (rc == PM_OK) {
        const struct pm_tiff_layout *l = &d.file.layout;
        bool transposed = pm_placer_transposes(l->orientation);
        *info = (struct pm_image_info){
            .w = (int)(transposed ? l->h : l->w),
            .h = (int)(transposed ? l->w : l->h),
            .channels = l->channels,
            .sample = l->sample,
            .scratch_bytes = (int64_t)scratch_size(&d) + library_bytes(l),
        };
        info->decoded_bytes =
            (int64_t)pm_image_bytes(info->w, info->h, info->channels, info->sample);
    }
    pm_tiff_file_fini(&d.file);
    return rc;
}

enum pm_code pm_tiff_read(int fd, const char *path, const struct pm_limits *limits,
    struct pm_bufpool *pool, const struct pm_row_sink *sink, struct pm_image **out,
    struct pm_err *err)
{
    struct pm_image *image = NULL;
    size_t scratch_bytes = 0;
    bool transposed;
    struct decoder d = {.scratch = NULL};
    enum pm_code rc;

    rc = pm_tiff_file_init(&d.file, fd, path, limits, err);
    if (rc != PM_OK) {
        goto out;
    }
    transposed = pm_placer_transposes(d.file.layout.orientation);
    rc = pm_image_new(&image, (int)(transposed ? d.file.layout.h : d.file.layout.w),
        (int)(transposed ? d.file.layout.w : d.file.layout.h), d.file.layout.channels,
        d.file.layout.sample, pool, err);
    if (rc != PM_OK) {
        pm_err_wrap(err, "%s", path);
        goto out;
    }
    image->alpha_dropped = d.file.layout.samples > d.file.layout.channels;
    pm_placer_init(&d.placer, image, d.file.layout.orientation, d.file.layout.invert, sink);
    scratch_bytes = scratch_size(&d);
    if (scratch_bytes > 0) {
        d.scratch = pm_bufpool_get(pm_bufpool_plain(pool), scratch_bytes);
        if (d.scratch == NULL) {
            rc = pm_err_set(err, PM_ENOMEM, "%s: no memory to decode it", path);
            goto out;
        }
    }
    rc = decode(&d, err);
    if (rc == PM_OK) {
        *out = image;
        image = NULL;
    }
out:
    pm_bufpool_put(pm_bufpool_plain(pool), d.scratch, scratch_bytes);
    pm_image_free(image);
    pm_tiff_file_fini(&d.file);
    return rc;
}
