/*
 * place: gives a finished, durable pair folder its name in the output, at one stroke.
 * Owns: nothing. Threads: any. Memory: stack only.
 * Errors: PM_EEXIST (something that is not a result of ours has the name, or a link is on the way),
 * PM_ENAME (a scene that would lead out of the output), else from errno.
 */
#ifndef PM_WORKER_PLACE_H
#define PM_WORKER_PLACE_H

#include <stdbool.h>

#include "worker/partial.h"

struct pm_place {
    const char *scene; /* below the output, "." for the output itself */
    const char *name;  /* of the pair's folder, see outname.h */
    bool plain;        /* do without renameat2's flags, which some network file systems lack; they
                          are also done without where they turn out not to work */
};

/* Moves the folder; an earlier result of the same name (one that holds pair.json, or nothing but
 * files called as ours are: what is left when somebody deleted some of them) is replaced: by an
 * exchange where the file system can, so that at every moment there is one. Durable afterwards. */
enum pm_code pm_place(struct pm_partial *partial, const struct pm_place *place, struct pm_err *err);

/* Takes an earlier result of this name away: whole, at one stroke, durably. For a pair that was
 * done and, done again, failed or is held back: what lies in the output is what the database calls
 * done. PM_OK too when there is none, or something that is no result. aside: a name in .partial
 * that nobody else uses, where it goes first. */
enum pm_code pm_place_withdraw(
    const char *output, const char *scene, const char *name, const char *aside, struct pm_err *err);

#endif
