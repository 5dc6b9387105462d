/*
 * schema: what is inside a database: whose it is, how old, and how it gets up to date.
 * Owns: nothing; works on an open store. For store.c and tests.
 * Threads: as the store. Memory: none kept.
 * Errors: PM_EVERSION when the file is not ours or newer than this program, else as the store.
 *
 * Schema steps sql/schema/001.sql, 002.sql ... run once each, in order. Views and triggers hold no
 * data, so they are simply made anew whenever their text or the program's version has changed.
 */
#ifndef PM_COMMON_SCHEMA_H
#define PM_COMMON_SCHEMA_H

#include "common/err.h"
#include "common/store.h"

/* The newest step this program knows. */
int pm_schema_newest(void);

/* PM_OK when the file is ours or empty; touches nothing. */
enum pm_code pm_schema_check_kind(struct pm_store *store, struct pm_err *err);
/* For readers: ours, and exactly the newest schema. */
enum pm_code pm_schema_check(struct pm_store *store, struct pm_err *err);
/* For the writer: takes an empty or older database to the newest schema in one transaction, an
 * older one after a copy to "<path>.v<old>.bak"; makes views and triggers anew if they differ. */
enum pm_code pm_schema_update(struct pm_store *store, struct pm_err *err);

#endif
