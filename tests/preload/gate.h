/*
 * gate: decides at every interposed call whether it goes through, fails, or is the process's last.
 * Owns: the rules, read from the environment when the process starts:
 *   SHIM_KILL=CALL:N[:PATH]    SIGKILL just before the N-th such call; CALL+ just after it
 *   SHIM_SIGNAL=NUMBER         that signal instead, to the calling thread
 *   SHIM_FAIL=CALL:N:CODE[:PATH]  the N-th such call fails with this errno (step: SQLite's code)
 *   SHIM_COUNTS=FILE           at exit: how often each call was made, a line each; of SHIM_FAIL's
 * the calls it would count, and how many descriptors are open
 *
 * CALL is a name of shim_call_name(), or `site` for the first malloc of the N-th distinct call
 * stack; with PATH only calls about a path with this text in it count, with @NAME only those of the
 * thread of that name (main: the first). What a rule did is one line on stderr that begins with
 * "shim: ".
 *
 * Threads: any. Memory: none; safe inside malloc. Errors: a rule it cannot read ends the process.
 */
#ifndef TESTS_PRELOAD_GATE_H
#define TESTS_PRELOAD_GATE_H

#include <stdbool.h>

enum shim_call {
    SHIM_MALLOC,
    SHIM_OPEN,
    SHIM_READ,
    SHIM_WRITE,
    SHIM_SYNC,
    SHIM_RENAME,
    SHIM_MKDIR,
    SHIM_UNLINK,
    SHIM_INOTIFY,
    SHIM_THREAD,
    SHIM_STEP,  /* sqlite3_step */
    SHIM_CLOCK, /* of a thread's CPU time: a worker reads it where each of its steps begins and ends
                 */
    SHIM_POLL,  /* epoll: once a turn of the loop */
    SHIM_CALLS
};
const char *shim_call_name(enum shim_call call);

/* Before the call, about path in the folder dirfd (NULL: about dirfd itself, -1: about nothing). 0:
 * go on; else what it fails with. */
int shim_before(enum shim_call call, int dirfd, const char *path);
/* After it. */
void shim_after(enum shim_call call, int dirfd, const char *path);
/* The path as the kernel sees it, for rules and records; false when it does not fit. */
bool shim_path(char *out, unsigned size, int dirfd, const char *path);

#endif
