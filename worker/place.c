#include "worker/place.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "worker/dirs.h"
#include "worker/outname.h"

#define LABEL_BYTES 1024

struct move {
    int root_fd, parent_fd;
    const char *from, *to;   /* in root_fd, in parent_fd */
    char label[LABEL_BYTES]; /* path of the destination, for messages */
};

/* The next component of a scene; names that mean something else to the file system or to us are
 * refused. */
static enum pm_code next_component(
    const char **rest, const char *scene, char name[NAME_MAX + 1], struct pm_err *err)
{
    size_t n = strcspn(*rest, "/");
    if (n > NAME_MAX) {
        return pm_err_set(err, PM_ENAME, "%s: a part of the scene's name is too long", scene);
    }
    memcpy(name, *rest, n);
    name[n] = '\0';
    if (n == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        return pm_err_set(err, PM_ENAME, "%s: a scene must be a path below the input", scene);
    }
    if (*rest == scene && strcmp(name, PM_PARTIAL_FOLDER) == 0) {
        return pm_err_set(err, PM_ENAME,
            "%s: pairmill keeps unfinished results in a folder of this name; rename the scene",
            scene);
    }
    *rest += n + ((*rest)[n] == '/');
    return PM_OK;
}

/* As pm_dirs_enter, but a folder that is missing stays so: PM_ENOENT. */
static enum pm_code enter_existing(
    int at, const char *name, const char *label, int *fd, struct pm_err *err)
{
    *fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return *fd >= 0 ? PM_OK : pm_err_errno(err, errno, "%s: cannot open the folder", label);
}

/* A scene may have a name that is also that of another scene's result ("s/a.tif--b.tif"). In there
 * its own results would be lost the next time that one is replaced. */
static enum pm_code check_no_result(int fd, const char *label, struct pm_err *err)
{
    struct stat st;
    if (fstatat(fd, "pair.json", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) {
        return pm_err_set(err, PM_EEXIST,
            "%s is in the way: it is the result of a pair; rename the scene of this name", label);
    }
    return PM_OK;
}

/* The folder the pair goes into, made where it is missing if so asked, link by link refused. */
static enum pm_code open_scene(
    int output_fd, const char *output, const char *scene, bool make, int *fd, struct pm_err *err)
{
    const char *rest = strcmp(scene, ".") == 0 ? "" : scene;
    int at = dup(output_fd);
    enum pm_code rc = PM_OK;

    if (at < 0) {
        return pm_err_errno(err, errno, "%s: cannot open", output);
    }
    while (*rest != '\0' && rc == PM_OK) {
        char name[NAME_MAX + 1], label[LABEL_BYTES];
        int next;
        rc = next_component(&rest, scene, name, err);
        if (rc == PM_OK) {
            snprintf(label, sizeof label, "%s/%.*s", output,
                (int)(rest - scene - (rest > scene && rest[-1] == '/')), scene);
            rc = make ? pm_dirs_enter(at, name, label, &next, err)
                      : enter_existing(at, name, label, &next, err);
        }
        if (rc == PM_OK) {
            close(at);
            at = next;
            rc = check_no_result(at, label, err);
        }
    }
    if (rc != PM_OK) {
        close(at);
        return rc;
    }
    *fd = at;
    return PM_OK;
}

static bool only_ours(int fd, const char *below);

static bool is_ours(int at, const char *below, const char *entry)
{
    char name[NAME_MAX + 16];
    bool ours;
    int fd;
    if (below[0] != '\0' || strcmp(entry, "crops") != 0) {
        snprintf(name, sizeof name, "%s%s", below, entry);
        return pm_outname_is_file(name);
    }
    fd = openat(at, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    ours = fd >= 0 && only_ours(fd, "crops/");
    if (fd >= 0) {
        close(fd);
    }
    return ours;
}

/* Whether all names in a folder are such as results have; so it is, too, when there are none. */
static bool only_ours(int fd, const char *below)
{
    struct dirent *entry;
    bool ours = true;
    int copy = dup(fd);
    DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
    if (dir == NULL) {
        if (copy >= 0) {
            close(copy);
        }
        return false;
    }
    while (ours && (entry = readdir(dir)) != NULL) {
        ours = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
               is_ours(fd, below, entry->d_name);
    }
    closedir(dir);
    return ours;
}

/* Whether name in at is a result of ours; or_left: or what is left of one. */
static bool holds_record(int at, const char *name, bool or_left)
{
    struct stat st;
    int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    bool ours = false;
    if (fd >= 0) {
        ours = (fstatat(fd, "pair.json", &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)) ||
               (or_left && only_ours(fd, ""));
        close(fd);
    }
    return ours;
}

/* Only what pairmill made may be replaced. */
static enum pm_code check_replaceable(const struct move *move, struct pm_err *err)
{
    if (!holds_record(move->parent_fd, move->to, true)) {
        return pm_err_set(err, PM_EEXIST,
            "%s is in the way: it is no result of pairmill's (no pair.json in it); move it",
            move->label);
    }
    return PM_OK;
}

static bool flags_missing(int sys)
{
    return sys == EINVAL || sys == ENOSYS || sys == ENOTSUP;
}

/* Without the flags: look first, move an earlier result aside. Another owner of the output cannot
 * come between, since there is one owner. The old one is removed by the caller. */
static enum pm_code move_plainly(const struct move *move, const char *aside, struct pm_err *err)
{
    struct stat st;
    bool was_there = fstatat(move->parent_fd, move->to, &st, AT_SYMLINK_NOFOLLOW) == 0;

    if (was_there) {
        enum pm_code rc = check_replaceable(move, err);
        if (rc != PM_OK) {
            return rc;
        }
        if (renameat(move->parent_fd, move->to, move->root_fd, aside) != 0) {
            return pm_err_errno(err, errno, "%s: cannot move the earlier result", move->label);
        }
    }
    if (renameat(move->root_fd, move->from, move->parent_fd, move->to) != 0) {
        int sys = errno;
        if (was_there) {
            (void)renameat(move->root_fd, aside, move->parent_fd, move->to);
        }
        return pm_err_errno(err, sys, "%s: cannot move the result here", move->label);
    }
    return PM_OK;
}

/* An exchange leaves the earlier result under the name of the new one, in .partial. */
static enum pm_code move_at_once(
    const struct move *move, const char *aside, bool plain, struct pm_err *err)
{
    enum pm_code rc;
    if (plain) {
        return move_plainly(move, aside, err);
    }
    if (renameat2(move->root_fd, move->from, move->parent_fd, move->to, RENAME_NOREPLACE) == 0) {
        return PM_OK;
    }
    if (flags_missing(errno)) {
        return move_plainly(move, aside, err);
    }
    if (errno != EEXIST) {
        return pm_err_errno(err, errno, "%s: cannot move the result here", move->label);
    }
    rc = check_replaceable(move, err);
    if (rc != PM_OK) {
        return rc;
    }
    if (renameat2(move->root_fd, move->from, move->parent_fd, move->to, RENAME_EXCHANGE) == 0) {
        return PM_OK;
    }
    return flags_missing(errno)
               ? move_plainly(move, aside, err)
               : pm_err_errno(err, errno, "%s: cannot replace the earlier result", move->label);
}

enum pm_code pm_place(struct pm_partial *partial, const struct pm_place *place, struct pm_err *err)
{
    struct move move = {.root_fd = partial->root_fd, .from = partial->name, .to = place->name};
    char aside[sizeof partial->name + 8];
    bool top = strcmp(place->scene, ".") == 0;
    enum pm_code rc;

    snprintf(aside, sizeof aside, "%s.old", partial->name);
    snprintf(move.label, sizeof move.label, "%s%s%s/%s", partial->output, top ? "" : "/",
        top ? "" : place->scene, place->name);
    rc = open_scene(partial->output_fd, partial->output, place->scene, true, &move.parent_fd, err);
    if (rc != PM_OK) {
        return rc;
    }
    rc = move_at_once(&move, aside, place->plain, err);
    if (rc == PM_OK) {
        rc = pm_dirs_sync(move.parent_fd, move.label, err);
    }
    if (rc == PM_OK) {
        /* The earlier result, if any, lies under one of these now; what stays, a start sweeps. */
        (void)pm_dirs_remove(partial->root_fd, partial->name, partial->output, NULL);
        (void)pm_dirs_remove(partial->root_fd, aside, partial->output, NULL);
    }
    close(move.parent_fd);
    return rc;
}

enum pm_code pm_place_withdraw(
    const char *output, const char *scene, const char *name, const char *aside, struct pm_err *err)
{
    int output_fd = open(output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int scene_fd = -1, root_fd = -1;
    enum pm_code rc;

    if (output_fd < 0) {
        return errno == ENOENT ? PM_OK : pm_err_errno(err, errno, "%s: cannot open", output);
    }
    rc = open_scene(output_fd, output, scene, false, &scene_fd, err);
    if (rc != PM_OK || !holds_record(scene_fd, name, false)) {
        rc = rc == PM_ENOENT ? PM_OK : rc;
        goto out;
    }
    rc = pm_dirs_enter(output_fd, PM_PARTIAL_FOLDER, output, &root_fd, err);
    if (rc != PM_OK) {
        goto out;
    }
    if (renameat(scene_fd, name, root_fd, aside) != 0) {
        rc = pm_err_errno(err, errno, "%s/%s/%s: cannot take it away", output, scene, name);
        goto out;
    }
    rc = pm_dirs_sync(scene_fd, output, err);
    (void)pm_dirs_remove(root_fd, aside, output, NULL); /* what stays, a start sweeps */
out:
    if (root_fd >= 0) {
        close(root_fd);
    }
    if (scene_fd >= 0) {
        close(scene_fd);
    }
    close(output_fd);
    return rc;
}
