/*
 * view: the database's views as a command shows them: a table for people, JSON for programs.
 * Owns: nothing. Threads: one. Memory: none kept. Errors: those of the store.
 */
#ifndef PM_CLI_VIEW_H
#define PM_CLI_VIEW_H

#include <stdio.h>

#include "cli/table.h"
#include "common/json.h"
#include "common/store.h"

/* All rows of a statement into table (zeroed). */
enum pm_code pm_view_table(
    struct pm_store *store, const char *statement, struct pm_table *table, struct pm_err *err);
/* All rows of a statement as an array of objects under key (NULL at the top). */
enum pm_code pm_view_json(struct pm_store *store, const char *statement, struct pm_json *json,
    const char *key, struct pm_err *err);
/* One row as an object in an open array, or at the top. */
void pm_view_row(struct pm_json *json, const struct pm_column *columns, int count);
/* The cell of the first row in the column of this name; "" when there is none. */
const char *pm_view_first(const struct pm_table *table, const char *column);
/* The sum of a column of whole numbers. */
int64_t pm_view_sum(const struct pm_table *table, const char *column);

#endif
