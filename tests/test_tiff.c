/*
 * tiff: what we write and read back, what is refused, and a helper for test_formats.py.
 * `test_tiff serve` reads commands from stdin, one a line:
 *   dump FILE                          answers W H CHANNELS SAMPLE ALPHA_DROPPED, then the samples
 *   crop FILE X Y W H COMPRESSION OUT  none, zstd or deflate; answers ok
 *   make OUT KEY=N ...                 by libtiff, from the samples that follow; see struct recipe
 * and answers "error CODE message" when one fails. `test_tiff dump FILE` does that one alone.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <tiffio.h>

#include "common/bufpool.h"
#include "common/formats/tiff.h"

static const struct pm_limits roomy = {.max_pixels = 1 << 28, .max_bytes = (int64_t)4 << 30};

/* ---- a file by libtiff, of any kind ---- */

struct recipe {
    int w, h, spp, bits, format, photometric, compression, predictor, planar, rps, tile_w, tile_h,
        orientation, fillorder, extras, subfile, big, bigendian, subsampling;
};

static const struct recipe plain = {.w = 40,
    .h = 30,
    .spp = 3,
    .bits = 16,
    .format = SAMPLEFORMAT_UINT,
    .photometric = PHOTOMETRIC_RGB,
    .compression = COMPRESSION_NONE,
    .predictor = 1,
    .planar = PLANARCONFIG_CONTIG,
    .rps = 7,
    .orientation = 1,
    .fillorder = 1,
    .subsampling = 1};

static const struct {
    const char *name;
    size_t offset;
} keys[] = {
#define KEY(field)                                                                                 \
    {                                                                                              \
#field, offsetof(struct recipe, field)                                                     \
    }
    KEY(w),
    KEY(h),
    KEY(spp),
    KEY(bits),
    KEY(format),
    KEY(photometric),
    KEY(compression),
    KEY(predictor),
    KEY(planar),
    KEY(rps),
    KEY(tile_w),
    KEY(tile_h),
    KEY(orientation),
    KEY(fillorder),
    KEY(extras),
    KEY(subfile),
    KEY(big),
    KEY(bigendian),
    KEY(subsampling),
#undef KEY
};

static void set_tags(TIFF *tif, const struct recipe *r)
{
    TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, r->w);
    TIFFSetField(tif, TIFFTAG_IMAGELENGTH, r->h);
    TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, r->spp);
    TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, r->bits);
    TIFFSetField(tif, TIFFTAG_SAMPLEFORMAT, r->format);
    TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, r->photometric);
    TIFFSetField(tif, TIFFTAG_COMPRESSION, r->compression);
    TIFFSetField(tif, TIFFTAG_PLANARCONFIG, r->planar);
    TIFFSetField(tif, TIFFTAG_ORIENTATION, r->orientation);
    TIFFSetField(tif, TIFFTAG_FILLORDER, r->fillorder);
    if (r->predictor > 1) {
        TIFFSetField(tif, TIFFTAG_PREDICTOR, r->predictor);
    }
    if (r->tile_w > 0) {
        TIFFSetField(tif, TIFFTAG_TILEWIDTH, r->tile_w);
        TIFFSetField(tif, TIFFTAG_TILELENGTH, r->tile_h);
    } else {
        TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, r->rps);
    }
    if (r->extras > 0) {
        uint16_t kinds[16] = {EXTRASAMPLE_UNASSALPHA};
        TIFFSetField(tif, TIFFTAG_EXTRASAMPLES, r->extras, kinds);
    }
    if (r->subfile != 0) {
        TIFFSetField(tif, TIFFTAG_SUBFILETYPE, r->subfile);
    }
    if (r->photometric == PHOTOMETRIC_YCBCR) {
        TIFFSetField(tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
        TIFFSetField(tif, TIFFTAG_YCBCRSUBSAMPLING, r->subsampling, r->subsampling);
    }
    if (r->photometric == PHOTOMETRIC_PALETTE) {
        static uint16_t map[256];
        TIFFSetField(tif, TIFFTAG_COLORMAP, map, map, map);
    }
}

/* pixels: [y][x][sample], or [sample][y][x] when the planes are separate. */
static int make(const char *path, const struct recipe *r, const unsigned char *pixels)
{
    char mode[8];
    size_t sample = (size_t)(r->bits + 7) / 8;
    int planes = r->planar == PLANARCONFIG_SEPARATE ? r->spp : 1;
    size_t step = sample * (size_t)(r->spp / planes);
    size_t row = r->bits < 8 ? (size_t)(r->w * r->bits + 7) / 8 : (size_t)r->w * step;
    snprintf(mode, sizeof mode, "w%s%s", r->big ? "8" : "", r->bigendian ? "b" : "l");
    TIFF *tif = TIFFOpen(path, mode);
    int fine = tif != NULL;
    if (!fine) {
        return -1;
    }
    set_tags(tif, r);
    for (int p = 0; fine && p < planes; p++) {
        const unsigned char *plane = pixels + (size_t)p * row * (size_t)r->h;
        for (int y = 0; fine && r->tile_w == 0 && y < r->h; y++) {
            unsigned char *copy = malloc(row); /* libtiff swaps in place */
            memcpy(copy, plane + (size_t)y * row, row);
            fine = TIFFWriteScanline(tif, copy, (uint32_t)y, (uint16_t)p) == 1;
            free(copy);
        }
        for (int y = 0; fine && r->tile_w > 0 && y < r->h; y += r->tile_h) {
            for (int x = 0; fine && x < r->w; x += r->tile_w) {
                unsigned char *tile = calloc((size_t)(r->tile_w * r->tile_h), step);
                int w = r->w - x < r->tile_w ? r->w - x : r->tile_w;
                for (int i = 0; i < r->tile_h && y + i < r->h; i++) {
                    memcpy(tile + (size_t)(i * r->tile_w) * step,
                        plane + (size_t)(y + i) * row + (size_t)x * step, (size_t)w * step);
                }
                fine = TIFFWriteTile(tif, tile, (uint32_t)x, (uint32_t)y, 0, (uint16_t)p) >= 0;
                free(tile);
            }
        }
    }
    TIFFClose(tif);
    return fine ? 0 : -1;
}

/* ---- helper modes ---- */

/* Every row once, in order. */
struct watch {
    int next;
    int calls;
    int most; /* rows in one call */
    int wrong;
};

static void watch_rows(void *ctx, const struct pm_image *image, int y0, int y1)
{
    struct watch *watch = ctx;
    watch->wrong += y0 != watch->next || y1 <= y0 || y1 > image->h;
    watch->most = y1 - y0 > watch->most ? y1 - y0 : watch->most;
    watch->next = y1;
    watch->calls++;
}

static struct pm_image *read_for_helper(const char *path)
{
    struct pm_err err = {0};
    struct pm_image_info info;
    struct pm_image *image;
    struct watch watch = {0};
    struct pm_row_sink sink = {watch_rows, &watch};
    if (pm_image_probe(path, &roomy, &info, &err) != PM_OK ||
        pm_image_read(path, &roomy, NULL, &sink, &image, &err) != PM_OK) {
        printf("error %s %s\n", pm_code_name(err.code), err.text);
        return NULL;
    }
    if (watch.wrong != 0 || watch.next != image->h || info.w != image->w || info.h != image->h ||
        info.channels != image->channels || info.sample != image->sample) {
        printf("error the row sink or the probe disagrees with the image\n");
        pm_image_free(image);
        return NULL;
    }
    return image;
}

static int helper_dump(const char *path)
{
    struct pm_image *image = read_for_helper(path);
    if (image == NULL) {
        return 1;
    }
    size_t row = (size_t)(image->w * image->channels) * pm_sample_bytes(image->sample);
    printf("%d %d %d %s %d\n", image->w, image->h, image->channels, pm_sample_name(image->sample),
        image->alpha_dropped);
    for (int y = 0; y < image->h; y++) {
        fwrite(pm_image_row(image, y), 1, row, stdout);
    }
    pm_image_free(image);
    return 0;
}

static int helper_crop(char *const *words)
{
    struct pm_image *image = read_for_helper(words[0]);
    struct pm_rect rect = {atoi(words[1]), atoi(words[2]), atoi(words[3]), atoi(words[4])};
    enum pm_compression compression = strcmp(words[5], "zstd") == 0      ? PM_COMPRESS_ZSTD
                                      : strcmp(words[5], "deflate") == 0 ? PM_COMPRESS_DEFLATE
                                                                         : PM_COMPRESS_NONE;
    struct pm_err err = {0};
    int fd;
    if (image == NULL) {
        return 1;
    }
    fd = open(words[6], O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || pm_tiff_write(fd, words[6], image, rect, compression, &err) != PM_OK) {
        printf("error %s %s\n", pm_code_name(err.code), err.text);
    } else {
        printf("ok\n");
    }
    pm_image_free(image);
    return close(fd);
}

static int helper_make(int count, char *const *words)
{
    struct recipe r = plain;
    for (int i = 1; i < count; i++) {
        const char *equals = strchr(words[i], '=');
        for (size_t k = 0; equals != NULL && k < sizeof keys / sizeof keys[0]; k++) {
            if (strncmp(words[i], keys[k].name, (size_t)(equals - words[i])) == 0 &&
                keys[k].name[equals - words[i]] == '\0') {
                *(int *)(void *)((char *)&r + keys[k].offset) = atoi(equals + 1);
            }
        }
    }
    size_t bytes = (size_t)r.w * (size_t)r.h * (size_t)r.spp * (size_t)((r.bits + 7) / 8);
    unsigned char *pixels = malloc(bytes);
    int failed = fread(pixels, 1, bytes, stdin) != bytes || make(words[0], &r, pixels) != 0;
    free(pixels);
    printf(failed ? "error cannot make it\n" : "ok\n");
    return failed;
}

/* One command a line, words parted by one space. */
static int serve(void)
{
    char line[4096];
    while (fgets(line, sizeof line, stdin) != NULL) {
        char *words[40], *rest = line;
        int count = 0;
        line[strcspn(line, "\n")] = '\0';
        while (count < 40 && (words[count] = strsep(&rest, " ")) != NULL) {
            count++;
        }
        if (strcmp(words[0], "dump") == 0 && count == 2) {
            helper_dump(words[1]);
        } else if (strcmp(words[0], "crop") == 0 && count == 8) {
            helper_crop(words + 1);
        } else if (strcmp(words[0], "make") == 0 && count >= 2) {
            helper_make(count - 1, words + 1);
        } else {
            return 2;
        }
        fflush(stdout);
    }
    return 0;
}

/* ---- unit tests ---- */

struct file {
    int fd;
    char path[64];
};

static struct file new_file(void)
{
    struct file file = {.fd = memfd_create("tiff", MFD_CLOEXEC)};
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

static struct pm_image *noise(int w, int h, int channels, enum pm_sample sample)
{
    struct pm_image *image;
    uint64_t state = 88172645463325252u;
    assert_int_equal(pm_image_new(&image, w, h, channels, sample, NULL, NULL), PM_OK);
    for (size_t i = 0; i < image->bytes; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        image->data[i] = (unsigned char)state;
    }
    return image;
}

static void assert_same_rect(
    const struct pm_image *whole, struct pm_rect rect, const struct pm_image *part)
{
    size_t pixel = (size_t)whole->channels * pm_sample_bytes(whole->sample);
    assert_int_equal(part->w, rect.w);
    assert_int_equal(part->h, rect.h);
    assert_int_equal(part->channels, whole->channels);
    assert_int_equal(part->sample, whole->sample);
    assert_int_equal(part->alpha_dropped, 0);
    for (int y = 0; y < rect.h; y++) {
        const unsigned char *row = pm_image_row(whole, rect.y + y);
        assert_memory_equal(
            row + (size_t)rect.x * pixel, pm_image_row(part, y), (size_t)rect.w * pixel);
    }
}

static void what_is_written_is_read_bit_for_bit(void **state)
{
    (void)state;
    static const enum pm_sample samples[] = {PM_U8, PM_U16, PM_F16, PM_F32};
    static const struct pm_rect rects[] = {{0, 0, 301, 203}, {1, 2, 64, 64}, {300, 202, 1, 1}};
    struct pm_bufpool *pool;
    assert_int_equal(pm_bufpool_new(&pool, 1 << 24, NULL), PM_OK);
    for (int i = 0; i < 4 * 2 * 3 * 3; i++) {
        struct pm_image *image = noise(301, 203, i % 2 ? 3 : 1, samples[i / 2 % 4]);
        struct pm_rect rect = rects[i / 8 % 3];
        struct file file = new_file();
        struct pm_image *back = NULL;
        struct pm_image_info info;
        struct pm_err err;
        assert_int_equal(
            pm_tiff_write(file.fd, "mem", image, rect, (enum pm_compression)(i / 24), &err), PM_OK);
        assert_int_equal(pm_image_probe(file.path, &roomy, &info, &err), PM_OK);
        assert_int_equal(pm_image_read(file.path, &roomy, pool, NULL, &back, &err), PM_OK);
        assert_int_equal(info.decoded_bytes, back->bytes);
        assert_same_rect(image, rect, back);
        pm_image_free(back);
        pm_image_free(image);
        close(file.fd);
    }
    pm_bufpool_free(pool);
}

/* One strip for the whole file, and it is larger than what is decoded in one piece. */
static void large_strips_come_in_small_steps(void **state)
{
    (void)state;
    static const int compressions[] = {COMPRESSION_NONE, COMPRESSION_PACKBITS, COMPRESSION_ZSTD,
        COMPRESSION_ADOBE_DEFLATE, COMPRESSION_LZW};
    struct pm_image *image = noise(1536, 2048, 3, PM_U16); /* 18 MiB, no row padding */
    for (int i = 0; i < 5; i++) {
        struct recipe recipe = plain;
        struct file file = new_file();
        struct watch watch = {0};
        struct pm_row_sink sink = {watch_rows, &watch};
        struct pm_image *back = NULL;
        struct pm_image_info info;
        struct pm_err err = {0};
        recipe.w = image->w;
        recipe.h = recipe.rps = image->h;
        recipe.compression = compressions[i];
        assert_int_equal(make(file.path, &recipe, image->data), 0);
        assert_int_equal(pm_image_probe(file.path, &roomy, &info, &err), PM_OK);
        assert_true(i != 0 || info.scratch_bytes < 2 << 20);
        assert_int_equal(pm_image_read(file.path, &roomy, NULL, &sink, &back, &err), PM_OK);
        assert_int_equal(watch.wrong, 0);
        assert_int_equal(watch.next, image->h);
        assert_in_range(watch.most, 16, 64);
        assert_memory_equal(back->data, image->data, image->bytes);
        pm_image_free(back);
        close(file.fd);
    }
    pm_image_free(image);
}

static enum pm_code read_code(const char *path, const struct pm_limits *limits, struct pm_err *err)
{
    struct pm_image *image = NULL;
    struct pm_image_info info;
    enum pm_code probed = pm_image_probe(path, limits, &info, err);
    enum pm_code rc = pm_image_read(path, limits, NULL, NULL, &image, err);
    assert_true(probed == rc || probed == PM_OK);
    assert_true((rc == PM_OK) == (image != NULL));
    pm_image_free(image);
    if (rc != PM_OK) {
        assert_non_null(strstr(err->text, path));
    }
    return rc;
}

static void other_kinds_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        int photometric, spp, bits, format, compression, subfile;
        const char *says;
    } kinds[] = {
        {PHOTOMETRIC_PALETTE, 1, 8, SAMPLEFORMAT_UINT, COMPRESSION_NONE, 0, "palette"},
        {PHOTOMETRIC_SEPARATED, 4, 8, SAMPLEFORMAT_UINT, COMPRESSION_NONE, 0, "CMYK"},
        {PHOTOMETRIC_CIELAB, 3, 8, SAMPLEFORMAT_UINT, COMPRESSION_NONE, 0, "Lab"},
        {PHOTOMETRIC_CFA, 1, 16, SAMPLEFORMAT_UINT, COMPRESSION_NONE, 0, "mosaic"},
        {PHOTOMETRIC_MINISBLACK, 1, 1, SAMPLEFORMAT_UINT, COMPRESSION_NONE, 0, "1-bit integer"},
        {PHOTOMETRIC_MINISBLACK, 1, 32, SAMPLEFORMAT_UINT, COMPRESSION_NONE, 0, "32-bit integer"},
        {PHOTOMETRIC_MINISBLACK, 1, 16, SAMPLEFORMAT_INT, COMPRESSION_NONE, 0, "signed"},
        {PHOTOMETRIC_RGB, 3, 64, SAMPLEFORMAT_IEEEFP, COMPRESSION_NONE, 0, "64-bit float"},
        {PHOTOMETRIC_MINISBLACK, 1, 64, SAMPLEFORMAT_COMPLEXIEEEFP, COMPRESSION_NONE, 0, "complex"},
        {PHOTOMETRIC_MINISWHITE, 1, 32, SAMPLEFORMAT_IEEEFP, COMPRESSION_NONE, 0, "white"},
        {PHOTOMETRIC_MINISBLACK, 3, 16, SAMPLEFORMAT_UINT, COMPRESSION_NONE, 0, "grey TIFF with 3"},
        {PHOTOMETRIC_RGB, 17, 8, SAMPLEFORMAT_UINT, COMPRESSION_NONE, 0, "17 samples"},
        {PHOTOMETRIC_RGB, 3, 8, SAMPLEFORMAT_UINT, COMPRESSION_LZMA, 0, "LZMA"},
        {PHOTOMETRIC_RGB, 3, 8, SAMPLEFORMAT_UINT, COMPRESSION_NONE, FILETYPE_REDUCEDIMAGE,
            "preview"},
    };
    static const unsigned char zeros[40 * 30 * 24];
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct recipe recipe = plain;
        struct file file = new_file();
        struct pm_err err = {0};
        recipe.photometric = kinds[i].photometric;
        recipe.spp = kinds[i].spp;
        recipe.bits = kinds[i].bits;
        recipe.format = kinds[i].format;
        recipe.compression = kinds[i].compression;
        recipe.subfile = kinds[i].subfile;
        assert_int_equal(make(file.path, &recipe, zeros), 0);
        assert_int_equal(read_code(file.path, &roomy, &err), PM_EUNSUPPORTED);
        assert_non_null(strstr(err.text, kinds[i].says));
        close(file.fd);
    }
}

/* A little-endian classic TIFF of one directory, and no pixels worth the name. */
static void write_header(int fd, const uint32_t tags[][2], size_t count)
{
    unsigned char bytes[512] = {'I', 'I', 42, 0, 8, 0, 0, 0};
    size_t at = 8;
    bytes[at] = (unsigned char)count;
    at += 2;
    for (size_t i = 0; i < count; i++, at += 12) {
        uint16_t tag = (uint16_t)tags[i][0], type = TIFF_LONG;
        uint32_t one = 1;
        memcpy(bytes + at, &tag, 2);
        memcpy(bytes + at + 2, &type, 2);
        memcpy(bytes + at + 4, &one, 4);
        memcpy(bytes + at + 8, &tags[i][1], 4);
    }
    assert_int_equal(pwrite(fd, bytes, sizeof bytes, 0), sizeof bytes);
}

static void absurd_claims_are_refused_before_allocating(void **state)
{
    (void)state;
    static const struct {
        uint32_t w, h, samples, rps, count;
        enum pm_code code;
    } claims[] = {
        {0x80000000, 0x80000000, 1, 0x80000000, 100, PM_ETOOBIG},
        {0xffffffff, 0xffffffff, 3, 1, 100, PM_ETOOBIG}, {0x7fffffff, 1, 1, 1, 100, PM_ETOOBIG},
        {1, 0x7fffffff, 1, 1, 100, PM_ETOOBIG},
        {16384, 16384, 1, 16384, 100, PM_EFORMAT},    /* fits, but the file has 512 bytes */
        {100, 100, 1, 100, 0xffffff00, PM_EFORMAT},   /* a strip beyond the end */
        {100, 100, 1, 1, 100, PM_EFORMAT},            /* 100 strips, 1 offset */
        {100, 100, 65535, 100, 100, PM_EUNSUPPORTED}, /* grey with 65534 extras */
    };
    static const struct pm_limits limits = {.max_pixels = 1 << 28, .max_bytes = 1 << 30};
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        const uint32_t tags[][2] = {{TIFFTAG_IMAGEWIDTH, claims[i].w},
            {TIFFTAG_IMAGELENGTH, claims[i].h}, {TIFFTAG_BITSPERSAMPLE, 8},
            {TIFFTAG_COMPRESSION, 1}, {TIFFTAG_PHOTOMETRIC, 1}, {TIFFTAG_STRIPOFFSETS, 256},
            {TIFFTAG_SAMPLESPERPIXEL, claims[i].samples}, {TIFFTAG_ROWSPERSTRIP, claims[i].rps},
            {TIFFTAG_STRIPBYTECOUNTS, claims[i].count}};
        struct file file = new_file();
        struct pm_err err = {0};
        write_header(file.fd, tags, 9);
        assert_int_equal(read_code(file.path, &limits, &err), claims[i].code);
        close(file.fd);
    }
}

static void limits_hold(void **state)
{
    (void)state;
    static const unsigned char zeros[40 * 30 * 6];
    struct file file = new_file();
    struct pm_err err = {0};
    assert_int_equal(make(file.path, &plain, zeros), 0);
    assert_int_equal(
        read_code(file.path, &(struct pm_limits){.max_pixels = 1200, .max_bytes = 0}, &err), PM_OK);
    assert_int_equal(
        read_code(file.path, &(struct pm_limits){.max_pixels = 1199, .max_bytes = 0}, &err),
        PM_ETOOBIG);
    /* 240 bytes a row, padded to 256 */
    assert_int_equal(
        read_code(file.path, &(struct pm_limits){.max_pixels = 1200, .max_bytes = 256 * 30}, &err),
        PM_OK);
    assert_int_equal(read_code(file.path,
                         &(struct pm_limits){.max_pixels = 1200, .max_bytes = 256 * 30 - 1}, &err),
        PM_ETOOBIG);
    close(file.fd);
}

/* Makes a file of one strip with r->h rows of a value, and then has it claim h rows instead. */
static enum pm_code strip_with_other_height(
    const struct recipe *r, uint32_t h, int value, struct pm_image **image, struct pm_err *err)
{
    static unsigned char pixels[40 * 40 * 3];
    struct file file = new_file();
    memset(pixels, value, sizeof pixels);
    assert_int_equal(make(file.path, r, pixels), 0);
    TIFF *tif = TIFFOpen(file.path, "r+");
    assert_non_null(tif);
    TIFFSetField(tif, TIFFTAG_IMAGELENGTH, h);
    TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, h > (uint32_t)r->rps ? h : (uint32_t)r->rps);
    assert_int_equal(TIFFRewriteDirectory(tif), 1);
    TIFFClose(tif);
    enum pm_code rc = pm_tiff_read(file.fd, "s.tif", &roomy, NULL, NULL, image, err);
    close(file.fd);
    return rc;
}

/* Some programs fill the last strip up; libtiff by libdeflate forgets the end of such a one. */
static void rows_beyond_the_image_are_left_out(void **state)
{
    (void)state;
    static const int compressions[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE,
        COMPRESSION_DEFLATE, COMPRESSION_ZSTD, COMPRESSION_PACKBITS};
    for (int i = 0; i < (int)(sizeof compressions / sizeof compressions[0]); i++) {
        struct recipe recipe = plain;
        struct pm_image *image = NULL;
        struct pm_err err = {0};
        recipe.bits = 8;
        recipe.h = recipe.rps = 40;
        recipe.compression = compressions[i];
        assert_int_equal(strip_with_other_height(&recipe, 33, 7 + i, &image, &err), PM_OK);
        for (int y = 0; y < 33; y++) {
            const unsigned char *row = pm_image_row(image, y);
            for (int x = 0; x < recipe.w * 3; x++) {
                assert_int_equal(row[x], 7 + i);
            }
        }
        pm_image_free(image);
    }
}

/* libtiff says no more than a warning, and leaves the missing rows as they were. */
static void a_jpeg_lower_than_its_strip_is_refused(void **state)
{
    (void)state;
    struct recipe recipe = plain;
    struct pm_image *image = NULL;
    struct pm_err err = {0};
    recipe.bits = 8;
    recipe.h = recipe.rps = 16;
    recipe.compression = COMPRESSION_JPEG;
    assert_int_equal(strip_with_other_height(&recipe, 24, 7, &image, &err), PM_EFORMAT);
    assert_null(image);
    assert_non_null(strstr(err.text, "JPEG"));
}

static void a_full_disk_says_so(void **state)
{
    (void)state;
    struct pm_image *image = noise(700, 700, 3, PM_U16); /* several strips */
    for (int c = 0; c < 3; c++) {
        struct pm_err err = {0};
        int fd = open("/dev/full", O_RDWR);
        assert_true(fd >= 0);
        assert_int_equal(pm_tiff_write(fd, "full.tif", image, (struct pm_rect){0, 0, 700, 700},
                             (enum pm_compression)c, &err),
            PM_ENOSPC);
        assert_non_null(strstr(err.text, "full.tif"));
        assert_int_equal(pm_code_fate(err.code), PM_FATE_REQUEUE);
        close(fd);
    }
    pm_image_free(image);
}

static void every_cut_is_noticed(void **state)
{
    (void)state;
    static const int compressions[] = {
        COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE, COMPRESSION_ZSTD};
    struct pm_image *image = noise(64, 30, 3, PM_U16);
    for (int i = 0; i < 4; i++) {
        struct recipe recipe = plain;
        struct file file = new_file();
        struct pm_err err = {0};
        struct stat st;
        recipe.w = 64;
        recipe.compression = compressions[i];
        assert_int_equal(make(file.path, &recipe, image->data), 0);
        assert_int_equal(read_code(file.path, &roomy, &err), PM_OK);
        assert_int_equal(fstat(file.fd, &st), 0);
        for (off_t size = st.st_size - 1; size >= 0; size -= size > 300 ? 13 : 1) {
            assert_int_equal(ftruncate(file.fd, size), 0);
            assert_int_equal(read_code(file.path, &roomy, &err), PM_EFORMAT);
        }
        close(file.fd);
    }
    pm_image_free(image);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "serve") == 0) {
        return serve();
    }
    if (argc == 3 && strcmp(argv[1], "dump") == 0) { /* for a person */
        return helper_dump(argv[2]);
    }
    TIFFSetWarningHandler(NULL); /* for the files made here; pairmill sets its own per handle */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read_bit_for_bit),
        cmocka_unit_test(large_strips_come_in_small_steps),
        cmocka_unit_test(other_kinds_are_refused_by_name),
        cmocka_unit_test(absurd_claims_are_refused_before_allocating),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(rows_beyond_the_image_are_left_out),
        cmocka_unit_test(a_jpeg_lower_than_its_strip_is_refused),
        cmocka_unit_test(a_full_disk_says_so),
        cmocka_unit_test(every_cut_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
