#include "common/formats/tiff.h"

#include <assert.h>
#include <string.h>

#include "common/bufpool.h"
#include "common/formats/tiff_stream.h"

/* Written strips: one write(2) each; large enough to be cheap, small enough to be gathered in L2,
 * and to be decoded in parallel by whoever wants to. */
#define WRITE_STRIP_BYTES ((size_t)1 << 20)
/* Pixels from here on need BigTIFF's 64-bit offsets; the rest of 2^32 is room for tables and for
 * data that compression makes larger. */
#define BIG_TIFF_FROM ((uint64_t)4000000000)

static int set_compression(TIFF *tif, enum pm_compression compression, enum pm_sample sample)
{
    bool is_float = sample == PM_F16 || sample == PM_F32;
    uint16_t predictor = is_float ? PREDICTOR_FLOATINGPOINT : PREDICTOR_HORIZONTAL;

    switch (compression) {
    case PM_COMPRESS_NONE:
        return TIFFSetField(tif, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    case PM_COMPRESS_ZSTD: /* higher levels gain nothing on photographs' noise */
        return TIFFSetField(tif, TIFFTAG_COMPRESSION, COMPRESSION_ZSTD) &&
               TIFFSetField(tif, TIFFTAG_ZSTD_LEVEL, 1) &&
               TIFFSetField(tif, TIFFTAG_PREDICTOR, predictor);
    case PM_COMPRESS_DEFLATE:
        return TIFFSetField(tif, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE) &&
               TIFFSetField(tif, TIFFTAG_ZIPQUALITY, 1) &&
               TIFFSetField(tif, TIFFTAG_PREDICTOR, predictor);
    }
    return 0;
}

/* 1 on success, as libtiff has it. */
static int set_tags(TIFF *tif, const struct pm_image *image, struct pm_rect rect,
    uint32_t rows_per_strip, enum pm_compression compression)
{
    bool is_float = image->sample == PM_F16 || image->sample == PM_F32;
    return TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, (uint32_t)rect.w) &&
           TIFFSetField(tif, TIFFTAG_IMAGELENGTH, (uint32_t)rect.h) &&
           TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, image->channels) &&
           TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, (int)(8 * pm_sample_bytes(image->sample))) &&
           TIFFSetField(
               tif, TIFFTAG_SAMPLEFORMAT, is_float ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT) &&
           TIFFSetField(tif, TIFFTAG_PHOTOMETRIC,
               image->channels == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK) &&
           TIFFSetField(tif, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) &&
           TIFFSetField(tif, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT) &&
           TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, rows_per_strip) &&
           set_compression(tif, compression, image->sample);
}

/* The strips, gathered one by one in strip (rows_per_strip rows of rect). 1 on success. */
static int write_strips(TIFF *tif, const struct pm_image *image, struct pm_rect rect,
    int rows_per_strip, bool raw, unsigned char *strip)
{
    size_t pixel = (size_t)image->channels * pm_sample_bytes(image->sample);
    size_t row_bytes = (size_t)rect.w * pixel;
    uint32_t index = 0;

    for (int y = 0, n; y < rect.h; y += n, index++) {
        n = rect.h - y < rows_per_strip ? rect.h - y : rows_per_strip;
        tmsize_t bytes = (tmsize_t)((size_t)n * row_bytes);
        for (int i = 0; i < n; i++) {
            const unsigned char *row = pm_image_row(image, rect.y + y + i);
            memcpy(strip + (size_t)i * row_bytes, row + (size_t)rect.x * pixel, row_bytes);
        }
        tmsize_t put = raw ? TIFFWriteRawStrip(tif, index, strip, bytes)
                           : TIFFWriteEncodedStrip(tif, index, strip, bytes);
        if (put != bytes) {
            return 0;
        }
    }
    return 1;
}

static int rows_per_strip_for(size_t row_bytes, int h)
{
    size_t rows = WRITE_STRIP_BYTES / row_bytes;
    if (rows < 1) {
        return 1;
    }
    return rows < (size_t)h ? (int)rows : h;
}

enum pm_code pm_tiff_write(int fd, const char *path, const struct pm_image *image,
    struct pm_rect rect, enum pm_compression compression, struct pm_err *err)
{
    struct pm_tiff_stream stream = {.fd = fd};
    size_t row_bytes = (size_t)rect.w * (size_t)image->channels * pm_sample_bytes(image->sample);
    int rows = rows_per_strip_for(row_bytes, rect.h);
    unsigned char *strip;
    TIFF *tif;
    int fine;

    assert(rect.x >= 0 && rect.y >= 0 && rect.w > 0 && rect.h > 0);
    assert(rect.w <= image->w - rect.x && rect.h <= image->h - rect.y);
    strip = pm_bufpool_get(NULL, (size_t)rows * row_bytes);
    if (strip == NULL) {
        return pm_err_set(err, PM_ENOMEM, "%s: no memory to write it", path);
    }
    tif = pm_tiff_stream_open(&stream, (uint64_t)rect.h * row_bytes >= BIG_TIFF_FROM ? "w8" : "w");
    fine = tif != NULL && set_tags(tif, image, rect, (uint32_t)rows, compression) &&
           write_strips(tif, image, rect, rows, compression == PM_COMPRESS_NONE, strip) &&
           TIFFWriteDirectory(tif);
    if (tif != NULL) {
        TIFFClose(tif); /* writes nothing more after TIFFWriteDirectory() */
    }
    pm_bufpool_put(NULL, strip, (size_t)rows * row_bytes);
    if (stream.sys_errno != 0) {
        return pm_err_errno(err, stream.sys_errno, "%s: cannot write", path);
    }
    return fine ? PM_OK : pm_err_set(err, PM_EIO, "%s: cannot write: %s", path, stream.said);
}
