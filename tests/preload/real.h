/*
 * real: the function that an interposed one stands before.
 * Owns: one pointer a use, found at the first call. Threads: any; all find the same. Memory: none.
 * Errors: none; a function that is not there ends the process at the call.
 */
#ifndef TESTS_PRELOAD_REAL_H
#define TESTS_PRELOAD_REAL_H

#include <dlfcn.h>
#include <stddef.h>

/* Defines what REAL(NAME)(...) calls. */
#define REAL_OF(name)                                                                              \
    static __typeof__(&name) real_##name(void)                                                     \
    {                                                                                              \
        static __typeof__(&name) found;                                                            \
        if (found == NULL) {                                                                       \
            found = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                                    \
        }                                                                                          \
        return found;                                                                              \
    }
#define REAL(name) real_##name()

#endif
