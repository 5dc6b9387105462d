/*
 * prep: what alignment keeps of one image, made in one pass over its rows while they are hot in the
 * cache: per-channel sums (for the gain), the count of samples that are not finite, and a
 * low-passed pyramid of the channel sum. Owns: the pyramid levels. Threads: built by one thread;
 * read-only and shareable once finished. Memory: about an eighth of the decoded image or less. Free
 * with pm_prep_free(). Errors: PM_ENOMEM.
 */
#ifndef PM_WORKER_ALIGN_PREP_H
#define PM_WORKER_ALIGN_PREP_H

#include "common/err.h"
#include "common/formats/reader.h"
#include "common/image.h"

struct pm_prep;

/* Empty: feed it rows, then finish. */
enum pm_code pm_prep_new(
    struct pm_prep **out, int w, int h, int channels, enum pm_sample sample, struct pm_err *err);
/* Takes rows [y0, y1) of image, ascending and without gaps. Any chunking gives the same result. */
void pm_prep_rows(struct pm_prep *prep, const struct pm_image *image, int y0, int y1);
/* A sink (reader.h) that feeds prep while a file is decoded. */
struct pm_row_sink pm_prep_sink(struct pm_prep *prep);
/* After the last row. */
void pm_prep_finish(struct pm_prep *prep);
/* All of the above for an image already in memory. */
enum pm_code pm_prep_of_image(
    struct pm_prep **out, const struct pm_image *image, struct pm_err *err);
void pm_prep_free(struct pm_prep *prep); /* NULL is fine */

/* Mean of all finite samples of all channels, full scale 1; NaN when there are none. */
double pm_prep_mean(const struct pm_prep *prep);
/* Mean of one channel, full scale 1. */
double pm_prep_channel_mean(const struct pm_prep *prep, int channel);
/* Samples that are NaN or infinite. */
int64_t pm_prep_non_finite(const struct pm_prep *prep);
/* Bytes held, for the cache's budget. */
size_t pm_prep_bytes(const struct pm_prep *prep);

#endif
