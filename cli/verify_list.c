#include "cli/verify_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "worker/outname.h"

/* Room for one more item; NULL when out of memory. */
static void *grow(void *items, size_t count, size_t size)
{
    bool full = (count & (count - 1)) == 0; /* 0, 1, 2, 4 ...: as many as there is room for */
    return full ? realloc(items, (count == 0 ? 1 : count * 2) * size) : items;
}

static enum pm_code no_memory(struct pm_err *err)
{
    return pm_err_set(err, PM_ENOMEM, "no memory for the list of pairs");
}

static void copy_hash(char hash[17], const struct pm_query *query, int column)
{
    const char *text = pm_query_col_text(query, column, NULL);
    snprintf(hash, 17, "%s", text != NULL ? text : "");
}

/* NULL for NULL; *ok becomes false when out of memory. */
static char *copy_text(const struct pm_query *query, int column, bool *ok)
{
    size_t size;
    const char *text = pm_query_col_text(query, column, &size);
    char *copy = text != NULL ? strndup(text, size) : NULL;
    *ok = *ok && (text == NULL || copy != NULL);
    return copy;
}

static enum pm_code add_done(
    struct pm_verify_list *list, const struct pm_query *query, struct pm_err *err)
{
    struct pm_verify_entry *grown = grow(list->entries, list->count, sizeof *grown);
    bool ok = grown != NULL;
    if (!ok) {
        return no_memory(err);
    }
    list->entries = grown;
    struct pm_verify_entry *entry = &grown[list->count++];
    *entry = (struct pm_verify_entry){.job_id = pm_query_col_int(query, 0),
        .active = pm_query_col_int(query, 1) != 0,
        .folder = copy_text(query, 2, &ok),
        .finished_us = pm_query_col_int(query, 3)};
    copy_hash(entry->record, query, 4);
    copy_hash(entry->gt_hash, query, 5);
    copy_hash(entry->target_hash, query, 6);
    return ok ? PM_OK : no_memory(err);
}

/* Where worker/publish.c puts it. */
static enum pm_code add_pending(
    struct pm_verify_list *list, const struct pm_query *query, struct pm_err *err)
{
    char name[PM_OUTNAME_MAX + 1], *gt = NULL, *target = NULL, **grown;
    const char *output = pm_query_col_text(query, 0, NULL);
    const char *scene = pm_query_col_text(query, 1, NULL);
    bool top = strcmp(scene, ".") == 0;
    enum pm_code rc = PM_OK;

    if (asprintf(&gt, "/%s", pm_query_col_text(query, 2, NULL)) < 0 ||
        asprintf(&target, "/%s", pm_query_col_text(query, 3, NULL)) < 0) {
        rc = no_memory(err);
        goto out;
    }
    if (pm_outname(gt, target, name, NULL) != PM_OK) {
        goto out; /* no output can have such a name */
    }
    grown = grow(list->pending, list->pending_count, sizeof *grown);
    if (grown == NULL) {
        rc = no_memory(err);
        goto out;
    }
    list->pending = grown;
    if (asprintf(&grown[list->pending_count], "%s%s%s/%s", output, top ? "" : "/", top ? "" : scene,
            name) < 0) {
        rc = no_memory(err);
        goto out;
    }
    list->pending_count++;
out:
    free(gt);
    free(target);
    return rc;
}

static enum pm_code add_source(
    struct pm_verify_list *list, const struct pm_query *query, struct pm_err *err)
{
    bool ok = true;
    char **inputs = grow(list->inputs, list->source_count, sizeof *inputs);
    list->inputs = inputs != NULL ? inputs : list->inputs;
    char **outputs = grow(list->outputs, list->source_count, sizeof *outputs);
    list->outputs = outputs != NULL ? outputs : list->outputs;
    if (inputs == NULL || outputs == NULL) {
        return no_memory(err);
    }
    inputs[list->source_count] = copy_text(query, 0, &ok);
    outputs[list->source_count] = copy_text(query, 1, &ok);
    list->source_count++;
    return ok ? PM_OK : no_memory(err);
}

static enum pm_code each(struct pm_verify_list *list, struct pm_store *store, const char *name,
    enum pm_code (*add)(struct pm_verify_list *, const struct pm_query *, struct pm_err *),
    struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, name);
    enum pm_code rc;
    bool row;
    while ((rc = pm_query_step(query, &row, err)) == PM_OK && row) {
        rc = add(list, query, err);
        if (rc != PM_OK) {
            break;
        }
    }
    pm_query_end(query);
    return rc;
}

/* Of several results in one folder the last one, of an active source if any, comes first. */
static int by_folder(const void *a, const void *b)
{
    const struct pm_verify_entry *x = a;
    const struct pm_verify_entry *y = b;
    if (x->folder == NULL || y->folder == NULL) {
        return (x->folder != NULL) - (y->folder != NULL);
    }
    int order = strcmp(x->folder, y->folder);
    if (order == 0) {
        order = (y->finished_us > x->finished_us) - (y->finished_us < x->finished_us);
    }
    return order != 0 ? order : (int)y->active - (int)x->active;
}

/* Two sources with one output can follow each other: what lies there is the last one's. */
static void drop_superseded(struct pm_verify_list *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct pm_verify_entry *entry = &list->entries[i];
        if (kept > 0 && entry->folder != NULL && list->entries[kept - 1].folder != NULL &&
            strcmp(entry->folder, list->entries[kept - 1].folder) == 0) {
            free(entry->folder);
        } else {
            list->entries[kept++] = *entry;
        }
    }
    list->count = kept;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

enum pm_code pm_verify_list_load(
    struct pm_verify_list *list, struct pm_store *store, struct pm_err *err)
{
    /* Pending ones before and after: a pair that moves meanwhile is in one of the lists for sure.
     */
    enum pm_code rc = each(list, store, "verify_sources", add_source, err);
    if (rc == PM_OK) {
        rc = each(list, store, "verify_pending", add_pending, err);
    }
    if (rc == PM_OK) {
        rc = each(list, store, "verify_done", add_done, err);
    }
    if (rc == PM_OK) {
        rc = each(list, store, "verify_pending", add_pending, err);
    }
    if (list->count > 0) {
        qsort(list->entries, list->count, sizeof *list->entries, by_folder);
        drop_superseded(list);
    }
    if (list->pending_count > 0) {
        qsort(list->pending, list->pending_count, sizeof *list->pending, by_text);
    }
    return rc;
}

void pm_verify_list_clear(struct pm_verify_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->entries[i].folder);
    }
    for (size_t i = 0; i < list->pending_count; i++) {
        free(list->pending[i]);
    }
    for (size_t i = 0; i < list->source_count; i++) {
        free(list->inputs[i]);
        free(list->outputs[i]);
    }
    free(list->entries);
    free(list->pending);
    free(list->inputs);
    free(list->outputs);
    *list = (struct pm_verify_list){0};
}

static int folder_is(const void *key, const void *entry)
{
    const struct pm_verify_entry *one = entry;
    return one->folder == NULL ? 1 : strcmp(key, one->folder);
}

bool pm_verify_list_done(const struct pm_verify_list *list, const char *folder)
{
    return list->count > 0 &&
           bsearch(folder, list->entries, list->count, sizeof *list->entries, folder_is) != NULL;
}

bool pm_verify_list_knows(const struct pm_verify_list *list, const char *folder)
{
    return pm_verify_list_done(list, folder) ||
           (list->pending_count > 0 && bsearch(&folder, list->pending, list->pending_count,
                                           sizeof *list->pending, by_text) != NULL);
}
