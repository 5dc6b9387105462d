/*
 * infile: opens an input file for reading, and only a regular one; reads it by position.
 * Owns: nothing; the caller closes the descriptor. Threads: any. Memory: none.
 * Errors: PM_ENOENT, PM_EACCES, PM_EIO; PM_EFORMAT for a folder, FIFO, socket or device, none of
 * which is ever waited for.
 */
#ifndef PM_COMMON_INFILE_H
#define PM_COMMON_INFILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

struct iovec;
struct stat;

/* *size: bytes, as fstat() says. */
enum pm_code pm_infile_open(int *fd, int64_t *size, const char *path, struct pm_err *err);
/* The same without following a link after the first root_bytes bytes of path (below.h): such a link
 * is PM_ENOENT, as what it leads to is no input. root_bytes 0: as pm_infile_open(). */
enum pm_code pm_infile_open_below(
    int *fd, int64_t *size, const char *path, size_t root_bytes, struct pm_err *err);
/* As lstat: a link after the first root_bytes bytes is PM_ENOENT, too. */
enum pm_code pm_infile_stat(
    struct stat *st, const char *path, size_t root_bytes, struct pm_err *err);
/* Reads up to n bytes at offset; fewer only at the end of the file. -1 with errno set on error. */
int64_t pm_infile_pread(int fd, void *data, size_t n, int64_t offset);
/* The same into several places; iov is used up. *n_done: bytes read, fewer than iov holds only at
 * the end of the file. 0, or -1 with errno set. */
int pm_infile_preadv(int fd, struct iovec *iov, int count, int64_t offset, int64_t *n_done);

#endif
