#include "worker/outname.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash.h"
#include "common/json.h"

#define SEPARATOR "--"
#define MARK_BYTES 17 /* "." and 16 digits */

const char *pm_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

int pm_target_is_gt(const char *gt_path, const char *target_path)
{
    size_t n = (size_t)(pm_base_name(gt_path) - gt_path);
    return n == (size_t)(pm_base_name(target_path) - target_path) &&
           memcmp(gt_path, target_path, n) == 0;
}

/* What crop.c calls a window's files. */
static bool is_crop(const char *name)
{
    static const char *const kinds[] = {".gt.tif", ".target.tif", ".mask.png"};
    size_t x = strspn(name, "0123456789");
    size_t y = name[x] == '_' ? strspn(name + x + 1, "0123456789") : 0;
    for (size_t i = 0; x > 0 && y > 0 && i < sizeof kinds / sizeof kinds[0]; i++) {
        if (strcmp(name + x + 1 + y, kinds[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool pm_outname_is_file(const char *name)
{
    return strcmp(name, "pair.json") == 0 || strcmp(name, "mask.png") == 0 ||
           (strncmp(name, "crops/", 6) == 0 && is_crop(name + 6));
}

static enum pm_code hash_names(
    const char *gt, const char *target, int target_is_gt, char hex[17], struct pm_err *err)
{
    size_t gt_n = strlen(gt) + 1,
           target_n = strlen(target) + 1; /* with the NULs: no name has one */
    char *both = malloc(gt_n + target_n + 1);
    if (both == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a name");
    }
    memcpy(both, gt, gt_n);
    memcpy(both + gt_n, target, target_n);
    both[gt_n + target_n] = target_is_gt ? 'g' : 't';
    pm_hash_bytes(both, gt_n + target_n + 1, hex);
    free(both);
    return PM_OK;
}

/* The longest start of name of at most max bytes that cuts no UTF-8 sequence. */
static size_t cut(const char *name, size_t max)
{
    size_t n = 0, step;
    while (name[n] != '\0') {
        step = pm_utf8_length(name + n);
        step = step == 0 ? 1 : step; /* a stray byte stands for itself */
        if (n + step > max) {
            break;
        }
        n += step;
    }
    return n;
}

enum pm_code pm_outname(
    const char *gt_path, const char *target_path, char out[PM_OUTNAME_MAX + 1], struct pm_err *err)
{
    const char *gt = pm_base_name(gt_path), *target = pm_base_name(target_path);
    size_t gt_n = strlen(gt), target_n = strlen(target), sep_n = strlen(SEPARATOR);
    int target_is_gt = pm_target_is_gt(gt_path, target_path);
    char mark[MARK_BYTES + 1] = "";
    enum pm_code rc;

    if (gt_n == 0 || target_n == 0) {
        return pm_err_set(err, PM_ENAME, "%s: no file name", gt_n == 0 ? gt_path : target_path);
    }
    if (strstr(gt, SEPARATOR) != NULL || gt[gt_n - 1] == '-' || target_is_gt ||
        gt_n + sep_n + target_n > PM_OUTNAME_MAX) {
        mark[0] = '.';
        rc = hash_names(gt, target, target_is_gt, mark + 1, err);
        if (rc != PM_OK) {
            return rc;
        }
    }
    /* Half of the room each; what one does not need is the other's. */
    size_t room = PM_OUTNAME_MAX - sep_n - strlen(mark), half = room / 2;
    size_t gt_room = target_n < half ? room - target_n : half;
    size_t gt_kept = cut(gt, gt_room < gt_n ? gt_room : gt_n);
    size_t target_kept = cut(target, room - gt_kept < target_n ? room - gt_kept : target_n);
    snprintf(out, PM_OUTNAME_MAX + 1, "%.*s%s%.*s%s", (int)gt_kept, gt, SEPARATOR, (int)target_kept,
        target, mark);
    return PM_OK;
}
