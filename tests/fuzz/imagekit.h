/*
 * imagekit: an image file, perhaps a hostile one, through every way there is to read it; all must
 * agree.
 * Owns: a double of bufpool: buffers of exactly the size asked for, so that AddressSanitizer sees
 * every step beyond, and dirty. Threads: one. Memory: nothing is kept of an input. Errors: a check
 * that fails aborts.
 */
#ifndef PM_TESTS_FUZZ_IMAGEKIT_H
#define PM_TESTS_FUZZ_IMAGEKIT_H

#include "common/formats/reader.h"

/* Small, so that an input takes milliseconds; tests/test_hostile.c has the real sizes. */
#define PM_FUZZ_PIXELS_MAX (1 << 18)
#define PM_FUZZ_BYTES_MAX (2 << 20)

/* Checks that
 * - an error has a code of the reader's, a message and no image; what was not looked for is
 * refused;
 * - probe and read agree, and reading takes no more heap than probe said;
 * - the pixels do not depend on what lay in memory before, and each row is told once and in order;
 * - whoever reads otherwise (other chunks, row by row, again after being written) sees the same. */
void pm_fuzz_image(const uint8_t *data, size_t size);

/* tiff.c and placer.c once more: with limits so small that little files take the ways of large
 * ones (chunks of few rows, large strips row by row); and with libtiff reading what tiff.c reads by
 * itself. */
enum pm_code pm_small_tiff_read(int fd, const char *path, const struct pm_limits *limits,
    struct pm_bufpool *pool, const struct pm_row_sink *sink, struct pm_image **out,
    struct pm_err *err);
enum pm_code pm_other_tiff_read(int fd, const char *path, const struct pm_limits *limits,
    struct pm_bufpool *pool, const struct pm_row_sink *sink, struct pm_image **out,
    struct pm_err *err);

#endif
