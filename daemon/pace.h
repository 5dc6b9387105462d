/*
 * pace: how many pairs a minute, from a count that only grows.
 * Owns: one sample a second of the last minute. Threads: one. Memory: in the caller's struct.
 * Errors: none.
 */
#ifndef PM_DAEMON_PACE_H
#define PM_DAEMON_PACE_H

#include <stdint.h>

#define PM_PACE_SAMPLES 61

struct pm_pace { /* zeroed is empty */
    int64_t at_us[PM_PACE_SAMPLES], count[PM_PACE_SAMPLES];
    int next, used;
};

/* Takes a sample unless the last one is less than a second old (monotonic time). */
void pm_pace_note(struct pm_pace *pace, int64_t now_us, int64_t count);
/* Counts a minute over the samples there are; 0 with fewer than two. */
double pm_pace_per_min(const struct pm_pace *pace);

#endif
