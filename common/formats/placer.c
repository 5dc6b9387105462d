#include "common/formats/placer.h"

#include <assert.h>
#include <string.h>

/* Half of a usual L2 cache, so that the sink's own data fits beside the rows. A build for tests may
 * set less, so that small images have many chunks. */
#ifndef PM_PLACER_CHUNK_BYTES
#define PM_PLACER_CHUNK_BYTES ((size_t)512 << 10)
#endif

bool pm_placer_transposes(int orientation)
{
    return orientation >= 5;
}

/* TIFF 6.0, Orientation: where the file's first row and first column lie in the picture. */
void pm_placer_init(struct pm_placer *placer, struct pm_image *image, int orientation, bool invert,
    const struct pm_row_sink *sink)
{
    static const struct {
        bool rows_reversed, columns_reversed; /* of the source */
    } kinds[8] = {
        {false, false}, /* 1 */
        {false, true},  /* 2 mirrored */
        {true, true},   /* 3 upside down */
        {true, false},  /* 4 */
        {false, false}, /* 5 transposed */
        {true, false},  /* 6 to be turned clockwise */
        {true, true},   /* 7 */
        {false, true},  /* 8 to be turned anticlockwise */
    };
    bool transposed = pm_placer_transposes(orientation);
    ptrdiff_t pixel = (ptrdiff_t)pm_sample_bytes(image->sample) * image->channels;
    ptrdiff_t stride = (ptrdiff_t)image->stride;
    int source_w = transposed ? image->h : image->w;

    assert(orientation >= 1 && orientation <= 8);
    *placer = (struct pm_placer){
        .image = image,
        .sink = sink,
        .source_h = transposed ? image->w : image->h,
        .upright = orientation == 1,
        .invert = invert,
        .origin = image->data,
        .step_x = transposed ? stride : pixel,
        .step_y = transposed ? pixel : stride,
    };
    if (kinds[orientation - 1].columns_reversed) {
        placer->origin += placer->step_x * (source_w - 1);
        placer->step_x = -placer->step_x;
    }
    if (kinds[orientation - 1].rows_reversed) {
        placer->origin += placer->step_y * (placer->source_h - 1);
        placer->step_y = -placer->step_y;
    }
}

int pm_placer_chunk_rows(size_t row_bytes)
{
    size_t rows = PM_PLACER_CHUNK_BYTES / (row_bytes > 0 ? row_bytes : 1);
    if (rows > PM_PLACER_ROWS_MAX) {
        return PM_PLACER_ROWS_MAX;
    }
    return rows < 1 ? 1 : (int)rows;
}

unsigned char *pm_placer_row(const struct pm_placer *placer, int y)
{
    return placer->origin + placer->step_y * y;
}

/* Inlined with a constant n_bytes, so that each copy is a load and a store. */
static inline __attribute__((always_inline)) void copy_pixels(unsigned char *dst,
    ptrdiff_t dst_step, const unsigned char *src, size_t src_step, int n, size_t n_bytes)
{
    for (int i = 0; i < n; i++) {
        memcpy(dst, src, n_bytes);
        dst += dst_step;
        src += src_step;
    }
}

void pm_placer_put(const struct pm_placer *placer, const unsigned char *src, size_t src_step,
    int channel, int channels, int x, int y, int n)
{
    size_t sample_bytes = pm_sample_bytes(placer->image->sample);
    size_t n_bytes = sample_bytes * (size_t)channels;
    ptrdiff_t step = placer->step_x;
    unsigned char *dst =
        placer->origin + step * x + placer->step_y * y + (ptrdiff_t)sample_bytes * channel;

    if (src_step == n_bytes && step == (ptrdiff_t)n_bytes) {
        memcpy(dst, src, n_bytes * (size_t)n);
        return;
    }
    switch (n_bytes) { /* 1 or 3 samples of 1, 2 or 4 bytes */
    case 1:
        copy_pixels(dst, step, src, src_step, n, 1);
        break;
    case 2:
        copy_pixels(dst, step, src, src_step, n, 2);
        break;
    case 3:
        copy_pixels(dst, step, src, src_step, n, 3);
        break;
    case 4:
        copy_pixels(dst, step, src, src_step, n, 4);
        break;
    case 6:
        copy_pixels(dst, step, src, src_step, n, 6);
        break;
    default:
        copy_pixels(dst, step, src, src_step, n, n_bytes);
        break;
    }
}

/* 255 - v and 65535 - v are both the complement of each byte. Whole words: the padding is ours. */
static void invert_row(unsigned char *row, size_t stride)
{
    uint64_t *words = (uint64_t *)(void *)row; /* rows are 64-byte aligned */
    for (size_t i = 0; i < stride / sizeof *words; i++) {
        words[i] = ~words[i];
    }
}

static void report_rows(struct pm_placer *placer, int y0, int y1)
{
    const struct pm_image *image = placer->image;

    for (int y = y0; placer->invert && y < y1; y++) {
        invert_row(image->data + (size_t)y * image->stride, image->stride);
    }
    if (placer->sink != NULL) {
        placer->sink->rows(placer->sink->ctx, image, y0, y1);
    }
    placer->reported = y1;
}

void pm_placer_report(struct pm_placer *placer, int y1)
{
    int chunk = pm_placer_chunk_rows(placer->image->stride);
    int end = placer->upright && y1 - placer->reported >= chunk ? y1 : 0;

    if (y1 == placer->source_h) {
        end = placer->image->h;
    }
    while (placer->reported < end) {
        int y0 = placer->reported;
        report_rows(placer, y0, end - y0 < chunk ? end : y0 + chunk);
    }
}
