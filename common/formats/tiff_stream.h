/*
 * tiff_stream: libtiff over a file descriptor, for the files of tiff only. Only this header
 * includes <tiffio.h>.
 * Reads with pread(2), never mmap: a file that is cut while mapped would kill us with SIGBUS.
 * Owns: nothing; the descriptor is the caller's, the TIFF handle too (TIFFClose).
 * Threads: one handle, one thread. Memory: libtiff's, no single piece over 512 MiB.
 * Errors: libtiff's messages are kept here, never printed; see pm_tiff_stream_fail().
 */
#ifndef PM_COMMON_FORMATS_TIFF_STREAM_H
#define PM_COMMON_FORMATS_TIFF_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include <tiffio.h>

#include "common/err.h"

/* All zero but fd, and size when reading, before open. */
struct pm_tiff_stream {
    int fd;
    int64_t pos;
    int64_t size;  /* bytes in the file */
    int sys_errno; /* of the first read or write that failed; ENOMEM: libtiff's memory did */
    bool doubtful; /* a mere warning to libtiff, but what is read may be wrong */
    TIFFVSetMethod set_field; /* libtiff's own */
    char said[256];           /* libtiff's first error message, or such a warning */
};

/* mode: as TIFFOpen() has it. NULL on error. stream must outlive the handle. */
TIFF *pm_tiff_stream_open(struct pm_tiff_stream *stream, const char *mode);
/* What a failed call means when reading: the system's error if there was one, else a bad file. */
enum pm_code pm_tiff_stream_fail(
    const struct pm_tiff_stream *stream, const char *path, struct pm_err *err);

#endif
