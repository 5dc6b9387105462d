#include "cli/verify_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/outname.h"
#include "worker/partial.h"

#define DEPTH_MAX 200 /* folders in each other; the stack bears that many */

static enum pm_code add(
    struct pm_verify_walk *walk, const char *path, enum pm_verify_kind kind, struct pm_err *err)
{
    char *copy = strdup(path);
    if (walk->count == walk->cap) {
        size_t cap = walk->cap * 2 + 64;
        struct pm_verify_place *grown = realloc(walk->places, cap * sizeof *grown);
        if (grown != NULL) {
            walk->places = grown;
            walk->cap = cap;
        }
    }
    if (copy == NULL || walk->count == walk->cap) {
        free(copy);
        return pm_err_set(err, PM_ENOMEM, "no memory for the list of files");
    }
    walk->places[walk->count].kind = kind;
    walk->places[walk->count++].path = copy;
    return PM_OK;
}

static bool barred(const struct pm_verify_walk *walk, const char *path)
{
    for (size_t k = 0; k < 2; k++) {
        for (size_t i = 0; i < walk->not_into_count; i++) {
            if (strcmp(walk->not_into[k][i], path) == 0) {
                return true;
            }
        }
    }
    return false;
}

/* The database, its log, lock, socket and copies. */
static bool is_database(const struct pm_verify_walk *walk, const struct stat *st, const char *name)
{
    const char *base = pm_base_name(walk->db);
    return st->st_dev == walk->db_dev && st->st_ino == walk->db_ino &&
           strncmp(name, base, strlen(base)) == 0;
}

static bool is_folder(int at, const struct dirent *entry)
{
    struct stat st;
    if (entry->d_type != DT_UNKNOWN) {
        return entry->d_type == DT_DIR;
    }
    return fstatat(at, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

static enum pm_code walk_folder(
    struct pm_verify_walk *walk, const char *path, int depth, struct pm_err *err);

static enum pm_code take_entry(struct pm_verify_walk *walk, DIR *dir, const struct dirent *entry,
    const char *folder, int depth, struct pm_err *err)
{
    char path[PATH_MAX];
    int length =
        snprintf(path, sizeof path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, entry->d_name);
    if (length < 0 || (size_t)length >= sizeof path || depth > DEPTH_MAX) {
        return add(walk, folder, PM_VERIFY_CLOSED, err); /* nothing of ours lies so deep */
    }
    if (!is_folder(dirfd(dir), entry)) {
        return add(walk, path, PM_VERIFY_STRAY, err);
    }
    return barred(walk, path) ? PM_OK : walk_folder(walk, path, depth, err);
}

static enum pm_code walk_entries(
    struct pm_verify_walk *walk, DIR *dir, const char *folder, int depth, struct pm_err *err)
{
    struct dirent *entry;
    struct stat st = {0};
    enum pm_code rc = PM_OK;

    if (fstat(dirfd(dir), &st) != 0) {
        return add(walk, folder, PM_VERIFY_CLOSED, err);
    }
    while (rc == PM_OK && (entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        bool ours = strcmp(name, ".") == 0 || strcmp(name, "..") == 0 ||
                    (depth == 0 && strcmp(name, PM_PARTIAL_FOLDER) == 0) ||
                    is_database(walk, &st, name);
        if (!ours) {
            rc = take_entry(walk, dir, entry, folder, depth + 1, err);
        }
    }
    return rc;
}

static enum pm_code walk_folder(
    struct pm_verify_walk *walk, const char *path, int depth, struct pm_err *err)
{
    struct stat st;
    enum pm_code rc;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (depth == 0 ? 0 : O_NOFOLLOW));
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;

    if (dir == NULL) {
        bool gone = fd < 0 && errno == ENOENT;
        if (fd >= 0) {
            close(fd);
        }
        return gone ? PM_OK : add(walk, path, PM_VERIFY_CLOSED, err);
    }
    if (depth > 0 && fstatat(fd, "pair.json", &st, AT_SYMLINK_NOFOLLOW) == 0) {
        rc = add(walk, path, PM_VERIFY_RESULT, err);
    } else {
        rc = walk_entries(walk, dir, path, depth, err);
    }
    closedir(dir);
    return rc;
}

enum pm_code pm_verify_walk(struct pm_verify_walk *walk, const char *root, struct pm_err *err)
{
    char folder[PATH_MAX];
    struct stat st;
    size_t length = (size_t)(pm_base_name(walk->db) - walk->db);

    snprintf(folder, sizeof folder, "%.*s", (int)length, walk->db);
    if (stat(length > 0 ? folder : ".", &st) == 0) {
        walk->db_dev = st.st_dev;
        walk->db_ino = st.st_ino;
    }
    return walk_folder(walk, root, 0, err);
}

void pm_verify_walk_clear(struct pm_verify_walk *walk)
{
    for (size_t i = 0; i < walk->count; i++) {
        free(walk->places[i].path);
    }
    free(walk->places);
    walk->places = NULL;
    walk->count = walk->cap = 0;
}
