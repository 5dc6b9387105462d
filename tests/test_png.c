/*
 * png: masks, limits, what is refused, and a helper for test_formats.py.
 * `test_png serve` reads commands from stdin, one a line:
 *   dump FILE         answers W H CHANNELS SAMPLE ALPHA_DROPPED, then the samples
 *   mask OUT X0 W H   from the rows of 64-bit words that follow; answers ok
 * and answers "error CODE message" when one fails. `test_png dump FILE` does that one alone.
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

#include "common/formats/png.h"

static const struct pm_limits roomy = {.max_pixels = 1 << 28, .max_bytes = (int64_t)4 << 30};

struct watch {
    int next; /* the row the next call must begin with */
    int calls;
    int wrong;
};

static void watch_rows(void *ctx, const struct pm_image *image, int y0, int y1)
{
    struct watch *watch = ctx;
    watch->wrong += y0 != watch->next || y1 <= y0 || y1 > image->h;
    watch->next = y1;
    watch->calls++;
}

static int helper_dump(const char *path)
{
    struct pm_err err = {0};
    struct pm_image_info info;
    struct pm_image *image;
    struct watch watch = {0};
    struct pm_row_sink sink = {watch_rows, &watch};
    if (pm_image_probe(path, &roomy, &info, &err) != PM_OK ||
        pm_image_read(path, &roomy, NULL, &sink, &image, &err) != PM_OK) {
        printf("error %s %s\n", pm_code_name(err.code), err.text);
        return 1;
    }
    size_t row = (size_t)(image->w * image->channels) * pm_sample_bytes(image->sample);
    if (watch.wrong != 0 || watch.next != image->h || info.w != image->w || info.h != image->h ||
        info.channels != image->channels || info.sample != image->sample) {
        printf("error the row sink or the probe disagrees with the image\n");
    } else {
        printf("%d %d %d %s %d\n", image->w, image->h, image->channels,
            pm_sample_name(image->sample), image->alpha_dropped);
        for (int y = 0; y < image->h; y++) {
            fwrite(pm_image_row(image, y), 1, row, stdout);
        }
    }
    pm_image_free(image);
    return 0;
}

static int helper_mask(const char *path, int x0, int w, int h)
{
    size_t words = (size_t)(x0 + w + 63) / 64;
    uint64_t *bits = malloc(words * 8 * (size_t)h); /* exactly: ASan sees any read beyond */
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    int failed = fread(bits, 8, words * (size_t)h, stdin) != words * (size_t)h ||
                 pm_png_write_mask(fd, path, bits, words, x0, w, h, NULL) != PM_OK;
    free(bits);
    close(fd);
    printf(failed ? "error cannot write it\n" : "ok\n");
    return failed;
}

static int serve(void)
{
    char line[4096], path[4096];
    while (fgets(line, sizeof line, stdin) != NULL) {
        int x0, w, h;
        if (sscanf(line, "dump %4095s", path) == 1) {
            helper_dump(path);
        } else if (sscanf(line, "mask %4095s %d %d %d", path, &x0, &w, &h) == 4) {
            helper_mask(path, x0, w, h);
        } else {
            return 2;
        }
        fflush(stdout);
    }
    return 0;
}

struct file {
    int fd;
    char path[64];
};

static struct file new_file(void)
{
    struct file file = {.fd = memfd_create("png", MFD_CLOEXEC)};
    snprintf(file.path, sizeof file.path, "/proc/self/fd/%d", file.fd);
    return file;
}

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t *random_bits(size_t words)
{
    uint64_t *bits = malloc(words * sizeof *bits);
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < words; i++) {
        bits[i] = next_random(&state);
    }
    return bits;
}

static void a_mask_comes_back_pixel_by_pixel(void **state)
{
    (void)state;
    enum { H = 70, WORDS = 20 };
    uint64_t *bits = random_bits(H * WORDS);
    for (int x0 = 0; x0 < 130; x0 += 13) {
        int w = WORDS * 64 - x0 - x0 / 2;
        struct file file = new_file();
        struct watch watch = {0};
        struct pm_row_sink sink = {watch_rows, &watch};
        struct pm_image *image;
        struct pm_err err;
        assert_int_equal(pm_png_write_mask(file.fd, file.path, bits, WORDS, x0, w, H, &err), PM_OK);
        assert_int_equal(pm_image_read(file.path, &roomy, NULL, &sink, &image, &err), PM_OK);
        assert_int_equal(image->w, w);
        assert_int_equal(image->h, H);
        assert_int_equal(image->channels, 1);
        assert_int_equal(image->sample, PM_U8);
        assert_int_equal(watch.wrong, 0);
        assert_int_equal(watch.next, H);
        for (int y = 0; y < H; y++) {
            const unsigned char *row = pm_image_row(image, y);
            for (int x = 0; x < w; x++) {
                int bit = x0 + x;
                int set = bits[y * WORDS + bit / 64] >> (bit % 64) & 1;
                assert_int_equal(row[x], set ? 255 : 0);
            }
        }
        pm_image_free(image);
        close(file.fd);
    }
    free(bits);
}

static void a_full_disk_says_so(void **state)
{
    (void)state;
    uint64_t *bits = random_bits(1000 * 16);
    struct pm_err err = {0};
    int fd = open("/dev/full", O_RDWR);
    assert_int_equal(pm_png_write_mask(fd, "full.png", bits, 16, 0, 1000, 1000, &err), PM_ENOSPC);
    assert_non_null(strstr(err.text, "full.png"));
    assert_int_equal(pm_png_write_mask(fd, "full.png", bits, 16, 0, 1, 1, &err), PM_ENOSPC);
    close(fd);
    free(bits);
}

/* CRC-32 as PNG has it, bit by bit. */
static uint32_t crc(const unsigned char *data, size_t n)
{
    uint32_t c = 0xffffffff;
    for (size_t i = 0; i < n; i++) {
        c ^= data[i];
        for (int k = 0; k < 8; k++) {
            c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
        }
    }
    return ~c;
}

static void put32(unsigned char *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (unsigned char)(value >> (24 - 8 * i));
    }
}

/* Patches width and height of a PNG and makes the header's CRC right again. */
static void claim(int fd, uint32_t w, uint32_t h)
{
    unsigned char head[33];
    assert_int_equal(pread(fd, head, sizeof head, 0), sizeof head);
    put32(head + 16, w);
    put32(head + 20, h);
    put32(head + 29, crc(head + 12, 17));
    assert_int_equal(pwrite(fd, head, sizeof head, 0), sizeof head);
}

static enum pm_code read_code(const char *path, const struct pm_limits *limits, struct pm_err *err)
{
    struct pm_image *image = NULL;
    enum pm_code rc = pm_image_read(path, limits, NULL, NULL, &image, err);
    assert_true((rc == PM_OK) == (image != NULL));
    pm_image_free(image);
    if (rc != PM_OK) {
        assert_non_null(strstr(err->text, path));
    }
    return rc;
}

static void limits_hold(void **state)
{
    (void)state;
    static const uint64_t bits[40];
    struct file file = new_file();
    struct pm_err err = {0};
    struct pm_image_info info;
    assert_int_equal(pm_png_write_mask(file.fd, "m", bits, 1, 0, 50, 40, NULL), PM_OK);
    assert_int_equal(
        read_code(file.path, &(struct pm_limits){.max_pixels = 2000, .max_bytes = 0}, &err), PM_OK);
    assert_int_equal(
        read_code(file.path, &(struct pm_limits){.max_pixels = 1999, .max_bytes = 0}, &err),
        PM_ETOOBIG);
    assert_int_equal(
        read_code(file.path, &(struct pm_limits){.max_pixels = 2000, .max_bytes = 40 * 64}, &err),
        PM_OK);
    assert_int_equal(read_code(file.path,
                         &(struct pm_limits){.max_pixels = 2000, .max_bytes = 40 * 64 - 1}, &err),
        PM_ETOOBIG);
    assert_int_equal(pm_image_probe(file.path, &roomy, &info, &err), PM_OK);
    assert_int_equal(info.decoded_bytes, 40 * 64);

    claim(file.fd, 0x7fffffff, 0x7fffffff);
    assert_int_equal(read_code(file.path, &roomy, &err), PM_ETOOBIG);
    claim(file.fd, 2000000, 100); /* too wide for libpng's default, not for us */
    assert_int_equal(read_code(file.path, &roomy, &err), PM_EFORMAT);
    claim(file.fd, 0, 100);
    assert_int_equal(read_code(file.path, &roomy, &err), PM_EFORMAT);
    claim(file.fd, 50, 40);
    assert_int_equal(read_code(file.path, &roomy, &err), PM_OK);
    close(file.fd);
}

static void every_cut_and_every_flip_in_the_pixels_is_noticed(void **state)
{
    (void)state;
    uint64_t *bits = random_bits(30);
    struct file file = new_file();
    struct pm_err err = {0};
    struct stat st;
    assert_int_equal(pm_png_write_mask(file.fd, "m", bits, 1, 0, 60, 30, NULL), PM_OK);
    assert_int_equal(fstat(file.fd, &st), 0);
    for (off_t at = 8; at < st.st_size; at++) {
        unsigned char byte, flipped;
        assert_int_equal(pread(file.fd, &byte, 1, at), 1);
        flipped = byte ^ 0x10;
        assert_int_equal(pwrite(file.fd, &flipped, 1, at), 1);
        assert_int_equal(read_code(file.path, &roomy, &err), PM_EFORMAT);
        assert_int_equal(pwrite(file.fd, &byte, 1, at), 1);
    }
    assert_int_equal(read_code(file.path, &roomy, &err), PM_OK);
    for (off_t size = st.st_size - 1; size >= 0; size--) {
        assert_int_equal(ftruncate(file.fd, size), 0);
        assert_int_equal(read_code(file.path, &roomy, &err), PM_EFORMAT);
    }
    close(file.fd);
    free(bits);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "serve") == 0) {
        return serve();
    }
    if (argc == 3 && strcmp(argv[1], "dump") == 0) { /* for a person */
        return helper_dump(argv[2]);
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mask_comes_back_pixel_by_pixel),
        cmocka_unit_test(a_full_disk_says_so),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(every_cut_and_every_flip_in_the_pixels_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
