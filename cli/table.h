/*
 * table: rows of a query as aligned columns for people.
 * Owns: a copy of every cell until pm_table_clear().
 * Threads: one. Memory: all rows are held, since widths depend on them. Errors: PM_ENOMEM.
 */
#ifndef PM_CLI_TABLE_H
#define PM_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "common/err.h"
#include "common/store.h"

#define PM_TABLE_COLUMNS 24

struct pm_table {
    char **cells; /* rows * columns of them; the first row is the heading */
    size_t rows, columns;
    bool numeric[PM_TABLE_COLUMNS]; /* set to the right */
};

/* Zeroed is empty. The first row also gives the heading. */
enum pm_code pm_table_add(
    struct pm_table *table, const struct pm_column *columns, int count, struct pm_err *err);
/* names: the columns to show, in this order, NULL at the end. Nothing for an empty table. */
void pm_table_print(const struct pm_table *table, const char *const *names, FILE *to);
/* The same as a table of HTML. */
void pm_table_html(const struct pm_table *table, const char *const *names, FILE *to);
/* Text as it may stand in HTML. */
void pm_table_escape(const char *text, FILE *to);
void pm_table_clear(struct pm_table *table);

#endif
