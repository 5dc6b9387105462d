/*
 * shell: the stock sqlite3 shell, which asks and changes a database as any guest does.
 * Owns: nothing. Threads: one. Memory: an answer is overwritten by the next.
 * Errors: any failure to start it ends the test program (assert); its own messages are the answer.
 */
#ifndef PM_TESTS_LIB_SHELL_H
#define PM_TESTS_LIB_SHELL_H

/* Feeds it statements; all of them must pass. */
void pm_shell_feed(const char *db, const char *sql);
/* One statement's answer, without newlines at its end, 8 KB at most. options: of the shell, as text
 * of a command line; "" for none. No double quotes in sql. */
const char *pm_shell_ask(const char *db, const char *options, const char *sql);

#endif
