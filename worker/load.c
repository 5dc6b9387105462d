#include "worker/load.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/convert.h"
#include "common/hash.h"
#include "common/infile.h"

enum pm_code pm_stamp_check(const char *path, size_t root_bytes, const struct pm_stamp *stamp,
    int64_t *inode, struct pm_err *err)
{
    struct stat st;
    enum pm_code rc = pm_infile_stat(&st, path, root_bytes, err);
    if (rc != PM_OK) {
        return rc;
    }
    int64_t mtime_ns = pm_timespec_ns(&st.st_mtim);
    if (inode != NULL) {
        *inode = (int64_t)st.st_ino;
    }
    if (st.st_size != stamp->size || mtime_ns != stamp->mtime_ns) {
        return pm_err_set(err, PM_ECHANGED,
            "%s: changed since it was queued (%" PRId64 " bytes then, %" PRId64
            " now); it is taken up again once it has settled",
            path, stamp->size, (int64_t)st.st_size);
    }
    return PM_OK;
}

/* Stats again what was stated as *before: nothing may have happened while it was read. */
static enum pm_code check_unchanged(
    const char *path, size_t root_bytes, const struct pm_stamp *before, struct pm_err *err)
{
    int64_t inode = 0;
    enum pm_code rc = pm_stamp_check(path, root_bytes, before, &inode, err);
    if (rc == PM_OK && inode != before->inode) {
        return pm_err_set(err, PM_ECHANGED,
            "%s: replaced while it was read; it is taken up again once it has settled", path);
    }
    return rc;
}

static enum pm_code stamp_now(
    const char *path, size_t root_bytes, struct pm_stamp *stamp, struct pm_err *err)
{
    struct stat st;
    enum pm_code rc = pm_infile_stat(&st, path, root_bytes, err);
    if (rc != PM_OK) {
        return rc;
    }
    *stamp = (struct pm_stamp){
        .size = st.st_size, .mtime_ns = pm_timespec_ns(&st.st_mtim), .inode = (int64_t)st.st_ino};
    return PM_OK;
}

/* The prep is made from the image that is really being read: the header that was looked at before
 * may have been another file's by now. */
struct feed {
    struct pm_prep *prep;
    enum pm_code code; /* why there is no prep */
    struct pm_err err;
};

static void take_rows(void *ctx, const struct pm_image *image, int y0, int y1)
{
    struct feed *feed = ctx;
    if (feed->prep == NULL && feed->code == PM_OK) {
        feed->code = pm_prep_new(
            &feed->prep, image->w, image->h, image->channels, image->sample, &feed->err);
    }
    if (feed->prep != NULL) {
        pm_prep_rows(feed->prep, image, y0, y1);
    }
}

/* Decodes with the prep fused in: its rows are taken while the decoder has them in the cache. */
static enum pm_code decode_with_prep(
    const char *path, const struct pm_load_opts *opts, struct pm_loaded *loaded, struct pm_err *err)
{
    struct feed feed = {.code = PM_OK};
    struct pm_row_sink sink = {take_rows, &feed};
    enum pm_code rc = pm_image_read(path, &opts->limits, opts->pool, &sink, &loaded->image, err);
    loaded->prep = feed.prep;
    if (rc != PM_OK) {
        return rc;
    }
    if (feed.code != PM_OK) {
        if (err != NULL) {
            *err = feed.err;
        }
        return feed.code;
    }
    pm_prep_finish(loaded->prep);
    return PM_OK;
}

enum pm_code pm_load(
    const char *path, const struct pm_load_opts *opts, struct pm_loaded **out, struct pm_err *err)
{
    const size_t root_bytes = opts->limits.root_bytes;
    struct pm_stamp before = {0};
    struct pm_loaded *loaded = calloc(1, sizeof *loaded);
    enum pm_code rc;

    if (loaded == NULL) {
        return pm_err_set(err, PM_ENOMEM, "%s: no memory", path);
    }
    rc = stamp_now(path, root_bytes, &before, err);
    if (rc == PM_OK && opts->stamp != NULL) {
        rc = pm_stamp_check(path, root_bytes, opts->stamp, NULL, err);
    }
    if (rc == PM_OK && opts->hash) {
        rc = pm_hash_file_below(path, root_bytes, NULL, loaded->hash, err);
    }
    if (rc != PM_OK) {
        goto out;
    }
    rc = decode_with_prep(path, opts, loaded, err);
    /* A file that changed explains any other error, and must not be blamed as a bad image. */
    struct pm_err changed;
    if (check_unchanged(path, root_bytes, &before, &changed) != PM_OK) {
        rc = changed.code;
        if (err != NULL) {
            *err = changed;
        }
    }
    if (rc != PM_OK) {
        goto out;
    }
    loaded->file_bytes = before.size;
    *out = loaded;
    loaded = NULL;
out:
    pm_loaded_free(loaded);
    return rc;
}

enum pm_code pm_loaded_convert(const struct pm_loaded *from, enum pm_sample to,
    struct pm_bufpool *pool, struct pm_loaded **out, struct pm_err *err)
{
    struct pm_loaded *loaded = calloc(1, sizeof *loaded);
    enum pm_code rc;

    if (loaded == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to convert an image");
    }
    rc = pm_convert(from->image, to, pool, &loaded->image, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = pm_prep_of_image(&loaded->prep, loaded->image, err);
    if (rc != PM_OK) {
        goto out;
    }
    *out = loaded;
    loaded = NULL;
out:
    pm_loaded_free(loaded);
    return rc;
}

void pm_loaded_free(struct pm_loaded *loaded)
{
    if (loaded != NULL) {
        pm_prep_free(loaded->prep);
        pm_image_free(loaded->image);
        free(loaded);
    }
}

size_t pm_loaded_bytes(const struct pm_loaded *loaded)
{
    return sizeof *loaded + loaded->image->bytes + pm_prep_bytes(loaded->prep);
}

size_t pm_loaded_estimate(int w, int h, int channels, enum pm_sample sample)
{
    /* A prep is "about an eighth of the decoded image or less" (prep.h); a few KiB for small ones.
     */
    size_t image = pm_image_bytes(w, h, channels, sample);
    return sizeof(struct pm_loaded) + image + image / 8 + 16384;
}

enum pm_code pm_shape_check(const char *gt_path, const struct pm_image_info *gt,
    const char *target_path, const struct pm_image_info *target, struct pm_err *err)
{
    if (gt->w == target->w && gt->h == target->h && gt->channels == target->channels) {
        return PM_OK;
    }
    return pm_err_set(err, PM_ESIZE,
        "%s is %dx%d %s, but %s is %dx%d %s: both images of a pair must have the same size and "
        "channels",
        target_path, target->w, target->h, target->channels == 1 ? "grey" : "RGB", gt_path, gt->w,
        gt->h, gt->channels == 1 ? "grey" : "RGB");
}
