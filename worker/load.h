/*
 * load: one image file in memory: its pixels, its prep made while they were decoded, its content
 * hash. Owns: image and prep. Threads: filled by one thread, then read-only and shareable. Memory:
 * pm_loaded_bytes(); pm_loaded_free(). Errors: as reader.h and hash.h; PM_ECHANGED when the file is
 * not, or does not stay, as its stamp says.
 */
#ifndef PM_WORKER_LOAD_H
#define PM_WORKER_LOAD_H

#include "common/formats/reader.h"
#include "common/image.h"
#include "common/result.h"
#include "worker/align/prep.h"

struct pm_loaded {
    struct pm_image *image;
    struct pm_prep *prep; /* finished */
    char hash[17];        /* XXH3-64 of the file's bytes, hex; "" when not asked for */
    int64_t file_bytes;
};

struct pm_load_opts {
    struct pm_limits limits;
    struct pm_bufpool *pool;      /* may be NULL */
    const struct pm_stamp *stamp; /* what the file has to be; NULL: whatever it is */
    bool hash;
};

/* The file must be there and be what stamp says (size and mtime; the inode is not part of it). A
 * link after root_bytes bytes of path: not there. *inode: which file it is now, for a second look
 * later; may be NULL. */
enum pm_code pm_stamp_check(const char *path, size_t root_bytes, const struct pm_stamp *stamp,
    int64_t *inode, struct pm_err *err);

/* Hashes first, so that a cold file is read once, from front to back, and decoded from memory. */
enum pm_code pm_load(
    const char *path, const struct pm_load_opts *opts, struct pm_loaded **out, struct pm_err *err);
/* The same pixels in another sample type (convert.h), with a prep of their own and no hash. */
enum pm_code pm_loaded_convert(const struct pm_loaded *from, enum pm_sample to,
    struct pm_bufpool *pool, struct pm_loaded **out, struct pm_err *err);
void pm_loaded_free(struct pm_loaded *loaded); /* NULL is fine */
size_t pm_loaded_bytes(const struct pm_loaded *loaded);
/* The same before it exists: what an image of this shape and its prep take at most. */
size_t pm_loaded_estimate(int w, int h, int channels, enum pm_sample sample);

/* PM_ESIZE naming both shapes unless they agree. */
enum pm_code pm_shape_check(const char *gt_path, const struct pm_image_info *gt,
    const char *target_path, const struct pm_image_info *target, struct pm_err *err);

#endif
