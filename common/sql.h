/*
 * sql: every statement of sql/, built into the program; build/gen/sql.c is made by sql/embed.awk.
 * Owns: constant text. Threads: any. Memory: none.
 * Errors: an unknown name is a bug of ours, so whoever looks one up may assert it is there.
 */
#ifndef PM_COMMON_SQL_H
#define PM_COMMON_SQL_H

#include <stddef.h>

struct pm_sql {
    const char *name; /* the path below sql/ without .sql: "stmt/claim_pick" */
    const char *text; /* the file as it is, comments included */
};

/* Sorted by name (strcmp), so that it can be searched. */
extern const struct pm_sql pm_sql[];
extern const size_t pm_sql_count;

#endif
