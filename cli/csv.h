/*
 * csv: rows of a query as other programs read them: RFC 4180, with a line feed at the end of a row.
 * Owns: nothing. Threads: one. Memory: none. Errors: none; whether all went out, the caller asks of
 * `to` in the end.
 *
 * Numbers have the fewest digits that read back as the same number; NULL is an empty field. Names
 * are what the database has: bytes that are no UTF-8 stay as they are in output_dir and file
 * columns.
 */
#ifndef PM_CLI_CSV_H
#define PM_CLI_CSV_H

#include <stdio.h>

#include "common/store.h"

void pm_csv_heading(const struct pm_column *columns, int count, FILE *to);
void pm_csv_row(const struct pm_column *columns, int count, FILE *to);

#endif
