#include "tests/lib/shell.h"

#include <assert.h>
#include <stdio.h>

void pm_shell_feed(const char *db, const char *sql)
{
    char command[1024];
    int length = snprintf(command, sizeof command, "sqlite3 -batch -bail '%s' >/dev/null", db);
    assert(length > 0 && (size_t)length < sizeof command);
    FILE *to = popen(command, "w");
    assert(to != NULL);
    fputs(sql, to);
    int rc = pclose(to);
    assert(rc == 0);
}

const char *pm_shell_ask(const char *db, const char *options, const char *sql)
{
    static char answer[8192];
    char command[4096];
    int length =
        snprintf(command, sizeof command, "sqlite3 -batch %s '%s' \"%s\" 2>&1", options, db, sql);
    assert(length > 0 && (size_t)length < sizeof command);
    FILE *from = popen(command, "r");
    assert(from != NULL);
    size_t size = fread(answer, 1, sizeof answer - 1, from);
    pclose(from);
    while (size > 0 && answer[size - 1] == '\n') {
        size--;
    }
    answer[size] = '\0';
    return answer;
}
