/*
 * tmpdir: a folder for one test, and files in it; any failure ends the test program (assert).
 * Owns: nothing; paths returned are the caller's. Threads: any. Memory: free() the paths.
 * Errors: none.
 */
#ifndef PM_TESTS_LIB_TMPDIR_H
#define PM_TESTS_LIB_TMPDIR_H

#include <stddef.h>

/* A new empty folder under TMPDIR; its canonical absolute path. */
char *pm_tmpdir_make(void);
/* Removes it with all that is in it, and frees dir. */
void pm_tmpdir_remove(char *dir);
/* "dir/rel". */
char *pm_tmpdir_path(const char *dir, const char *rel);
/* Makes the folder dir/rel with its parents. */
void pm_tmpdir_folder(const char *dir, const char *rel);
/* Writes text to dir/rel, making the folders it needs. */
void pm_tmpdir_write(const char *dir, const char *rel, const char *text);
/* Renames, removes a file. */
void pm_tmpdir_rename(const char *dir, const char *from, const char *to);
void pm_tmpdir_unlink(const char *dir, const char *rel);

#endif
