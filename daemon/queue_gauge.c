#include "daemon/queue.h"

#define SLOT_US 5000000 /* rows of the rate table; the views know it too */

enum pm_code pm_queue_counts(struct pm_store *store, struct pm_counts *counts, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "counts");
    bool row;
    enum pm_code rc = pm_query_step(query, &row, err);
    *counts = (struct pm_counts){0};
    if (rc == PM_OK && row) {
        counts->waiting = pm_query_col_int(query, 0);
        counts->settling = pm_query_col_int(query, 1);
        counts->queued = pm_query_col_int(query, 2);
        counts->running = pm_query_col_int(query, 3);
        counts->done = pm_query_col_int(query, 4);
        counts->failed = pm_query_col_int(query, 5);
        counts->quarantined = pm_query_col_int(query, 6);
        counts->missing = pm_query_col_int(query, 7);
        counts->ready = pm_query_col_int(query, 8);
        counts->paused = pm_query_col_int(query, 9) != 0;
        counts->total = counts->queued + counts->running + counts->done + counts->failed +
                        counts->quarantined + counts->missing;
    }
    pm_query_end(query);
    if (rc == PM_OK) {
        rc = pm_query_value(pm_query_start(store, "next_due"), &counts->next_due_us, err);
    }
    return rc;
}

enum pm_code pm_queue_gauge(struct pm_store *store, const char *source_name,
    const struct pm_gauges *gauges, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "gauge_put");
    pm_query_text(query, ":name", source_name);
    pm_query_int(query, ":settling", gauges->settling);
    pm_query_int(query, ":ignored", gauges->ignored);
    pm_query_int(query, ":watching", gauges->watching);
    return pm_query_run(query, err);
}

enum pm_code pm_queue_cache(struct pm_store *store, const char *name,
    const struct pm_cache_stats *stats, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "cache_put");
    pm_query_text(query, ":name", name);
    pm_query_int(query, ":hits", stats->hits);
    pm_query_int(query, ":misses", stats->misses);
    pm_query_int(query, ":evictions", stats->evictions);
    pm_query_int(query, ":bytes", (int64_t)stats->bytes);
    pm_query_int(query, ":budget_bytes", (int64_t)stats->budget_bytes);
    return pm_query_run(query, err);
}

enum pm_code pm_queue_worker(
    struct pm_store *store, int worker, const struct pm_worker_gauge *gauge, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "worker_put");
    pm_query_int(query, ":worker", worker);
    if (gauge->job_id != 0) {
        pm_query_int(query, ":job", gauge->job_id);
        pm_query_text(
            query, ":stage", gauge->step >= 0 ? pm_step_name((enum pm_step)gauge->step) : NULL);
    }
    pm_query_int(query, ":since", gauge->since_us);
    pm_query_int(query, ":done", gauge->done);
    pm_query_int(query, ":failed", gauge->failed);
    pm_query_int(query, ":hangs", gauge->hangs);
    return pm_query_run(query, err);
}

enum pm_code pm_queue_fact(
    struct pm_store *store, const char *name, int64_t value, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "control_put");
    pm_query_text(query, ":name", name);
    pm_query_int(query, ":value", value);
    return pm_query_run(query, err);
}

enum pm_code pm_queue_fact_text(
    struct pm_store *store, const char *name, const char *value, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "control_put");
    pm_query_text(query, ":name", name);
    pm_query_text(query, ":value", value);
    return pm_query_run(query, err);
}

enum pm_code pm_queue_rate(struct pm_store *store, int64_t now_us, int64_t done, int64_t failed,
    int64_t busy_us, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "rate_add");
    pm_query_int(query, ":slot", now_us / SLOT_US);
    pm_query_int(query, ":done", done);
    pm_query_int(query, ":failed", failed);
    pm_query_int(query, ":busy_us", busy_us);
    enum pm_code rc = pm_query_run(query, err);
    if (rc == PM_OK) {
        query = pm_query_start(store, "rate_total_add");
        pm_query_int(query, ":done", done);
        pm_query_int(query, ":failed", failed);
        pm_query_int(query, ":busy_us", busy_us);
        pm_query_int(query, ":now", now_us);
        rc = pm_query_run(query, err);
    }
    if (rc == PM_OK) {
        query = pm_query_start(store, "rate_forget");
        pm_query_int(query, ":slot", now_us / SLOT_US);
        rc = pm_query_run(query, err);
    }
    return rc;
}

static enum pm_code run_all(
    struct pm_store *store, const char *const *names, size_t count, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    for (size_t i = 0; rc == PM_OK && i < count; i++) {
        rc = pm_query_run(pm_query_start(store, names[i]), err);
    }
    return rc;
}

enum pm_code pm_queue_gauges_reset(struct pm_store *store, struct pm_err *err)
{
    static const char *const clears[] = {"worker_clear", "gauge_clear", "cache_clear"};
    return run_all(store, clears, 3, err);
}

enum pm_code pm_queue_gauges_end(struct pm_store *store, struct pm_err *err)
{
    static const char *const clears[] = {"worker_clear", "gauge_clear"};
    return run_all(store, clears, 2, err);
}
