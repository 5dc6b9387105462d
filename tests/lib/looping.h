/*
 * looping: runs a libuv loop until a condition holds, so that tests need no sleeps.
 * Owns: nothing between calls. Threads: the loop's. Memory: none kept.
 * Errors: a condition that does not come true in time makes it return false.
 */
#ifndef PM_TESTS_LIB_LOOPING_H
#define PM_TESTS_LIB_LOOPING_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "common/clock.h"

/* Runs the loop until holds(ctx) is true (looked at every few ms), at most 60 s. */
bool pm_loop_until(uv_loop_t *loop, bool (*holds)(void *ctx), void *ctx);
/* Runs the loop until no handle is left, and closes it; false when one was forgotten. */
bool pm_loop_end(uv_loop_t *loop);

/* A clock that only moves when told to. Both times start at a day, so that differences stay
 * positive. */
struct pm_fake_clock {
    struct pm_clock clock;
    _Atomic int64_t wall_us, mono_us;
};
void pm_fake_clock_init(struct pm_fake_clock *fake);
void pm_fake_clock_pass(struct pm_fake_clock *fake, int64_t us);

#endif
