/* tiff_file: what a header says, and what is refused before a pixel is read or allocated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/formats/tiff_file.h"

static const struct pm_limits roomy = {.max_pixels = 1 << 24, .max_bytes = 1 << 28};

/* A file of one directory, little-endian; what is 0 is left out. */
struct header {
    uint32_t subfile, w, h, bits, compression, photometric, offset, orientation, samples, rps,
        count, planar, format;
    uint32_t offsets;    /* entries in the table of strips; 0: one */
    uint32_t file_bytes; /* the file's size */
};

/* 16 x 10 grey, 8 bits: 160 bytes from 512 on. */
static const struct header grey = {.w = 16,
    .h = 10,
    .bits = 8,
    .compression = COMPRESSION_NONE,
    .photometric = PHOTOMETRIC_MINISBLACK,
    .offset = 512,
    .samples = 1,
    .rps = 10,
    .count = 160,
    .file_bytes = 672};

static void add_tag(unsigned char *bytes, uint16_t tag, uint32_t n, uint32_t value)
{
    uint16_t type = TIFF_LONG, count;
    unsigned char *at;
    memcpy(&count, bytes + 8, 2);
    at = bytes + 10 + 12 * (size_t)count++;
    memcpy(bytes + 8, &count, 2);
    memcpy(at, &tag, 2);
    memcpy(at + 2, &type, 2);
    memcpy(at + 4, &n, 4);
    memcpy(at + 8, &value, 4);
}

static int new_file(const struct header *h)
{
    const uint32_t tags[][2] = {{TIFFTAG_SUBFILETYPE, h->subfile}, {TIFFTAG_IMAGEWIDTH, h->w},
        {TIFFTAG_IMAGELENGTH, h->h}, {TIFFTAG_BITSPERSAMPLE, h->bits},
        {TIFFTAG_COMPRESSION, h->compression}, {TIFFTAG_PHOTOMETRIC, h->photometric},
        {TIFFTAG_STRIPOFFSETS, h->offset}, {TIFFTAG_ORIENTATION, h->orientation},
        {TIFFTAG_SAMPLESPERPIXEL, h->samples}, {TIFFTAG_ROWSPERSTRIP, h->rps},
        {TIFFTAG_STRIPBYTECOUNTS, h->count}, {TIFFTAG_PLANARCONFIG, h->planar},
        {TIFFTAG_SAMPLEFORMAT, h->format}};
    unsigned char bytes[512] = {'I', 'I', 42, 0, 8};
    int fd = memfd_create("tiff_file", MFD_CLOEXEC);
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        bool table = tags[i][0] == TIFFTAG_STRIPOFFSETS || tags[i][0] == TIFFTAG_STRIPBYTECOUNTS;
        if (tags[i][1] != 0 || tags[i][0] == TIFFTAG_PHOTOMETRIC) {
            add_tag(
                bytes, (uint16_t)tags[i][0], table && h->offsets > 0 ? h->offsets : 1, tags[i][1]);
        }
    }
    assert_int_equal(pwrite(fd, bytes, sizeof bytes, 0), sizeof bytes);
    assert_int_equal(ftruncate(fd, h->file_bytes), 0);
    return fd;
}

static enum pm_code code_of(const struct header *h, const struct pm_limits *limits,
    struct pm_tiff_layout *layout, struct pm_err *err)
{
    struct pm_tiff_file file;
    int fd = new_file(h);
    enum pm_code rc = pm_tiff_file_init(&file, fd, "a.tif", limits, err);
    *layout = file.layout;
    if (rc != PM_OK) {
        assert_int_equal(err->code, rc);
        assert_non_null(strstr(err->text, "a.tif: "));
    }
    pm_tiff_file_fini(&file); /* also after an error */
    close(fd);
    return rc;
}

static void a_sound_header_is_laid_out(void **state)
{
    (void)state;
    struct pm_tiff_layout l;
    struct pm_err err = {0};
    struct header h = grey;
    assert_int_equal(code_of(&h, &roomy, &l, &err), PM_OK);
    assert_int_equal(l.w, 16);
    assert_int_equal(l.h, 10);
    assert_int_equal(l.channels, 1);
    assert_int_equal(l.sample, PM_U8);
    assert_int_equal(l.orientation, 1);
    assert_false(l.invert || l.separate || l.tiled || l.ycbcr || l.bits_reversed);
    assert_int_equal(l.across * l.down, 1);
    assert_int_equal(l.row_bytes, 16);
    assert_int_equal(l.block_bytes, 160);
    assert_int_equal(l.count_max, 160);

    h.photometric = PHOTOMETRIC_MINISWHITE;
    h.orientation = 6;
    h.rps = UINT32_MAX; /* one strip, whatever the height */
    assert_int_equal(code_of(&h, &roomy, &l, &err), PM_OK);
    assert_true(l.invert);
    assert_int_equal(l.orientation, 6);
    assert_int_equal(l.block_h, 10);

    h = grey;
    h.orientation = 9; /* no such: as if it were not there */
    assert_int_equal(code_of(&h, &roomy, &l, &err), PM_OK);
    assert_int_equal(l.orientation, 1);
}

static void samples_and_extras_are_told_apart(void **state)
{
    (void)state;
    static const struct {
        uint32_t bits, format, samples, photometric;
        enum pm_sample sample;
        int channels;
    } rows[] = {{8, SAMPLEFORMAT_UINT, 3, PHOTOMETRIC_RGB, PM_U8, 3},
        {16, SAMPLEFORMAT_VOID, 4, PHOTOMETRIC_RGB, PM_U16, 3},
        {16, SAMPLEFORMAT_IEEEFP, 1, PHOTOMETRIC_MINISBLACK, PM_F16, 1},
        {32, SAMPLEFORMAT_IEEEFP, 2, PHOTOMETRIC_MINISBLACK, PM_F32, 1},
        {16, SAMPLEFORMAT_UINT, 16, PHOTOMETRIC_RGB, PM_U16, 3}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pm_tiff_layout l;
        struct pm_err err = {0};
        struct header h = grey;
        h.bits = rows[i].bits;
        h.format = rows[i].format;
        h.samples = rows[i].samples;
        h.photometric = rows[i].photometric;
        h.count = 160 * h.samples * h.bits / 8;
        h.file_bytes = 512 + h.count;
        assert_int_equal(code_of(&h, &roomy, &l, &err), PM_OK);
        assert_int_equal(l.sample, rows[i].sample);
        assert_int_equal(l.samples, rows[i].samples);
        assert_int_equal(l.channels, rows[i].channels);
        assert_int_equal(l.block_bytes, h.count);
        h.file_bytes--; /* the same, one byte short */
        assert_int_equal(code_of(&h, &roomy, &l, &err), PM_EFORMAT);
        assert_non_null(strstr(err.text, "truncated"));
    }
}

static void other_kinds_are_named(void **state)
{
    (void)state;
    static const struct {
        size_t field; /* of struct header */
        uint32_t value;
        enum pm_code code;
        const char *says;
    } rows[] = {{offsetof(struct header, bits), 32, PM_EUNSUPPORTED, "32-bit integer"},
        {offsetof(struct header, format), SAMPLEFORMAT_INT, PM_EUNSUPPORTED, "signed"},
        {offsetof(struct header, photometric), PHOTOMETRIC_CFA, PM_EUNSUPPORTED, "mosaic"},
        {offsetof(struct header, photometric), 777, PM_EUNSUPPORTED, "unknown kind"},
        {offsetof(struct header, photometric), PHOTOMETRIC_RGB, PM_EFORMAT, "RGB with 1 sample "},
        {offsetof(struct header, samples), 3, PM_EUNSUPPORTED, "grey TIFF with 3"},
        {offsetof(struct header, compression), 12345, PM_EUNSUPPORTED, "method 12345"},
        {offsetof(struct header, subfile), FILETYPE_REDUCEDIMAGE, PM_EUNSUPPORTED, "preview"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct pm_tiff_layout l;
        struct pm_err err = {0};
        struct header h = grey;
        memcpy((char *)&h + rows[i].field, &rows[i].value, sizeof rows[i].value);
        assert_int_equal(code_of(&h, &roomy, &l, &err), rows[i].code);
        assert_non_null(strstr(err.text, rows[i].says));
    }
}

/* Limits come before the tables of strips: these files have none that could be read. */
static void limits_come_first(void **state)
{
    (void)state;
    static const struct {
        uint32_t w, h;
        enum pm_code code;
    } sizes[] = {{4097, 4096, PM_ETOOBIG}, {UINT32_MAX, UINT32_MAX, PM_ETOOBIG},
        {0x7fffffff, 1, PM_ETOOBIG}, {1, 0x7fffffff, PM_ETOOBIG}, {0x80000000, 2, PM_ETOOBIG},
        {4096, 4096, PM_EFORMAT}}; /* within them: then the table is looked at */
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct pm_tiff_layout l;
        struct pm_err err = {0};
        struct header h = grey;
        h.w = sizes[i].w;
        h.h = sizes[i].h;
        h.rps = 1;
        h.offsets = 0x30000000; /* 3 GiB each, in a file of 672 bytes */
        assert_int_equal(code_of(&h, &roomy, &l, &err), sizes[i].code);
    }
}

static void limits_are_exact(void **state)
{
    (void)state;
    struct pm_tiff_layout l;
    struct pm_err err = {0};
    /* 16 bytes a row, padded to 64 */
    assert_int_equal(
        code_of(&grey, &(struct pm_limits){.max_pixels = 160, .max_bytes = 640}, &l, &err), PM_OK);
    assert_int_equal(
        code_of(&grey, &(struct pm_limits){.max_pixels = 159, .max_bytes = 640}, &l, &err),
        PM_ETOOBIG);
    assert_int_equal(
        code_of(&grey, &(struct pm_limits){.max_pixels = 160, .max_bytes = 639}, &l, &err),
        PM_ETOOBIG);
    struct header turned = grey; /* 16 rows then */
    turned.orientation = 5;
    assert_int_equal(
        code_of(&turned, &(struct pm_limits){.max_pixels = 160, .max_bytes = 1024}, &l, &err),
        PM_OK);
    assert_int_equal(
        code_of(&turned, &(struct pm_limits){.max_pixels = 160, .max_bytes = 1023}, &l, &err),
        PM_ETOOBIG);
}

static void strips_must_lie_in_the_file(void **state)
{
    (void)state;
    static const struct {
        uint32_t offset, count, rps, offsets, file_bytes, compression;
    } rows[] = {{513, 160, 10, 0, 672, COMPRESSION_NONE},    /* one byte beyond the end */
        {512, 161, 10, 0, 672, COMPRESSION_PACKBITS},        /* longer than the file */
        {0xffffff00, 160, 10, 0, 672, COMPRESSION_NONE},     /* far outside */
        {512, 0xffffff00, 10, 0, 672, COMPRESSION_PACKBITS}, /* offset + count wraps in 32 bits */
        {4, 160, 10, 0, 672, COMPRESSION_NONE},              /* on the header */
        {512, 160, 1, 0, 672, COMPRESSION_NONE},             /* ten strips, one in the table */
        {512, 512, 1, 10, 540, COMPRESSION_NONE},            /* a table that is cut off */
        {512, 160, 10, 0, 512, COMPRESSION_NONE}};           /* no pixels at all */
    struct pm_tiff_layout l;
    struct pm_err err = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct header h = grey;
        h.offset = rows[i].offset;
        h.count = rows[i].count;
        h.rps = rows[i].rps;
        h.offsets = rows[i].offsets;
        h.file_bytes = rows[i].file_bytes;
        h.compression = rows[i].compression;
        assert_int_equal(code_of(&h, &roomy, &l, &err), PM_EFORMAT);
    }
    /* libtiff puts right the count of a lone strip whose rows are all there */
    struct header h = grey;
    h.count = 0xffffff00;
    assert_int_equal(code_of(&h, &roomy, &l, &err), PM_OK);
    assert_int_equal(l.count_max, 160);
}

/* No header at all, or cut anywhere: refused, and fini has nothing to trip over. */
static void a_cut_header_is_refused(void **state)
{
    (void)state;
    struct pm_tiff_layout l;
    struct pm_err err = {0};
    for (uint32_t size = 0; size < 140; size++) { /* ten tags end at 130, the next link at 134 */
        struct header h = grey;
        h.file_bytes = size;
        assert_int_equal(code_of(&h, &roomy, &l, &err), PM_EFORMAT);
    }
    struct pm_tiff_file none = {.tif = NULL};
    pm_tiff_file_fini(&none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sound_header_is_laid_out),
        cmocka_unit_test(samples_and_extras_are_told_apart),
        cmocka_unit_test(other_kinds_are_named),
        cmocka_unit_test(limits_come_first),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(strips_must_lie_in_the_file),
        cmocka_unit_test(a_cut_header_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
