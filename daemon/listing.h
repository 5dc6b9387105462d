/*
 * listing: one folder held open, its names, and what each of them is.
 * Owns: the folder's descriptor and its names.
 * Threads: made, filled and asked on threads of libuv's pool, since all of it waits for the disk;
 * looked through on the loop. One at a time, except pm_listing_look(), which several may call.
 * Memory: about 30 bytes a name until pm_listing_close().
 * Errors: -errno; what is behind a link is ENOTDIR or ELOOP (below.h).
 *
 * The folder is the one that was opened, whatever its path leads to meanwhile.
 */
#ifndef PM_DAEMON_LISTING_H
#define PM_DAEMON_LISTING_H

#include <stddef.h>

struct stat;

struct pm_listing { /* {.fd = -1} is empty */
    int fd;
    char *bytes; /* for each entry its DT_ type, then its name, NUL-terminated */
    size_t used, size;
    const char **entries; /* sorted by name */
    size_t count;
};

int pm_listing_open(struct pm_listing *listing, const char *path, size_t root_bytes);
int pm_listing_read(struct pm_listing *listing);
void pm_listing_close(struct pm_listing *listing); /* an empty one is fine */

/* Of entry i: DT_REG, DT_DIR, DT_LNK ..., DT_UNKNOWN when the file system does not tell. */
int pm_listing_type(const struct pm_listing *listing, size_t i);
const char *pm_listing_name(const struct pm_listing *listing, size_t i);
/* As lstat. */
int pm_listing_look(const struct pm_listing *listing, size_t i, struct stat *st);

#endif
