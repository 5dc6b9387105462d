#include "daemon/outputs.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/owner.h"
#include "worker/dirs.h"
#include "worker/worker.h"

struct held {
    int fd;
    dev_t device; /* the folder itself, whatever it is called */
    ino_t inode;
};

struct pm_outputs {
    struct held *held;
    size_t count;
};

enum pm_code pm_outputs_new(struct pm_outputs **out, struct pm_err *err)
{
    *out = calloc(1, sizeof **out);
    return *out != NULL ? PM_OK : pm_err_set(err, PM_ENOMEM, "no memory for the outputs");
}

void pm_outputs_free(struct pm_outputs *outputs)
{
    if (outputs == NULL) {
        return;
    }
    for (size_t i = 0; i < outputs->count; i++) {
        close(outputs->held[i].fd);
    }
    free(outputs->held);
    free(outputs);
}

static bool is_held(const struct pm_outputs *outputs, const struct stat *st)
{
    for (size_t i = 0; i < outputs->count; i++) {
        if (outputs->held[i].device == st->st_dev && outputs->held[i].inode == st->st_ino) {
            return true;
        }
    }
    return false;
}

static enum pm_code lock(int fd, const char *path, struct pm_err *err)
{
    if (!pm_owner_lock_soon(fd) && errno == EWOULDBLOCK) {
        return pm_err_set(err, PM_EOWNED,
            "output folder \"%s\" is in use by another pairmill, with another database; wait for "
            "it, stop it, or name another folder",
            path);
    }
    return PM_OK; /* EBADF, ENOTSUP, ENOLCK: some network file systems have no such locks */
}

/* On PM_OK fd is taken over. */
static enum pm_code hold(
    struct pm_outputs *outputs, int fd, const struct stat *st, struct pm_err *err)
{
    struct held *grown = realloc(outputs->held, (outputs->count + 1) * sizeof *grown);
    if (grown == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for the outputs");
    }
    grown[outputs->count++] = (struct held){fd, st->st_dev, st->st_ino};
    outputs->held = grown;
    return PM_OK;
}

static enum pm_code take(struct pm_outputs *outputs, const char *path, struct pm_err *err)
{
    struct stat st;
    int fd;
    enum pm_code rc = pm_dirs_open(path, &fd, err);
    if (rc != PM_OK) {
        return rc;
    }
    if (fstat(fd, &st) != 0) {
        rc = pm_err_errno(err, errno, "%s: cannot look at the output folder", path);
        goto out;
    }
    if (is_held(outputs, &st)) {
        goto out;
    }
    rc = lock(fd, path, err);
    if (rc == PM_OK) {
        rc = pm_worker_sweep(path, err);
    }
    if (rc == PM_OK) {
        rc = hold(outputs, fd, &st, err);
    }
    if (rc == PM_OK) {
        fd = -1;
    }
out:
    if (fd >= 0) {
        close(fd);
    }
    return rc;
}

enum pm_code pm_outputs_take(struct pm_outputs *outputs, const struct pm_conf *conf,
    void (*step)(void *ctx), void *ctx, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    for (int i = 0; rc == PM_OK && i < conf->source_count; i++) {
        if (step != NULL) {
            step(ctx);
        }
        rc = take(outputs, conf->sources[i].output, err);
    }
    return rc;
}
