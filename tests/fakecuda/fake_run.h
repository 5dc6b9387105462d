/* fake_run: runs one kernel, thread by thread. Owns: fibers, reused. Threads: one at a time. */
#ifndef PM_TESTS_FAKECUDA_FAKE_RUN_H
#define PM_TESTS_FAKECUDA_FAKE_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "pm_kargs.cuh"

typedef void (*fake_kernel)(const struct pm_kargs);

void fake_violate(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void fake_seed(uint64_t seed); /* of the orders */
void fake_run_kernel(fake_kernel kernel, const struct pm_kargs *args, unsigned blocks,
    unsigned threads, size_t shared_bytes);

#endif
