/* Hostile images: each is probed and read in a process of its own, whose code, peak memory and CPU
 * time are judged. What is refused may take REFUSED_BYTES; what is read, what probe said and
 * SLACK_BYTES. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <tiffio.h>
#include <zlib.h>

#include "common/formats/reader.h"

#define REFUSED_BYTES (12 << 20)
#define SLACK_BYTES (4 << 20)
#define CPU_S_MAX 5

static const struct pm_limits limits = {.max_pixels = 100000000, .max_bytes = (int64_t)8 << 30};

/* ---- judging ---- */

struct verdict {
    enum pm_code rc;
    struct pm_image_info info;
    int64_t peak_bytes; /* beyond what the process had before */
    double cpu_s;
    char text[768];
};

static int64_t status_kib(const char *key)
{
    char line[256];
    long long kib = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            sscanf(line + strlen(key), ": %lld", &kib);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return kib;
}

static void judge_here(const char *path, struct verdict *verdict)
{
    struct pm_err err = {.code = PM_OK};
    struct pm_image *image = NULL;
    struct rusage usage;
    struct rlimit cpu = {60, 60}; /* s; against what never ends */
    int64_t before;
    int fd = open("/proc/self/clear_refs", O_WRONLY);

    setrlimit(RLIMIT_CPU, &cpu);
    if (fd < 0 || write(fd, "5", 1) != 1) { /* proc(5): forgets the peak so far */
        _exit(77);
    }
    close(fd);
    before = status_kib("VmRSS");
    verdict->rc = pm_image_probe(path, &limits, &verdict->info, &err);
    enum pm_code rc = pm_image_read(path, &limits, NULL, NULL, &image, &err);
    verdict->rc = verdict->rc != PM_OK ? verdict->rc : rc;
    verdict->peak_bytes = (status_kib("VmHWM") - before) * 1024;
    getrusage(RUSAGE_SELF, &usage);
    verdict->cpu_s = (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
                     (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    snprintf(verdict->text, sizeof verdict->text, "%s", err.text);
    pm_image_free(image);
}

/* Closes fd. */
static void judge(const char *what, int fd, enum pm_code wanted)
{
    struct verdict *verdict =
        mmap(NULL, sizeof *verdict, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    char path[64];
    int status = 0;
    pid_t pid;

    assert_true(fd >= 0 && verdict != MAP_FAILED);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    pid = fork();
    if (pid == 0) {
        judge_here(path, verdict);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(fd);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        fail_msg("%s: the process ended with status %#x", what, status);
    }
    print_message("%-28s %-12s %6.1f MiB %6.3f s  %s\n", what, pm_code_name(verdict->rc),
        (double)verdict->peak_bytes / (1 << 20), verdict->cpu_s, verdict->text);
    assert_int_equal(verdict->rc, wanted);
#ifndef __SANITIZE_ADDRESS__
#ifndef __SANITIZE_THREAD__
    int64_t allowed = wanted != PM_OK
                          ? REFUSED_BYTES
                          : verdict->info.decoded_bytes + verdict->info.scratch_bytes + SLACK_BYTES;
    assert_true(verdict->peak_bytes <= allowed);
    assert_true(verdict->cpu_s <= CPU_S_MAX);
#endif
#endif
    munmap(verdict, sizeof *verdict);
}

static int new_file(void)
{
    return memfd_create("hostile", MFD_CLOEXEC);
}

/* ---- TIFF, byte by byte (little-endian) ---- */

struct bytes {
    unsigned char *data;
    size_t size, capacity;
};

static void put(struct bytes *bytes, size_t n, uint64_t value)
{
    if (bytes->size + n > bytes->capacity) {
        bytes->capacity = 2 * bytes->capacity + 4096;
        bytes->data = realloc(bytes->data, bytes->capacity);
        assert_non_null(bytes->data);
    }
    for (size_t i = 0; i < n; i++) {
        bytes->data[bytes->size++] = (unsigned char)(value >> 8 * i);
    }
}

struct claim { /* of a grey 8-bit TIFF */
    uint32_t w, h, rps;
    uint32_t compression;
    uint32_t table_count;   /* of strip offsets and counts; tables lie at 200 */
    uint32_t offset, count; /* the strip's, when there is one */
    uint32_t next_dir;
    uint32_t same_tags, same_bytes; /* so many unknown tags, each with these bytes */
};

static struct bytes tiff_claiming(const struct claim *c)
{
    struct bytes bytes = {0};
    uint32_t entries[][4] = {{256, 4, 1, c->w}, {257, 4, 1, c->h}, {258, 3, 1, 8},
        {259, 3, 1, c->compression}, {262, 3, 1, 1},
        {273, 4, c->table_count, c->table_count == 1 ? c->offset : 200}, {277, 3, 1, 1},
        {278, 4, 1, c->rps}, {279, 4, c->table_count, c->table_count == 1 ? c->count : 200}};
    uint32_t n = sizeof entries / sizeof entries[0];

    put(&bytes, 4, 0x002a4949);
    put(&bytes, 4, 8);
    put(&bytes, 2, n + c->same_tags);
    for (uint32_t i = 0; i < n; i++) {
        put(&bytes, 2, entries[i][0]);
        put(&bytes, 2, entries[i][1]);
        put(&bytes, 4, entries[i][2]);
        put(&bytes, 4, entries[i][3]);
    }
    for (uint32_t i = 0; i < c->same_tags; i++) {
        put(&bytes, 2, 40000 + i);
        put(&bytes, 2, 1);
        put(&bytes, 4, c->same_bytes);
        put(&bytes, 4, 8);
    }
    put(&bytes, 4, c->next_dir);
    return bytes;
}

/* Frees bytes; the rest up to size is zeros. */
static int file_of(struct bytes *bytes, off_t size)
{
    int fd = new_file();
    assert_int_equal(pwrite(fd, bytes->data, bytes->size, 0), bytes->size);
    if (size > (off_t)bytes->size) {
        assert_int_equal(ftruncate(fd, size), 0);
    }
    free(bytes->data);
    return fd;
}

static int tiff_file(const struct claim *claim, off_t size)
{
    struct bytes bytes = tiff_claiming(claim);
    return file_of(&bytes, size);
}

static const struct claim plain = {
    .w = 16, .h = 16, .rps = 16, .compression = 1, .table_count = 1, .offset = 1000, .count = 256};

static void absurd_sizes(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {0x7fffffff, 0x80000000, 0xffffffff, 60000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct claim c = plain;
        char what[64];
        c.w = c.h = c.rps = sizes[i];
        snprintf(what, sizeof what, "%u x %u", sizes[i], sizes[i]);
        judge(what, tiff_file(&c, 4096), PM_ETOOBIG);
        c.compression = COMPRESSION_LZW;
        judge(what, tiff_file(&c, 4096), PM_ETOOBIG);
    }
    struct claim line = plain;
    line.w = 1;
    line.h = line.rps = 90000000;
    judge("90,000,000 rows, no data", tiff_file(&line, 4096), PM_EFORMAT);
}

static void millions_of_strips(void **state)
{
    (void)state;
    struct claim c = plain;
    c.w = 1;
    c.h = 50000000;
    c.rps = 1;
    c.table_count = 50000000;
    judge("50 M strips, no tables", tiff_file(&c, 4096), PM_EUNSUPPORTED);
    judge("50 M strips", tiff_file(&c, 300000000), PM_EUNSUPPORTED);
    c.h = c.table_count = 2000000;
    judge("2 M strips, no tables", tiff_file(&c, 4096), PM_EFORMAT);
    c.h = 0x7fffffff;
    judge("2^31 strips", tiff_file(&c, 300000000), PM_ETOOBIG);

    /* Sound: a million strips of a byte each, all of them there. */
    c = (struct claim){.w = 1, .h = 1000000, .rps = 1, .compression = 1, .table_count = 1000000};
    struct bytes bytes = tiff_claiming(&c);
    while (bytes.size < 200) {
        put(&bytes, 1, 0);
    }
    /* One table for both: the offsets; as counts they are large enough, and inside the file. */
    for (uint32_t i = 0; i < c.table_count; i++) {
        put(&bytes, 4, 4000200 + i);
    }
    judge("a million strips", file_of(&bytes, 10500000), PM_OK);
}

static void directories(void **state)
{
    (void)state;
    struct claim c = plain;
    c.next_dir = 8;
    judge("a directory loop", tiff_file(&c, 4096), PM_OK);
    c.next_dir = 0xfffffff0;
    judge("the next one nowhere", tiff_file(&c, 4096), PM_OK);
    c = plain;
    c.same_tags = 4000;
    c.same_bytes = 1 << 20;
    c.offset = 100000;
    judge("4000 tags, one megabyte", tiff_file(&c, 2 << 20), PM_EFORMAT);
    c.same_bytes = 100;
    judge("4000 tags of 100 bytes", tiff_file(&c, 2 << 20), PM_OK);
    c.same_bytes = 0xffffffff;
    judge("4000 tags of 4 GiB", tiff_file(&c, 2 << 20), PM_EFORMAT);
}

/* ---- bombs: small files whose packed data are many times larger ---- */

enum { BOMB = 8192 }; /* px wide and high: 64 MiB */

/* A strip of zeros that unpacks to 64 MiB; the header says so, or claims w x h. */
static int bomb(uint16_t compression, uint32_t w, uint32_t h)
{
    int fd = new_file();
    char path[64];
    unsigned char *zeros = calloc(BOMB, BOMB);
    struct bytes head;
    uint64_t offset, count;
    TIFF *tif;

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    tif = TIFFOpen(path, "wl");
    assert_true(tif != NULL && zeros != NULL);
    TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, BOMB);
    TIFFSetField(tif, TIFFTAG_IMAGELENGTH, BOMB);
    TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(tif, TIFFTAG_COMPRESSION, compression);
    TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, BOMB);
    assert_true(TIFFWriteEncodedStrip(tif, 0, zeros, (tmsize_t)BOMB * BOMB) > 0);
    free(zeros);
    offset = TIFFGetStrileOffset(tif, 0);
    count = TIFFGetStrileByteCount(tif, 0);
    TIFFClose(tif);
    assert_true(offset >= 8 && count < 2 << 20);

    /* Another header: ours lies behind the data. */
    struct claim c = {w, h, h, compression, 1, (uint32_t)offset, (uint32_t)count, 0, 0, 0};
    head = tiff_claiming(&c);
    off_t end = lseek(fd, 0, SEEK_END);
    assert_int_equal(pwrite(fd, head.data + 8, head.size - 8, end), head.size - 8);
    uint32_t at = (uint32_t)end;
    assert_int_equal(pwrite(fd, &at, 4, 4), 4);
    free(head.data);
    return fd;
}

static void bombs(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t compression;
        enum pm_code small; /* when the strip holds far more than the header says */
    } kinds[] = {{"deflate", COMPRESSION_ADOBE_DEFLATE, PM_OK}, {"zstd", COMPRESSION_ZSTD, PM_OK},
        {"lzw", COMPRESSION_LZW, PM_OK}, {"packbits", COMPRESSION_PACKBITS, PM_OK},
        {"lzma", COMPRESSION_LZMA, PM_EUNSUPPORTED}};
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        char what[64];
        snprintf(what, sizeof what, "%s, 64 MiB as 16 x 16", kinds[i].name);
        judge(what, bomb(kinds[i].compression, 16, 16), kinds[i].small);
        snprintf(what, sizeof what, "%s, 64 MiB, said so", kinds[i].name);
        judge(what, bomb(kinds[i].compression, BOMB, BOMB),
            kinds[i].compression == COMPRESSION_LZMA ? PM_EUNSUPPORTED : PM_OK);
        snprintf(what, sizeof what, "%s, as 2^17 squared", kinds[i].name);
        judge(what, bomb(kinds[i].compression, 1 << 17, 1 << 17),
            kinds[i].compression == COMPRESSION_LZMA ? PM_EUNSUPPORTED : PM_ETOOBIG);
    }
}

/* ---- PNG ---- */

static void put_big(struct bytes *bytes, uint32_t value)
{
    put(bytes, 4, __builtin_bswap32(value));
}

static void put_chunk(struct bytes *bytes, const char *type, const void *data, size_t n)
{
    size_t at;
    put_big(bytes, (uint32_t)n);
    at = bytes->size;
    for (size_t i = 0; i < 4; i++) {
        put(bytes, 1, (unsigned char)type[i]);
    }
    for (size_t i = 0; i < n; i++) {
        put(bytes, 1, ((const unsigned char *)data)[i]);
    }
    put_big(bytes, (uint32_t)crc32(0, bytes->data + at, (unsigned)n + 4));
}

/* w x h grey, 8 bits. */
static struct bytes png_claiming(uint32_t w, uint32_t h)
{
    struct bytes bytes = {0}, header = {0};
    put(&bytes, 8, 0x0a1a0a0d474e5089);
    put_big(&header, w);
    put_big(&header, h);
    put(&header, 5, 8);
    put_chunk(&bytes, "IHDR", header.data, header.size);
    free(header.data);
    return bytes;
}

/* Zeros that unpack to n bytes, behind a prefix. */
static struct bytes packed_zeros(size_t n, const char *prefix, size_t prefix_n)
{
    struct bytes bytes = {0};
    unsigned char *zeros = calloc(1, n);
    uLongf size = compressBound(n);
    unsigned char *packed = malloc(size);
    assert_true(zeros != NULL && packed != NULL);
    assert_int_equal(compress2(packed, &size, zeros, n, 9), Z_OK);
    for (size_t i = 0; i < prefix_n + size; i++) {
        put(&bytes, 1, i < prefix_n ? (unsigned char)prefix[i] : packed[i - prefix_n]);
    }
    free(packed);
    free(zeros);
    return bytes;
}

static void png_sizes_and_bombs(void **state)
{
    (void)state;
    struct bytes pixels = packed_zeros(16 * 17, "", 0), much = packed_zeros(64 << 20, "", 0);
    struct bytes text = packed_zeros(8000000, "k\0\0", 3),
                 profile = packed_zeros(8000000, "p\0\0", 3);
    struct bytes png = png_claiming(0x7fffffff, 0x7fffffff);
    put_chunk(&png, "IDAT", pixels.data, pixels.size);
    judge("PNG 2^31 squared", file_of(&png, 0), PM_ETOOBIG);

    png = png_claiming(60000, 60000);
    put_chunk(&png, "IDAT", much.data, much.size);
    judge("PNG 60000 squared", file_of(&png, 0), PM_ETOOBIG);

    png = png_claiming(16, 16);
    put_chunk(&png, "iCCP", profile.data, profile.size);
    for (int i = 0; i < 90; i++) {
        put_chunk(&png, i % 2 ? "zTXt" : "iTXt", text.data, text.size);
    }
    put_chunk(&png, "IDAT", pixels.data, pixels.size);
    put_chunk(&png, "IEND", "", 0);
    judge("PNG, 90 texts of 8 MB", file_of(&png, 0), PM_OK);

    png = png_claiming(16, 16);
    put_chunk(&png, "IDAT", much.data, much.size);
    put_chunk(&png, "IEND", "", 0);
    judge("PNG, 64 MiB as 16 x 16", file_of(&png, 0), PM_OK);
    free(pixels.data);
    free(much.data);
    free(text.data);
    free(profile.data);
}

int main(void)
{
    TIFFSetWarningHandler(NULL); /* for the files made here; pairmill sets its own per handle */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absurd_sizes),
        cmocka_unit_test(millions_of_strips),
        cmocka_unit_test(directories),
        cmocka_unit_test(bombs),
        cmocka_unit_test(png_sizes_and_bombs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
