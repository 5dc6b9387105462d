#include "common/formats/reader.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/formats/png.h"
#include "common/formats/tiff.h"
#include "common/infile.h"

#define MAGIC_BYTES 8

/* The content decides which format reads a file; the name only whether it is looked at at all. */
static const struct format {
    const char *extensions[3]; /* NULL ends the list */
    struct magic {
        size_t n;
        unsigned char bytes[MAGIC_BYTES];
    } magics[4]; /* n 0 ends the list */
    enum pm_code (*probe)(int fd, const char *path, const struct pm_limits *limits,
        struct pm_image_info *info, struct pm_err *err);
    enum pm_code (*read)(int fd, const char *path, const struct pm_limits *limits,
        struct pm_bufpool *pool, const struct pm_row_sink *sink, struct pm_image **out,
        struct pm_err *err);
} formats[] = {
    {
        {".tif", ".tiff", NULL},
        {{4, "II*\0"}, {4, "MM\0*"}, {4, "II+\0"}, {4, "MM\0+"}}, /* the latter two: BigTIFF */
        pm_tiff_probe,
        pm_tiff_read,
    },
    {
        {".png", NULL},
        {{8, {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'}}},
        pm_png_probe,
        pm_png_read,
    },
};
#define FORMATS (sizeof formats / sizeof formats[0])

bool pm_format_known(const char *file_name)
{
    const char *dot = strrchr(file_name, '.');
    if (dot == NULL) {
        return false;
    }
    for (size_t i = 0; i < FORMATS; i++) {
        for (const char *const *ext = formats[i].extensions; *ext != NULL; ext++) {
            if (strcasecmp(dot, *ext) == 0) {
                return true;
            }
        }
    }
    return false;
}

enum pm_code pm_limits_check(const struct pm_limits *limits, const char *path, uint64_t w,
    uint64_t h, int channels, enum pm_sample sample, struct pm_err *err)
{
    uint64_t row_bytes;

    if (w == 0 || h == 0) {
        return pm_err_set(
            err, PM_EFORMAT, "%s: the image is %" PRIu64 "x%" PRIu64 " pixels", path, w, h);
    }
    if (w > INT_MAX || h > INT_MAX || w > (uint64_t)limits->max_pixels / h) {
        return pm_err_set(err, PM_ETOOBIG,
            "%s: claims %" PRIu64 "x%" PRIu64 " pixels, more than max_pixels %" PRId64, path, w, h,
            limits->max_pixels);
    }
    /* Divided as above, since a row is padded and h rows of it may be more than 64 bits hold. */
    row_bytes = pm_image_bytes((int)w, 1, channels, sample);
    if (row_bytes > (uint64_t)(limits->max_bytes > 0 ? limits->max_bytes : INT64_MAX) / h) {
        return pm_err_set(err, PM_ETOOBIG,
            "%s: %" PRIu64 "x%" PRIu64 " pixels of %d x %s would take more than %" PRId64
            " bytes of memory",
            path, w, h, channels, pm_sample_name(sample), limits->max_bytes);
    }
    return PM_OK;
}

static bool begins_with(const struct format *format, const unsigned char *head, size_t n)
{
    for (size_t i = 0; i < sizeof format->magics / sizeof format->magics[0]; i++) {
        const struct magic *magic = &format->magics[i];
        if (magic->n != 0 && n >= magic->n && memcmp(head, magic->bytes, magic->n) == 0) {
            return true;
        }
    }
    return false;
}

static enum pm_code recognise(
    int fd, int64_t size, const char *path, const struct format **format, struct pm_err *err)
{
    unsigned char head[MAGIC_BYTES];
    int64_t n;

    if (size == 0) {
        return pm_err_set(err, PM_EFORMAT, "%s: the file is empty (0 bytes); copy it again", path);
    }
    n = pm_infile_pread(fd, head, sizeof head, 0);
    if (n < 0) {
        return pm_err_errno(err, errno, "%s: cannot read", path);
    }
    for (size_t i = 0; i < FORMATS; i++) {
        if (begins_with(&formats[i], head, (size_t)n)) {
            *format = &formats[i];
            return PM_OK;
        }
    }
    return pm_err_set(err, PM_EFORMAT,
        "%s: not an image: its first bytes are neither a TIFF's nor a PNG's; replace or remove it",
        path);
}

/* On PM_OK the caller closes *fd. */
static enum pm_code open_image(const char *path, const struct pm_limits *limits, int *fd,
    const struct format **format, struct pm_err *err)
{
    int64_t size;
    enum pm_code rc = pm_infile_open_below(fd, &size, path, limits->root_bytes, err);
    if (rc != PM_OK) {
        return rc;
    }
    rc = recognise(*fd, size, path, format, err);
    assert(rc != PM_OK || *format != NULL);
    if (rc != PM_OK) {
        close(*fd);
    }
    return rc;
}

enum pm_code pm_image_probe(const char *path, const struct pm_limits *limits,
    struct pm_image_info *info, struct pm_err *err)
{
    const struct format *format = NULL;
    int fd;
    enum pm_code rc = open_image(path, limits, &fd, &format, err);
    if (rc != PM_OK) {
        return rc;
    }
    rc = format->probe(fd, path, limits, info, err);
    close(fd);
    return rc;
}

enum pm_code pm_image_read(const char *path, const struct pm_limits *limits,
    struct pm_bufpool *pool, const struct pm_row_sink *sink, struct pm_image **out,
    struct pm_err *err)
{
    const struct format *format = NULL;
    int fd;
    enum pm_code rc = open_image(path, limits, &fd, &format, err);
    if (rc != PM_OK) {
        return rc;
    }
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    rc = format->read(fd, path, limits, pool, sink, out, err);
    close(fd);
    return rc;
}
