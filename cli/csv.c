#include "cli/csv.h"

#include <string.h>

#include "common/json.h"

/* A field that begins or ends with a blank is quoted too: some readers trim. */
static bool needs_quotes(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (strchr(",\"\r\n", text[i]) != NULL) {
            return true;
        }
    }
    return size > 0 && (text[0] == ' ' || text[size - 1] == ' ');
}

static void put_text(const char *text, size_t size, FILE *to)
{
    bool quoted = needs_quotes(text, size);
    if (!quoted) {
        fwrite(text, 1, size, to);
        return;
    }
    fputc('"', to);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"') {
            fputc('"', to);
        }
        fputc(text[i], to);
    }
    fputc('"', to);
}

void pm_csv_heading(const struct pm_column *columns, int count, FILE *to)
{
    for (int i = 0; i < count; i++) {
        fputs(i > 0 ? "," : "", to);
        put_text(columns[i].name, strlen(columns[i].name), to);
    }
    fputc('\n', to);
}

void pm_csv_row(const struct pm_column *columns, int count, FILE *to)
{
    for (int i = 0; i < count; i++) {
        fputs(i > 0 ? "," : "", to);
        if (columns[i].type == PM_REAL) {
            char number[PM_JSON_NUMBER];
            pm_json_number(number, columns[i].real);
            fputs(number, to);
        } else {
            put_text(columns[i].text, columns[i].size, to);
        }
    }
    fputc('\n', to);
}
