#include "common/store_sqlite.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_name(const void *key, const void *entry)
{
    return strcmp(key, ((const struct pm_sql *)entry)->name);
}

const struct pm_sql *pm_store_sql(const char *folder, const char *name)
{
    char full[96];
    snprintf(full, sizeof full, "%s%s", folder, name);
    const struct pm_sql *sql = bsearch(full, pm_sql, pm_sql_count, sizeof pm_sql[0], by_name);
    assert(sql != NULL);
    return sql;
}

struct pm_query *pm_query_start(struct pm_store *store, const char *name)
{
    const struct pm_sql *sql = pm_store_sql("stmt/", name);
    struct pm_query *query = &store->queries[sql - pm_sql];
    assert(!query->in_use);

    query->in_use = true;
    query->rc = SQLITE_OK;
    if (query->stmt == NULL) {
        query->rc = sqlite3_prepare_v3(
            store->db, sql->text, -1, SQLITE_PREPARE_PERSISTENT, &query->stmt, NULL);
    }
    return query;
}

static void note(struct pm_query *query, int rc)
{
    if (query->rc == SQLITE_OK) {
        query->rc = rc;
    }
}

/* 0 when the statement could not be prepared; then there is nothing to bind to. */
static int parameter(struct pm_query *query, const char *name)
{
    if (query->stmt == NULL) {
        return 0;
    }
    int index = sqlite3_bind_parameter_index(query->stmt, name);
    assert(index > 0);
    return index;
}

void pm_query_int(struct pm_query *query, const char *name, int64_t value)
{
    int index = parameter(query, name);
    if (index > 0) {
        note(query, sqlite3_bind_int64(query->stmt, index, value));
    }
}

void pm_query_real(struct pm_query *query, const char *name, double value)
{
    int index = parameter(query, name);
    if (index > 0) {
        note(query, sqlite3_bind_double(query->stmt, index, value));
    }
}

void pm_query_text(struct pm_query *query, const char *name, const char *value)
{
    int index = parameter(query, name);
    if (index > 0) {
        note(query, sqlite3_bind_text(query->stmt, index, value, -1, SQLITE_TRANSIENT));
    }
}

void pm_query_bytes(struct pm_query *query, const char *name, const void *value, size_t size)
{
    int index = parameter(query, name);
    if (index > 0) {
        const void *bytes = value == NULL ? "" : value;
        note(query, sqlite3_bind_blob64(query->stmt, index, bytes, size, SQLITE_TRANSIENT));
    }
}

enum pm_code pm_query_step(struct pm_query *query, bool *row, struct pm_err *err)
{
    int rc = query->rc;
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(query->stmt);
    }
    *row = rc == SQLITE_ROW;
    return rc == SQLITE_ROW || rc == SQLITE_DONE
               ? PM_OK
               : pm_store_fail(query->store, rc, query->name, err);
}

int64_t pm_query_col_int(const struct pm_query *query, int column)
{
    return sqlite3_column_int64(query->stmt, column);
}

double pm_query_col_real(const struct pm_query *query, int column)
{
    return sqlite3_column_double(query->stmt, column);
}

const char *pm_query_col_text(const struct pm_query *query, int column, size_t *size)
{
    /* As text, so that SQLite puts a NUL behind it; the bytes of a BLOB stay as they are. */
    const unsigned char *text = sqlite3_column_text(query->stmt, column);
    if (size != NULL) {
        *size = (size_t)sqlite3_column_bytes(query->stmt, column);
    }
    return (const char *)text;
}

bool pm_query_col_null(const struct pm_query *query, int column)
{
    return sqlite3_column_type(query->stmt, column) == SQLITE_NULL;
}

void pm_query_end(struct pm_query *query)
{
    if (query != NULL && query->in_use) {
        if (query->stmt != NULL) {
            sqlite3_reset(query->stmt);
            sqlite3_clear_bindings(query->stmt);
        }
        query->in_use = false;
    }
}

enum pm_code pm_query_run(struct pm_query *query, struct pm_err *err)
{
    enum pm_code rc;
    bool row;
    do {
        rc = pm_query_step(query, &row, err);
    } while (rc == PM_OK && row);
    pm_query_end(query);
    return rc;
}

enum pm_code pm_query_value(struct pm_query *query, int64_t *value, struct pm_err *err)
{
    bool row;
    enum pm_code rc = pm_query_step(query, &row, err);
    *value = rc == PM_OK && row ? pm_query_col_int(query, 0) : 0;
    pm_query_end(query);
    return rc;
}

/* --- reading for people --- */

static void bind_param(struct pm_query *query, const struct pm_param *param)
{
    switch (param->type) {
    case PM_INT:
        pm_query_int(query, param->name, param->integer);
        break;
    case PM_REAL:
        pm_query_real(query, param->name, param->real);
        break;
    case PM_TEXT:
        pm_query_text(query, param->name, param->text);
        break;
    case PM_BYTES:
        pm_query_bytes(query, param->name, param->text, param->size);
        break;
    case PM_NULL:
        break; /* unbound parameters are NULL */
    }
}

static void fill_column(struct pm_query *query, int i, struct pm_column *column)
{
    static const enum pm_type types[] = {[SQLITE_INTEGER] = PM_INT,
        [SQLITE_FLOAT] = PM_REAL,
        [SQLITE_TEXT] = PM_TEXT,
        [SQLITE_BLOB] = PM_BYTES,
        [SQLITE_NULL] = PM_NULL};
    column->name = sqlite3_column_name(query->stmt, i);
    column->type = types[sqlite3_column_type(query->stmt, i)];
    column->integer = sqlite3_column_int64(query->stmt, i);
    column->real = sqlite3_column_double(query->stmt, i);
    const char *text = pm_query_col_text(query, i, &column->size);
    column->text = text != NULL ? text : "";
}

enum pm_code pm_store_read(struct pm_store *store, const char *name, const struct pm_param *params,
    size_t param_count, bool (*row)(void *ctx, const struct pm_column *columns, int count),
    void *ctx, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, name);
    struct pm_column *columns = NULL;
    enum pm_code rc = PM_OK;
    bool more = true;

    for (size_t i = 0; i < param_count; i++) {
        bind_param(query, &params[i]);
    }
    int count = query->stmt != NULL ? sqlite3_column_count(query->stmt) : 0;
    columns = calloc((size_t)count + 1, sizeof *columns);
    if (columns == NULL) {
        rc = pm_err_set(err, PM_ENOMEM, "%s: out of memory", name);
        goto out;
    }
    for (;;) {
        rc = pm_query_step(query, &more, err);
        if (rc != PM_OK || !more) {
            break;
        }
        for (int i = 0; i < count; i++) {
            fill_column(query, i, &columns[i]);
        }
        if (!row(ctx, columns, count)) {
            break;
        }
    }
out:
    free(columns);
    pm_query_end(query);
    return rc;
}

enum pm_code pm_store_heading(struct pm_store *store, const char *name,
    bool (*row)(void *ctx, const struct pm_column *columns, int count), void *ctx,
    struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, name);
    int count = query->stmt != NULL ? sqlite3_column_count(query->stmt) : 0;
    struct pm_column *columns = calloc((size_t)count + 1, sizeof *columns);
    enum pm_code rc = PM_OK;

    if (columns == NULL) {
        rc = pm_err_set(err, PM_ENOMEM, "%s: out of memory", name);
    } else if (query->stmt == NULL) {
        rc = pm_store_fail(store, query->rc, name, err);
    } else {
        for (int i = 0; i < count; i++) {
            columns[i] = (struct pm_column){
                .name = sqlite3_column_name(query->stmt, i), .type = PM_NULL, .text = ""};
        }
        row(ctx, columns, count);
    }
    free(columns);
    pm_query_end(query);
    return rc;
}
