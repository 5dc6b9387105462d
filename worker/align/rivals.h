/*
 * rivals: the shifts an answer has to hold against before it is believed: the eight beside it and,
 * in a grey image, which may be a colour filter mosaic, the eight one period of the mosaic further,
 * where colours meet their own kind again and the ridge between hides them from descent.
 * Owns: nothing. Threads: any. Memory: the caller's. Errors: none.
 */
#ifndef PM_WORKER_ALIGN_RIVALS_H
#define PM_WORKER_ALIGN_RIVALS_H

#include "worker/align/confirm.h"

#define PM_RIVALS_MOST 16

/* channels: of the image. Fills out with the rivals of (dy, dx), those beside it first, whether in
 * the range or not; returns how many. */
int pm_rivals_of(int channels, int dy, int dx, struct pm_candidate out[PM_RIVALS_MOST]);

#endif
