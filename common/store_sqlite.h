/*
 * store_sqlite: what the files of the store share; for them only, and the one place that includes
 * <sqlite3.h>.
 * Owns, threads, memory, errors: see store.h.
 */
#ifndef PM_COMMON_STORE_SQLITE_H
#define PM_COMMON_STORE_SQLITE_H

#include <sqlite3.h>

#include "common/sql.h"
#include "common/store.h"

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
    int busy_ms; /* how long a statement waits for somebody else's lock */
    bool (*wait_on)(void *ctx);
    void *wait_ctx;
    void (*tick)(void *ctx);
    void *tick_ctx;
};

/* SQLite's result code as one of ours; the message says which database and what was being done. */
enum pm_code pm_store_fail(struct pm_store *store, int rc, const char *what, struct pm_err *err);
/* The file folder + name of sql/, which there must be. */
const struct pm_sql *pm_store_sql(const char *folder, const char *name);

#endif
