/*
 * partial: the folder in <output>/.partial where one pair's files are built, unseen by anybody
 * until place.h moves it. Owns: the folder, the descriptors of files not yet synced, the list of
 * files. Threads: one. Memory: the list; pm_partial_discard() gives all back. Errors: PM_ENOSPC,
 * PM_EACCES, PM_EIO, PM_EEXIST, PM_ENOMEM; messages name the file.
 *
 *   zeroed --begin--> building --create, finish, ... sync--> durable --place.h: moved--> discard
 *   discard is right in every state and removes what is still in .partial.
 */
#ifndef PM_WORKER_PARTIAL_H
#define PM_WORKER_PARTIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

#define PM_PARTIAL_FOLDER ".partial"
/* Descriptors kept for syncing at the end, so that the kernel writes one file while the next is
 * being made; fewer where the process may have no more. */
#define PM_PARTIAL_PENDING 24

struct pm_partial_file {
    char *name;    /* below the folder: "mask.png", "crops/0_0.gt.tif" */
    char hash[17]; /* XXH3-64 of its bytes, hex */
    int64_t size;  /* bytes */
};

struct pm_partial {
    bool open;
    int output_fd, root_fd, dir_fd; /* the output, its .partial, the folder being built */
    char name[64];                  /* of the folder in .partial */
    const char *output;             /* path, for messages; the job's */
    struct pm_partial_file *files;  /* finished, in order */
    size_t file_count, file_cap;
    int64_t bytes; /* of all files */
    int pending[PM_PARTIAL_PENDING];
    size_t pending_count;
    bool crops; /* the crops folder has been made */
};

enum pm_code pm_partial_begin(
    struct pm_partial *partial, const char *output, int64_t job_id, int worker, struct pm_err *err);
/* A new empty file, open for reading and writing; name may begin with "crops/". */
enum pm_code pm_partial_create(
    struct pm_partial *partial, const char *name, int *fd, struct pm_err *err);
/* Takes fd over, on errors too: hashes it, lists it, starts its write-out. */
enum pm_code pm_partial_finish(
    struct pm_partial *partial, const char *name, int fd, struct pm_err *err);
/* Everything written so far survives a power cut afterwards. */
enum pm_code pm_partial_sync(struct pm_partial *partial, struct pm_err *err);
void pm_partial_discard(struct pm_partial *partial);

#endif
