/*
 * bench_machine: what a reader of measurements has to know about the machine.
 * Owns: nothing. Threads: any. Memory: none. Errors: none; what cannot be told says so.
 */
#ifndef PM_CLI_BENCH_MACHINE_H
#define PM_CLI_BENCH_MACHINE_H

struct pm_machine {
    char cpu[128]; /* "unknown CPU" when the system does not say */
    int cores;     /* this process may run on */
    char utc[32];  /* now, "2026-01-31T12:00Z" */
};

void pm_machine_look(struct pm_machine *machine);
/* Processes ready to run, mean of the last minute; NaN when unknown. */
double pm_machine_load(void);

#endif
