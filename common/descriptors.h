/*
 * descriptors: the three a process begins with, and how many it may have.
 * Owns: nothing. Threads: one, before there are others. Memory: none. Errors: none; what the
 * system refuses stays as it was.
 */
#ifndef PM_COMMON_DESCRIPTORS_H
#define PM_COMMON_DESCRIPTORS_H

/* Where standard input, output or error is closed, something is put in its place, so that no file
 * opened later gets its number: a line of the log would be written into it, and libuv ends the
 * process when it is to close one. Reading or writing there fails as it did before. */
void pm_descriptors_fill(void);
/* As many as the hard limit lets us have: the soft one, often 1024, is there for programs that use
 * select(), and many workers with a folder of crops each would meet it. */
void pm_descriptors_allow_many(void);

#endif
