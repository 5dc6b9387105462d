/* placer: where source pixels end up, and what the row sink is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/formats/placer.h"

enum { W = 7, H = 5 }; /* of the source */

/* Every row once, in order. */
struct watch {
    int next, calls, most, wrong;
};

static void watch_rows(void *ctx, const struct pm_image *image, int y0, int y1)
{
    struct watch *watch = ctx;
    watch->wrong += y0 != watch->next || y1 <= y0 || y1 > image->h;
    watch->most = y1 - y0 > watch->most ? y1 - y0 : watch->most;
    watch->next = y1;
    watch->calls++;
}

/* For a source of w x h. */
static struct pm_image *new_image(
    int w, int h, int channels, enum pm_sample sample, int orientation)
{
    struct pm_image *image;
    bool transposed = pm_placer_transposes(orientation);
    assert_int_equal(
        pm_image_new(&image, transposed ? h : w, transposed ? w : h, channels, sample, NULL, NULL),
        PM_OK);
    memset(image->data, 0xa5, image->bytes);
    return image;
}

/* Byte b of channel c at source (x, y); no two samples of the same image are the same. */
static unsigned char source_byte(int x, int y, int c, int b)
{
    return (unsigned char)((y * W + x) * 6 + c * 2 + b * 5 + 1);
}

/* TIFF 6.0, page 36, the other way round: which source pixel is seen at (x, y). */
static void seen_at(int orientation, int x, int y, int *sx, int *sy)
{
    static const struct {
        int from_x[3], from_y[3]; /* factors of x, y and 1 */
    } maps[8] = {
        {{1, 0, 0}, {0, 1, 0}},           /* row 0 top, column 0 left */
        {{-1, 0, W - 1}, {0, 1, 0}},      /* top, right */
        {{-1, 0, W - 1}, {0, -1, H - 1}}, /* bottom, right */
        {{1, 0, 0}, {0, -1, H - 1}},      /* bottom, left */
        {{0, 1, 0}, {1, 0, 0}},           /* left, top */
        {{0, 1, 0}, {-1, 0, H - 1}},      /* right, top */
        {{0, -1, W - 1}, {-1, 0, H - 1}}, /* right, bottom */
        {{0, -1, W - 1}, {1, 0, 0}},      /* left, bottom */
    };
    const int *fx = maps[orientation - 1].from_x, *fy = maps[orientation - 1].from_y;
    *sx = fx[0] * x + fx[1] * y + fx[2];
    *sy = fy[0] * x + fy[1] * y + fy[2];
}

static void check_image(const struct pm_image *image, int orientation, unsigned char flip)
{
    int sample_bytes = (int)pm_sample_bytes(image->sample);
    for (int y = 0; y < image->h; y++) {
        const unsigned char *row = pm_image_row(image, y);
        for (int i = 0; i < image->w * image->channels * sample_bytes; i++) {
            int sx, sy;
            seen_at(orientation, i / sample_bytes / image->channels, y, &sx, &sy);
            unsigned char want =
                source_byte(sx, sy, i / sample_bytes % image->channels, i % sample_bytes);
            assert_int_equal(row[i], want ^ flip);
        }
    }
}

/* Places source row y, pixels [x, x + n), as a file holds them: `stored` samples a pixel, the first
 * of them channel `channel`, of which `used` are wanted; the others are noise. */
static void put_row(
    const struct pm_placer *placer, int y, int x, int n, int channel, int used, int stored)
{
    size_t sample_bytes = pm_sample_bytes(placer->image->sample);
    size_t step = sample_bytes * (size_t)stored;
    unsigned char *src = malloc(step * (size_t)n); /* exact: reading on is the sanitizer's to see */
    memset(src, 0x5a, step * (size_t)n);
    for (int i = 0; i < n * used * (int)sample_bytes; i++) {
        int b = i % (int)sample_bytes, c = i / (int)sample_bytes % used,
            p = i / (int)sample_bytes / used;
        src[(size_t)p * step + (size_t)c * sample_bytes + (size_t)b] =
            source_byte(x + p, y, channel + c, b);
    }
    pm_placer_put(placer, src, step, channel, used, x, y, n);
    free(src);
}

static void only_the_last_four_orientations_transpose(void **state)
{
    (void)state;
    for (int o = 1; o <= 8; o++) {
        assert_int_equal(pm_placer_transposes(o), o >= 5);
    }
}

/* Each orientation and sample type; interleaved, with extra samples, or plane by plane. */
static void every_pixel_lands_where_it_is_seen(void **state)
{
    (void)state;
    static const enum pm_sample samples[] = {PM_U8, PM_U16, PM_F16, PM_F32};
    for (int i = 0; i < 8 * 4 * 2 * 3; i++) {
        int orientation = i % 8 + 1, channels = i / 32 % 2 ? 3 : 1, extras = i / 64;
        struct pm_image *image = new_image(W, H, channels, samples[i / 8 % 4], orientation);
        struct pm_placer placer;
        bool planes = extras == 2;
        struct watch watch = {0};
        struct pm_row_sink sink = {watch_rows, &watch};
        pm_placer_init(&placer, image, orientation, false, &sink);
        for (int c = 0; c < (planes ? channels : 1); c++) {
            for (int y = 0; y < H; y++) {
                int used = planes ? 1 : channels;
                put_row(&placer, y, 0, 3, c, used, planes ? 1 : used + extras);
                put_row(&placer, y, 3, W - 3, c, used, planes ? 1 : used + extras); /* a tile */
            }
        }
        pm_placer_report(&placer, H);
        assert_int_equal(watch.wrong, 0);
        assert_int_equal(watch.next, image->h);
        check_image(image, orientation, 0);
        pm_image_free(image);
    }
}

static void rows_can_be_decoded_in_place_when_upright(void **state)
{
    (void)state;
    struct pm_image *image = new_image(W, H, 3, PM_U16, 1);
    struct pm_placer placer;
    pm_placer_init(&placer, image, 1, false, NULL);
    assert_true(placer.upright);
    for (int y = 0; y < H; y++) {
        assert_ptr_equal(pm_placer_row(&placer, y), pm_image_row(image, y));
    }
    for (int o = 2; o <= 8; o++) {
        struct pm_image *turned = new_image(W, H, 3, PM_U16, o);
        pm_placer_init(&placer, turned, o, false, NULL);
        assert_false(placer.upright);
        pm_image_free(turned);
    }
    pm_image_free(image);
}

static void white_as_zero_is_turned_over_once(void **state)
{
    (void)state;
    for (int i = 0; i < 16; i++) {
        int orientation = i / 2 + 1;
        struct pm_image *image = new_image(W, H, 1, i % 2 ? PM_U16 : PM_U8, orientation);
        struct pm_placer placer;
        pm_placer_init(&placer, image, orientation, true, NULL);
        for (int y = 0; y < H; y++) {
            put_row(&placer, y, 0, W, 0, 1, 1);
            pm_placer_report(&placer, y + 1);
        }
        check_image(image, orientation, 0xff);
        pm_image_free(image);
    }
}

static void chunks_have_1_to_64_rows(void **state)
{
    (void)state;
    assert_int_equal(pm_placer_chunk_rows(0), PM_PLACER_ROWS_MAX);
    assert_int_equal(pm_placer_chunk_rows(64), PM_PLACER_ROWS_MAX);
    assert_int_equal(pm_placer_chunk_rows(8 << 10), 64);
    assert_int_equal(pm_placer_chunk_rows(16 << 10), 32);
    assert_int_equal(pm_placer_chunk_rows(512 << 10), 1);
    assert_int_equal(pm_placer_chunk_rows((size_t)1 << 40), 1);
}

/* However the source rows arrive. 200 rows of 16 KiB: chunks of 32. */
static void the_sink_gets_each_row_once_ascending(void **state)
{
    (void)state;
    static const int steps[] = {1, 7, 32, 33, 150, 200};
    for (int orientation = 1; orientation <= 8; orientation++) {
        for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
            struct pm_image *image = orientation < 5 ? new_image(16384, 200, 1, PM_U8, orientation)
                                                     : new_image(200, 16384, 1, PM_U8, orientation);
            int source_h = orientation < 5 ? 200 : 16384, step = steps[i];
            struct watch watch = {0};
            struct pm_row_sink sink = {watch_rows, &watch};
            struct pm_placer placer;
            pm_placer_init(&placer, image, orientation, false, &sink);
            for (int y = 0; y < source_h; y += step) {
                int y1 = source_h - y < step ? source_h : y + step;
                pm_placer_report(&placer, y1);
                if (orientation == 1) { /* less than a chunk is held back */
                    assert_in_range(y1 - watch.next, 0, 31);
                } else if (y1 < source_h) { /* the last source row may be seen anywhere */
                    assert_int_equal(watch.calls, 0);
                }
            }
            assert_int_equal(watch.wrong, 0);
            assert_int_equal(watch.next, image->h);
            assert_int_equal(watch.most, 32);
            pm_image_free(image);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_last_four_orientations_transpose),
        cmocka_unit_test(every_pixel_lands_where_it_is_seen),
        cmocka_unit_test(rows_can_be_decoded_in_place_when_upright),
        cmocka_unit_test(white_as_zero_is_turned_over_once),
        cmocka_unit_test(chunks_have_1_to_64_rows),
        cmocka_unit_test(the_sink_gets_each_row_once_ascending),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
