#include "daemon/queue.h"

#include <stdlib.h>
#include <string.h>

/* No delay is longer (queue_fate.c): a job due later than this was put off by a clock set back. */
#define HORIZON_US ((int64_t)2 * 3600 * 1000000)

enum pm_code pm_queue_wake(struct pm_store *store, int64_t now_us, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "job_wake");
    pm_query_int(query, ":now", now_us);
    pm_query_int(query, ":horizon", now_us + HORIZON_US);
    return pm_query_run(query, err);
}

struct pick {
    int64_t job_id; /* 0: none is ready */
    int64_t source_id, gt_id, priority;
};

static enum pm_code pick_first(struct pm_store *store, struct pick *pick, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "claim_pick");
    bool row;
    enum pm_code rc = pm_query_step(query, &row, err);
    *pick = (struct pick){0};
    if (rc == PM_OK && row) {
        pick->job_id = pm_query_col_int(query, 0);
        pick->source_id = pm_query_col_int(query, 1);
        pick->gt_id = pm_query_col_int(query, 2);
        pick->priority = pm_query_col_int(query, 3);
    }
    pm_query_end(query);
    return rc;
}

/* Ids only: the jobs must not change while they are being walked over. */
static enum pm_code list(struct pm_store *store, const struct pick *pick, struct pm_job *jobs,
    size_t max, size_t *count, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "claim_list");
    enum pm_code rc;
    bool row;
    pm_query_int(query, ":gt", pick->gt_id);
    pm_query_int(query, ":priority", pick->priority);
    pm_query_int(query, ":max", (int64_t)max);
    while ((rc = pm_query_step(query, &row, err)) == PM_OK && row) {
        jobs[(*count)++] = (struct pm_job){.id = pm_query_col_int(query, 0)};
    }
    pm_query_end(query);
    return rc;
}

static char *copy_column(const struct pm_query *query, int column)
{
    size_t size;
    const char *bytes = pm_query_col_text(query, column, &size);
    return bytes != NULL ? strndup(bytes, size) : NULL;
}

/* folder and name columns as one path. */
static char *join_columns(const struct pm_query *query, int folder_column, int name_column)
{
    size_t folder_size;
    size_t name_size;
    const char *folder = pm_query_col_text(query, folder_column, &folder_size);
    const char *name = pm_query_col_text(query, name_column, &name_size);
    char *path = folder != NULL && name != NULL ? malloc(folder_size + name_size + 2) : NULL;
    if (path != NULL) {
        memcpy(path, folder, folder_size);
        path[folder_size] = '/';
        memcpy(path + folder_size + 1, name, name_size + 1);
    }
    return path;
}

static struct pm_stamp stamp_at(const struct pm_query *query, int column)
{
    return (struct pm_stamp){.size = pm_query_col_int(query, column),
        .mtime_ns = pm_query_col_int(query, column + 1),
        .inode = pm_query_col_int(query, column + 2)};
}

/* *whole: false when a row that belongs to the job is not there. */
static enum pm_code load(
    struct pm_store *store, struct pm_job *job, bool *whole, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "claim_load");
    bool row;
    bool copied = true;
    pm_query_int(query, ":job", job->id);
    enum pm_code rc = pm_query_step(query, &row, err);
    *whole = row;
    if (rc == PM_OK && row) {
        job->attempt = (int)pm_query_col_int(query, 1);
        job->scene = copy_column(query, 2);
        job->gt_path = join_columns(query, 3, 4);
        job->target_path = join_columns(query, 3, 5);
        pm_query_col_text(query, 3, &job->root_bytes);
        job->output = copy_column(query, 6);
        job->gt = stamp_at(query, 7);
        job->target = stamp_at(query, 10);
        job->gt_image = pm_query_col_int(query, 13);
        job->target_image = pm_query_col_int(query, 14);
        job->taken_by = copy_column(query, 15);
        copied = job->scene != NULL && job->gt_path != NULL && job->target_path != NULL &&
                 job->output != NULL && (job->taken_by != NULL || pm_query_col_null(query, 15));
    }
    pm_query_end(query);
    if (!copied) {
        rc = pm_err_set(err, PM_ENOMEM, "job %lld: out of memory", (long long)job->id);
    }
    return rc;
}

static enum pm_code bury(struct pm_store *store, int64_t job_id, int64_t now_us, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "job_broken");
    pm_query_int(query, ":job", job_id);
    pm_query_int(query, ":now", now_us);
    return pm_query_run(query, err);
}

static enum pm_code take(struct pm_store *store, struct pm_job *job, int worker, int64_t now_us,
    bool *whole, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "claim_take");
    pm_query_int(query, ":job", job->id);
    pm_query_int(query, ":worker", worker);
    pm_query_int(query, ":now", now_us);
    enum pm_code rc = pm_query_run(query, err);
    if (rc == PM_OK) {
        rc = load(store, job, whole, err);
    }
    return rc == PM_OK && !*whole ? bury(store, job->id, now_us, err) : rc;
}

enum pm_code pm_queue_claim(struct pm_store *store, int worker, int64_t now_us, struct pm_job *jobs,
    size_t max, size_t *count, struct pm_err *err)
{
    struct pick pick;
    *count = 0;
    enum pm_code rc = pick_first(store, &pick, err);
    if (rc != PM_OK || pick.job_id == 0) {
        return rc;
    }
    rc = list(store, &pick, jobs, max, count, err);
    for (size_t i = 0; rc == PM_OK && i < *count;) {
        bool whole = true;
        rc = take(store, &jobs[i], worker, now_us, &whole, err);
        if (whole) {
            i++;
        } else {
            jobs[i] = jobs[--*count];
        }
    }
    if (rc == PM_OK && *count == 0) { /* none of these could be done; there may be others */
        return pm_queue_claim(store, worker, now_us, jobs, max, count, err);
    }
    if (rc == PM_OK) {
        struct pm_query *query = pm_query_start(store, "claim_turn");
        pm_query_int(query, ":source", pick.source_id);
        rc = pm_query_run(query, err);
    }
    if (rc != PM_OK) {
        for (size_t i = 0; i < *count; i++) {
            pm_job_clear(&jobs[i]);
        }
        *count = 0;
    }
    return rc;
}
