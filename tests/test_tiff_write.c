/* tiff_write: what lies in the file, by libtiff itself and not by our reader; and full disks. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <tiffio.h>

#include "common/formats/tiff.h"

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

static uint16_t tag(TIFF *tif, uint32_t which)
{
    uint16_t value = 0xfffe;
    assert_int_equal(TIFFGetFieldDefaulted(tif, which, &value), 1);
    return value;
}

static void check_tags(TIFF *tif, const struct pm_image *image, struct pm_rect rect)
{
    bool is_float = image->sample == PM_F16 || image->sample == PM_F32;
    uint32_t w = 0, h = 0;
    assert_int_equal(TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &w), 1);
    assert_int_equal(TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &h), 1);
    assert_int_equal(w, rect.w);
    assert_int_equal(h, rect.h);
    assert_int_equal(tag(tif, TIFFTAG_SAMPLESPERPIXEL), image->channels);
    assert_int_equal(tag(tif, TIFFTAG_BITSPERSAMPLE), 8 * pm_sample_bytes(image->sample));
    assert_int_equal(
        tag(tif, TIFFTAG_SAMPLEFORMAT), is_float ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT);
    assert_int_equal(tag(tif, TIFFTAG_PHOTOMETRIC),
        image->channels == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
    assert_int_equal(tag(tif, TIFFTAG_PLANARCONFIG), PLANARCONFIG_CONTIG);
    assert_int_equal(tag(tif, TIFFTAG_ORIENTATION), ORIENTATION_TOPLEFT);
    assert_int_equal(TIFFIsTiled(tif), 0);
    assert_int_equal(TIFFNumberOfDirectories(tif), 1);
}

static void check_pixels(TIFF *tif, const struct pm_image *image, struct pm_rect rect)
{
    size_t pixel = (size_t)image->channels * pm_sample_bytes(image->sample);
    size_t row_bytes = (size_t)rect.w * pixel;
    unsigned char *row = malloc(row_bytes);
    assert_int_equal(TIFFScanlineSize64(tif), row_bytes);
    for (int y = 0; y < rect.h; y++) {
        const unsigned char *want = pm_image_row(image, rect.y + y);
        assert_int_equal(TIFFReadScanline(tif, row, (uint32_t)y, 0), 1);
        assert_memory_equal(row, want + (size_t)rect.x * pixel, row_bytes);
    }
    free(row);
}

/* Writes rect to a new file and reads it back; returns the number of strips. */
static uint32_t check_write(
    const struct pm_image *image, struct pm_rect rect, enum pm_compression compression)
{
    static const uint16_t methods[] = {
        COMPRESSION_NONE, COMPRESSION_ZSTD, COMPRESSION_ADOBE_DEFLATE};
    int fd = memfd_create("tiff_write", MFD_CLOEXEC);
    struct pm_err err = {0};
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    assert_int_equal(pm_tiff_write(fd, "out.tif", image, rect, compression, &err), PM_OK);
    assert_true(fcntl(fd, F_GETFD) >= 0); /* not closed */
    TIFF *tif = TIFFOpen(path, "rc");     /* strips as they are */
    assert_non_null(tif);
    check_tags(tif, image, rect);
    assert_int_equal(tag(tif, TIFFTAG_COMPRESSION), methods[compression]);
    if (compression != PM_COMPRESS_NONE) {
        assert_int_equal(tag(tif, TIFFTAG_PREDICTOR),
            image->sample >= PM_F16 ? PREDICTOR_FLOATINGPOINT : PREDICTOR_HORIZONTAL);
    }
    check_pixels(tif, image, rect);
    uint32_t strips = TIFFNumberOfStrips(tif);
    TIFFClose(tif);
    close(fd);
    return strips;
}

static void every_sample_type_survives_every_compression(void **state)
{
    (void)state;
    static const enum pm_sample samples[] = {PM_U8, PM_U16, PM_F16, PM_F32};
    for (int i = 0; i < 4 * 2 * 3; i++) {
        struct pm_image *image = noise(61, 43, i / 4 % 2 ? 3 : 1, samples[i % 4]);
        assert_int_equal(
            check_write(image, (struct pm_rect){0, 0, 61, 43}, (enum pm_compression)(i / 8)), 1);
        pm_image_free(image);
    }
}

static void a_rect_is_cut_out_of_the_image(void **state)
{
    (void)state;
    static const struct pm_rect rects[] = {{0, 0, 1, 1}, {60, 42, 1, 1}, {5, 7, 20, 30},
        {0, 42, 61, 1}, {60, 0, 1, 43}, {1, 1, 60, 42}};
    struct pm_image *image = noise(61, 43, 3, PM_U16);
    for (size_t i = 0; i < sizeof rects / sizeof rects[0] * 3; i++) {
        check_write(image, rects[i / 3], (enum pm_compression)(i % 3));
    }
    pm_image_free(image);
}

/* 1 MiB each, and whole rows: 3000 bytes a row, so 349 of them; and rows larger than a strip. */
static void large_images_have_several_strips(void **state)
{
    (void)state;
    struct pm_image *image = noise(500, 720, 3, PM_U16);
    struct pm_image *wide = noise(100000, 3, 3, PM_F32);
    for (int c = 0; c < 3; c++) {
        assert_int_equal(
            check_write(image, (struct pm_rect){0, 0, 500, 720}, (enum pm_compression)c), 3);
    }
    assert_int_equal(check_write(wide, (struct pm_rect){0, 0, 100000, 3}, PM_COMPRESS_NONE), 3);
    pm_image_free(wide);
    pm_image_free(image);
}

static void a_full_disk_is_told_as_such(void **state)
{
    (void)state;
    struct pm_image *image = noise(500, 720, 3, PM_U16);
    static const struct pm_rect rects[] = {{0, 0, 500, 720}, {3, 3, 1, 1}};
    for (int i = 0; i < 6; i++) {
        struct pm_err err = {0};
        int fd = open("/dev/full", O_RDWR | O_CLOEXEC);
        assert_true(fd >= 0);
        assert_int_equal(
            pm_tiff_write(fd, "out.tif", image, rects[i / 3], (enum pm_compression)(i % 3), &err),
            PM_ENOSPC);
        assert_int_equal(err.sys_errno, ENOSPC);
        assert_non_null(strstr(err.text, "out.tif: cannot write"));
        close(fd);
    }
    pm_image_free(image);
}

static void what_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    struct pm_image *image = noise(8, 8, 1, PM_U8);
    struct pm_err err = {0};
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(
        pm_tiff_write(fd, "out.tif", image, (struct pm_rect){0, 0, 8, 8}, PM_COMPRESS_NONE, &err),
        PM_EIO);
    assert_int_equal(err.sys_errno, EBADF);
    assert_int_equal(
        pm_tiff_write(fd, "out.tif", image, (struct pm_rect){0, 0, 8, 8}, PM_COMPRESS_ZSTD, NULL),
        PM_EIO);
    close(fd);
    pm_image_free(image);
}

/* A bug of ours, so an assertion; in a process of its own. */
static void a_rect_outside_the_image_is_never_written(void **state)
{
    (void)state;
    static const struct pm_rect rects[] = {{-1, 0, 4, 4}, {0, -1, 4, 4}, {5, 0, 4, 4}, {0, 5, 4, 4},
        {0, 0, 9, 8}, {0, 0, 8, 9}, {2147483647, 0, 4, 4}, {0, 0, 4, -1}};
    struct pm_image *image = noise(8, 8, 1, PM_U8);
    for (size_t i = 0; i < sizeof rects / sizeof rects[0]; i++) {
        int status = 0;
        int fd = memfd_create("tiff_write", MFD_CLOEXEC);
        pid_t child = fork();
        if (child == 0) {
            signal(SIGABRT, SIG_DFL); /* not cmocka's */
            close(STDERR_FILENO);
            pm_tiff_write(fd, "out.tif", image, rects[i], PM_COMPRESS_NONE, NULL);
            _exit(0);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
        assert_int_equal(lseek(fd, 0, SEEK_END), 0);
        close(fd);
    }
    pm_image_free(image);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_sample_type_survives_every_compression),
        cmocka_unit_test(a_rect_is_cut_out_of_the_image),
        cmocka_unit_test(large_images_have_several_strips),
        cmocka_unit_test(a_full_disk_is_told_as_such),
        cmocka_unit_test(what_cannot_be_written_is_an_error),
        cmocka_unit_test(a_rect_outside_the_image_is_never_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
