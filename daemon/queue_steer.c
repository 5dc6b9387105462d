#include "daemon/queue.h"

#include <stdlib.h>

enum pm_code pm_queue_pause(
    struct pm_store *store, const char *source_name, bool paused, struct pm_err *err)
{
    if (source_name == NULL) {
        return pm_queue_fact(store, "paused", paused, err);
    }
    struct pm_query *query = pm_query_start(store, "source_pause");
    pm_query_text(query, ":name", source_name);
    pm_query_int(query, ":paused", paused);
    enum pm_code rc = pm_query_run(query, err);
    if (rc == PM_OK && pm_store_changes(store) == 0) {
        rc = pm_err_set(err, PM_EUSAGE,
            "no source is called '%s': see `pairmill status` for their names", source_name);
    }
    return rc;
}

static void bind_filter(struct pm_query *query, const struct pm_retry_filter *filter)
{
    bool usual = !filter->failed && !filter->quarantined && !filter->missing && !filter->stale &&
                 !filter->done;
    pm_query_int(query, ":job", filter->id);
    pm_query_int(query, ":failed", filter->failed || usual);
    pm_query_int(query, ":quarantined", filter->quarantined || usual);
    pm_query_int(query, ":missing", filter->missing);
    pm_query_int(query, ":stale", filter->stale);
    pm_query_int(query, ":done", filter->done);
    pm_query_text(query, ":scene", filter->scene);
}

/* Up to limit ids above after; a list first, since the jobs must not change while walked over. */
static enum pm_code list(struct pm_store *store, const struct pm_retry_filter *filter,
    int64_t after, int64_t limit, int64_t *ids, int64_t *count, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "retry_list");
    enum pm_code rc;
    bool row;
    bind_filter(query, filter);
    pm_query_int(query, ":after", after);
    pm_query_int(query, ":limit", limit);
    *count = 0;
    while ((rc = pm_query_step(query, &row, err)) == PM_OK && row) {
        ids[(*count)++] = pm_query_col_int(query, 0);
    }
    pm_query_end(query);
    return rc;
}

enum pm_code pm_queue_retry(struct pm_store *store, const struct pm_retry_filter *filter,
    int64_t limit, int64_t now_us, int64_t *after, int64_t *released, struct pm_err *err)
{
    int64_t count = 0;
    int64_t *ids = malloc((size_t)limit * sizeof *ids);
    if (ids == NULL) {
        return pm_err_set(err, PM_ENOMEM, "retry: out of memory");
    }
    enum pm_code rc = list(store, filter, *after, limit, ids, &count, err);
    for (int64_t i = 0; rc == PM_OK && i < count; i++) {
        struct pm_query *query = pm_query_start(store, "retry_one");
        pm_query_int(query, ":job", ids[i]);
        pm_query_int(query, ":now", now_us);
        rc = pm_query_run(query, err);
    }
    *released = count;
    *after = count == limit ? ids[count - 1] : 0;
    free(ids);
    return rc;
}
