#include "tests/fuzz/imagekit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/bufpool.h"
#include "common/formats/tiff.h"
#include "tests/fuzz/kit.h"

/* What a library may hold while it finds out what a small file is, or that it is no good. */
#define PROBE_BYTES_MAX ((size_t)16 << 20)
/* A ZSTD stream may ask for its window beyond scratch_bytes (reader.h). */
#define ZSTD_WINDOW_MAX ((size_t)128 << 20)

static const struct pm_limits limits = {
    .max_pixels = PM_FUZZ_PIXELS_MAX, .max_bytes = PM_FUZZ_BYTES_MAX};

/* ---- bufpool's double ---- */

static unsigned char dirt;

void *pm_bufpool_get(struct pm_bufpool *pool, size_t bytes)
{
    void *data = NULL;
    (void)pool;
    if (posix_memalign(&data, 64, bytes) != 0) {
        return NULL;
    }
    memset(data, dirt, bytes);
    return data;
}

void pm_bufpool_put(struct pm_bufpool *pool, void *data, size_t bytes)
{
    (void)pool;
    (void)bytes;
    free(data);
}

struct pm_bufpool *pm_bufpool_plain(struct pm_bufpool *pool)
{
    return pool;
}

/* ---- what the reader promises about its rows ---- */

struct watcher {
    int next;     /* row */
    uint64_t sum; /* of the bytes as told */
};

static uint64_t sum_rows(const struct pm_image *image, int y0, int y1, uint64_t sum)
{
    size_t n = (size_t)image->w * (size_t)image->channels * pm_sample_bytes(image->sample);
    for (int y = y0; y < y1; y++) {
        const unsigned char *row = pm_image_row(image, y);
        for (size_t i = 0; i < n; i++) {
            sum = (sum ^ row[i]) * 1099511628211u; /* FNV-1a */
        }
    }
    return sum;
}

static void on_rows(void *ctx, const struct pm_image *image, int y0, int y1)
{
    struct watcher *watcher = ctx;
    PM_FUZZ_CHECK(y0 == watcher->next && y1 > y0 && y1 <= image->h);
    watcher->sum = sum_rows(image, y0, y1, watcher->sum);
    watcher->next = y1;
}

/* ---- one reading ---- */

struct reading {
    enum pm_code rc;
    int w, h, channels;
    enum pm_sample sample;
    uint64_t sum;
};

static void check_err(enum pm_code rc, const struct pm_err *err, const char *path)
{
    PM_FUZZ_CHECK(rc == PM_EFORMAT || rc == PM_EUNSUPPORTED || rc == PM_ETOOBIG);
    PM_FUZZ_CHECK(err->code == rc);
    PM_FUZZ_CHECK(strstr(err->text, path) != NULL);
    PM_FUZZ_CHECK(strlen(err->text) > strlen(path) + 5);
    pm_fuzz_saw(err->text);
}

/* image is freed; NULL after an error. */
static struct reading sum_up(enum pm_code rc, struct pm_image *image, const struct pm_err *err,
    const char *path, const struct watcher *watcher)
{
    struct reading reading = {.rc = rc};
    PM_FUZZ_CHECK((rc == PM_OK) == (image != NULL));
    if (image == NULL) {
        check_err(rc, err, path);
        return reading;
    }
    PM_FUZZ_CHECK(image->w > 0 && image->h > 0);
    PM_FUZZ_CHECK((int64_t)image->w * image->h <= limits.max_pixels);
    PM_FUZZ_CHECK((int64_t)image->bytes <= limits.max_bytes);
    reading = (struct reading){.rc = rc,
        .w = image->w,
        .h = image->h,
        .channels = image->channels,
        .sample = image->sample,
        .sum = sum_rows(image, 0, image->h, 0)};
    PM_FUZZ_CHECK(watcher->next == image->h && watcher->sum == reading.sum);
    pm_image_free(image);
    return reading;
}

static struct reading read_usual(const char *path, unsigned char fill)
{
    struct watcher watcher = {0};
    struct pm_row_sink sink = {on_rows, &watcher};
    struct pm_image *image = NULL;
    struct pm_err err = {.code = PM_OK};
    dirt = fill;
    enum pm_code rc = pm_image_read(path, &limits, NULL, &sink, &image, &err);
    return sum_up(rc, image, &err, path, &watcher);
}

static struct reading read_other(
    const char *path, enum pm_code (*read)(int fd, const char *path, const struct pm_limits *limits,
                          struct pm_bufpool *pool, const struct pm_row_sink *sink,
                          struct pm_image **out, struct pm_err *err))
{
    struct watcher watcher = {0};
    struct pm_row_sink sink = {on_rows, &watcher};
    struct pm_image *image = NULL;
    struct pm_err err = {.code = PM_OK};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    PM_FUZZ_CHECK(fd >= 0);
    enum pm_code rc = read(fd, path, &limits, NULL, &sink, &image, &err);
    close(fd);
    return sum_up(rc, image, &err, path, &watcher);
}

static bool same(const struct reading *a, const struct reading *b)
{
    return a->rc == b->rc && a->w == b->w && a->h == b->h && a->channels == b->channels &&
           a->sample == b->sample && a->sum == b->sum;
}

/* ---- all of them ---- */

/* Returns what reading may take of the heap. */
static size_t check_probe(const char *path, struct pm_image_info *info, enum pm_code *rc)
{
    struct pm_err err = {.code = PM_OK};
    pm_fuzz_heap_begin();
    *rc = pm_image_probe(path, &limits, info, &err);
    PM_FUZZ_CHECK(pm_fuzz_heap_peak() <= PROBE_BYTES_MAX);
    if (*rc != PM_OK) {
        check_err(*rc, &err, path);
        return PROBE_BYTES_MAX;
    }
    PM_FUZZ_CHECK(info->w > 0 && info->h > 0 && info->scratch_bytes >= 0);
    PM_FUZZ_CHECK(info->decoded_bytes > 0 && info->decoded_bytes <= limits.max_bytes);
    return (size_t)(info->decoded_bytes + info->scratch_bytes);
}

static void write_again(const char *path, const struct reading *before)
{
    struct pm_image *image = NULL;
    struct pm_err err;
    char copy[64];
    int fd = memfd_create("again", MFD_CLOEXEC);
    enum pm_compression compression = (enum pm_compression)(before->sum % 3);

    dirt = 0;
    PM_FUZZ_CHECK(pm_image_read(path, &limits, NULL, NULL, &image, &err) == PM_OK);
    PM_FUZZ_CHECK(fd >= 0);
    PM_FUZZ_CHECK(pm_tiff_write(fd, "again", image, (struct pm_rect){0, 0, image->w, image->h},
                      compression, &err) == PM_OK);
    pm_image_free(image);
    snprintf(copy, sizeof copy, "/proc/self/fd/%d", fd);
    struct reading after = read_usual(copy, 0xff);
    PM_FUZZ_CHECK(same(before, &after));
    close(fd);
}

void pm_fuzz_image(const uint8_t *data, size_t size)
{
    const char *path = pm_fuzz_file(data, size);
    struct pm_image_info info = {0};
    enum pm_code probe_rc;
    size_t heap_max = check_probe(path, &info, &probe_rc);

    pm_fuzz_heap_begin();
    struct reading a = read_usual(path, 0x00);
    PM_FUZZ_CHECK(pm_fuzz_heap_peak() <= heap_max + ZSTD_WINDOW_MAX);
    PM_FUZZ_CHECK(probe_rc == PM_OK || a.rc == probe_rc);
    PM_FUZZ_CHECK(a.rc != PM_OK || (a.w == info.w && a.h == info.h && a.channels == info.channels &&
                                       a.sample == info.sample));
    struct reading b = read_usual(path, 0xff);
    PM_FUZZ_CHECK(same(&a, &b));
    if (size > 4 && (memcmp(data, "II", 2) == 0 || memcmp(data, "MM", 2) == 0)) {
        struct reading c = read_other(path, pm_other_tiff_read);
        PM_FUZZ_CHECK(same(&a, &c) || a.rc != PM_OK || c.rc != PM_OK);
        c = read_other(path, pm_small_tiff_read);
        PM_FUZZ_CHECK(same(&a, &c) || a.rc != PM_OK || c.rc != PM_OK);
    }
    if (a.rc == PM_OK) {
        write_again(path, &a);
    }
}
