/*
 * bar: how far a run is: one line that redraws itself on a terminal, plain lines elsewhere.
 * Owns: nothing; the stream is the caller's.
 * Threads: one. Memory: none allocated. Errors: none; a terminal that goes away is ignored.
 */
#ifndef PM_CLI_BAR_H
#define PM_CLI_BAR_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/clock.h"

struct pm_bar_state {
    int64_t done, failed, total; /* pairs; failed ones are not among done */
    int64_t running;
    int64_t fresh;     /* pairs finished since the start, what the rate counts */
    double elapsed_s;  /* since the start */
    double retry_in_s; /* all that is left waits for a retry this far off; 0: it does not */
    bool paused;
};

struct pm_bar {
    FILE *to;
    const struct pm_clock *clock;
    bool terminal; /* redraw one line; else a line every 10 s or 5% */
    bool color;
    bool drawn;            /* a line without an end is on the screen */
    int64_t start_us;      /* clock->mono_us */
    int64_t base;          /* pairs already finished at the start */
    int64_t last_line_us;  /* plain lines: when the last was written */
    int last_line_percent; /* and at which share; -1: none yet */
};

/* terminal, color: see pm_bar_terminal() and pm_bar_color(). base: pairs finished before the start,
 * which do not count for the rate. */
void pm_bar_init(struct pm_bar *bar, FILE *to, bool terminal, bool color, int64_t base,
    const struct pm_clock *clock);
/* Call often; it draws when there is reason to. state's fresh and elapsed_s are filled in. */
void pm_bar_update(struct pm_bar *bar, struct pm_bar_state *state);
/* Takes the line away, so that something else can be written; the next update draws it again. */
void pm_bar_clear(struct pm_bar *bar);
/* The last state, with an end of line. */
void pm_bar_finish(struct pm_bar *bar, struct pm_bar_state *state);

/* The line itself, at most width columns: a bar with percent, counts, rate and time left. */
void pm_bar_render(
    const struct pm_bar_state *state, int width, bool color, char *text, size_t size);
/* A rate as people read it: three digits, whole from 100 on, never an exponent below a billion. */
void pm_bar_rate(double rate, char *text, size_t size);
/* "1h 02m", "3m 20s", "12s". */
void pm_bar_duration(double seconds, char *text, size_t size);

bool pm_bar_terminal(FILE *to); /* a terminal that can redraw a line */
bool pm_bar_color(FILE *to);    /* the same, and NO_COLOR is not set */

#endif
