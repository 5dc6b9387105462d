/*
 * walk: an asynchronous walk through a folder, one directory open at a time.
 * Owns: its requests, one open directory listing, a stack of directories to visit.
 * Threads: loop thread; what waits for the disk, and the enter hook, on threads of libuv's pool.
 * Memory: freed by itself after done() has returned.
 * Errors: what cannot be looked at is told and counted, the first such case is kept for done(); a
 * file or folder that disappears meanwhile is no error.
 *
 * Never follows a symbolic link (except when the root itself is one), not even one that takes a
 * folder's place during the walk: what is listed and looked at is what was opened (listing.h; that
 * is why libuv's own scandir and lstat, which take paths, are not used). Never enters a folder of
 * the skip list, passes over hidden and temporary names.
 */
#ifndef PM_DAEMON_WALK_H
#define PM_DAEMON_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "common/err.h"
#include "common/result.h"

#define PM_WALK_BATCHES 4 /* libuv's pool has as many threads */
#define PM_WALK_BATCH 32  /* files looked at in one go */
#define PM_WALK_INFLIGHT (PM_WALK_BATCHES * PM_WALK_BATCH)

enum pm_name_kind {
    PM_NAME_IMAGE,
    PM_NAME_OTHER, /* not an image by its extension: ignored and counted */
    PM_NAME_HIDDEN /* leading dot, or a name programs give to unfinished files: passed over */
};
/* What a file of this name (no folders) is to us. Folders are judged by pm_walk_hidden alone. */
enum pm_name_kind pm_walk_name(const char *name);
bool pm_walk_hidden(const char *name);

struct pm_walk_counts {
    int64_t dirs;    /* entered */
    int64_t files;   /* given to file() */
    int64_t ignored; /* PM_NAME_OTHER */
    int64_t hidden;
    int64_t links;   /* symbolic links, not followed */
    int64_t special; /* devices, sockets, pipes */
    int64_t unseen;  /* could not be looked at; each was told to unseen() */
    int64_t lost;    /* nobody knows what (no memory): the walk is not complete */
};

struct pm_walk_opts {
    uv_loop_t *loop;
    const char *root;        /* absolute; copied */
    const char *start;       /* folder below root to walk; "": all of it; copied */
    const char *const *skip; /* absolute folders not to enter; must outlive the walk */
    size_t skip_count;
    /* Before an open directory is listed, on a pool thread. May be NULL. */
    int (*enter)(void *ctx, int fd);
    /* Afterwards, on the loop: what enter returned for rel ("" for the root). */
    void (*entered)(void *ctx, const char *rel, int result);
    /* A regular file that is an image by its name; rel is below root. */
    void (*file)(void *ctx, const char *rel, const struct pm_stamp *stamp);
    /* Something is there (a folder with all below it, or a file) that cannot be looked at. May be
     * NULL. */
    void (*unseen)(void *ctx, const char *rel);
    /* The end, exactly once: PM_OK, PM_ECANCELED, or the first error with its message. root_lost:
     * the root itself could not be listed. The walk is freed when it returns. */
    void (*done)(void *ctx, const struct pm_walk_counts *counts, const struct pm_err *result,
        bool root_lost);
    void *ctx;
};

struct pm_walk;
struct stat;

enum pm_code pm_walk_start(
    struct pm_walk **out, const struct pm_walk_opts *opts, struct pm_err *err);
/* Ends soon with PM_ECANCELED; no further file() is called. */
void pm_walk_cancel(struct pm_walk *walk);
/* Back-pressure: while held no new stat is started (up to PM_WALK_INFLIGHT answers still come). */
void pm_walk_hold(struct pm_walk *walk, bool hold);

/* True when path (absolute) is one of the folders in list or lies below one. */
bool pm_walk_inside(const char *path, const char *const *list, size_t count);
/* "a", "b" -> "a/b", to be freed; an empty part adds no slash. NULL when out of memory. */
char *pm_walk_join(const char *a, const char *b);
struct pm_stamp pm_walk_stamp(const struct stat *st);

#endif
