#include "common/formats/tiff_file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>

#include "common/formats/placer.h"
#include "common/formats/tiff_dir.h"

/* More samples a pixel than this are some other kind of data, not a picture with extras. */
#define SAMPLES_MAX 16
/* A tile has to be decoded whole. */
#define TILE_MAX ((uint64_t)256 << 20)
/* Tables of strips or tiles are held in memory, 16 bytes each; 100 megapixels in planes of 16x16
 * tiles are 1.2 million. */
#define BLOCKS_MAX ((uint64_t)2 << 20)
/* No pixels can lie before this. */
#define HEADER_BYTES 8

static uint16_t tag16(TIFF *tif, uint32_t tag, uint16_t otherwise)
{
    uint16_t value = otherwise;
    return TIFFGetFieldDefaulted(tif, tag, &value) == 1 ? value : otherwise;
}

static uint32_t tag32(TIFF *tif, uint32_t tag, uint32_t otherwise)
{
    uint32_t value = otherwise;
    return TIFFGetFieldDefaulted(tif, tag, &value) == 1 ? value : otherwise;
}

static enum pm_code load_sample(struct pm_tiff_file *file, struct pm_err *err)
{
    static const struct {
        uint16_t bits, format;
        enum pm_sample sample;
    } kinds[] = {
        {8, SAMPLEFORMAT_UINT, PM_U8},
        {8, SAMPLEFORMAT_VOID, PM_U8},
        {16, SAMPLEFORMAT_UINT, PM_U16},
        {16, SAMPLEFORMAT_VOID, PM_U16},
        {16, SAMPLEFORMAT_IEEEFP, PM_F16},
        {32, SAMPLEFORMAT_IEEEFP, PM_F32},
    };
    uint16_t bits = tag16(file->tif, TIFFTAG_BITSPERSAMPLE, 1);
    uint16_t format = tag16(file->tif, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
    const char *word = format == SAMPLEFORMAT_INT      ? "signed integer"
                       : format == SAMPLEFORMAT_IEEEFP ? "float"
                       : format > SAMPLEFORMAT_VOID    ? "complex"
                                                       : "integer";

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (kinds[i].bits == bits && kinds[i].format == format) {
            file->layout.sample = kinds[i].sample;
            return PM_OK;
        }
    }
    return pm_err_set(err, PM_EUNSUPPORTED,
        "%s: TIFF with %d-bit %s samples; save it as 8- or 16-bit unsigned integer or 16- or "
        "32-bit "
        "float",
        file->path, bits, word);
}

static const char *photometric_name(uint16_t photometric)
{
    switch (photometric) {
    case PHOTOMETRIC_PALETTE:
        return "palette (indexed) colour";
    case PHOTOMETRIC_MASK:
        return "a transparency mask";
    case PHOTOMETRIC_SEPARATED:
        return "CMYK colour";
    case PHOTOMETRIC_YCBCR:
        return "YCbCr colour";
    case PHOTOMETRIC_CIELAB:
    case PHOTOMETRIC_ICCLAB:
    case PHOTOMETRIC_ITULAB:
        return "Lab colour";
    case PHOTOMETRIC_CFA:
        return "a raw sensor mosaic";
    case 34892: /* DNG's LinearRaw */
        return "linear raw data";
    case PHOTOMETRIC_LOGL:
    case PHOTOMETRIC_LOGLUV:
        return "LogLuv colour";
    default:
        return "an unknown kind of colour";
    }
}

/* Grey with two or more extras is refused rather than read as its first sample: such files are
 * mostly RGB, or a stack of bands, under a wrong label. */
static enum pm_code load_colour(struct pm_tiff_file *file, struct pm_err *err)
{
    struct pm_tiff_layout *l = &file->layout;
    uint16_t photometric = tag16(
        file->tif, TIFFTAG_PHOTOMETRIC, l->samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);

    l->ycbcr = photometric == PHOTOMETRIC_YCBCR && l->compression == COMPRESSION_JPEG &&
               !l->separate && l->samples == 3;
    if (photometric == PHOTOMETRIC_RGB || l->ycbcr) {
        l->channels = 3;
    } else if (photometric == PHOTOMETRIC_MINISBLACK || photometric == PHOTOMETRIC_MINISWHITE) {
        l->channels = 1;
    } else {
        return pm_err_set(err, PM_EUNSUPPORTED, "%s: TIFF with %s; save it as RGB or grey",
            file->path, photometric_name(photometric));
    }
    if (l->samples < l->channels) {
        return pm_err_set(err, PM_EFORMAT, "%s: damaged TIFF: RGB with %d sample%s a pixel",
            file->path, l->samples, l->samples == 1 ? "" : "s");
    }
    if (l->samples > SAMPLES_MAX || (l->channels == 1 && l->samples > 2)) {
        return pm_err_set(err, PM_EUNSUPPORTED,
            "%s: %s TIFF with %d samples a pixel; save it as RGB, RGBA or grey", file->path,
            l->channels == 1 ? "grey" : "RGB", l->samples);
    }
    l->invert = photometric == PHOTOMETRIC_MINISWHITE;
    if (l->invert && l->sample != PM_U8 && l->sample != PM_U16) {
        return pm_err_set(err, PM_EUNSUPPORTED,
            "%s: float TIFF in which 0 is white; save it with 0 as black", file->path);
    }
    return PM_OK;
}

static enum pm_code load_compression(struct pm_tiff_file *file, struct pm_err *err)
{
    static const uint16_t known[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE,
        COMPRESSION_DEFLATE, COMPRESSION_ZSTD, COMPRESSION_PACKBITS, COMPRESSION_JPEG};
    uint16_t compression = tag16(file->tif, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    const TIFFCodec *codec = TIFFFindCODEC(compression);

    file->layout.compression = compression;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i] == compression && TIFFIsCODECConfigured(compression)) {
            return PM_OK;
        }
    }
    return pm_err_set(err, PM_EUNSUPPORTED,
        "%s: TIFF compressed by method %d (%s); save it uncompressed or with ZSTD, Deflate or LZW",
        file->path, compression, codec != NULL ? codec->name : "unknown");
}

static bool is_first_page(TIFF *tif)
{
    return (tag32(tif, TIFFTAG_SUBFILETYPE, 0) & FILETYPE_REDUCEDIMAGE) == 0 &&
           tag32(tif, TIFFTAG_IMAGEDEPTH, 1) <= 1;
}

static enum pm_code load_blocks(struct pm_tiff_file *file, struct pm_err *err)
{
    struct pm_tiff_layout *l = &file->layout;
    uint64_t lib_row_bytes;

    assert(l->w > 0 && l->h > 0); /* check_size() */
    l->tiled = TIFFIsTiled(file->tif);
    l->block_w = l->tiled ? tag32(file->tif, TIFFTAG_TILEWIDTH, 0) : l->w;
    l->block_h = l->tiled ? tag32(file->tif, TIFFTAG_TILELENGTH, 0)
                          : tag32(file->tif, TIFFTAG_ROWSPERSTRIP, UINT32_MAX);
    if (l->block_w == 0 || l->block_h == 0) {
        return pm_err_set(err, PM_EFORMAT, "%s: damaged TIFF: empty strips or tiles", file->path);
    }
    if (!l->tiled && l->block_h > l->h) {
        l->block_h = l->h;
    }
    l->across = (l->w - 1) / l->block_w + 1;
    l->down = (l->h - 1) / l->block_h + 1;
    l->planes = l->separate ? l->channels : 1;
    l->plane_samples = l->separate ? 1 : l->samples;
    if ((uint64_t)l->across * l->down * (uint64_t)l->planes > BLOCKS_MAX) {
        return pm_err_set(err, PM_EUNSUPPORTED,
            "%s: TIFF in more than %" PRIu64 " strips or tiles; save it with larger ones",
            file->path, BLOCKS_MAX);
    }
    /* At most 2^32 * 16 * 4 bytes a row. */
    l->row_bytes = (size_t)l->block_w * (size_t)l->plane_samples * pm_sample_bytes(l->sample);
    if (l->tiled && l->block_h > TILE_MAX / l->row_bytes) {
        return pm_err_set(err, PM_EUNSUPPORTED,
            "%s: TIFF with tiles of %" PRIu32 "x%" PRIu32 " pixels; save it with smaller tiles",
            file->path, l->block_w, l->block_h);
    }
    l->block_bytes = (uint64_t)l->row_bytes * l->block_h;
    lib_row_bytes = l->tiled ? TIFFTileRowSize64(file->tif) : TIFFScanlineSize64(file->tif);
    if (lib_row_bytes != l->row_bytes) { /* or the buffers made from it would not fit */
        return pm_err_set(err, PM_EFORMAT,
            "%s: damaged TIFF: rows of %" PRIu64 " bytes where %zu are needed", file->path,
            lib_row_bytes, l->row_bytes);
    }
    return PM_OK;
}

/* Before anything is allocated: whether the file can hold what it says. Also catches a file that
 * was cut short, and a small one that claims the same bytes again and again. */
static enum pm_code check_blocks(struct pm_tiff_file *file, struct pm_err *err)
{
    struct pm_tiff_layout *l = &file->layout;
    uint64_t size = (uint64_t)file->stream.size;
    uint64_t blocks = (uint64_t)l->across * l->down * (uint64_t)l->planes;
    uint64_t lib_blocks = l->tiled ? TIFFNumberOfTiles(file->tif) : TIFFNumberOfStrips(file->tif);
    uint64_t claimed = 0;

    if (lib_blocks < blocks) {
        return pm_err_set(err, PM_EFORMAT, "%s: damaged TIFF: strips or tiles missing", file->path);
    }
    for (uint32_t i = 0; i < blocks; i++) {
        int failed = 0; /* the table cannot be read: then the numbers are worth nothing */
        uint64_t offset = TIFFGetStrileOffsetWithErr(file->tif, i, &failed);
        uint64_t count = failed ? 0 : TIFFGetStrileByteCountWithErr(file->tif, i, &failed);
        uint32_t y = i / l->across % l->down * l->block_h;
        uint64_t needed = l->compression != COMPRESSION_NONE  ? 1
                          : l->tiled || l->h - y > l->block_h ? l->block_bytes
                                                              : (uint64_t)(l->h - y) * l->row_bytes;
        claimed += needed; /* no overflow: less than size + TILE_MAX before */
        if (failed || offset < HEADER_BYTES) {
            return pm_tiff_stream_fail(&file->stream, file->path, err);
        }
        if (count < needed || offset > size || count > size - offset || claimed > size) {
            return pm_err_set(err, PM_EFORMAT,
                "%s: truncated TIFF: the %s at row %" PRIu32
                " lies beyond the end of the file; copy it again",
                file->path, l->tiled ? "tile" : "strip", y);
        }
        l->count_max = count > l->count_max ? count : l->count_max;
    }
    return PM_OK;
}

static enum pm_code check_size(
    struct pm_tiff_file *file, const struct pm_limits *limits, struct pm_err *err)
{
    struct pm_tiff_layout *l = &file->layout;
    bool transposed = pm_placer_transposes(l->orientation);

    l->w = tag32(file->tif, TIFFTAG_IMAGEWIDTH, 0);
    l->h = tag32(file->tif, TIFFTAG_IMAGELENGTH, 0);
    return pm_limits_check(limits, file->path, transposed ? l->h : l->w, transposed ? l->w : l->h,
        l->channels, l->sample, err);
}

static enum pm_code load_layout(
    struct pm_tiff_file *file, const struct pm_limits *limits, struct pm_err *err)
{
    struct pm_tiff_layout *l = &file->layout;
    enum pm_code rc;

    l->samples = tag16(file->tif, TIFFTAG_SAMPLESPERPIXEL, 1);
    l->separate =
        tag16(file->tif, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE;
    l->bits_reversed = tag16(file->tif, TIFFTAG_FILLORDER, FILLORDER_MSB2LSB) == FILLORDER_LSB2MSB;
    l->orientation = tag16(file->tif, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT);
    if (l->orientation < 1 || l->orientation > 8) {
        l->orientation = 1; /* as the specification has readers do */
    }
    if (!is_first_page(file->tif)) {
        return pm_err_set(err, PM_EUNSUPPORTED,
            "%s: TIFF that begins with a reduced preview or a volume (a raw file?); convert it",
            file->path);
    }
    rc = load_compression(file, err);
    if (rc == PM_OK) {
        rc = load_sample(file, err);
    }
    if (rc == PM_OK) {
        rc = load_colour(file, err);
    }
    if (rc == PM_OK) {
        rc = check_size(file, limits, err);
    }
    if (rc != PM_OK) {
        return rc;
    }
    if (l->ycbcr) {
        TIFFSetField(file->tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    if (l->compression == COMPRESSION_ADOBE_DEFLATE || l->compression == COMPRESSION_DEFLATE) {
        /* Through libdeflate (1.75 times as fast) libtiff 4.5 takes a strip with more rows in it
         * than it needs, as some programs write the last one, and leaves up to 257 bytes at its end
         * as they were. */
        TIFFSetField(file->tif, TIFFTAG_DEFLATE_SUBCODEC, DEFLATE_SUBCODEC_ZLIB);
    }
    rc = load_blocks(file, err);
    return rc != PM_OK ? rc : check_blocks(file, err);
}

/* Opens the file up to its directory; the tables of strips are read when they are asked for. */
static enum pm_code open_directory(
    struct pm_tiff_file *file, const struct pm_limits *limits, struct pm_err *err)
{
    enum pm_code rc = pm_tiff_dir_check(
        file->stream.fd, file->path, file->stream.size, &file->layout.dir_bytes, err);
    if (rc != PM_OK) {
        return rc;
    }
    /* no mmap, strips as they are, the directory and the tables not yet */
    file->tif = pm_tiff_stream_open(&file->stream, "rmchD");
    if (file->tif == NULL) {
        return pm_tiff_stream_fail(&file->stream, file->path, err);
    }
    if (!TIFFReadDirectory(file->tif)) {
        rc = check_size(file, limits, err); /* too big for libtiff is too big for us */
        return rc == PM_ETOOBIG ? rc : pm_tiff_stream_fail(&file->stream, file->path, err);
    }
    return file->stream.doubtful ? pm_tiff_stream_fail(&file->stream, file->path, err) : PM_OK;
}

enum pm_code pm_tiff_file_init(struct pm_tiff_file *file, int fd, const char *path,
    const struct pm_limits *limits, struct pm_err *err)
{
    struct stat st;
    enum pm_code rc;

    *file = (struct pm_tiff_file){.stream.fd = fd, .path = path};
    if (fstat(fd, &st) != 0) {
        return pm_err_errno(err, errno, "%s: cannot stat", path);
    }
    file->stream.size = st.st_size;
    rc = open_directory(file, limits, err);
    return rc != PM_OK ? rc : load_layout(file, limits, err);
}

void pm_tiff_file_fini(struct pm_tiff_file *file)
{
    if (file->tif != NULL) {
        TIFFClose(file->tif);
    }
}
