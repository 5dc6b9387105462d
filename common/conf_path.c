#include "common/conf_path.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Drops empty and "." parts of an absolute path, in place. */
static void tidy(char *path)
{
    char *to = path;
    const char *from = path;
    while (*from != '\0') {
        size_t len = 0;
        from += strspn(from, "/");
        len = strcspn(from, "/");
        if (len > 0 && !(len == 1 && from[0] == '.')) {
            *to++ = '/';
            memmove(to, from, len);
            to += len;
        }
        from += len;
    }
    if (to == path) {
        *to++ = '/';
    }
    *to = '\0';
}

char *pm_path_absolute(const char *dir, const char *path)
{
    char *out = NULL;
    char *here = NULL;

    if (path[0] == '/') {
        out = malloc(strlen(path) + 2); /* tidy() may write "/" */
        if (out != NULL) {
            strcpy(out, path);
        }
    } else {
        here = dir == NULL ? getcwd(NULL, 0) : NULL;
        if (asprintf(&out, "%s/%s", dir != NULL ? dir : here != NULL ? here : "", path) < 0) {
            out = NULL;
        }
    }
    if (out != NULL) {
        tidy(out);
    }
    free(here);
    return out;
}

/* Cuts the last part off an absolute path; what remains of "/a" is "/". */
static void cut_last(char *path)
{
    char *slash = strrchr(path, '/');
    slash[slash == path ? 1 : 0] = '\0';
}

char *pm_path_real(const char *path)
{
    char *head = strdup(path);
    char *real = NULL, *out = NULL;

    while (head != NULL && real == NULL) {
        real = realpath(head, NULL);
        if (real == NULL && (errno == ENOMEM || strcmp(head, "/") == 0)) {
            break;
        }
        if (real == NULL) {
            cut_last(head);
        }
    }
    if (real != NULL) {
        const char *rest = path + (strcmp(head, "/") == 0 ? 0 : strlen(head));
        if (asprintf(&out, "%s%s", real, rest) < 0) {
            out = NULL;
        }
        if (out != NULL) {
            tidy(out);
        }
    }
    free(head);
    free(real);
    return out;
}

bool pm_path_within(const char *outer, const char *inner)
{
    size_t len = strlen(outer);
    if (strcmp(outer, "/") == 0) {
        return true;
    }
    return strncmp(outer, inner, len) == 0 && (inner[len] == '\0' || inner[len] == '/');
}

/* Keeps PM_ECONF as the code: it is a setting that has to change, whatever errno says. */
static enum pm_code unusable(
    const char *what, const char *path, int sys_errno, const char *advice, struct pm_err *err)
{
    pm_err_set(err, PM_ECONF, "%s \"%s\": %s; %s", what, path, strerror(sys_errno), advice);
    if (err != NULL) {
        err->sys_errno = sys_errno;
    }
    return PM_ECONF;
}

enum pm_code pm_path_check_input(const char *path, struct pm_err *err)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        return unusable("input folder", path, errno, "make it or name another", err);
    }
    if (!S_ISDIR(st.st_mode)) {
        return unusable("input folder", path, ENOTDIR, "name a folder", err);
    }
    if (access(path, R_OK | X_OK) != 0) {
        return unusable("input folder", path, errno, "allow this user to list it", err);
    }
    return PM_OK;
}

enum pm_code pm_path_check_output(const char *path, struct pm_err *err)
{
    struct stat st;
    char *head = strdup(path);
    enum pm_code rc = PM_OK;

    if (head == NULL) {
        return pm_err_set(err, PM_ENOMEM, "out of memory");
    }
    while (stat(head, &st) != 0 && errno == ENOENT && strcmp(head, "/") != 0) {
        cut_last(head);
    }
    if (stat(head, &st) != 0) {
        rc = unusable("output folder", path, errno, "name another", err);
    } else if (!S_ISDIR(st.st_mode)) {
        rc = unusable("output folder", path, ENOTDIR, "name a folder", err);
    } else if (access(head, W_OK | X_OK) != 0) {
        rc = unusable("output folder", path, errno, "allow this user to write there", err);
    }
    free(head);
    return rc;
}
