/*
 * outname: what a pair's output folder is called.
 * Owns: nothing. Threads: any. Memory: the caller's. Errors: PM_ENAME for names no folder can have.
 *
 * "<gt file>--<target file>", as long as that says which two files it was, and fits. Otherwise the
 * names, shortened where they must be, and "." and 16 hex digits: XXH3-64 of both full names and of
 * whether the target is itself a ground truth. That is so when
 *   - the gt's name holds "--" or ends in "-", so that the first "--" would not be the border;
 *   - the target lies in the same folder as the gt (gt with gt): a target beside gt/ may have its
 * name;
 *   - the name would be longer than 255 bytes.
 * No image's name ends in such digits (formats go by extension), so that a marked name never equals
 * an unmarked one. Shortening never cuts a UTF-8 sequence in two.
 */
#ifndef PM_WORKER_OUTNAME_H
#define PM_WORKER_OUTNAME_H

#include <stdbool.h>

#include "common/err.h"

#define PM_OUTNAME_MAX                                                                             \
    255 /* bytes of one path component, NAME_MAX of every file system we meet                      \
         */

/* The part after the last slash. */
const char *pm_base_name(const char *path);
/* True when both files lie in one folder: the target is a ground truth too. */
int pm_target_is_gt(const char *gt_path, const char *target_path);
/* True for the names of files inside a pair's folder: "pair.json", "mask.png", "crops/0_0.gt.tif".
 * Whatever else lies there is not ours. */
bool pm_outname_is_file(const char *name);
enum pm_code pm_outname(
    const char *gt_path, const char *target_path, char out[PM_OUTNAME_MAX + 1], struct pm_err *err);

#endif
