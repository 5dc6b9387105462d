/*
 * owner: the flock that makes this process the only one that writes a database.
 * Owns: <db>.lock and the lock on it; the kernel lets go of it when the process dies, however it
 * dies. Threads: open and close on one; beat from any, one at a time for each worker. Memory:
 * pm_owner_close() frees. Errors: PM_EOWNED names the owner's pid; PM_EACCES, PM_ENOSPC, PM_EIO
 * from the file.
 *
 * The file is text for people too: a line with the pid, then a line for each worker saying which
 * job and step it is in. A line is one pwrite, no fsync: it is there after the process was killed,
 * which is when the next owner reads it to say at which step a pair killed its process. When it
 * died of a fault of its own, the signal stands on the line as well (crashnote.h).
 */
#ifndef PM_DAEMON_OWNER_H
#define PM_DAEMON_OWNER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

#define PM_OWNER_WORKERS 256 /* lines for workers; those beyond leave no trace */

struct pm_owner;

/* Takes the lock beside db_path, before the database is opened; makes the folder (mode 2750). */
enum pm_code pm_owner_open(struct pm_owner **out, const char *db_path, struct pm_err *err);
void pm_owner_close(struct pm_owner *owner); /* NULL is fine */

/* An exclusive flock on fd; waits half a second for an owner that was killed and is still dying.
 * False with errno as flock(2) leaves it: EWOULDBLOCK when somebody alive has it. */
bool pm_owner_lock_soon(int fd);

/* Leaves word for the next owner that this one ended in order, but could not write to the database:
 * what it finds running there did not crash. Before close. */
void pm_owner_unsaved(struct pm_owner *owner);
/* Whether the former owner left such word. */
bool pm_owner_was_unsaved(const struct pm_owner *owner);

/* Whether a worker of the former owner said last that it works on this job, and in which step (-1:
 * none yet). */
bool pm_owner_last_step(const struct pm_owner *owner, int64_t job_id, int *step);
/* "SIGSEGV": the former owner died of it in the worker that had this job; NULL: not that anybody
 * knows. Belongs to owner. */
const char *pm_owner_last_signal(const struct pm_owner *owner, int64_t job_id);
/* How many owners in a row were at work on this job when they died without a word of why (SIGKILL,
 * no power), the former one the last of them; 0: the former one was not, or has said why. */
int pm_owner_kills(const struct pm_owner *owner, int64_t job_id);
/* How many owners died so since one ended in order, whatever they were at; 0: the former one has
 * said why, or did not die. */
int pm_owner_deaths(const struct pm_owner *owner);
/* What the former owner left has been told to the database: until then it stays in the file, for
 * the next one should we be killed before. What kills needs stays for good. */
void pm_owner_forget_former(struct pm_owner *owner);
/* job_id 0: idle. */
void pm_owner_beat(struct pm_owner *owner, int worker, int64_t job_id, int step);

#endif
