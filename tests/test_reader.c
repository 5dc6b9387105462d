/* reader: names, contents that are no image, and thousands of damaged files. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <tiffio.h>

#include "common/formats/png.h"
#include "common/formats/reader.h"
#include "common/formats/tiff.h"

static const struct pm_limits limits = {.max_pixels = 1 << 20, .max_bytes = 8 << 20};

struct file {
    int fd;
    char path[64];
};

static struct file new_file(const void *data, size_t n)
{
    struct file file = {.fd = memfd_create("reader", MFD_CLOEXEC)};
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    assert_int_equal(pwrite(file.fd, data, n, 0), n);
    return file;
}

static void names_are_known_by_extension(void **state)
{
    (void)state;
    static const char *const yes[] = {
        "a.tif", "a.TIFF", "a.b.Png", "\xff\xfe.tif", "with space.png"};
    static const char *const no[] = {
        "a.jpg", "tif", "a.tif.part", "a.tif~", "a.", "", "a.tifff", "a.nef", "a.dng"};
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        assert_true(pm_format_known(yes[i]));
    }
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        assert_false(pm_format_known(no[i]));
    }
}

/* Probe and read agree on what is refused at the door. */
static enum pm_code code_of(const char *path, struct pm_err *err)
{
    struct pm_image_info info;
    struct pm_image *image = NULL;
    struct pm_err probe_err = {0};
    enum pm_code rc = pm_image_read(path, &limits, NULL, NULL, &image, err);
    assert_int_equal(pm_image_probe(path, &limits, &info, &probe_err), rc);
    assert_null(image);
    assert_string_equal(probe_err.text, err->text);
    assert_non_null(strstr(err->text, path));
    return rc;
}

static void what_is_no_image_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        const char *data;
        size_t n;
        const char *says;
    } rows[] = {{"", 0, "empty (0 bytes)"}, {"I", 1, "not an image"},
        {"\xff\xd8\xff\xe0 JFIF, renamed", 18, "not an image"}, {"II*", 3, "not an image"},
        {"II*\0", 4, "damaged or truncated TIFF"},
        {"MM\0+\0\x08\0\0", 8, "damaged or truncated TIFF"},
        {"\x89PNG\r\n\x1a\n", 8, "damaged or truncated PNG"},
        {"\x89PNG\r\n\x1a", 7, "not an image"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct file file = new_file(rows[i].data, rows[i].n);
        struct pm_err err = {0};
        assert_int_equal(code_of(file.path, &err), PM_EFORMAT);
        assert_non_null(strstr(err.text, rows[i].says));
        close(file.fd);
    }
}

static void what_is_no_file_is_refused_at_once(void **state)
{
    (void)state;
    char dir[] = "/tmp/pm-test-reader-XXXXXX", name[64], link[64];
    struct pm_err err = {0};
    assert_non_null(mkdtemp(dir));
    snprintf(name, sizeof name, "%s/a.tif", dir);
    snprintf(link, sizeof link, "%s/loop.tif", dir);
    assert_int_equal(code_of(name, &err), PM_ENOENT);
    assert_int_equal(code_of(dir, &err), PM_EFORMAT);
    assert_int_equal(code_of("/dev/null", &err), PM_EFORMAT);
    assert_int_equal(mkfifo(name, 0600), 0);
    assert_int_equal(code_of(name, &err), PM_EFORMAT);
    assert_int_equal(symlink(link, link), 0);
    assert_int_equal(code_of(link, &err), PM_ENAME);
    unlink(name);
    if (geteuid() != 0) { /* root may read anything */
        int fd = open(name, O_CREAT | O_WRONLY, 0);
        close(fd);
        assert_int_equal(code_of(name, &err), PM_EACCES);
        unlink(name);
    }
    unlink(link);
    rmdir(dir);
}

static void limits_never_overflow(void **state)
{
    (void)state;
    static const struct pm_limits all = {.max_pixels = INT64_MAX};
    struct pm_err err;
    assert_int_equal(
        pm_limits_check(&all, "x", UINT64_MAX, UINT64_MAX, 3, PM_F32, &err), PM_ETOOBIG);
    assert_int_equal(pm_limits_check(&all, "x", 0x80000000, 1, 1, PM_U8, &err), PM_ETOOBIG);
    assert_int_equal(
        pm_limits_check(&all, "x", 0x7fffffff, 0x7fffffff, 3, PM_F32, &err), PM_ETOOBIG);
    assert_int_equal(pm_limits_check(&all, "x", 100000, 100000, 3, PM_F32, &err), PM_OK);
    assert_int_equal(pm_limits_check(&all, "x", 5, 0, 3, PM_F32, &err), PM_EFORMAT);
    assert_int_equal(pm_limits_check(&limits, "x", 1, 1 << 18, 1, PM_U8, &err), PM_ETOOBIG);
}

/* ---- damage ---- */

static uint64_t random_state;

static uint32_t next_random(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33);
}

/* Sound files of many kinds; the damaged ones are made from these. */
enum { W = 40, H = 33, KINDS = 10 };

static struct file make_tiff(int compression, int planar, int tiled, int photometric, int mode_big)
{
    struct file file = new_file("", 0);
    TIFF *tif = TIFFOpen(file.path, mode_big ? "w8b" : "w");
    unsigned char row[W * 3 + 8 * 16 * 3];
    TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, W);
    TIFFSetField(tif, TIFFTAG_IMAGELENGTH, H);
    TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, 3);
    TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, photometric);
    TIFFSetField(tif, TIFFTAG_COMPRESSION, compression);
    TIFFSetField(tif, TIFFTAG_PLANARCONFIG, planar);
    TIFFSetField(tif, TIFFTAG_ORIENTATION, tiled ? 6 : 1);
    if (photometric == PHOTOMETRIC_YCBCR) {
        TIFFSetField(tif, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    if (tiled) {
        TIFFSetField(tif, TIFFTAG_TILEWIDTH, 16);
        TIFFSetField(tif, TIFFTAG_TILELENGTH, 16);
    } else {
        TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, 16);
    }
    for (int i = 0; i < (int)sizeof row; i++) {
        row[i] = (unsigned char)(i * i / 7);
    }
    for (int p = 0; p < (planar == PLANARCONFIG_SEPARATE ? 3 : 1); p++) {
        for (int y = 0; y < H && !tiled; y++) {
            assert_int_equal(TIFFWriteScanline(tif, row, (uint32_t)y, (uint16_t)p), 1);
        }
        for (int i = 0; i < 9 && tiled; i++) {
            unsigned char tile[16 * 16 * 3] = {1, 2, 3};
            TIFFWriteTile(
                tif, tile, (uint32_t)(i % 3 * 16), (uint32_t)(i / 3 * 16), 0, (uint16_t)p);
        }
    }
    TIFFClose(tif);
    return file;
}

static struct file make_kind(int kind)
{
    enum { NONE = COMPRESSION_NONE, RGB = PHOTOMETRIC_RGB };
    static const int tiffs[][5] = {{NONE, 1, 0, RGB, 0}, {NONE, 2, 0, RGB, 1}, {NONE, 1, 1, RGB, 0},
        {COMPRESSION_LZW, 1, 0, RGB, 0}, {COMPRESSION_PACKBITS, 2, 1, RGB, 1},
        {COMPRESSION_JPEG, 1, 0, PHOTOMETRIC_YCBCR, 0}, {COMPRESSION_JPEG, 1, 1, RGB, 0}};
    struct file file;
    struct pm_image *image;
    uint64_t bits[H];

    if (kind < 7) {
        return make_tiff(
            tiffs[kind][0], tiffs[kind][1], tiffs[kind][2], tiffs[kind][3], tiffs[kind][4]);
    }
    file = new_file("", 0);
    if (kind == 7) {
        for (int y = 0; y < H; y++) {
            bits[y] = 0x123456789abcdef0u * (unsigned)y;
        }
        assert_int_equal(pm_png_write_mask(file.fd, "m", bits, 1, 3, W, H, NULL), PM_OK);
        return file;
    }
    assert_int_equal(pm_image_new(&image, W, H, 3, PM_F32, NULL, NULL), PM_OK);
    for (size_t i = 0; i < image->bytes; i++) {
        image->data[i] = (unsigned char)(i * i / 99);
    }
    assert_int_equal(pm_tiff_write(file.fd, "m", image, (struct pm_rect){0, 0, W, H},
                         kind == 8 ? PM_COMPRESS_ZSTD : PM_COMPRESS_DEFLATE, NULL),
        PM_OK);
    pm_image_free(image);
    return file;
}

static void sum_rows(void *ctx, const struct pm_image *image, int y0, int y1)
{
    uint64_t *sum = ctx;
    for (int y = y0; y < y1; y++) {
        const unsigned char *row = pm_image_row(image, y);
        for (size_t i = 0; i < (size_t)(image->w * image->channels); i++) {
            *sum += row[i];
        }
    }
}

/* Nothing may be printed: a library's words belong into the message. */
static int silence_begin(int *saved)
{
    int sink = memfd_create("stderr", MFD_CLOEXEC);
    fflush(stderr);
    *saved = dup(2);
    dup2(sink, 2);
    return sink;
}

static off_t silence_end(int sink, int saved)
{
    struct stat st;
    fflush(stderr);
    dup2(saved, 2);
    close(saved);
    fstat(sink, &st);
    close(sink);
    return st.st_size;
}

/* An error with a message, or pixels within the limits; never anything else. */
static enum pm_code survive(const char *path)
{
    struct pm_err err = {0};
    struct pm_image *image = NULL;
    uint64_t sum = 0;
    struct pm_row_sink sink = {sum_rows, &sum};
    int saved_stderr, printed = silence_begin(&saved_stderr);
    enum pm_code rc = pm_image_read(path, &limits, NULL, &sink, &image, &err);
    assert_int_equal(silence_end(printed, saved_stderr), 0);
    if (rc != PM_OK) {
        assert_null(image);
        assert_int_equal(err.code, rc);
        assert_non_null(strstr(err.text, path));
        assert_true(rc == PM_EFORMAT || rc == PM_EUNSUPPORTED || rc == PM_ETOOBIG);
        return rc;
    }
    assert_true((int64_t)image->w * image->h <= limits.max_pixels);
    assert_true((int64_t)image->bytes <= limits.max_bytes);
    pm_image_free(image);
    return rc;
}

static void cut_files_are_errors(void **state)
{
    (void)state;
    for (int kind = 0; kind < KINDS; kind++) {
        struct file file = make_kind(kind);
        struct stat st;
        int wrong = survive(file.path) != PM_OK;
        fstat(file.fd, &st);
        for (off_t size = st.st_size - 1; size >= 0; size -= size > 900 ? 7 : 1) {
            if (ftruncate(file.fd, size) != 0 || survive(file.path) == PM_OK) {
                print_error("kind %d cut to %d bytes is read\n", kind, (int)size);
                wrong++;
            }
        }
        close(file.fd);
        assert_int_equal(wrong, 0);
    }
}

static void mutated_files_never_crash(void **state)
{
    (void)state;
    int good = 0, bad = 0;
    random_state = 42;
    for (int kind = 0; kind < KINDS; kind++) {
        struct file file = make_kind(kind);
        unsigned char sound[16384], data[16384];
        ssize_t n = pread(file.fd, sound, sizeof sound, 0);
        assert_true(n > 64 && n < (ssize_t)sizeof sound);
        for (int round = 0; round < 700; round++) {
            memcpy(data, sound, (size_t)n);
            /* mostly in the first and last 300 bytes, where TIFF keeps its directories */
            for (uint32_t k = next_random() % 6 + 1; k > 0; k--) {
                uint32_t at =
                    next_random() % (next_random() % 3 != 0 && n > 300 ? 300 : (uint32_t)n);
                data[next_random() % 2 ? at : (uint32_t)n - 1 - at] = (unsigned char)next_random();
            }
            assert_int_equal(pwrite(file.fd, data, (size_t)n, 0), n);
            *(survive(file.path) == PM_OK ? &good : &bad) += 1;
        }
        close(file.fd);
    }
    assert_true(good > 100 && bad > 1000); /* else the damage is not of the useful sort */
#ifndef __SANITIZE_ADDRESS__
    struct rusage usage;
    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    assert_true(usage.ru_maxrss < 200 * 1024); /* KiB: nobody was made to allocate much */
#endif
}

int main(void)
{
    TIFFSetWarningHandler(NULL); /* for the files made here; pairmill sets its own per handle */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_known_by_extension),
        cmocka_unit_test(what_is_no_image_is_told_apart),
        cmocka_unit_test(what_is_no_file_is_refused_at_once),
        cmocka_unit_test(limits_never_overflow),
        cmocka_unit_test(cut_files_are_errors),
        cmocka_unit_test(mutated_files_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
