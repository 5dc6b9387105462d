#include "cli/view.h"

#include <stdlib.h>
#include <string.h>

struct filling {
    struct pm_table *table;
    struct pm_err *err;
    enum pm_code rc;
};

static bool add_row(void *ctx, const struct pm_column *columns, int count)
{
    struct filling *filling = ctx;
    filling->rc = pm_table_add(filling->table, columns, count, filling->err);
    return filling->rc == PM_OK;
}

enum pm_code pm_view_table(
    struct pm_store *store, const char *statement, struct pm_table *table, struct pm_err *err)
{
    struct filling filling = {table, err, PM_OK};
    enum pm_code rc = pm_store_read(store, statement, NULL, 0, add_row, &filling, err);
    return rc != PM_OK ? rc : filling.rc;
}

static void write_value(struct pm_json *json, const struct pm_column *column)
{
    switch (column->type) {
    case PM_INT:
        pm_json_int(json, column->name, column->integer);
        break;
    case PM_REAL:
        pm_json_double(json, column->name, column->real);
        break;
    case PM_NULL:
        pm_json_null(json, column->name);
        break;
    case PM_TEXT:
    case PM_BYTES:
        pm_json_name(json, column->name, column->text);
        break;
    }
}

void pm_view_row(struct pm_json *json, const struct pm_column *columns, int count)
{
    pm_json_begin_object(json, NULL);
    for (int i = 0; i < count; i++) {
        write_value(json, &columns[i]);
    }
    pm_json_end_object(json);
}

static bool write_row(void *ctx, const struct pm_column *columns, int count)
{
    pm_view_row(ctx, columns, count);
    return true;
}

enum pm_code pm_view_json(struct pm_store *store, const char *statement, struct pm_json *json,
    const char *key, struct pm_err *err)
{
    enum pm_code rc;
    pm_json_begin_array(json, key);
    rc = pm_store_read(store, statement, NULL, 0, write_row, json, err);
    pm_json_end_array(json);
    return rc;
}

/* Index of the column of this name; table->columns: none. */
static size_t column_of(const struct pm_table *table, const char *name)
{
    size_t c = 0;
    while (table->rows > 0 && c < table->columns && strcmp(table->cells[c], name) != 0) {
        c++;
    }
    return table->rows > 0 ? c : table->columns;
}

const char *pm_view_first(const struct pm_table *table, const char *column)
{
    size_t c = column_of(table, column);
    return table->rows > 1 && c < table->columns ? table->cells[table->columns + c] : "";
}

int64_t pm_view_sum(const struct pm_table *table, const char *column)
{
    size_t c = column_of(table, column);
    int64_t sum = 0;
    for (size_t r = 1; r < table->rows && c < table->columns; r++) {
        sum += strtoll(table->cells[r * table->columns + c], NULL, 10);
    }
    return sum;
}
