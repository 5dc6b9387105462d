#include "common/formats/tiff_stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/infile.h"

/* No single allocation of libtiff's may be larger: compressed tiles, tables a header asks for. */
#define LIBTIFF_ALLOC_MAX ((tmsize_t)512 << 20)

static tmsize_t stream_read(thandle_t handle, void *data, tmsize_t n)
{
    struct pm_tiff_stream *stream = handle;
    int64_t got = 0;
    if (stream->pos <= stream->size) { /* beyond: damage made it up; that is no error of the disk */
        got = pm_infile_pread(stream->fd, data, (size_t)n, stream->pos);
    }
    if (got < 0) {
        stream->sys_errno = stream->sys_errno != 0 ? stream->sys_errno : errno;
        return -1;
    }
    stream->pos += got;
    return (tmsize_t)got;
}

static tmsize_t stream_write(thandle_t handle, void *data, tmsize_t n)
{
    struct pm_tiff_stream *stream = handle;
    tmsize_t done = 0;
    while (done < n) {
        ssize_t put =
            pwrite(stream->fd, (char *)data + done, (size_t)(n - done), (off_t)stream->pos);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            stream->sys_errno = stream->sys_errno != 0 ? stream->sys_errno : errno;
            return -1;
        }
        done += put;
        stream->pos += put;
    }
    stream->size = stream->pos > stream->size ? stream->pos : stream->size;
    return done;
}

static toff_t stream_seek(thandle_t handle, toff_t offset, int whence)
{
    struct pm_tiff_stream *stream = handle;
    int64_t base = whence == SEEK_CUR ? stream->pos : whence == SEEK_END ? stream->size : 0;
    /* An offset made up by damage. */
    if ((int64_t)offset < 0 || base > INT64_MAX - (int64_t)offset) {
        return (toff_t)-1;
    }
    stream->pos = base + (int64_t)offset;
    return (toff_t)stream->pos;
}

static toff_t stream_size(thandle_t handle)
{
    struct pm_tiff_stream *stream = handle;
    return (toff_t)stream->size;
}

static int stream_close(thandle_t handle)
{
    (void)handle; /* the descriptor is the caller's */
    return 0;
}

/* The tags that say how pixels lie and what they are. Those of a compression go to its codec first.
 */
static bool is_of_pixels(uint32_t tag)
{
    static const uint16_t tags[] = {TIFFTAG_SUBFILETYPE, TIFFTAG_OSUBFILETYPE, TIFFTAG_IMAGEWIDTH,
        TIFFTAG_IMAGELENGTH, TIFFTAG_BITSPERSAMPLE, TIFFTAG_COMPRESSION, TIFFTAG_PHOTOMETRIC,
        TIFFTAG_FILLORDER, TIFFTAG_ORIENTATION, TIFFTAG_SAMPLESPERPIXEL, TIFFTAG_ROWSPERSTRIP,
        TIFFTAG_MINSAMPLEVALUE, TIFFTAG_MAXSAMPLEVALUE, TIFFTAG_PLANARCONFIG, TIFFTAG_COLORMAP,
        TIFFTAG_TILEWIDTH, TIFFTAG_TILELENGTH, TIFFTAG_EXTRASAMPLES, TIFFTAG_SAMPLEFORMAT,
        TIFFTAG_YCBCRSUBSAMPLING, TIFFTAG_YCBCRPOSITIONING, TIFFTAG_REFERENCEBLACKWHITE,
        TIFFTAG_MATTEING, TIFFTAG_DATATYPE, TIFFTAG_IMAGEDEPTH, TIFFTAG_TILEDEPTH};
    for (size_t i = 0; i < sizeof tags / sizeof tags[0]; i++) {
        if (tags[i] == tag) {
            return true;
        }
    }
    return false;
}

static int set_field(TIFF *tif, uint32_t tag, va_list values)
{
    struct pm_tiff_stream *stream = TIFFClientdata(tif);
    return is_of_pixels(tag) ? stream->set_field(tif, tag, values) : 1;
}

/* Keeps all other tags from libtiff: it has a list for them, counts one before there is memory for
 * it (4.5), and without memory crashes over that at the next one, or when it closes. Called by
 * libtiff for every handle of the process, whenever a directory begins. */
static void take_over(TIFF *tif)
{
    if (TIFFGetSizeProc(tif) == stream_size) {
        struct pm_tiff_stream *stream = TIFFClientdata(tif);
        TIFFTagMethods *methods = TIFFAccessTagMethods(tif);
        stream->set_field = methods->vsetfield;
        methods->vsetfield = set_field;
    }
}

static void install(void)
{
    TIFFSetTagExtender(take_over);
}

/* libtiff has no code for it; malloc leaves its own. What it then goes without may matter. */
static void note_no_memory(struct pm_tiff_stream *stream)
{
    if (errno == ENOMEM) {
        stream->sys_errno = stream->sys_errno != 0 ? stream->sys_errno : ENOMEM;
        stream->doubtful = true;
    }
}

static int on_error(TIFF *tif, void *user, const char *module, const char *fmt, va_list ap)
{
    struct pm_tiff_stream *stream = user;
    (void)tif;
    (void)module;
    note_no_memory(stream);
    if (stream->said[0] == '\0') {
        vsnprintf(stream->said, sizeof stream->said, fmt, ap);
    }
    return 1; /* handled: nothing is printed */
}

/* Most warnings are about tags we do not use; after these, what is read may be wrong. */
static bool is_doubtful(const char *module, const char *fmt)
{
    static const char *const words[] = {
        "IO error",      /* a tag beyond the end of a cut file is left out, SampleFormat for one */
        "Discarding",    /* a PackBits run that goes on in the next row is cut, row by row */
        "Improper JPEG", /* smaller than its strip: the rest of the rows stays as it was */
    };
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strstr(fmt, words[i]) != NULL) {
            return true;
        }
    }
    return module != NULL && strcmp(module, "JPEGLib") == 0; /* goes on with made-up pixels */
}

static int on_warning(TIFF *tif, void *user, const char *module, const char *fmt, va_list ap)
{
    struct pm_tiff_stream *stream = user;
    (void)tif;
    note_no_memory(stream);
    if (is_doubtful(module, fmt)) {
        if (!stream->doubtful) {
            vsnprintf(stream->said, sizeof stream->said, fmt, ap);
        }
        stream->doubtful = true;
    }
    return 1;
}

TIFF *pm_tiff_stream_open(struct pm_tiff_stream *stream, const char *mode)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    TIFF *tif;

    if (options == NULL) {
        stream->sys_errno = ENOMEM;
        return NULL;
    }
    pthread_once(&once, install);
    TIFFOpenOptionsSetErrorHandlerExtR(options, on_error, stream);
    TIFFOpenOptionsSetWarningHandlerExtR(options, on_warning, stream);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, LIBTIFF_ALLOC_MAX);
    errno = 0;
    tif = TIFFClientOpenExt("TIFF", mode, stream, stream_read, stream_write, stream_seek,
        stream_close, stream_size, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return tif;
}

enum pm_code pm_tiff_stream_fail(
    const struct pm_tiff_stream *stream, const char *path, struct pm_err *err)
{
    if (stream->sys_errno != 0) {
        return pm_err_errno(err, stream->sys_errno, "%s: cannot read", path);
    }
    return pm_err_set(err, PM_EFORMAT, "%s: damaged or truncated TIFF: %s; copy it again", path,
        stream->said[0] != '\0' ? stream->said : "libtiff gives no reason");
}
