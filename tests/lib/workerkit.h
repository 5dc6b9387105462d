/*
 * workerkit: a worker's surroundings for tests: temporary folders, small images, files, an env, a
 * job. Owns: what its structs say. Threads: one. Memory: kit_*_fini() and kit_remove(). Errors:
 * exits with a message; a test that cannot set itself up has failed.
 */
#ifndef PM_TESTS_WORKERKIT_H
#define PM_TESTS_WORKERKIT_H

#include "common/image.h"
#include "common/result.h"
#include "worker/worker.h"

struct kit {
    struct pm_cache *cache;
    struct pm_budget *budget;
    struct pm_bufpool *pool;
    struct pm_worker_env env;
    struct pm_worker *worker;
    struct pm_conf *conf; /* defaults, max_shift 8, crops 16/12 */
};

/* cache_bytes, memory_max: of the cache and the budget. */
void kit_init(struct kit *kit, size_t cache_bytes, size_t memory_max);
void kit_fini(struct kit *kit);
void kit_set(struct kit *kit, const char *key, const char *value);

char *kit_tmpdir(void);            /* a new folder; free() the path after kit_remove() */
void kit_remove(const char *path); /* with all that is in it */
char *kit_path(const char *folder, const char *name); /* malloc */
void kit_mkdir(const char *path);
bool kit_exists(const char *path);
int kit_entries(const char *folder);            /* without . and ..; -1 when there is no folder */
char *kit_read(const char *path, size_t *size); /* malloc, NUL-terminated */
void kit_write(const char *path, const char *text);

/* A small generator (xorshift64*), so that a seed gives the same test everywhere. */
double kit_random(uint64_t *state); /* 0..1 */

struct pm_image *kit_image(int w, int h, int channels, enum pm_sample sample);
/* v: full scale 1; rounded for integer types. */
void kit_put(struct pm_image *image, int x, int y, int c, double v);
/* The sample as a double, full scale 1. */
double kit_get(const struct pm_image *image, int x, int y, int c);
uint16_t kit_half(float v); /* nearest half, for finite |v| < 65504 */
/* Blocky texture that fits only one shift, seen through a window at (x0, y0); noise added. */
void kit_texture(struct pm_image *image, int x0, int y0, double gain, double noise, uint64_t seed);

void kit_write_tiff(const char *path, const struct pm_image *image);
struct pm_stamp kit_stamp(const char *path);
/* Scene "s", ids 1 and 2, paths <dir>/s/gt/<gt> and <dir>/s/<target>, output <dir>/out. */
struct pm_job kit_job(const char *dir, const char *gt, const char *target);
/* Writes both files of kit_job: the target shows what gt shows, moved by (dy, dx). */
void kit_write_pair(const char *dir, const char *gt, const char *target, enum pm_sample sample,
    int channels, int dy, int dx);

#endif
