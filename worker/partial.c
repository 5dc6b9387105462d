#include "worker/partial.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hash.h"
#include "worker/dirs.h"
#include "worker/worker.h"

#define CROPS "crops"
/* Left-overs of one process are gone by the next start; a few names more cost nothing. */
#define NAME_TRIES 100

/* A folder of its own: the id says whose, pid and worker keep processes and threads apart. */
static enum pm_code make_folder(
    struct pm_partial *partial, int64_t job_id, int worker, struct pm_err *err)
{
    for (int i = 0; i < NAME_TRIES; i++) {
        snprintf(partial->name, sizeof partial->name, "%" PRId64 ".%d.%d.%d", job_id, (int)getpid(),
            worker, i);
        if (mkdirat(partial->root_fd, partial->name, 0777) == 0) {
            partial->dir_fd = openat(
                partial->root_fd, partial->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (partial->dir_fd >= 0) {
                return PM_OK;
            }
        }
        if (errno != EEXIST) {
            break;
        }
    }
    return pm_err_errno(err, errno, "%s/%s/%s: cannot make the folder", partial->output,
        PM_PARTIAL_FOLDER, partial->name);
}

enum pm_code pm_partial_begin(
    struct pm_partial *partial, const char *output, int64_t job_id, int worker, struct pm_err *err)
{
    enum pm_code rc;
    char label[1024];

    *partial = (struct pm_partial){
        .output_fd = -1, .root_fd = -1, .dir_fd = -1, .output = output, .open = true};
    snprintf(label, sizeof label, "%s/%s", output, PM_PARTIAL_FOLDER);
    rc = pm_dirs_open(output, &partial->output_fd, err);
    if (rc == PM_OK) {
        rc = pm_dirs_enter(partial->output_fd, PM_PARTIAL_FOLDER, label, &partial->root_fd, err);
    }
    if (rc == PM_OK) {
        rc = make_folder(partial, job_id, worker, err);
    }
    if (rc != PM_OK) {
        pm_partial_discard(partial);
    }
    return rc;
}

/* fdatasync: a new file's size counts as its data. */
static enum pm_code sync_one(struct pm_partial *partial, int fd, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    if (fdatasync(fd) != 0) {
        rc = pm_err_errno(err, errno, "%s: cannot write a result to the disk", partial->output);
    }
    if (close(fd) != 0 && rc == PM_OK) {
        rc = pm_err_errno(err, errno, "%s: cannot write a result to the disk", partial->output);
    }
    return rc;
}

static enum pm_code sync_pending(struct pm_partial *partial, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    for (size_t i = 0; i < partial->pending_count; i++) {
        enum pm_code one = sync_one(partial, partial->pending[i], rc == PM_OK ? err : NULL);
        rc = rc != PM_OK ? rc : one;
    }
    partial->pending_count = 0;
    return rc;
}

static int open_new(struct pm_partial *partial, const char *name)
{
    return openat(partial->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
}

enum pm_code pm_partial_create(
    struct pm_partial *partial, const char *name, int *fd, struct pm_err *err)
{
    if (strncmp(name, CROPS "/", sizeof CROPS) == 0 && !partial->crops) {
        if (mkdirat(partial->dir_fd, CROPS, 0777) != 0) {
            return pm_err_errno(
                err, errno, "%s: cannot make the folder %s", partial->output, CROPS);
        }
        partial->crops = true;
    }
    *fd = open_new(partial, name);
    if (*fd < 0 && (errno == EMFILE || errno == ENFILE) && partial->pending_count > 0) {
        enum pm_code rc = sync_pending(partial, err); /* ours are the ones that can be closed */
        if (rc != PM_OK) {
            return rc;
        }
        *fd = open_new(partial, name);
    }
    if (*fd < 0) {
        return pm_err_errno(err, errno, "%s: cannot make %s", partial->output, name);
    }
    return PM_OK;
}

/* From the page cache, where it was written a moment ago. */
static enum pm_code hash_fd(
    struct pm_partial *partial, int fd, struct pm_partial_file *file, struct pm_err *err)
{
    struct stat st;
    void *data = NULL;
    if (fstat(fd, &st) != 0) {
        return pm_err_errno(err, errno, "%s: cannot look at %s", partial->output, file->name);
    }
    file->size = st.st_size;
    if (st.st_size > 0) {
        data = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
        if (data == MAP_FAILED) {
            return pm_err_errno(err, errno, "%s: cannot read %s back", partial->output, file->name);
        }
    }
    pm_hash_bytes(data, (size_t)st.st_size, file->hash);
    if (data != NULL) {
        munmap(data, (size_t)st.st_size);
    }
    return PM_OK;
}

/* NULL when out of memory. */
static struct pm_partial_file *list_file(struct pm_partial *partial, const char *name)
{
    if (partial->file_count == partial->file_cap) {
        size_t cap = partial->file_cap * 2 + 16;
        struct pm_partial_file *grown = realloc(partial->files, cap * sizeof *grown);
        if (grown == NULL) {
            return NULL;
        }
        partial->files = grown;
        partial->file_cap = cap;
    }
    struct pm_partial_file *file = &partial->files[partial->file_count];
    *file = (struct pm_partial_file){.name = strdup(name)};
    if (file->name == NULL) {
        return NULL;
    }
    partial->file_count++;
    return file;
}

enum pm_code pm_partial_finish(
    struct pm_partial *partial, const char *name, int fd, struct pm_err *err)
{
    struct pm_partial_file *file = list_file(partial, name);
    enum pm_code rc;

    if (file == NULL) {
        close(fd);
        return pm_err_set(err, PM_ENOMEM, "%s: no memory to list %s", partial->output, name);
    }
    rc = hash_fd(partial, fd, file, err);
    if (rc != PM_OK) {
        close(fd);
        return rc;
    }
    partial->bytes += file->size;
    /* Only starts the disk; failing is fine, the sync at the end tells. */
    (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE);
    if (partial->pending_count == PM_PARTIAL_PENDING) {
        int oldest = partial->pending[0];
        memmove(partial->pending, partial->pending + 1,
            (PM_PARTIAL_PENDING - 1) * sizeof partial->pending[0]);
        partial->pending_count--;
        rc = sync_one(partial, oldest, err);
    }
    partial->pending[partial->pending_count++] = fd;
    return rc;
}

static enum pm_code sync_crops(struct pm_partial *partial, struct pm_err *err)
{
    int fd = openat(partial->dir_fd, CROPS, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return pm_err_errno(err, errno, "%s: cannot open the folder %s", partial->output, CROPS);
    }
    enum pm_code rc = pm_dirs_sync(fd, partial->output, err);
    close(fd);
    return rc;
}

enum pm_code pm_partial_sync(struct pm_partial *partial, struct pm_err *err)
{
    enum pm_code rc = sync_pending(partial, err);
    if (rc == PM_OK && partial->crops) {
        rc = sync_crops(partial, err);
    }
    return rc == PM_OK ? pm_dirs_sync(partial->dir_fd, partial->output, err) : rc;
}

static void close_if_open(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void pm_partial_discard(struct pm_partial *partial)
{
    if (!partial->open) {
        return;
    }
    for (size_t i = 0; i < partial->pending_count; i++) {
        close(partial->pending[i]);
    }
    close_if_open(partial->dir_fd);
    if (partial->root_fd >= 0 && partial->name[0] != '\0') {
        /* Gone already when it was moved. What cannot be removed now, the next start sweeps. */
        (void)pm_dirs_remove(partial->root_fd, partial->name, partial->output, NULL);
    }
    close_if_open(partial->root_fd);
    close_if_open(partial->output_fd);
    for (size_t i = 0; i < partial->file_count; i++) {
        free(partial->files[i].name);
    }
    free(partial->files);
    *partial = (struct pm_partial){0};
}

enum pm_code pm_worker_sweep(const char *output, struct pm_err *err)
{
    char label[1024];
    enum pm_code rc;
    int fd = open(output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT) {
        return PM_OK; /* nothing was ever written */
    }
    if (fd < 0) {
        return pm_err_errno(err, errno, "%s: cannot open the output folder", output);
    }
    snprintf(label, sizeof label, "%s/%s", output, PM_PARTIAL_FOLDER);
    rc = pm_dirs_remove(fd, PM_PARTIAL_FOLDER, label, err);
    close(fd);
    return rc;
}
