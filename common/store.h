/*
 * store: the job database behind one connection; the only place that knows SQLite.
 * Owns: one SQLite connection and every statement prepared on it; statements come from sql/ by
 * name. Threads: one thread at a time; only the ledger thread uses a writing one. Memory: text and
 * bytes of a row live until the next step or end of its query. Errors: PM_EDB with sys_errno EBUSY
 * when somebody else holds the write lock longer than the busy timeout; PM_ENOSPC, PM_EIO,
 * PM_ENOMEM as the disk says; PM_ENOENT, PM_EACCES, PM_EVERSION from open; any other trouble is
 * PM_EDB with SQLite's own words.
 *
 * Reading for people (pairmill status, failures, export ...):
 *
 *     rc = pm_store_open_reader(&store, conf->db, &err);
 *     rc = pm_store_read(store, "show_progress", NULL, 0, print_row, &ctx, &err);
 *     pm_store_close(store);
 *
 * Every public view V has a statement sql/stmt/show_V.sql; its comment names the parameters it
 * takes.
 */
#ifndef PM_COMMON_STORE_H
#define PM_COMMON_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define PM_STORE_APPLICATION_ID 0x504d494c /* "PMIL"; sql/schema/001.sql sets the same */

struct pm_store; /* opaque */
struct pm_query; /* opaque; one statement in use, belongs to its store */

/* Opens path for writing, makes it (mode 0640) and its folder (mode 2750) when there is none,
 * brings its schema up to date (common/schema.h). The caller must hold the flock (daemon/owner.h).
 */
enum pm_code pm_store_open(struct pm_store **out, const char *path, struct pm_err *err);
/* Opens an existing database for looking only: never writes, never checkpoints. */
enum pm_code pm_store_open_reader(struct pm_store **out, const char *path, struct pm_err *err);
/* As pm_store_open; tick is called at the start, before each step that may take long, and every now
 * and then while a statement runs or waits for somebody's lock: an old database can take minutes to
 * copy and change. */
enum pm_code pm_store_open_ticking(struct pm_store **out, const char *path, void (*tick)(void *ctx),
    void *ctx, struct pm_err *err);
void pm_store_close(struct pm_store *store); /* NULL is fine */

/* --- reading for people --- */

enum pm_type { PM_NULL, PM_INT, PM_REAL, PM_TEXT, PM_BYTES };

struct pm_param {
    const char *name; /* ":scene" */
    enum pm_type type;
    int64_t integer;
    double real;
    const char *text; /* PM_TEXT, PM_BYTES; NULL binds NULL */
    size_t size;      /* PM_BYTES only */
};

struct pm_column {
    const char *name; /* the column's name, also its key in JSON */
    enum pm_type type;
    int64_t integer;  /* PM_INT */
    double real;      /* PM_REAL; PM_INT as a real */
    const char *text; /* any value as text; "" for NULL */
    size_t size;      /* of text */
};

/* Runs sql/stmt/NAME.sql and calls row for each row until it returns false (that is no error). A
 * parameter the caller does not give is NULL. With zero rows row is not called. */
enum pm_code pm_store_read(struct pm_store *store, const char *name, const struct pm_param *params,
    size_t param_count, bool (*row)(void *ctx, const struct pm_column *columns, int count),
    void *ctx, struct pm_err *err);

/* Calls row once, with the names of the statement's columns and NULL in each: for a heading that is
 * there without rows, too. */
enum pm_code pm_store_heading(struct pm_store *store, const char *name,
    bool (*row)(void *ctx, const struct pm_column *columns, int count), void *ctx,
    struct pm_err *err);

/* --- statements, one by one --- */

/* Takes sql/stmt/NAME.sql into use, never NULL; end it before starting it again. What goes wrong
 * while preparing and binding is told by the first step, so that a chain of binds needs no checks.
 */
struct pm_query *pm_query_start(struct pm_store *store, const char *name);
/* Binds one parameter; a name the statement does not have is our bug and asserts. */
void pm_query_int(struct pm_query *query, const char *name, int64_t value);
void pm_query_real(struct pm_query *query, const char *name, double value); /* NaN binds NULL */
void pm_query_text(struct pm_query *query, const char *name, const char *value); /* NULL is fine */
void pm_query_bytes(struct pm_query *query, const char *name, const void *value, size_t size);
/* *row: whether there is one. */
enum pm_code pm_query_step(struct pm_query *query, bool *row, struct pm_err *err);
int64_t pm_query_col_int(const struct pm_query *query, int column); /* 0 for NULL */
double pm_query_col_real(const struct pm_query *query, int column);
/* Text or bytes, with a NUL behind them; NULL for NULL. size may be NULL. */
const char *pm_query_col_text(const struct pm_query *query, int column, size_t *size);
bool pm_query_col_null(const struct pm_query *query, int column);
/* Back to the store, bindings cleared. NULL is fine. */
void pm_query_end(struct pm_query *query);
/* Step until there are no more rows, and end. */
enum pm_code pm_query_run(struct pm_query *query, struct pm_err *err);
/* First column of the first row as an integer (0 when there is no row), and end. */
enum pm_code pm_query_value(struct pm_query *query, int64_t *value, struct pm_err *err);

/* --- what only the writer needs --- */

enum pm_code pm_store_begin(struct pm_store *store, struct pm_err *err); /* BEGIN IMMEDIATE */
enum pm_code pm_store_commit(struct pm_store *store, struct pm_err *err);
void pm_store_rollback(struct pm_store *store); /* nothing when there is no transaction */
/* Runs every statement of a file of sql/ ("schema/001", "views/progress"). */
enum pm_code pm_store_script(struct pm_store *store, const char *name, struct pm_err *err);
int64_t pm_store_last_id(const struct pm_store *store); /* of the last insert */
int64_t pm_store_changes(const struct pm_store *store); /* rows the last statement changed itself */
/* Copies the log into the database as far as readers let it, without waiting. truncate: also cuts
 * the log file to nothing. *pages: left in the log; 0 when all was copied. Busy readers are no
 * error. */
enum pm_code pm_store_checkpoint(
    struct pm_store *store, bool truncate, int *pages, struct pm_err *err);
int pm_store_wal_pages(const struct pm_store *store); /* after the last commit */
/* How long a statement waits for somebody else's lock; 10 s after open. */
void pm_store_busy_ms(struct pm_store *store, int ms);
/* While it waits so, wait_on is asked several times a second whether to go on waiting; it must not
 * touch the store. */
void pm_store_on_wait(struct pm_store *store, bool (*wait_on)(void *ctx), void *ctx);
/* Calls tick every now and then while a long statement runs; it must not touch the store. */
void pm_store_on_progress(struct pm_store *store, void (*tick)(void *ctx), void *ctx);
/* Calls it now: something that may take long comes. */
void pm_store_tick(struct pm_store *store);
const char *pm_store_path(const struct pm_store *store);
const char *pm_store_sqlite_version(void);

#endif
