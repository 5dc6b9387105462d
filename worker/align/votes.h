/*
 * votes: what the parts of the frame say about two shifts. The loss of a shift is one mean over the
 * frame; whether all parts of the scene agree with its verdict, or some large part would have it
 * otherwise (an object that moved, parallax, a pattern of the sensor), is seen in its parts only.
 * Rows spread over the overlap are compared, cut into blocks; every second row belongs to one half
 * of the sample, the others to the other, so that what both halves say is scene and what they
 * contradict each other in is noise.
 * Owns: row buffers and tables, reused. Threads: one at a time. Memory: 2 staged rows, 0.3 MB.
 * Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_VOTES_H
#define PM_WORKER_ALIGN_VOTES_H

#include "worker/align/confirm.h"

struct pm_votes;

#define PM_VOTES_MOST 16 /* alternatives at once */

/* An alternative against the answer. */
struct pm_vote {
    double opposed;   /* what the parts that clearly prefer the alternative add up to, as a share of
                         what those that clearly prefer the answer do; 0: none opposes */
    double z_columns; /* mean preference for the answer / its standard error, were the columns
                         independent witnesses and the rows not: a pattern of lines is the same in
                         every row. INFINITY: nothing of that kind */
};

enum pm_code pm_votes_new(struct pm_votes **out, struct pm_err *err);
void pm_votes_free(struct pm_votes *votes); /* NULL is fine */

/* Takes count votes on (dy, dx) against the alternatives, over the pixels that all share. */
enum pm_code pm_votes_take(struct pm_votes *votes, const struct pm_align_query *query, int dy,
    int dx, const struct pm_candidate *alternatives, int count, struct pm_vote *out,
    struct pm_err *err);

#endif
