#include "cli/bench_files.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/conf.h"
#include "common/convert.h"
#include "common/formats/reader.h"
#include "common/printable.h"
#include "worker/load.h"

#define DEPTH_MAX 64 /* folders inside each other */

static struct pm_image_info info_of(const struct pm_image *image)
{
    return (struct pm_image_info){
        .w = image->w, .h = image->h, .channels = image->channels, .sample = image->sample};
}

/* Replaces *image by itself in the sample type `to`, unless it is of that already. */
static enum pm_code convert(struct pm_image **image, enum pm_sample to, struct pm_err *err)
{
    struct pm_image *converted;
    enum pm_code rc;
    if ((*image)->sample == to) {
        return PM_OK;
    }
    rc = pm_convert(*image, to, NULL, &converted, err);
    if (rc == PM_OK) {
        pm_image_free(*image);
        *image = converted;
    }
    return rc;
}

/* The file's name without its folders, fit for a cell of a Markdown table. */
static void name_pair(struct pm_bench_pair *pair, const char *target)
{
    const char *slash = strrchr(target, '/');
    const char *name = slash != NULL ? slash + 1 : target;
    pm_printable(pair->name, sizeof pair->name, name, strlen(name));
    for (char *c = pair->name; *c != '\0'; c++) {
        *c = *c == '|' ? '/' : *c;
    }
}

enum pm_code pm_bench_load(struct pm_bench_pair *pair, const char *gt, const char *target,
    const struct pm_conf *conf, struct pm_err *err)
{
    const struct pm_limits limits = {.max_pixels = conf->max_pixels};
    enum pm_sample common;
    enum pm_code rc;

    *pair = (struct pm_bench_pair){.known = false};
    name_pair(pair, target);
    rc = pm_image_read(gt, &limits, NULL, NULL, &pair->gt, err);
    if (rc == PM_OK) {
        rc = pm_image_read(target, &limits, NULL, NULL, &pair->target, err);
    }
    if (rc == PM_OK) {
        const struct pm_image_info infos[2] = {info_of(pair->gt), info_of(pair->target)};
        rc = pm_shape_check(gt, &infos[0], target, &infos[1], err);
    }
    if (rc == PM_OK) {
        common = pm_sample_common(pair->gt->sample, pair->target->sample);
        rc = convert(&pair->gt, common, err);
    }
    if (rc == PM_OK) {
        rc = convert(&pair->target, common, err);
    }
    if (rc != PM_OK) {
        pm_bench_pair_clear(pair);
    }
    return rc;
}

/* Names in one folder, sorted; both kinds without hidden ones. */
struct entries {
    struct dirent **list;
    int count;
};

static int not_hidden(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static enum pm_code entries_read(struct entries *entries, const char *folder, struct pm_err *err)
{
    entries->list = NULL;
    entries->count = scandir(folder, &entries->list, not_hidden, alphasort);
    if (entries->count < 0) {
        entries->count = 0;
        return pm_err_errno(err, errno, "cannot look into %s", folder);
    }
    return PM_OK;
}

static void entries_clear(struct entries *entries)
{
    for (int i = 0; i < entries->count; i++) {
        free(entries->list[i]);
    }
    free(entries->list);
}

/* folder/name into path; false when it is too long. */
static bool join(char path[PATH_MAX], const char *folder, const char *name)
{
    int len = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return len > 0 && len < PATH_MAX;
}

/* An image by its name, and a file (a link to one counts). */
static bool is_image(char path[PATH_MAX], const char *folder, const char *name)
{
    struct stat st;
    return pm_format_known(name) && join(path, folder, name) && stat(path, &st) == 0 &&
           S_ISREG(st.st_mode);
}

static bool is_folder(char path[PATH_MAX], const char *folder, const char *name)
{
    struct stat st;
    return join(path, folder, name) && lstat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static enum pm_code add_pair(
    struct pm_pairlist *list, const char *gt, const char *target, struct pm_err *err)
{
    char **grown = realloc(list->paths, (list->count + 2) * sizeof *grown);
    char *copies[2] = {strdup(gt), strdup(target)};
    if (grown != NULL) {
        list->paths = grown;
    }
    if (grown == NULL || copies[0] == NULL || copies[1] == NULL) {
        free(copies[0]);
        free(copies[1]);
        return pm_err_set(err, PM_ENOMEM, "out of memory");
    }
    grown[list->count++] = copies[0];
    grown[list->count++] = copies[1];
    return PM_OK;
}

/* Every image of the scene's folder with every one of its gt folder. */
static enum pm_code scene(struct pm_pairlist *list, const char *folder,
    const struct entries *targets, size_t most, struct pm_err *err)
{
    char gt_folder[PATH_MAX], gt[PATH_MAX], target[PATH_MAX];
    struct entries gts;
    enum pm_code rc;

    if (!is_folder(gt_folder, folder, "gt")) {
        return PM_OK;
    }
    rc = entries_read(&gts, gt_folder, err);
    for (int t = 0; t < targets->count && rc == PM_OK; t++) {
        if (!is_image(target, folder, targets->list[t]->d_name)) {
            continue;
        }
        for (int g = 0; g < gts.count && rc == PM_OK && list->count < 2 * most; g++) {
            if (is_image(gt, gt_folder, gts.list[g]->d_name)) {
                rc = add_pair(list, gt, target, err);
            }
        }
    }
    entries_clear(&gts);
    return rc;
}

static enum pm_code walk(
    struct pm_pairlist *list, const char *folder, size_t most, int depth, struct pm_err *err)
{
    char below[PATH_MAX];
    struct entries entries;
    enum pm_code rc = entries_read(&entries, folder, err);

    if (rc == PM_OK) {
        rc = scene(list, folder, &entries, most, err);
    }
    for (int i = 0; i < entries.count && rc == PM_OK && list->count < 2 * most; i++) {
        const char *name = entries.list[i]->d_name;
        if (depth < DEPTH_MAX && strcmp(name, "gt") != 0 && is_folder(below, folder, name)) {
            rc = walk(list, below, most, depth + 1, err);
        }
    }
    entries_clear(&entries);
    return rc;
}

enum pm_code pm_bench_find(
    struct pm_pairlist *list, const char *folder, size_t most, struct pm_err *err)
{
    enum pm_code rc;
    *list = (struct pm_pairlist){0};
    rc = walk(list, folder, most, 0, err);
    if (rc == PM_OK && list->count == 0) {
        rc = pm_err_set(err, PM_ENOENT,
            "no pairs in %s; they are laid out as SCENE/gt/FILE and SCENE/FILE", folder);
    }
    if (rc != PM_OK) {
        pm_pairlist_clear(list);
    }
    return rc;
}

void pm_pairlist_clear(struct pm_pairlist *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->paths[i]);
    }
    free(list->paths);
    *list = (struct pm_pairlist){0};
}
