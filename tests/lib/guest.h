/*
 * guest: somebody with the stock sqlite3 shell in a process of its own, who holds on to what the
 * test tells it to. Holds definitions: include it in a test's only file. Owns: the process and its
 * two pipes. Threads: one. Memory: none. Errors: assert.
 */
#ifndef PM_TESTS_LIB_GUEST_H
#define PM_TESTS_LIB_GUEST_H

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct pm_guest {
    pid_t pid;
    FILE *to, *from;
};

static inline void pm_guest_open(struct pm_guest *guest, const char *db)
{
    int in[2];
    int out[2];
    if (pipe(in) != 0 || pipe(out) != 0) {
        abort();
    }
    guest->pid = fork();
    if (guest->pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execlp("sqlite3", "sqlite3", "-batch", "-cmd", ".timeout 20000", db, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    guest->to = fdopen(in[1], "w");
    guest->from = fdopen(out[0], "r");
    assert(guest->to != NULL && guest->from != NULL);
}

/* Runs sql and returns once it is done; it must give exactly one row, which the next call
 * overwrites. */
static inline const char *pm_guest_run(struct pm_guest *guest, const char *sql)
{
    static char line[256];
    fprintf(guest->to, "%s\n", sql);
    fflush(guest->to);
    if (fgets(line, sizeof line, guest->from) == NULL) {
        abort();
    }
    line[strcspn(line, "\n")] = '\0';
    return line;
}

static inline void pm_guest_close(struct pm_guest *guest)
{
    fclose(guest->to);
    fclose(guest->from);
    waitpid(guest->pid, NULL, 0);
}

#endif
