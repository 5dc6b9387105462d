/*
 * printable: file names, which are bytes, as text people and terminals can take.
 * Owns: nothing. Threads: any. Memory: none; the caller brings it. Errors: none.
 */
#ifndef PM_COMMON_PRINTABLE_H
#define PM_COMMON_PRINTABLE_H

#include <stddef.h>

/* How much pm_printable() needs for any name of size bytes, the NUL included. */
#define PM_PRINTABLE_SIZE(size) (4 * (size) + 1)

/* Valid UTF-8 stays; control characters and bytes that are not UTF-8 become \xNN. What does not fit
 * into dst_size bytes (NUL included, at least 1) is cut between characters. */
void pm_printable(char *dst, size_t dst_size, const char *src, size_t size);

#endif
