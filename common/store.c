#include "common/store.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/folder.h"
#include "common/schema.h"
#include "common/store_sqlite.h"

#define BUSY_MS 10000
#define PROGRESS_OPS 100000 /* of SQLite's machine: some milliseconds */

/* --- errors --- */

static int errno_of(int rc)
{
    switch (rc) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: /* a race for the log's locks that was lost too often */
        return EBUSY;
    default:
        return 0;
    }
}

enum pm_code pm_store_fail(struct pm_store *store, int rc, const char *what, struct pm_err *err)
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
        return pm_err_set(err, PM_EACCES,
            "database '%s': %s: %s; look at this user's rights on it, on its -wal and -shm, and "
            "on its folder",
            store->path, what, text);
    case SQLITE_NOTADB:
        return pm_err_set(err, PM_EVERSION,
            "'%s' is not a pairmill database, nor any other: name another with --db", store->path);
    case SQLITE_CORRUPT:
        pm_err_set(err, PM_EDB,
            "database '%s' is damaged (%s: %s): put a copy of it back, or move it away and begin "
            "a new one, which does all pairs again",
            store->path, what, text);
        if (err != NULL) {
            err->sys_errno = EUCLEAN;
        }
        return PM_EDB;
    default:
        pm_err_set(err, PM_EDB, "database '%s': %s: %s", store->path, what, text);
        if (err != NULL) {
            err->sys_errno = errno_of(rc & 0xff);
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

/* SQLite's own waiting, with somebody to ask whether it still makes sense. */
static int on_busy(void *ctx, int tries)
{
    static const int delay_ms[] = {1, 2, 5, 10, 15, 20, 25, 25, 25, 50, 50, 100};
    enum { DELAYS = sizeof delay_ms / sizeof delay_ms[0] };
    struct pm_store *store = ctx;
    int waited_ms = tries > DELAYS ? (tries - DELAYS) * delay_ms[DELAYS - 1] : 0;

    for (int i = 0; i < tries && i < DELAYS; i++) {
        waited_ms += delay_ms[i];
    }
    pm_store_tick(store);
    if (waited_ms >= store->busy_ms ||
        (store->wait_on != NULL && !store->wait_on(store->wait_ctx))) {
        return 0;
    }
    usleep((useconds_t)delay_ms[tries < DELAYS ? tries : DELAYS - 1] * 1000);
    return 1;
}

/* Everything but the name is the same for both kinds of connection. */
static enum pm_code connect(struct pm_store *store, int flags, struct pm_err *err)
{
    assert(store != NULL);
    int rc = sqlite3_open_v2(
        store->path, &store->db, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
    if (rc == SQLITE_OK) {
        store->busy_ms = BUSY_MS;
        rc = sqlite3_busy_handler(store->db, on_busy, store);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_wal_autocheckpoint(store->db, 0);
    }
    return rc == SQLITE_OK ? PM_OK : pm_store_fail(store, rc, "open", err);
}

/* The log files stay when the last connection closes: without them a user who may only read could
 * not open the database while no daemon runs. */
static enum pm_code set_up_writer(struct pm_store *store, struct pm_err *err)
{
    int persist = 1;
    enum pm_code rc;

    int db_rc = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_PERSIST_WAL, &persist);
    if (db_rc != SQLITE_OK) {
        return pm_store_fail(store, db_rc, "open", err);
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
    return pm_store_open_ticking(out, path, NULL, NULL, err);
}

enum pm_code pm_store_open_ticking(
    struct pm_store **out, const char *path, void (*tick)(void *ctx), void *ctx, struct pm_err *err)
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
    pm_store_on_progress(store, tick, ctx);
    pm_store_tick(store);
    rc = set_up_writer(store, err);
    if (rc != PM_OK) {
        goto out;
    }
    rc = pm_schema_update(store, err);
    if (rc != PM_OK) {
        goto out;
    }
    pm_store_on_progress(store, NULL, NULL);
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
    int rc = sqlite3_exec(store->db, pm_store_sql("", name)->text, NULL, NULL, NULL);
    return rc == SQLITE_OK ? PM_OK : pm_store_fail(store, rc, name, err);
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
    int busy_ms = store->busy_ms;
    store->busy_ms = 0;
    int rc = sqlite3_wal_checkpoint_v2(store->db, "main",
        truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied);
    store->busy_ms = busy_ms;
    *pages = in_log > copied ? in_log - copied : 0;
    if ((rc & 0xff) == SQLITE_BUSY) {
        rc = SQLITE_OK;
    }
    if (truncate && in_log == 0) {
        store->wal_pages = 0;
    }
    return rc == SQLITE_OK ? PM_OK : pm_store_fail(store, rc, "checkpoint", err);
}

int pm_store_wal_pages(const struct pm_store *store)
{
    return store->wal_pages;
}

void pm_store_busy_ms(struct pm_store *store, int ms)
{
    store->busy_ms = ms;
}

void pm_store_on_wait(struct pm_store *store, bool (*wait_on)(void *ctx), void *ctx)
{
    store->wait_on = wait_on;
    store->wait_ctx = ctx;
}

static int on_progress(void *ctx)
{
    const struct pm_store *store = ctx;
    store->tick(store->tick_ctx);
    return 0;
}

void pm_store_tick(struct pm_store *store)
{
    if (store->tick != NULL) {
        store->tick(store->tick_ctx);
    }
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
