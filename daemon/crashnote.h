/*
 * crashnote: a process that dies of a fault of its own (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT,
 * SIGSYS) writes in its last moment which one it was, in which worker, job and step.
 * Owns: the handlers of these signals between open and close, one file descriptor's use. A signal's
 * handler is given no context, so this is file-scope data, and each thread's own in thread storage.
 * Threads: open and close on one, before and after all others; thread calls on the thread itself.
 * Memory: an alternate stack a thread, so that an overflow of the stack is noted as well.
 * Errors: none; what cannot be set up leaves the process to die without a note, as SIGKILL and a
 * power failure do anyway.
 *
 * The handler makes one pwrite, puts the former handling back and lets the signal happen again: the
 * core dump, the exit status, a sanitizer's report are those there would be without it.
 */
#ifndef PM_DAEMON_CRASHNOTE_H
#define PM_DAEMON_CRASHNOTE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PM_CRASHNOTE_LINE 64 /* bytes of a line of the file, the newline included */

/* Notes go to fd, a worker's to line worker + 1, anything else's to line 0, after the pid. */
void pm_crashnote_open(int fd);
void pm_crashnote_close(void);

/* The process is dying and has said why: the file's lines are to stay as they are. */
bool pm_crashnote_written(void);

/* This thread is that worker; *job_id and *step (enum pm_step, -1 none) are read when it crashes.
 * worker -1: none, the pointers may be NULL. */
void pm_crashnote_thread(int worker, const _Atomic int64_t *job_id, const atomic_int *step);
void pm_crashnote_thread_end(void);

#endif
