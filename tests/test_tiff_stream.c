/* tiff_stream: positions, the end of the file, and what libtiff says is kept and never printed. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/formats/tiff_stream.h"

/* What is printed on the way; bytes of it at the end. */
struct hush {
    int saved, caught;
};

static struct hush hush_begin(void)
{
    struct hush hush = {dup(STDERR_FILENO), memfd_create("stderr", MFD_CLOEXEC)};
    fflush(stderr);
    dup2(hush.caught, STDERR_FILENO);
    return hush;
}

static off_t hush_end(struct hush hush)
{
    fflush(stderr);
    off_t printed = lseek(STDERR_FILENO, 0, SEEK_CUR);
    dup2(hush.saved, STDERR_FILENO);
    close(hush.saved);
    close(hush.caught);
    return printed;
}

/* An 8x4 grey image, one strip. */
static struct pm_tiff_stream new_file(void)
{
    static const unsigned char pixels[32] = {1, 2, 3};
    struct pm_tiff_stream stream = {.fd = memfd_create("tiff_stream", MFD_CLOEXEC)};
    TIFF *tif = pm_tiff_stream_open(&stream, "w");
    assert_non_null(tif);
    TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, 8);
    TIFFSetField(tif, TIFFTAG_IMAGELENGTH, 4);
    TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, 4);
    assert_int_equal(TIFFWriteEncodedStrip(tif, 0, (void *)(uintptr_t)pixels, 32), 32);
    assert_int_equal(TIFFWriteDirectory(tif), 1);
    TIFFClose(tif);
    assert_int_equal(stream.sys_errno, 0);
    assert_int_equal(stream.size, lseek(stream.fd, 0, SEEK_END));
    return (struct pm_tiff_stream){.fd = stream.fd, .size = stream.size};
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    struct pm_tiff_stream stream = new_file();
    unsigned char pixels[32] = {0};
    TIFF *tif = pm_tiff_stream_open(&stream, "rm");
    assert_non_null(tif);
    assert_int_equal(TIFFReadEncodedStrip(tif, 0, pixels, 32), 32);
    assert_int_equal(pixels[2], 3);
    TIFFClose(tif);
    assert_int_equal(stream.said[0], '\0');
    assert_false(stream.doubtful);
    assert_true(fcntl(stream.fd, F_GETFD) >= 0); /* the descriptor is still the caller's */
    close(stream.fd);
}

static void positions_stay_sound(void **state)
{
    (void)state;
    struct pm_tiff_stream stream = new_file();
    TIFF *tif = pm_tiff_stream_open(&stream, "rm");
    assert_non_null(tif);
    thandle_t handle = TIFFClientdata(tif);
    TIFFSeekProc seek = TIFFGetSeekProc(tif);
    TIFFReadWriteProc read_proc = TIFFGetReadProc(tif);
    toff_t size = (toff_t)stream.size;
    char data[16];

    assert_int_equal(TIFFGetSizeProc(tif)(handle), size);
    assert_int_equal(seek(handle, 5, SEEK_SET), 5);
    assert_int_equal(seek(handle, 5, SEEK_CUR), 10);
    assert_int_equal(seek(handle, 0, SEEK_END), size);
    assert_int_equal(seek(handle, (toff_t)-1, SEEK_SET), (toff_t)-1); /* made up by damage */
    assert_int_equal(seek(handle, INT64_MAX, SEEK_CUR), (toff_t)-1);
    assert_int_equal(stream.pos, stream.size); /* not moved by these */
    assert_int_equal(read_proc(handle, data, 16), 0);
    assert_int_equal(seek(handle, size - 3, SEEK_SET), size - 3);
    assert_int_equal(read_proc(handle, data, 16), 3);
    assert_int_equal(seek(handle, INT64_MAX - 4096, SEEK_SET), INT64_MAX - 4096);
    assert_int_equal(read_proc(handle, data, 16), 0);
    assert_int_equal(seek(handle, 0, SEEK_SET), 0);
    assert_int_equal(read_proc(handle, data, 2), 2);
    assert_true(memcmp(data, "II", 2) == 0 || memcmp(data, "MM", 2) == 0);
    assert_int_equal(stream.sys_errno, 0); /* the end of a file is no error of the system's */
    TIFFClose(tif);
    close(stream.fd);
}

/* Cut behind our back, after size was taken. */
static void reading_past_the_end_is_a_bad_file(void **state)
{
    (void)state;
    struct pm_tiff_stream stream = new_file();
    struct pm_err err = {0};
    unsigned char pixels[32];
    struct hush hush = hush_begin();
    TIFF *tif = pm_tiff_stream_open(&stream, "rm");
    int cut = ftruncate(stream.fd, 12);
    tmsize_t got = tif != NULL ? TIFFReadEncodedStrip(tif, 0, pixels, 32) : 0;
    off_t printed = hush_end(hush);
    assert_int_equal(cut, 0);
    assert_int_equal(got, -1);
    assert_int_equal(printed, 0);
    assert_int_not_equal(stream.said[0], '\0');
    assert_int_equal(stream.sys_errno, 0);
    assert_int_equal(pm_tiff_stream_fail(&stream, "a.tif", &err), PM_EFORMAT);
    assert_non_null(strstr(err.text, "a.tif: "));
    assert_non_null(strstr(err.text, stream.said));
    TIFFClose(tif);
    close(stream.fd);
}

static void no_tiff_gives_no_handle_and_a_reason(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "II", "not a TIFF at all"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct pm_tiff_stream stream = {.fd = memfd_create("tiff_stream", MFD_CLOEXEC)};
        stream.size = (int64_t)strlen(texts[i]);
        assert_int_equal(write(stream.fd, texts[i], strlen(texts[i])), stream.size);
        struct hush hush = hush_begin();
        TIFF *tif = pm_tiff_stream_open(&stream, "rm");
        off_t printed = hush_end(hush);
        assert_null(tif);
        assert_int_equal(printed, 0);
        assert_int_not_equal(stream.said[0], '\0');
        close(stream.fd);
    }
}

static void the_first_message_is_kept(void **state)
{
    (void)state;
    struct pm_tiff_stream stream = new_file();
    struct pm_err err = {0};
    char longer[600];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    struct hush hush = hush_begin();
    TIFF *tif = pm_tiff_stream_open(&stream, "rm");
    if (tif != NULL) {
        TIFFErrorExtR(tif, "here", "%s has %d faults", "it", 3);
        TIFFErrorExtR(tif, "there", "and another");
        TIFFErrorExtR(tif, "there", "%s", longer);
    }
    off_t printed = hush_end(hush);
    assert_non_null(tif);
    assert_int_equal(printed, 0);
    assert_string_equal(stream.said, "it has 3 faults");
    assert_int_equal(pm_tiff_stream_fail(&stream, "a.tif", &err), PM_EFORMAT);
    assert_non_null(strstr(err.text, "it has 3 faults"));
    stream.said[0] = '\0';
    TIFFErrorExtR(tif, "there", "%s", longer);
    assert_int_equal(strlen(stream.said), sizeof stream.said - 1); /* cut to fit */
    TIFFClose(tif);
    close(stream.fd);
}

static void only_warnings_that_touch_pixels_are_doubts(void **state)
{
    (void)state;
    struct pm_tiff_stream stream = new_file();
    struct hush hush = hush_begin();
    TIFF *tif = pm_tiff_stream_open(&stream, "rm");
    bool doubted_early = true;
    if (tif != NULL) {
        TIFFWarningExtR(tif, "TIFFReadDirectory", "Unknown field with tag %d", 33333);
        TIFFWarningExtR(tif, NULL, "Something else");
        doubted_early = stream.doubtful || stream.said[0] != '\0';
        TIFFWarningExtR(tif, "JPEGLib", "Premature end of %s", "JPEG file");
        TIFFWarningExtR(tif, "TIFFFetchNormalTag", "IO error during reading of \"%s\"", "Model");
    }
    off_t printed = hush_end(hush);
    assert_non_null(tif);
    assert_int_equal(printed, 0);
    assert_false(doubted_early);
    assert_true(stream.doubtful);
    assert_string_equal(stream.said, "Premature end of JPEG file");
    TIFFClose(tif);

    stream = (struct pm_tiff_stream){.fd = stream.fd, .size = stream.size};
    tif = pm_tiff_stream_open(&stream, "rm");
    assert_non_null(tif);
    TIFFWarningExtR(tif, "TIFFFetchNormalTag", "IO error during reading of \"%s\"", "Model");
    assert_true(stream.doubtful);
    assert_string_equal(stream.said, "IO error during reading of \"Model\"");
    stream.doubtful = false; /* both leave rows as they were, or made up */
    TIFFWarningExtR(tif, "PackBitsDecode", "Discarding %d bytes to avoid buffer overrun", 3);
    assert_true(stream.doubtful);
    stream.doubtful = false;
    TIFFWarningExtR(tif, "JPEGPreDecode",
        "Improper JPEG strip/tile size, expected %dx%d, got %dx%d", 1, 2, 1, 1);
    assert_true(stream.doubtful);
    TIFFClose(tif);
    close(stream.fd);
}

static void the_systems_error_comes_first(void **state)
{
    (void)state;
    struct pm_err err = {0};
    struct pm_tiff_stream folder = {
        .fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), .size = 99};
    struct pm_tiff_stream full = {.fd = open("/dev/full", O_RDWR | O_CLOEXEC)};
    struct pm_tiff_stream silent = {.fd = -1};
    struct hush hush = hush_begin();
    TIFF *unread = pm_tiff_stream_open(&folder, "rm");
    TIFF *unwritten = pm_tiff_stream_open(&full, "w");
    off_t printed = hush_end(hush);

    assert_int_equal(printed, 0);
    assert_null(unread);
    assert_int_equal(folder.sys_errno, EISDIR);
    assert_int_equal(pm_tiff_stream_fail(&folder, "a.tif", &err), PM_EIO);
    assert_int_equal(err.sys_errno, EISDIR);
    assert_non_null(strstr(err.text, "a.tif: cannot read"));
    assert_null(unwritten);
    assert_int_equal(full.sys_errno, ENOSPC);
    assert_int_equal(pm_tiff_stream_fail(&silent, "a.tif", &err), PM_EFORMAT);
    assert_non_null(strstr(err.text, "no reason"));
    close(folder.fd);
    close(full.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(positions_stay_sound),
        cmocka_unit_test(reading_past_the_end_is_a_bad_file),
        cmocka_unit_test(no_tiff_gives_no_handle_and_a_reason),
        cmocka_unit_test(the_first_message_is_kept),
        cmocka_unit_test(only_warnings_that_touch_pixels_are_doubts),
        cmocka_unit_test(the_systems_error_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
