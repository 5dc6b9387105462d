#include "common/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sqlite3.h>

#include "common/folder.h"
#include "common/schema.h"
#include "common/sql.h"

#define BUSY_MS 10000
#define PROGRESS_OPS 100000 /* of SQLite's machine: some milliseconds */

struct pm_query {
    struct pm_store *store;
    sqlite3_stmt *stmt; /* prepared at first use; NULL: could not be */
    const char *name;
    int rc; /* first trouble since the start, told by the next step */
    bool in_use;
};

struct pm_store {
    sqlite3 *db;
    char *path;
    struct pm_query *queries; /* one a statement of sql/, same order as pm_sql */
    int wal_pages;
    void (*tick)(void *ctx);
    void *tick_ctx;
};

/* --- errors --- */

/* SQLite's result code as one of ours; the message says which database and what was being done. */
static enum pm_code fail(struct pm_store *store, int rc, const char *what, struct pm_err *err)
{
    const char *text = store->db != NULL ? sqlite3_errmsg(store->db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return pm_err_set(err, PM_ENOMEM, "database '%s': out of memory", store->path);
    case SQLITE_FULL:
        return pm_err_set(err, PM_ENOSPC, "database '%s': no space left on its disk", store->path);
    case SQLITE_IOERR:
        return pm_err_set(err, PM_EIO, "database '%s': %s: %s", store->path, what, text);
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return pm_err_set(err, PM_EACCES, "database '%s': %s: %s", store->path, what, text);
    case SQLITE_NOTADB:
        return pm_err_set(err, PM_EVERSION, "'%s' is not a pairmill database", store->path);
    default:
        pm_err_set(err, PM_EDB, "database '%s': %s: %s", store->path, what, text);
        if (err != NULL && ((rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_LOCKED)) {
            err->sys_errno = EBUSY;
        }
        return PM_EDB;
    }
}

/* --- open and close --- */

static int on_commit(void *ctx, sqlite3 *db, const char *name, int pages)
{
    (void)db;
    (void)name;
    ((struct pm_store *)ctx)->wal_pages = pages;
    return SQLITE_OK;
}

static enum pm_code new_store(struct pm_store **out, const char *path, struct pm_err *err)
{
    struct pm_store *store = calloc(1, sizeof *store);
    if (store != NULL) {
        store->path = strdup(path);
        store->queries = calloc(pm_sql_count, sizeof *store->queries);
    }
    if (store == NULL || store->path == NULL || store->queries == NULL) {
        pm_store_close(store);
        return pm_err_set(err, PM_ENOMEM, "database '%s': out of memory", path);
    }
    for (size_t i = 0; i < pm_sql_count; i++) {
        store->queries[i].store = store;
        store->queries[i].name = pm_sql[i].name;
    }
    *out = store;
    return PM_OK;
}

/* Makes the file ourselves, so that it, and the log files that take after it, are 0640 whatever the
 * umask. A database that is there keeps the mode its owner gave it. */
static enum pm_code make_file(const char *path, struct pm_err *err)
{
    enum pm_code rc = pm_folder_make_for(path, 02750, err);
    if (rc != PM_OK) {
        return rc;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0) {
        return errno == EEXIST ? PM_OK : pm_err_errno(err, errno, "make database '%s'", path);
    }
    if (fchmod(fd, 0640) != 0) {
        rc = pm_err_errno(err, errno, "make database '%s'", path);
    }
    close(fd);
    return rc;
}

/* Everything but the name is the same for both kinds of connection. */
static enum pm_code connect(struct pm_store *store, int flags, struct pm_err *err)
{
    int rc = sqlite3_open_v2(
        store->path, &store->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_busy_timeout(store->db, BUSY_MS);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_wal_autocheckpoint(store->db, 0);
    }
    return rc == SQLITE_OK ? PM_OK : fail(store, rc, "open", err);
}

/* The log files stay when the last connection closes: without them a user who may only read could
 * not open the database while no daemon runs. */
static enum pm_code set_up_writer(struct pm_store *store, struct pm_err *err)
{
    int persist = 1;
    enum pm_code rc;

    int db_rc = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    if (db_rc != SQLITE_OK) {
        return fail(store, db_rc, "open", err);
    }
    rc =
        pm_schema_check_kind(store, err); /* before WAL mode is written into somebody else's file */
    if (rc != PM_OK) {
        return rc;
    }
    sqlite3_wal_hook(store->db, on_commit, store);
    return pm_store_script(store, "setup/writer", err);
}

enum pm_code pm_store_open(struct pm_store **out, const char *path, struct pm_err *err)
{
    struct pm_store *store = NULL;
    enum pm_code rc;

    rc = make_file(path, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = new_store(&store, path, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = connect(store, SQLITE_OPEN_READWRITE, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = set_up_writer(store, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = pm_schema_update(store, err);
    if (rc != PM_OK) {
        goto out;
    }
    *out = store;
    store = NULL;
out:
    pm_store_close(store);
    return rc;
}

enum pm_code pm_store_open_reader(struct pm_store **out, const char *path, struct pm_err *err)
{
    struct pm_store *store = NULL;
    struct stat st;
    enum pm_code rc;

    if (stat(path, &st) != 0) {
        return errno == ENOENT
                   ? pm_err_set(err, PM_ENOENT,
                         "no database '%s': nothing has run with it yet; name another with --db",
                         path)
                   : pm_err_errno(err, errno, "database '%s'", path);
    }
    rc = new_store(&store, path, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = connect(store, SQLITE_OPEN_READONLY, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = pm_schema_check(store, err);
    if (rc != PM_OK) {
        goto out;
    }
    *out = store;
    store = NULL;
out:
    pm_store_close(store);
    return rc;
}

void pm_store_close(struct pm_store *store)
{
    if (store == NULL) {
        return;
    }
    for (size_t i = 0; store->queries != NULL && i < pm_sql_count; i++) {
        sqlite3_finalize(store->queries[i].stmt);
    }
    sqlite3_close(store->db);
    free(store->queries);
    free(store->path);
    free(store);
}

/* --- statements --- */

static int by_name(const void *key, const void *entry)
{
    return strcmp(key, ((const struct pm_sql *)entry)->name);
}

static const struct pm_sql *find_sql(const char *folder, const char *name)
{
    char full[96];
    snprintf(full, sizeof full, "%s%s", folder, name);
    const struct pm_sql *sql = bsearch(full, pm_sql, pm_sql_count, sizeof pm_sql[0], by_name);
    assert(sql != NULL);
    return sql;
}

struct pm_query *pm_query_start(struct pm_store *store, const char *name)
{
    const struct pm_sql *sql = find_sql("stmt/", name);
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
    return rc == SQLITE_ROW || rc == SQLITE_DONE ? PM_OK : fail(query->store, rc, query->name, err);
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

/* --- what only the writer needs --- */

enum pm_code pm_store_begin(struct pm_store *store, struct pm_err *err)
{
    return pm_query_run(pm_query_start(store, "begin"), err);
}

enum pm_code pm_store_commit(struct pm_store *store, struct pm_err *err)
{
    return pm_query_run(pm_query_start(store, "commit"), err);
}

void pm_store_rollback(struct pm_store *store)
{
    if (sqlite3_get_autocommit(store->db) == 0) {
        (void)pm_query_run(pm_query_start(store, "rollback"), NULL);
    }
}

enum pm_code pm_store_script(struct pm_store *store, const char *name, struct pm_err *err)
{
    int rc = sqlite3_exec(store->db, find_sql("", name)->text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? PM_OK : fail(store, rc, name, err);
}

int64_t pm_store_last_id(const struct pm_store *store)
{
    return sqlite3_last_insert_rowid(store->db);
}

int64_t pm_store_changes(const struct pm_store *store)
{
    return sqlite3_changes64(store->db);
}

enum pm_code pm_store_checkpoint(
    struct pm_store *store, bool truncate, int *pages, struct pm_err *err)
{
    int in_log = 0;
    int copied = 0;
    /* A reader or a writer in the way is no reason to wait: there will be another checkpoint. */
    sqlite3_busy_timeout(store->db, 0);
    int rc = sqlite3_wal_checkpoint_v2(store->db, "main",
        truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied);
    sqlite3_busy_timeout(store->db, BUSY_MS);
    *pages = in_log > copied ? in_log - copied : 0;
    if ((rc & 0xff) == SQLITE_BUSY) {
        rc = SQLITE_OK;
    }
    if (truncate && in_log == 0) {
        store->wal_pages = 0;
    }
    return rc == SQLITE_OK ? PM_OK : fail(store, rc, "checkpoint", err);
}

int pm_store_wal_pages(const struct pm_store *store)
{
    return store->wal_pages;
}

void pm_store_busy_ms(struct pm_store *store, int ms)
{
    sqlite3_busy_timeout(store->db, ms);
}

static int on_progress(void *ctx)
{
    const struct pm_store *store = ctx;
    store->tick(store->tick_ctx);
    return 0;
}

void pm_store_on_progress(struct pm_store *store, void (*tick)(void *ctx), void *ctx)
{
    store->tick = tick;
    store->tick_ctx = ctx;
    sqlite3_progress_handler(store->db, PROGRESS_OPS, tick != NULL ? on_progress : NULL, store);
}

const char *pm_store_path(const struct pm_store *store)
{
    return store->path;
}

const char *pm_store_sqlite_version(void)
{
    return sqlite3_libversion();
}
