#include "daemon/queue.h"

#include <stdlib.h>
#include <string.h>

#include "common/printable.h"

#define TEXT_SIZE PM_PRINTABLE_SIZE(4096) /* paths are no longer than PATH_MAX */

/* path as bytes and, for people, as text. */
static void bind_folder(
    struct pm_query *query, const char *bytes_name, const char *text_name, const char *path)
{
    char text[TEXT_SIZE];
    size_t size = strlen(path);
    pm_printable(text, sizeof text, path, size);
    pm_query_bytes(query, bytes_name, path, size);
    pm_query_text(query, text_name, text);
}

struct known {
    int64_t id; /* 0: not known yet */
    int64_t pair_gt_gt, pair_self;
    char *output; /* ours; NULL when it is not known, or out of memory */
};

static enum pm_code look_up(
    struct pm_store *store, const char *name, struct known *known, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "source_get");
    bool row;
    pm_query_text(query, ":name", name);
    enum pm_code rc = pm_query_step(query, &row, err);
    free(known->output);
    *known = (struct known){0};
    if (rc == PM_OK && row) {
        const char *output = pm_query_col_text(query, 3, NULL);
        known->output = output != NULL ? strdup(output) : NULL;
        known->id = pm_query_col_int(query, 0);
        known->pair_gt_gt = pm_query_col_int(query, 1);
        known->pair_self = pm_query_col_int(query, 2);
    }
    pm_query_end(query);
    return rc;
}

static enum pm_code put(
    struct pm_store *store, const struct pm_source_conf *source, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "source_put");
    pm_query_text(query, ":name", source->name);
    bind_folder(query, ":input", ":input_text", source->input);
    bind_folder(query, ":output", ":output_text", source->output);
    pm_query_int(query, ":priority", source->priority);
    pm_query_int(query, ":pair_gt_gt", source->pair_gt_gt);
    pm_query_int(query, ":pair_self", source->pair_self);
    return pm_query_run(query, err);
}

/* Options that ask for more pairs than before make them now; pairs once made stay. */
static enum pm_code repair(struct pm_store *store, int64_t id, int64_t now_us, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "source_pair_gts");
    pm_query_int(query, ":source", id);
    pm_query_int(query, ":now", now_us);
    enum pm_code rc = pm_query_run(query, err);
    if (rc == PM_OK) {
        query = pm_query_start(store, "source_recount");
        pm_query_int(query, ":source", id);
        rc = pm_query_run(query, err);
    }
    return rc;
}

/* The folder of the results is another one now, by its name or indeed. */
static enum pm_code change_output(
    struct pm_store *store, const struct known *known, const char *output, struct pm_err *err)
{
    bool moved = false;
    enum pm_code rc = pm_queue_follow(store, known->id, known->output, output, &moved, err);
    if (rc == PM_OK && moved) {
        struct pm_query *query = pm_query_start(store, "source_moved");
        pm_query_bytes(query, ":old", known->output, strlen(known->output));
        bind_folder(query, ":output", ":output_text", output);
        rc = pm_query_run(query, err);
    }
    return rc;
}

static enum pm_code put_source(struct pm_store *store, const struct pm_conf *conf,
    const struct pm_source_conf *source, int64_t now_us, struct pm_err *err)
{
    struct known known = {0};
    bool adopted = false;
    enum pm_code rc = look_up(store, source->name, &known, err);
    if (rc == PM_OK && known.id == 0) {
        rc = pm_queue_adopt(store, conf, source, &adopted, err);
    }
    if (rc == PM_OK && adopted) {
        rc = look_up(store, source->name, &known, err);
    }
    if (rc == PM_OK && known.output != NULL && strcmp(known.output, source->output) != 0) {
        rc = change_output(store, &known, source->output, err);
    }
    if (rc == PM_OK) {
        rc = put(store, source, err);
    }
    free(known.output);
    bool same = known.pair_gt_gt == source->pair_gt_gt && known.pair_self == source->pair_self;
    if (rc == PM_OK && known.id != 0 && !same) {
        rc = repair(store, known.id, now_us, err);
    }
    return rc;
}

static enum pm_code put_recipe(
    struct pm_store *store, const struct pm_conf *conf, int64_t now_us, struct pm_err *err)
{
    char hash[17];
    char json[4096];
    pm_conf_recipe(conf, hash, json, sizeof json);

    struct pm_query *query = pm_query_start(store, "recipe_retire");
    pm_query_text(query, ":hash", hash);
    enum pm_code rc = pm_query_run(query, err);
    if (rc == PM_OK) {
        query = pm_query_start(store, "recipe_put");
        pm_query_text(query, ":hash", hash);
        pm_query_text(query, ":json", json);
        pm_query_int(query, ":current", 1);
        pm_query_int(query, ":now", now_us);
        rc = pm_query_run(query, err);
    }
    return rc;
}

enum pm_code pm_queue_configure(
    struct pm_store *store, const struct pm_conf *conf, int64_t now_us, struct pm_err *err)
{
    if (conf->source_count == 0) {
        return PM_OK;
    }
    enum pm_code rc = pm_query_run(pm_query_start(store, "source_retire"), err);
    for (int i = 0; rc == PM_OK && i < conf->source_count; i++) {
        rc = put_source(store, conf, &conf->sources[i], now_us, err);
    }
    if (rc == PM_OK) {
        rc = put_recipe(store, conf, now_us, err);
    }
    return rc;
}

enum pm_code pm_queue_source_id(
    struct pm_store *store, const char *name, int64_t *id, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "source_id");
    pm_query_text(query, ":name", name);
    return pm_query_value(query, id, err);
}
