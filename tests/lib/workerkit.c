#include "tests/lib/workerkit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/formats/tiff.h"

static void need(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "test set-up: %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

static void need_ok(enum pm_code rc, const struct pm_err *err)
{
    if (rc != PM_OK) {
        fprintf(stderr, "test set-up: %s\n", err->text);
        exit(1);
    }
}

void kit_init(struct kit *kit, size_t cache_bytes, size_t memory_max)
{
    struct pm_err err = {0};
    *kit = (struct kit){0};
    need_ok(pm_cache_new(&kit->cache, cache_bytes, &err), &err);
    need_ok(pm_budget_new(&kit->budget, memory_max, &err), &err);
    need_ok(pm_bufpool_new(&kit->pool, 16 << 20, &err), &err);
    need_ok(pm_conf_new(&kit->conf, &err), &err);
    kit_set(kit, "max_shift", "8");
    kit_set(kit, "crop_size", "16");
    kit_set(kit, "crop_stride", "12");
    kit->env = (struct pm_worker_env){
        .cache = kit->cache, .budget = kit->budget, .pool = kit->pool, .clock = pm_clock_real()};
    need_ok(pm_worker_new(&kit->worker, 0, &kit->env, &err), &err);
}

void kit_fini(struct kit *kit)
{
    pm_worker_free(kit->worker);
    pm_conf_unref(kit->conf);
    pm_cache_free(kit->cache);
    pm_bufpool_free(kit->pool);
    pm_budget_free(kit->budget);
}

void kit_set(struct kit *kit, const char *key, const char *value)
{
    struct pm_err err = {0};
    need_ok(pm_conf_set(kit->conf, key, value, "the test", &err), &err);
}

char *kit_tmpdir(void)
{
    const char *base = getenv("TMPDIR");
    char *path = kit_path(base != NULL ? base : P_tmpdir, "pairmill-test-XXXXXX");
    need(mkdtemp(path) != NULL, path);
    return path;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

void kit_remove(const char *path)
{
    need(nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0, path);
}

char *kit_path(const char *folder, const char *name)
{
    char *path = NULL;
    need(asprintf(&path, "%s/%s", folder, name) >= 0, name);
    return path;
}

void kit_mkdir(const char *path)
{
    need(mkdir(path, 0777) == 0 || errno == EEXIST, path);
}

bool kit_exists(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

int kit_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = -2; /* . and .. */
    if (dir == NULL) {
        return -1;
    }
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count;
}

char *kit_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    need(file != NULL, path);
    fseek(file, 0, SEEK_END);
    long n = ftell(file);
    char *text = malloc((size_t)n + 1);
    need(text != NULL, path);
    rewind(file);
    need(fread(text, 1, (size_t)n, file) == (size_t)n, path);
    fclose(file);
    text[n] = '\0';
    if (size != NULL) {
        *size = (size_t)n;
    }
    return text;
}

void kit_write(const char *path, const char *text)
{
    FILE *file = fopen(path, "wb");
    need(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, path);
}

double kit_random(uint64_t *state)
{
    uint64_t x = *state != 0 ? *state : 88172645463325252u;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return (double)((x * 2685821657736338717u) >> 11) / 9007199254740992.0;
}

struct pm_image *kit_image(int w, int h, int channels, enum pm_sample sample)
{
    struct pm_image *image = NULL;
    struct pm_err err = {0};
    need_ok(pm_image_new(&image, w, h, channels, sample, NULL, &err), &err);
    memset(image->data, 0, image->bytes);
    return image;
}

uint16_t kit_half(float v)
{
    uint16_t best = 0;
    float distance = INFINITY;
    /* Halves of one sign are ordered as their bits: bisect, then take the nearer neighbour. */
    uint16_t low = 0, high = 0x7bff;
    float magnitude = fabsf(v);
    while (low < high) {
        uint16_t middle = (uint16_t)((low + high + 1) / 2);
        if (pm_half_to_float(middle) <= magnitude) {
            low = middle;
        } else {
            high = (uint16_t)(middle - 1);
        }
    }
    for (int i = 0; i < 2 && low + i <= 0x7bff; i++) {
        float off = fabsf(pm_half_to_float((uint16_t)(low + i)) - magnitude);
        if (off < distance) {
            distance = off;
            best = (uint16_t)(low + i);
        }
    }
    return v < 0 ? (uint16_t)(best | 0x8000) : best;
}

static void *sample_at(const struct pm_image *image, int x, int y, int c)
{
    size_t i = ((size_t)x * (size_t)image->channels + (size_t)c) * pm_sample_bytes(image->sample);
    return image->data + (size_t)y * image->stride + i;
}

static double clamped(double v, double full)
{
    v = round(v * full);
    return v < 0 ? 0 : v > full ? full : v;
}

void kit_put(struct pm_image *image, int x, int y, int c, double v)
{
    void *at = sample_at(image, x, y, c);
    uint8_t u8 = 0;
    uint16_t u16 = 0;
    float f32 = (float)v;
    switch (image->sample) {
    case PM_U8:
        u8 = (uint8_t)clamped(v, 255);
        memcpy(at, &u8, sizeof u8);
        break;
    case PM_U16:
        u16 = (uint16_t)clamped(v, 65535);
        memcpy(at, &u16, sizeof u16);
        break;
    case PM_F16:
        u16 = isfinite(f32) ? kit_half(f32) : isnan(f32) ? 0x7e00 : f32 > 0 ? 0x7c00 : 0xfc00;
        memcpy(at, &u16, sizeof u16);
        break;
    case PM_F32:
        memcpy(at, &f32, sizeof f32);
        break;
    }
}

double kit_get(const struct pm_image *image, int x, int y, int c)
{
    const void *at = sample_at(image, x, y, c);
    uint16_t u16;
    float f32;
    switch (image->sample) {
    case PM_U8:
        return *(const uint8_t *)at / 255.0;
    case PM_U16:
        memcpy(&u16, at, sizeof u16);
        return u16 / 65535.0;
    case PM_F16:
        memcpy(&u16, at, sizeof u16);
        return (double)pm_half_to_float(u16);
    case PM_F32:
        memcpy(&f32, at, sizeof f32);
        return (double)f32;
    }
    return (double)NAN;
}

/* 0..1, the same for the same place: a hash of the 5 px block it lies in, plus finer detail. */
static double scene_at(int x, int y, int c)
{
    uint64_t state = 1469598103934665603u;
    const int keys[] = {(x + 4000) / 5, (y + 4000) / 5, c};
    for (size_t i = 0; i < 3; i++) {
        state = (state ^ (uint64_t)(unsigned)keys[i]) * 1099511628211u;
    }
    double block = kit_random(&state);
    state = (state ^ (uint64_t)(unsigned)(x * 4099 + y)) * 1099511628211u;
    return 0.15 + 0.5 * block + 0.1 * kit_random(&state);
}

void kit_texture(struct pm_image *image, int x0, int y0, double gain, double noise, uint64_t seed)
{
    for (int y = 0; y < image->h; y++) {
        for (int x = 0; x < image->w; x++) {
            for (int c = 0; c < image->channels; c++) {
                double v = scene_at(x0 + x, y0 + y, c) * gain;
                kit_put(image, x, y, c, v + noise * (kit_random(&seed) - 0.5));
            }
        }
    }
}

void kit_write_tiff(const char *path, const struct pm_image *image)
{
    struct pm_err err = {0};
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);
    need(fd >= 0, path);
    need_ok(pm_tiff_write(fd, path, image, (struct pm_rect){0, 0, image->w, image->h},
                PM_COMPRESS_NONE, &err),
        &err);
    need(close(fd) == 0, path);
}

struct pm_stamp kit_stamp(const char *path)
{
    struct stat st;
    need(stat(path, &st) == 0, path);
    return (struct pm_stamp){.size = st.st_size,
        .mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec,
        .inode = (int64_t)st.st_ino};
}

struct pm_job kit_job(const char *dir, const char *gt, const char *target)
{
    struct pm_job job = {.id = 17, .attempt = 1, .gt_image = 1, .target_image = 2};
    job.root_bytes = strlen(dir);
    need(asprintf(&job.gt_path, "%s/s/gt/%s", dir, gt) >= 0, gt);
    need(asprintf(&job.target_path, "%s/s/%s", dir, target) >= 0, target);
    job.scene = strdup("s");
    job.output = kit_path(dir, "out");
    if (kit_exists(job.gt_path)) {
        job.gt = kit_stamp(job.gt_path);
    }
    if (kit_exists(job.target_path)) {
        job.target = kit_stamp(job.target_path);
    }
    return job;
}

void kit_write_pair(const char *dir, const char *gt, const char *target, enum pm_sample sample,
    int channels, int dy, int dx)
{
    struct pm_job job = kit_job(dir, gt, target);
    struct pm_image *a = kit_image(64, 48, channels, sample);
    struct pm_image *b = kit_image(64, 48, channels, sample);
    char *scene = kit_path(dir, "s"), *gts = kit_path(dir, "s/gt");
    kit_mkdir(scene);
    kit_mkdir(gts);
    kit_texture(a, 0, 0, 1.0, 0.0, 1);
    kit_texture(b, dx, dy, 0.8, 0.02, 2); /* gt[y+dy, x+dx] = target[y, x] */
    kit_write_tiff(job.gt_path, a);
    kit_write_tiff(job.target_path, b);
    pm_image_free(a);
    pm_image_free(b);
    free(scene);
    free(gts);
    pm_job_clear(&job);
}
