/*
 * bench_machine: what a reader of measurements has to know about the machine.
 * Owns: nothing. Threads: any. Memory: none. Errors: none; what cannot be told says so.
 */
#ifndef PM_CLI_BENCH_MACHINE_H
#define PM_CLI_BENCH_MACHINE_H

#include <stdint.h>

struct pm_machine {
    char cpu[128]; /* "unknown CPU" when the system does not say */
    int cores;     /* this process may run on */
    char utc[32];  /* now, "2026-01-31T12:00Z" */
};

void pm_machine_look(struct pm_machine *machine);
/* Processes ready to run, mean of the last minute; NaN when unknown. */
double pm_machine_load(void);

/* Gives unused heap back and forgets this process's highest memory mark so far; returns the bytes
 * it holds now, -1 where that cannot be told. */
int64_t pm_machine_reset_peak(void);
/* The most bytes of RAM this process held since (VmHWM); -1: unknown. */
int64_t pm_machine_peak(void);

#endif
