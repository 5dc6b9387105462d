/*
 * flag: a disk that is full, and calls that wait, for as long as a file is there: a test makes and
 * removes it, and nothing depends on time. Owns: nothing; the environment says:
 *   SHIM_FULL=FLAG SHIM_FULL_DIR=DIR
 *       while FLAG exists, no byte can be written below DIR (ENOSPC); each refusal is a line
 *       "MILLISECONDS PATH" in FLAG.log
 *   SHIM_HOLD=FLAG SHIM_HOLD_NAME=TEXT SHIM_HOLD_AT=open|rename
 *       while FLAG exists, opening for reading, or renaming, what has TEXT in its name waits;
 *       FLAG.at appears when somebody does
 *
 * Threads: any. Memory: none. Errors: where it cannot wait it ends the process.
 */
#ifndef TESTS_PRELOAD_FLAG_H
#define TESTS_PRELOAD_FLAG_H

#include <stdbool.h>

/* True, with errno: this descriptor's file lies on the full disk. */
bool shim_full(int fd);
/* Waits where name, about to be opened or renamed, is to. */
void shim_hold(const char *at, const char *name);

#endif
