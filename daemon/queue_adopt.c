/* A source is known by its name, which `pairmill run` makes from the path of its input. When people
 * move the input, the output or both, reach them through a link, or rename the section of the
 * settings, it is still the same: everything known of it stays, instead of being done again. */
#include "daemon/queue.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/conf_path.h"

static bool in_settings(const struct pm_conf *conf, const char *name)
{
    for (int i = 0; i < conf->source_count; i++) {
        if (strcmp(conf->sources[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* By whatever names. Out of memory: no; then it is another source, which costs time, no more. */
static bool same_folder(const char *a, const char *b)
{
    char *real_a = pm_path_real(a);
    char *real_b = pm_path_real(b);
    bool same = real_a != NULL && real_b != NULL && strcmp(real_a, real_b) == 0;
    free(real_a);
    free(real_b);
    return same;
}

/* Whether the file below input has this size and time: then it counts as the same (queue_sight). */
static bool holds_file(const char *input, const char *rel, int64_t size, int64_t mtime_ns)
{
    struct stat st;
    char *path = NULL;
    if (asprintf(&path, "%s/%s", input, rel) < 0) {
        return false;
    }
    bool holds = lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == size &&
                 pm_timespec_ns(&st.st_mtim) == mtime_ns;
    free(path);
    return holds;
}

/* *moved: a sample of the source's files lies below input, every one, unchanged. */
static enum pm_code has_moved(
    struct pm_store *store, int64_t source_id, const char *input, bool *moved, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "source_sample");
    enum pm_code rc;
    bool row;
    pm_query_int(query, ":source", source_id);
    *moved = false;
    while ((rc = pm_query_step(query, &row, err)) == PM_OK && row) {
        const char *rel = pm_query_col_text(query, 0, NULL);
        *moved = rel != NULL &&
                 holds_file(input, rel, pm_query_col_int(query, 1), pm_query_col_int(query, 2));
        if (!*moved) {
            break;
        }
    }
    pm_query_end(query);
    return rc;
}

/* What a path in old is when all of old lies in new now; NULL: it is not in old, or no memory. */
static char *moved_path(const char *path, const char *old, const char *new)
{
    size_t size = strlen(old);
    char *moved = NULL;
    if (strncmp(path, old, size) != 0 || path[size] != '/' ||
        asprintf(&moved, "%s%s", new, path + size) < 0) {
        return NULL;
    }
    return moved;
}

static bool is_result(const char *folder)
{
    struct stat st;
    char *record = NULL;
    if (asprintf(&record, "%s/pair.json", folder) < 0) {
        return false;
    }
    bool is = lstat(record, &st) == 0 && S_ISREG(st.st_mode);
    free(record);
    return is;
}

/* *moved: a sample of the source's results lies below the folder new, as it did below old. */
static enum pm_code results_moved(struct pm_store *store, int64_t source_id, const char *old,
    const char *new, bool *moved, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "result_sample");
    enum pm_code rc;
    bool row;
    pm_query_int(query, ":source", source_id);
    *moved = false;
    while ((rc = pm_query_step(query, &row, err)) == PM_OK && row) {
        const char *folder = pm_query_col_text(query, 0, NULL);
        char *there = folder != NULL ? moved_path(folder, old, new) : NULL;
        *moved = there != NULL && is_result(there);
        free(there);
        if (!*moved) {
            break;
        }
    }
    pm_query_end(query);
    return rc;
}

/* *id: the known source that this one is; 0: none. */
static enum pm_code find_former(struct pm_store *store, const struct pm_conf *conf,
    const struct pm_source_conf *source, int64_t *id, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "source_others");
    enum pm_code rc;
    bool row;
    *id = 0;
    while ((rc = pm_query_step(query, &row, err)) == PM_OK && row && *id == 0) {
        const char *name = pm_query_col_text(query, 1, NULL);
        const char *input = pm_query_col_text(query, 2, NULL);
        const char *output = pm_query_col_text(query, 3, NULL);
        int64_t candidate = pm_query_col_int(query, 0);
        bool same = false;
        if (name == NULL || input == NULL || output == NULL || in_settings(conf, name)) {
            continue;
        }
        same = same_folder(output, source->output);
        if (!same) {
            rc = results_moved(store, candidate, output, source->output, &same, err);
        }
        if (rc == PM_OK && same && !same_folder(input, source->input)) {
            rc = has_moved(store, candidate, source->input, &same, err);
        }
        *id = same ? candidate : 0;
        if (rc != PM_OK) {
            break;
        }
    }
    pm_query_end(query);
    return rc;
}

enum pm_code pm_queue_adopt(struct pm_store *store, const struct pm_conf *conf,
    const struct pm_source_conf *source, bool *adopted, struct pm_err *err)
{
    int64_t id;
    enum pm_code rc = find_former(store, conf, source, &id, err);
    *adopted = false;
    if (rc == PM_OK && id != 0) {
        struct pm_query *query = pm_query_start(store, "source_rename");
        pm_query_int(query, ":source", id);
        pm_query_text(query, ":name", source->name);
        rc = pm_query_run(query, err);
        *adopted = rc == PM_OK;
    }
    return rc;
}

enum pm_code pm_queue_follow(struct pm_store *store, int64_t source_id, const char *old,
    const char *new, bool *moved, struct pm_err *err)
{
    enum pm_code rc = results_moved(store, source_id, old, new, moved, err);
    if (rc == PM_OK && *moved) {
        struct pm_query *query = pm_query_start(store, "result_moved");
        pm_query_bytes(query, ":output", old, strlen(old));
        pm_query_text(query, ":old", old);
        pm_query_text(query, ":new", new);
        rc = pm_query_run(query, err);
    }
    return rc;
}
