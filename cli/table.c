#include "cli/table.h"

#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/printable.h"

static char *printable_copy(const char *text, size_t size)
{
    char *copy = malloc(PM_PRINTABLE_SIZE(size));
    if (copy != NULL) {
        pm_printable(copy, PM_PRINTABLE_SIZE(size), text, size);
    }
    return copy;
}

static enum pm_code add_row(
    struct pm_table *table, const struct pm_column *columns, bool heading, struct pm_err *err)
{
    size_t old = table->rows * table->columns;
    char **grown = realloc(table->cells, (old + table->columns) * sizeof *grown);
    if (grown == NULL) {
        return pm_err_set(err, PM_ENOMEM, "out of memory");
    }
    table->cells = grown;
    for (size_t c = 0; c < table->columns; c++) {
        const char *text = heading ? columns[c].name : columns[c].text;
        grown[old + c] = printable_copy(text, heading ? strlen(text) : columns[c].size);
        if (grown[old + c] == NULL) {
            while (c > 0) {
                free(grown[old + --c]);
            }
            return pm_err_set(err, PM_ENOMEM, "out of memory");
        }
        if (!heading && columns[c].type != PM_INT && columns[c].type != PM_REAL &&
            columns[c].type != PM_NULL) {
            table->numeric[c] = false;
        }
    }
    table->rows++;
    return PM_OK;
}

enum pm_code pm_table_add(
    struct pm_table *table, const struct pm_column *columns, int count, struct pm_err *err)
{
    if (table->rows == 0) {
        enum pm_code rc;
        table->columns = count > PM_TABLE_COLUMNS ? PM_TABLE_COLUMNS : (size_t)count;
        memset(table->numeric, 1, sizeof table->numeric);
        rc = add_row(table, columns, true, err);
        if (rc != PM_OK) {
            return rc;
        }
    }
    return add_row(table, columns, false, err);
}

static size_t find_column(const struct pm_table *table, const char *name)
{
    size_t c = 0;
    while (c < table->columns && strcmp(table->cells[c], name) != 0) {
        c++;
    }
    return c;
}

/* Characters, which are what a terminal counts, not bytes. */
static int text_width(const char *text)
{
    int width = 0;
    while (*text != '\0') {
        size_t len = pm_utf8_length(text);
        text += len > 0 ? len : 1;
        width++;
    }
    return width;
}

static int column_width(const struct pm_table *table, size_t c)
{
    int width = 0;
    for (size_t r = 0; r < table->rows; r++) {
        int w = text_width(table->cells[r * table->columns + c]);
        width = w > width ? w : width;
    }
    return width;
}

static void print_row(
    const struct pm_table *table, size_t row, const size_t *chosen, const int *widths, FILE *to)
{
    for (size_t i = 0; chosen[i] < table->columns; i++) {
        size_t c = chosen[i];
        const char *text = table->cells[row * table->columns + c];
        bool last = chosen[i + 1] >= table->columns;
        int gap = widths[i] - text_width(text);
        fprintf(to, "%s%*s%s%*s", i > 0 ? "  " : "", table->numeric[c] ? gap : 0, "", text,
            table->numeric[c] || last ? 0 : gap, "");
    }
    fputc('\n', to);
}

void pm_table_print(const struct pm_table *table, const char *const *names, FILE *to)
{
    size_t chosen[PM_TABLE_COLUMNS + 1];
    int widths[PM_TABLE_COLUMNS];
    size_t count = 0;

    if (table->rows == 0) {
        return;
    }
    for (; *names != NULL && count < PM_TABLE_COLUMNS; names++) {
        size_t c = find_column(table, *names);
        if (c < table->columns) {
            widths[count] = column_width(table, c);
            chosen[count++] = c;
        }
    }
    chosen[count] = table->columns;
    for (size_t r = 0; r < table->rows; r++) {
        print_row(table, r, chosen, widths, to);
    }
}

void pm_table_escape(const char *text, FILE *to)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        default:
            fputc(*text, to);
        }
    }
}

void pm_table_html(const struct pm_table *table, const char *const *names, FILE *to)
{
    if (table->rows == 0) {
        return;
    }
    fputs("<table>\n", to);
    for (size_t r = 0; r < table->rows; r++) {
        const char *tag = r == 0 ? "th" : "td";
        fputs("<tr>", to);
        for (const char *const *name = names; *name != NULL; name++) {
            size_t c = find_column(table, *name);
            if (c < table->columns) {
                fprintf(to, "<%s%s>", tag, r > 0 && table->numeric[c] ? " class=\"n\"" : "");
                pm_table_escape(table->cells[r * table->columns + c], to);
                fprintf(to, "</%s>", tag);
            }
        }
        fputs("</tr>\n", to);
    }
    fputs("</table>\n", to);
}

void pm_table_clear(struct pm_table *table)
{
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    *table = (struct pm_table){0};
}
