#include "cli/verify_pair.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/infile.h"
#include "worker/outname.h"

#define RECORD_MAX (256 << 20) /* 100000 crops are some 40 MiB */

struct file {
    char *name;
    int64_t size;
    char hash[17];
};

/* One pair being looked at. */
struct look {
    struct pm_verify_checker *checker;
    struct pm_verify_entry *entry;
    struct pm_findings found; /* of this pair; given to the checker's when it still stands */
    char *record;             /* text of pair.json; NULL: not there or not as it was */
    struct file *files;       /* listed in it, by name */
    size_t count;
};

static enum pm_code find(struct look *look, enum pm_finding_kind kind, const char *name,
    const char *what, struct pm_err *err)
{
    char path[PATH_MAX + 512];
    snprintf(path, sizeof path, "%s%s%s", look->entry->folder, name[0] != '\0' ? "/" : "", name);
    return pm_findings_add(
        &look->found, kind, kind == PM_FINDING_ORPHAN ? 0 : look->entry->job_id, path, what, err);
}

/* --- pair.json --- */

static enum pm_code unreadable(struct look *look, const char *name, int sys, struct pm_err *err)
{
    if (sys == ENOENT || sys == ENOTDIR) {
        return find(look, PM_FINDING_MISSING, name, "not there", err);
    }
    if (sys == EACCES || sys == EPERM) {
        return find(look, PM_FINDING_UNREADABLE, name, "permission denied", err);
    }
    return find(look, PM_FINDING_CHANGED, name, "cannot be read", err);
}

/* NULL: what is wrong with it is among the findings, or err is set when even that failed. */
static char *read_text(struct look *look, const char *path, size_t *size, struct pm_err *err)
{
    struct stat st;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0) {
        int sys = errno;
        (void)unreadable(look, "pair.json", sys, err);
        return NULL;
    }
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > RECORD_MAX) {
        (void)find(look, PM_FINDING_CHANGED, "pair.json", "not a file of ours any more", err);
        goto out;
    }
    text = malloc((size_t)st.st_size + 1);
    if (text == NULL) {
        pm_err_set(err, PM_ENOMEM, "%s: no memory to read it", path);
        goto out;
    }
    int64_t got = pm_infile_pread(fd, text, (size_t)st.st_size, 0);
    if (got < 0) {
        (void)unreadable(look, "pair.json", errno, err);
        free(text);
        text = NULL;
        goto out;
    }
    text[got] = '\0';
    *size = (size_t)got;
out:
    close(fd);
    return text;
}

/* A record older than the table of hashes: at least it must be about the same inputs. */
static enum pm_code same_inputs(
    const struct look *look, const char *text, bool *same, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(look->checker->store, "verify_inputs");
    bool row;
    pm_query_text(query, ":record", text);
    enum pm_code rc = pm_query_step(query, &row, err);
    const char *gt = rc == PM_OK && row ? pm_query_col_text(query, 0, NULL) : NULL;
    const char *target = rc == PM_OK && row ? pm_query_col_text(query, 1, NULL) : NULL;
    *same = gt != NULL && target != NULL && strcmp(gt, look->entry->gt_hash) == 0 &&
            strcmp(target, look->entry->target_hash) == 0;
    pm_query_end(query);
    return rc;
}

static enum pm_code read_record(struct look *look, struct pm_err *err)
{
    char path[PATH_MAX + 16];
    char hex[17];
    size_t size = 0;
    bool same;
    enum pm_code rc = PM_OK;

    err->code = PM_OK;
    snprintf(path, sizeof path, "%s/pair.json", look->entry->folder);
    char *text = read_text(look, path, &size, err);
    if (text == NULL) {
        return err->code;
    }
    look->checker->files++;
    look->checker->bytes += (int64_t)size;
    if (look->entry->record[0] != '\0') {
        pm_hash_bytes(text, size, hex);
        same = strcmp(hex, look->entry->record) == 0;
    } else {
        rc = same_inputs(look, text, &same, err);
    }
    if (rc == PM_OK && !same) {
        rc = find(look, PM_FINDING_CHANGED, "pair.json",
            "not as it was published: the other files cannot be checked", err);
    }
    if (rc == PM_OK && same) {
        look->record = text;
        return PM_OK;
    }
    free(text);
    return rc;
}

/* --- what it lists --- */

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct file *)a)->name, ((const struct file *)b)->name);
}

static enum pm_code add_file(struct look *look, const struct pm_query *query, struct pm_err *err)
{
    const char *name = pm_query_col_text(query, 0, NULL);
    const char *hash = pm_query_col_text(query, 2, NULL);
    if (name == NULL || hash == NULL || !pm_outname_is_file(name)) {
        return PM_OK; /* a record without a hash of its own that somebody wrote to */
    }
    if ((look->count & (look->count - 1)) == 0) {
        size_t room = look->count == 0 ? 1 : look->count * 2;
        struct file *grown = realloc(look->files, room * sizeof *grown);
        if (grown == NULL) {
            return pm_err_set(err, PM_ENOMEM, "%s: no memory for its files", look->entry->folder);
        }
        look->files = grown;
    }
    struct file *file = &look->files[look->count];
    *file = (struct file){.name = strdup(name), .size = pm_query_col_int(query, 1)};
    if (file->name == NULL) {
        return pm_err_set(err, PM_ENOMEM, "%s: no memory for its files", look->entry->folder);
    }
    look->count++;
    snprintf(file->hash, sizeof file->hash, "%s", hash);
    return PM_OK;
}

static enum pm_code list_files(struct look *look, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(look->checker->store, "verify_files");
    enum pm_code rc;
    bool row;
    pm_query_text(query, ":record", look->record);
    while ((rc = pm_query_step(query, &row, err)) == PM_OK && row) {
        rc = add_file(look, query, err);
        if (rc != PM_OK) {
            break;
        }
    }
    pm_query_end(query);
    if (look->count > 0) {
        qsort(look->files, look->count, sizeof *look->files, by_name);
    }
    return rc;
}

static enum pm_code check_file(struct look *look, const struct file *file, struct pm_err *err)
{
    char path[PATH_MAX + 512];
    char hex[17];
    struct stat st;
    int64_t size = 0;

    snprintf(path, sizeof path, "%s/%s", look->entry->folder, file->name);
    if (lstat(path, &st) != 0) {
        return unreadable(look, file->name, errno, err);
    }
    if (!S_ISREG(st.st_mode)) {
        return find(look, PM_FINDING_CHANGED, file->name, "not a file any more", err);
    }
    if (st.st_size != file->size) {
        return find(look, PM_FINDING_CHANGED, file->name, "another size", err);
    }
    enum pm_code rc = pm_hash_file(path, &size, hex, err);
    if (rc == PM_ENOMEM) {
        return rc;
    }
    if (rc != PM_OK) {
        return unreadable(look, file->name, rc == PM_EFORMAT ? EIO : err->sys_errno, err);
    }
    look->checker->files++;
    look->checker->bytes += size;
    return strcmp(hex, file->hash) == 0
               ? PM_OK
               : find(look, PM_FINDING_CHANGED, file->name, "another content", err);
}

/* --- what else lies there --- */

static bool is_known(const struct look *look, const char *name)
{
    struct file key = {.name = (char *)name};
    if (strcmp(name, "pair.json") == 0) {
        return true;
    }
    if (look->record == NULL) {
        return pm_outname_is_file(name);
    }
    return look->count > 0 &&
           bsearch(&key, look->files, look->count, sizeof *look->files, by_name) != NULL;
}

/* below: "" or "crops/". */
static enum pm_code check_names(struct look *look, const char *below, struct pm_err *err)
{
    char path[PATH_MAX + 16];
    struct dirent *entry;
    enum pm_code rc = PM_OK;

    snprintf(path, sizeof path, "%s/%s", look->entry->folder, below);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        if (fd >= 0) {
            close(fd);
        }
        return PM_OK; /* each of its files has been told */
    }
    while (rc == PM_OK && (entry = readdir(dir)) != NULL) {
        char name[NAME_MAX + 16];
        snprintf(name, sizeof name, "%s%s", below, entry->d_name);
        bool skip = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
        if (!skip && strcmp(name, "crops") == 0) {
            rc = check_names(look, "crops/", err);
        } else if (!skip && !is_known(look, name)) {
            look->entry->guests = true;
            rc = find(look, PM_FINDING_ORPHAN, name, "not in pair.json", err);
        }
    }
    closedir(dir);
    return rc;
}

/* --- one pair --- */

static enum pm_code look_at(struct look *look, struct pm_err *err)
{
    struct stat st;
    if (lstat(look->entry->folder, &st) != 0) {
        return unreadable(look, "", errno, err);
    }
    if (!S_ISDIR(st.st_mode)) {
        look->entry->guests = true;
        return find(look, PM_FINDING_CHANGED, "", "not a folder any more", err);
    }
    enum pm_code rc = read_record(look, err);
    if (rc == PM_OK && look->record != NULL) {
        rc = list_files(look, err);
    }
    for (size_t i = 0; rc == PM_OK && i < look->count; i++) {
        rc = check_file(look, &look->files[i], err);
    }
    return rc == PM_OK ? check_names(look, "", err) : rc;
}

static enum pm_code still_so(const struct look *look, bool *still, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(look->checker->store, "verify_still");
    int64_t one;
    pm_query_int(query, ":job", look->entry->job_id);
    if (look->entry->folder != NULL) {
        pm_query_int(query, ":finished_us", look->entry->finished_us);
    }
    enum pm_code rc = pm_query_value(query, &one, err);
    *still = one != 0;
    return rc;
}

/* Nothing is told of a pair that was queued again meanwhile. */
static enum pm_code settle(struct look *look, struct pm_err *err)
{
    bool still = true;
    enum pm_code rc = look->found.count > 0 ? still_so(look, &still, err) : PM_OK;
    if (rc == PM_OK && !still) {
        pm_findings_clear(&look->found);
        look->entry->guests = false;
        look->checker->redone++;
    }
    look->entry->broken = pm_findings_of(&look->found, PM_FINDING_MISSING) +
                              pm_findings_of(&look->found, PM_FINDING_CHANGED) >
                          0;
    return rc == PM_OK ? pm_findings_take(look->checker->findings, &look->found, err) : rc;
}

enum pm_code pm_verify_pair(
    struct pm_verify_checker *checker, struct pm_verify_entry *entry, struct pm_err *err)
{
    struct look look = {.checker = checker, .entry = entry};
    enum pm_code rc;

    pm_findings_init(&look.found);
    if (entry->folder == NULL) {
        rc = pm_findings_add(&look.found, PM_FINDING_MISSING, entry->job_id, "",
            "the job is done but has no result", err);
    } else {
        rc = look_at(&look, err);
    }
    if (rc == PM_OK) {
        rc = settle(&look, err);
    }
    for (size_t i = 0; i < look.count; i++) {
        free(look.files[i].name);
    }
    free(look.files);
    free(look.record);
    pm_findings_fini(&look.found);
    return rc;
}
