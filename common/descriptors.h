/*
 * descriptors: the three a process begins with.
 * Owns: nothing. Threads: one, before there are others. Memory: none. Errors: none; where even
 * /dev/null cannot be opened, nothing is changed.
 */
#ifndef PM_COMMON_DESCRIPTORS_H
#define PM_COMMON_DESCRIPTORS_H

/* Where standard input, output or error is closed, something is put in its place, so that no file
 * opened later gets its number: a line of the log would be written into it, and libuv ends the
 * process when it is to close one. Reading or writing there fails as it did before. */
void pm_descriptors_fill(void);

#endif
