#include "daemon/queue.h"

#include <stdlib.h>
#include <string.h>

#include "common/printable.h"

#define TEXT_SIZE PM_PRINTABLE_SIZE(4096) /* paths are no longer than PATH_MAX */

struct sight {
    struct pm_store *store;
    struct pm_seen *seen;
    int64_t source_id, now_us;
    char *folder; /* of the file before: most come folder by folder */
    size_t folder_size;
    int64_t scene_id; /* of that folder; 0: none yet */
};

struct image {
    int64_t id; /* 0: not known */
    int64_t scene_id;
    bool is_gt;
    struct pm_stamp stamp;
    bool present, doubted;
};

/* --- when it was seen last --- */

void pm_seen_fini(struct pm_seen *seen)
{
    free(seen->at_us);
    *seen = (struct pm_seen){0};
}

static enum pm_code mark_seen(
    struct pm_seen *seen, int64_t image_id, int64_t now_us, struct pm_err *err)
{
    size_t index = (size_t)image_id;
    if (index >= seen->count) {
        size_t count = index + index / 2 + 1024;
        int64_t *grown = realloc(seen->at_us, count * sizeof *grown);
        if (grown == NULL) {
            return pm_err_set(err, PM_ENOMEM, "list of %zu images: out of memory", count);
        }
        memset(grown + seen->count, 0, (count - seen->count) * sizeof *grown);
        seen->at_us = grown;
        seen->count = count;
    }
    seen->at_us[index] = now_us;
    return PM_OK;
}

static int64_t last_seen(const struct pm_seen *seen, int64_t image_id)
{
    return (size_t)image_id < seen->count ? seen->at_us[image_id] : 0;
}

/* --- which scene, which side --- */

struct place {
    const char *scene; /* not NUL-terminated */
    size_t scene_size;
    bool is_gt;
};

/* "a/b/gt/x.tif" is a gt of scene a/b, "a/b/x.tif" a target of it; the input itself is ".". */
static struct place place_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct place place = {path, slash != NULL ? (size_t)(slash - path) : 0, false};
    size_t size = place.scene_size;
    if (size >= 2 && memcmp(path + size - 2, "gt", 2) == 0 &&
        (size == 2 || path[size - 3] == '/')) {
        place.is_gt = true;
        place.scene_size = size == 2 ? 0 : size - 3;
    }
    if (place.scene_size == 0) {
        place.scene = ".";
        place.scene_size = 1;
    }
    return place;
}

static void bind_name(struct pm_query *query, const char *bytes, size_t size)
{
    char text[TEXT_SIZE];
    pm_printable(text, sizeof text, bytes, size);
    pm_query_text(query, ":name", text);
}

static enum pm_code add_scene(
    struct sight *self, const struct place *place, int64_t *id, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(self->store, "scene_add");
    pm_query_int(query, ":source", self->source_id);
    pm_query_bytes(query, ":path", place->scene, place->scene_size);
    bind_name(query, place->scene, place->scene_size);
    enum pm_code rc = pm_query_run(query, err);
    *id = pm_store_last_id(self->store);
    return rc;
}

static enum pm_code scene_of(
    struct sight *self, const struct place *place, int64_t *id, struct pm_err *err)
{
    if (self->scene_id != 0 && self->folder_size == place->scene_size &&
        memcmp(self->folder, place->scene, place->scene_size) == 0) {
        *id = self->scene_id;
        return PM_OK;
    }
    struct pm_query *query = pm_query_start(self->store, "scene_find");
    pm_query_int(query, ":source", self->source_id);
    pm_query_bytes(query, ":path", place->scene, place->scene_size);
    enum pm_code rc = pm_query_value(query, id, err);
    if (rc == PM_OK && *id == 0) {
        rc = add_scene(self, place, id, err);
    }
    char *folder = malloc(place->scene_size);
    if (rc == PM_OK && folder != NULL) {
        memcpy(folder, place->scene, place->scene_size);
        free(self->folder);
        self->folder = folder;
        self->folder_size = place->scene_size;
        self->scene_id = *id;
        folder = NULL;
    }
    free(folder); /* without memory for it the next file asks again */
    return rc;
}

/* --- one image --- */

static enum pm_code find(
    struct sight *self, const char *path, struct image *image, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(self->store, "image_find");
    bool row;
    pm_query_int(query, ":source", self->source_id);
    pm_query_bytes(query, ":path", path, strlen(path));
    enum pm_code rc = pm_query_step(query, &row, err);
    *image = (struct image){0};
    if (rc == PM_OK && row) {
        image->id = pm_query_col_int(query, 0);
        image->scene_id = pm_query_col_int(query, 1);
        image->is_gt = strcmp(pm_query_col_text(query, 2, NULL), "gt") == 0;
        image->stamp.size = pm_query_col_int(query, 3);
        image->stamp.mtime_ns = pm_query_col_int(query, 4);
        image->stamp.inode = pm_query_col_int(query, 5);
        image->present = strcmp(pm_query_col_text(query, 6, NULL), "present") == 0;
        image->doubted = pm_query_col_int(query, 7) != 0;
    }
    pm_query_end(query);
    return rc;
}

/* Statements that take :image and :now. */
static enum pm_code run_for(
    struct sight *self, const char *name, int64_t image_id, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(self->store, name);
    pm_query_int(query, ":image", image_id);
    pm_query_int(query, ":now", self->now_us);
    return pm_query_run(query, err);
}

static enum pm_code make_pairs(struct sight *self, const struct image *image, struct pm_err *err)
{
    if (!image->is_gt) {
        return run_for(self, "pair_target", image->id, err);
    }
    enum pm_code rc = run_for(self, "pair_gt", image->id, err);
    return rc == PM_OK ? run_for(self, "pair_gt_as_target", image->id, err) : rc;
}

static void bind_stamp(struct pm_query *query, const struct pm_stamp *stamp)
{
    pm_query_int(query, ":size", stamp->size);
    pm_query_int(query, ":mtime_ns", stamp->mtime_ns);
    pm_query_int(query, ":inode", stamp->inode);
}

static enum pm_code add(
    struct sight *self, const struct pm_sighting *sighting, struct image *image, struct pm_err *err)
{
    struct place place = place_of(sighting->path);
    enum pm_code rc = scene_of(self, &place, &image->scene_id, err);
    if (rc != PM_OK) {
        return rc;
    }
    struct pm_query *query = pm_query_start(self->store, "image_add");
    size_t size = strlen(sighting->path);
    pm_query_int(query, ":source", self->source_id);
    pm_query_int(query, ":scene", image->scene_id);
    pm_query_text(query, ":role", place.is_gt ? "gt" : "target");
    pm_query_bytes(query, ":path", sighting->path, size);
    bind_name(query, sighting->path, size);
    bind_stamp(query, &sighting->stamp);
    pm_query_int(query, ":now", self->now_us);
    rc = pm_query_run(query, err);
    image->id = pm_store_last_id(self->store);
    image->is_gt = place.is_gt;
    return rc == PM_OK ? make_pairs(self, image, err) : rc;
}

static enum pm_code refresh_inode(
    struct sight *self, int64_t image_id, int64_t inode, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(self->store, "image_inode");
    pm_query_int(query, ":image", image_id);
    pm_query_int(query, ":inode", inode);
    return pm_query_run(query, err);
}

/* Changed, back again, or there after all though a worker did not find it. */
static enum pm_code renew(
    struct sight *self, const struct image *image, const struct pm_stamp *stamp, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(self->store, "image_present");
    pm_query_int(query, ":image", image->id);
    bind_stamp(query, stamp);
    pm_query_int(query, ":now", self->now_us);
    enum pm_code rc = pm_query_run(query, err);
    if (rc == PM_OK) {
        rc = make_pairs(self, image, err); /* its scene may have got others, or lost jobs by hand */
    }
    if (rc == PM_OK) {
        rc = run_for(self, "job_renew", image->id, err);
    }
    if (rc == PM_OK) {
        query = pm_query_start(self->store, "job_return");
        pm_query_int(query, ":image", image->id);
        pm_query_int(query, ":now", self->now_us);
        pm_query_int(query, ":fresh", !image->present);
        rc = pm_query_run(query, err);
    }
    return rc;
}

static enum pm_code sight_there(
    struct sight *self, const struct pm_sighting *sighting, struct pm_err *err)
{
    const struct pm_stamp *stamp = &sighting->stamp;
    struct image image;
    enum pm_code rc = find(self, sighting->path, &image, err);
    if (rc != PM_OK) {
        return rc;
    }
    bool same = image.stamp.size == stamp->size && image.stamp.mtime_ns == stamp->mtime_ns;
    if (image.id == 0) {
        rc = add(self, sighting, &image, err);
    } else if (!same || !image.present || image.doubted) {
        rc = renew(self, &image, stamp, err);
    } else if (image.stamp.inode != stamp->inode) {
        rc = refresh_inode(self, image.id, stamp->inode, err);
    }
    return rc == PM_OK ? mark_seen(self->seen, image.id, self->now_us, err) : rc;
}

/* --- gone --- */

static enum pm_code lose(struct sight *self, int64_t image_id, struct pm_err *err)
{
    enum pm_code rc = run_for(self, "image_gone", image_id, err);
    return rc == PM_OK ? run_for(self, "job_miss", image_id, err) : rc;
}

struct ids {
    int64_t *id;
    size_t count, cap;
};

/* First columns of query, and ends it: rows must not change while they are being walked over. */
static enum pm_code collect(struct pm_query *query, struct ids *ids, struct pm_err *err)
{
    enum pm_code rc;
    bool row;
    while ((rc = pm_query_step(query, &row, err)) == PM_OK && row) {
        if (ids->count == ids->cap) {
            size_t cap = ids->cap * 2 + 1024;
            int64_t *grown = realloc(ids->id, cap * sizeof *grown);
            if (grown == NULL) {
                rc = pm_err_set(err, PM_ENOMEM, "list of %zu images: out of memory", cap);
                break;
            }
            ids->id = grown;
            ids->cap = cap;
        }
        ids->id[ids->count++] = pm_query_col_int(query, 0);
    }
    pm_query_end(query);
    return rc;
}

/* The present images below a folder. */
static enum pm_code list_below(
    struct sight *self, const char *path, struct ids *ids, struct pm_err *err)
{
    size_t size = strlen(path);
    char *bound = malloc(size + 1);
    if (bound == NULL) {
        return pm_err_set(err, PM_ENOMEM, "folder '%s': out of memory", path);
    }
    struct pm_query *query = pm_query_start(self->store, "images_below");
    memcpy(bound, path, size); /* NOLINT(bugprone-not-null-terminated-result): its size is told */
    pm_query_int(query, ":source", self->source_id);
    bound[size] = '/';
    pm_query_bytes(query, ":low", bound, size + 1);
    bound[size] = '/' + 1;
    pm_query_bytes(query, ":high", bound, size + 1);
    free(bound);
    return collect(query, ids, err);
}

static enum pm_code lose_folder(struct sight *self, const char *path, struct pm_err *err)
{
    struct ids ids = {0};
    enum pm_code rc = list_below(self, path, &ids, err);
    for (size_t i = 0; rc == PM_OK && i < ids.count; i++) {
        rc = lose(self, ids.id[i], err);
    }
    free(ids.id);
    return rc;
}

static enum pm_code sight_gone(struct sight *self, const char *path, struct pm_err *err)
{
    struct image image;
    enum pm_code rc = find(self, path, &image, err);
    if (rc != PM_OK || (image.id != 0 && !image.present)) {
        return rc;
    }
    return image.id != 0 ? lose(self, image.id, err) : lose_folder(self, path, err);
}

/* --- there, no more is known --- */

static enum pm_code sight_kept(struct sight *self, const char *path, struct pm_err *err)
{
    struct ids ids = {0};
    struct image image;
    enum pm_code rc = find(self, path, &image, err);
    if (rc == PM_OK && image.id != 0) {
        return mark_seen(self->seen, image.id, self->now_us, err);
    }
    if (rc == PM_OK) {
        rc = list_below(self, path, &ids, err);
    }
    for (size_t i = 0; rc == PM_OK && i < ids.count; i++) {
        rc = mark_seen(self->seen, ids.id[i], self->now_us, err);
    }
    free(ids.id);
    return rc;
}

/* --- the two verbs --- */

static enum pm_code sight_one(
    struct sight *self, const struct pm_sighting *sighting, struct pm_err *err)
{
    switch (sighting->kind) {
    case PM_SEEN:
        return sight_there(self, sighting, err);
    case PM_GONE:
        return sight_gone(self, sighting->path, err);
    case PM_KEPT:
        return sight_kept(self, sighting->path, err);
    }
    return PM_OK;
}

enum pm_code pm_queue_sight(struct pm_store *store, struct pm_seen *seen, int64_t source_id,
    const struct pm_sighting *sightings, size_t count, int64_t now_us, struct pm_err *err)
{
    struct sight self = {.store = store, .seen = seen, .source_id = source_id, .now_us = now_us};
    enum pm_code rc = PM_OK;
    for (size_t i = 0; rc == PM_OK && i < count; i++) {
        rc = sight_one(&self, &sightings[i], err);
    }
    free(self.folder);
    return rc;
}

enum pm_code pm_queue_walked(struct pm_store *store, const struct pm_seen *seen, int64_t source_id,
    int64_t since_us, int64_t now_us, struct pm_err *err)
{
    struct sight self = {.store = store, .source_id = source_id, .now_us = now_us};
    struct ids ids = {0};
    struct pm_query *query = pm_query_start(store, "images_present");
    pm_query_int(query, ":source", source_id);
    enum pm_code rc = collect(query, &ids, err);
    for (size_t i = 0; rc == PM_OK && i < ids.count; i++) {
        if (last_seen(seen, ids.id[i]) < since_us) {
            rc = lose(&self, ids.id[i], err);
        }
    }
    free(ids.id);
    return rc;
}
