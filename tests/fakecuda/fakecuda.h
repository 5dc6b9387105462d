/*
 * fakecuda: a CUDA runtime and cuFFT that run on the CPU, for tests; nastier than the real ones.
 * - Kernels run thread by thread on fibers, in shuffled order of threads and blocks; only barriers
 *   let another thread on. A barrier that not all threads reach, or two different ones at a time,
 *   is a violation. Under TSan only barriers order the threads of a block. What it
 *   cannot show: a race between blocks, which run one after the other.
 * - Device and shared memory start as 0xFF. A work area is trashed by every transform, C2R destroys
 *   its input, R2C needs its work area set.
 * - Lazy: what is put on a stream runs only when somebody looks whether it has, so copies read and
 *   write host memory as late as they may. Eager: at once. Any: with every call some of what is on
 *   the streams runs, in any order that the streams and events between them allow.
 * - The host's side of an asynchronous copy must be pinned; all pointers must lie in live memory.
 *   Memory that is registered must begin on a page, and letting go of it waits for nothing.
 * - The n-th call can fail once, for good, or later by itself (asynchronously).
 * Owns: process-wide state. Threads: one at a time. Memory: counted; live() tells what is left.
 * Errors: violations are counted and the first one's text is kept.
 */
#ifndef PM_TESTS_FAKECUDA_FAKECUDA_H
#define PM_TESTS_FAKECUDA_FAKECUDA_H

#include <stddef.h>
#include <stdint.h>

enum fake_mode { FAKE_ONCE, FAKE_STICKY, FAKE_ASYNC };
enum fake_order { FAKE_EAGER, FAKE_LAZY, FAKE_ANY, FAKE_ORDERS };

struct fake_control {
    /* Forgets errors and counts (live objects stay). seed: of all orders; order: fake_order. */
    void (*reset)(uint64_t seed, int order);
    void (*set_devices)(int count, int error);     /* of cudaGetDeviceCount */
    void (*set_memory)(size_t total);              /* bytes of device memory */
    void (*set_pinnable)(size_t total);            /* bytes of host memory that may be registered */
    void (*fail_at)(long at, int mode);            /* the call with this number, from 1; 0: none */
    void (*fail_name)(const char *name, int mode); /* the next call of this name */
    void (*hang)(int on);                          /* nothing on a stream ever gets done */
    long (*calls)(void);                           /* since reset() */
    const char *(*call_name)(long at);
    long (*live)(void);          /* allocations, registrations, streams, events, plans */
    size_t (*memory_used)(void); /* bytes on the device */
    size_t (*pinned_used)(void); /* and pinned on the host */
    long (*violations)(void);    /* since reset() */
    const char *(*violation)(void);
    long (*launches)(void);
    long (*done)(void); /* things that were put on streams and have run, since reset() */
};

#ifdef __cplusplus
extern "C" {
#endif
const struct fake_control *fake_cuda(void);
#ifdef __cplusplus
}
#endif

#endif
