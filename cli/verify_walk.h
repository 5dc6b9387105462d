/*
 * verify_walk: what lies in an output folder, for pairmill verify.
 * Owns: the list of paths. Threads: one. Memory: a path for each result and each stray file.
 * Errors: PM_ENOMEM; folders that cannot be listed are in the list, too.
 */
#ifndef PM_CLI_VERIFY_WALK_H
#define PM_CLI_VERIFY_WALK_H

#include <stddef.h>
#include <sys/types.h>

#include "common/err.h"

enum pm_verify_kind {
    PM_VERIFY_RESULT, /* a folder that holds pair.json; not looked into */
    PM_VERIFY_STRAY,  /* a file, link ... outside of those */
    PM_VERIFY_CLOSED  /* a folder that cannot be listed */
};

struct pm_verify_place {
    char *path;
    enum pm_verify_kind kind;
};

struct pm_verify_walk {
    struct pm_verify_place *places;
    size_t count, cap;
    const char *db;           /* its files may lie in an output and are not looked at */
    char *const *not_into[2]; /* folders that are somebody's input or output, not entered */
    size_t not_into_count;    /* of each */
    dev_t db_dev;             /* of the folder db is in; set by the walk */
    ino_t db_ino;
};

/* Adds what is below root; a root that is not there holds nothing. Links are not followed. */
enum pm_code pm_verify_walk(struct pm_verify_walk *walk, const char *root, struct pm_err *err);
void pm_verify_walk_clear(struct pm_verify_walk *walk);

#endif
