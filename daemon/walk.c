#include "daemon/walk.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/formats/reader.h"

/* Names judged in one go; the loop gets its turn before the next ones. Well under a millisecond. */
#define NAMES_AT_ONCE 1024

struct slot {
    uv_fs_t req;
    struct pm_walk *walk;
    bool used;
};

/* Life: visit (enter hook, then scandir) -> list (names, stats) -> next visit ... -> close idle ->
 * done(). `steps` counts what libuv still owes us an answer for. */
struct pm_walk {
    struct pm_walk_opts opts;
    char *root;
    char **stack;
    size_t stack_count, stack_size;
    char *dir;       /* the directory being visited, below root */
    uv_work_t enter; /* its enter hook */
    int enter_result;
    char *enter_path;
    uv_fs_t scan; /* its listing */
    bool listing; /* scan holds names not looked at yet */
    struct slot slots[PM_WALK_INFLIGHT];
    int inflight;  /* slots in use */
    bool visiting; /* enter or scandir is under way */
    bool held, cancelled, closing, root_lost;
    uv_idle_t idle; /* runs while there are more names than one go takes */
    struct pm_walk_counts counts;
    struct pm_err result;
};

static void pump(struct pm_walk *walk);

/* --- names --- */

static bool ends_with(const char *name, const char *end)
{
    size_t n = strlen(name);
    size_t m = strlen(end);
    return n >= m && strcasecmp(name + n - m, end) == 0;
}

bool pm_walk_hidden(const char *name)
{
    static const char *const unfinished[] = {
        "~", ".part", ".partial", ".tmp", ".crdownload", ".filepart"};
    if (name[0] == '.') {
        return true;
    }
    for (size_t i = 0; i < sizeof unfinished / sizeof unfinished[0]; i++) {
        if (ends_with(name, unfinished[i])) {
            return true;
        }
    }
    return false;
}

enum pm_name_kind pm_walk_name(const char *name)
{
    if (pm_walk_hidden(name)) {
        return PM_NAME_HIDDEN;
    }
    return pm_format_known(name) ? PM_NAME_IMAGE : PM_NAME_OTHER;
}

bool pm_walk_inside(const char *path, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t n = strlen(list[i]);
        if (strncmp(path, list[i], n) == 0 && (path[n] == '\0' || path[n] == '/')) {
            return true;
        }
    }
    return false;
}

struct pm_stamp pm_walk_stamp(const uv_stat_t *st)
{
    return (struct pm_stamp){
        .size = (int64_t)st->st_size,
        .mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
        .inode = (int64_t)st->st_ino,
    };
}

char *pm_walk_join(const char *a, const char *b)
{
    size_t n = strlen(a);
    size_t size = n + strlen(b) + 2;
    bool slash = n > 0 && b[0] != '\0' && a[n - 1] != '/';
    char *path = malloc(size);
    if (path != NULL) {
        snprintf(path, size, "%s%s%s", a, slash ? "/" : "", b);
    }
    return path;
}

/* --- errors --- */

static void failed(struct pm_walk *walk, int uv_error, const char *rel)
{
    walk->counts.errors++;
    if (walk->result.code == PM_OK) {
        pm_err_errno(&walk->result, -uv_error, "\"%s%s%s\"", walk->root == NULL ? "" : walk->root,
            rel[0] == '\0' ? "" : "/", rel);
    }
}

static void no_memory(struct pm_walk *walk)
{
    failed(walk, UV_ENOMEM, walk->dir == NULL ? "" : walk->dir);
}

/* --- the stack of directories --- */

static void push(struct pm_walk *walk, char *rel)
{
    if (rel != NULL && walk->stack_count == walk->stack_size) {
        size_t size = walk->stack_size == 0 ? 16 : walk->stack_size * 2;
        char **bigger = realloc(walk->stack, size * sizeof(char *));
        if (bigger == NULL) {
            free(rel);
            rel = NULL;
        } else {
            walk->stack = bigger;
            walk->stack_size = size;
        }
    }
    if (rel == NULL) {
        no_memory(walk);
        return;
    }
    walk->stack[walk->stack_count++] = rel;
}

/* A folder below the one being listed. */
static void push_dir(struct pm_walk *walk, const char *rel)
{
    char *path = pm_walk_join(walk->root, rel);
    if (path == NULL) {
        no_memory(walk);
        return;
    }
    if (!pm_walk_inside(path, walk->opts.skip, walk->opts.skip_count)) {
        push(walk, pm_walk_join(rel, ""));
    }
    free(path);
}

/* --- the end --- */

static void free_walk(struct pm_walk *walk)
{
    while (walk->stack_count > 0) {
        free(walk->stack[--walk->stack_count]);
    }
    free(walk->stack);
    free(walk->root);
    free(walk->dir);
    free(walk);
}

static void on_closed(uv_handle_t *handle)
{
    struct pm_walk *walk = handle->data;
    if (walk->cancelled) {
        pm_err_set(&walk->result, PM_ECANCELED, "walk of \"%s\" cancelled", walk->root);
    }
    walk->opts.done(walk->opts.ctx, &walk->counts, &walk->result, walk->root_lost);
    free_walk(walk);
}

static void finish_listing(struct pm_walk *walk)
{
    if (walk->listing) {
        uv_fs_req_cleanup(&walk->scan);
        walk->listing = false;
    }
}

/* --- one file --- */

static const char *base_name(const char *rel)
{
    const char *slash = strrchr(rel, '/');
    return slash == NULL ? rel : slash + 1;
}

static void on_stat(uv_fs_t *req)
{
    struct slot *slot = req->data;
    struct pm_walk *walk = slot->walk;
    /* libuv keeps the absolute path we asked about; what lies behind the root is ours. */
    const char *rel = req->path + strlen(walk->root);
    rel += *rel == '/';

    if (walk->cancelled || req->result == UV_ENOENT || req->result == UV_ENOTDIR) {
        /* nobody wants to know any more, or it went away since it was listed */
    } else if (req->result < 0) {
        failed(walk, (int)req->result, rel);
    } else if (S_ISREG(req->statbuf.st_mode) && pm_walk_name(base_name(rel)) != PM_NAME_IMAGE) {
        walk->counts.ignored++; /* the listing did not tell what it was */
    } else if (S_ISREG(req->statbuf.st_mode)) {
        struct pm_stamp stamp = pm_walk_stamp(&req->statbuf);
        walk->counts.files++;
        walk->opts.file(walk->opts.ctx, rel, &stamp);
    } else if (S_ISDIR(req->statbuf.st_mode)) {
        push_dir(walk, rel);
    } else if (S_ISLNK(req->statbuf.st_mode)) {
        walk->counts.links++;
    } else {
        walk->counts.special++;
    }
    uv_fs_req_cleanup(req);
    slot->used = false;
    walk->inflight--;
    pump(walk);
}

static void stat_entry(struct pm_walk *walk, const char *rel)
{
    struct slot *slot = walk->slots;
    char *path = pm_walk_join(walk->root, rel);
    int rc = UV_ENOMEM;

    while (slot->used) {
        slot++; /* the caller has seen that one is free */
    }
    slot->walk = walk;
    slot->req.data = slot;
    if (path != NULL) {
        rc = uv_fs_lstat(walk->opts.loop, &slot->req, path, on_stat);
    }
    if (rc == 0) {
        slot->used = true;
        walk->inflight++;
    } else {
        failed(walk, rc, rel);
    }
    free(path);
}

/* --- the names of one directory --- */

/* A name whose type the file system tells with the listing needs no stat unless it is an image. */
static void judge(struct pm_walk *walk, const uv_dirent_t *entry)
{
    enum pm_name_kind kind = pm_walk_name(entry->name);
    bool dir = entry->type == UV_DIRENT_DIR;
    char *rel;

    if (kind == PM_NAME_HIDDEN) {
        walk->counts.hidden++;
        return;
    }
    if (entry->type == UV_DIRENT_LINK) {
        walk->counts.links++;
        return;
    }
    if (entry->type == UV_DIRENT_FILE && kind == PM_NAME_OTHER) {
        walk->counts.ignored++;
        return;
    }
    if (!dir && entry->type != UV_DIRENT_FILE && entry->type != UV_DIRENT_UNKNOWN) {
        walk->counts.special++;
        return;
    }
    rel = pm_walk_join(walk->dir, entry->name);
    if (rel == NULL) {
        no_memory(walk);
    } else if (dir) {
        push_dir(walk, rel);
    } else {
        stat_entry(walk, rel);
    }
    free(rel);
}

/* True when the listing has come to its end. */
static bool list_some(struct pm_walk *walk)
{
    for (int i = 0; i < NAMES_AT_ONCE && walk->inflight < PM_WALK_INFLIGHT; i++) {
        uv_dirent_t entry;
        if (uv_fs_scandir_next(&walk->scan, &entry) != 0) {
            return true;
        }
        judge(walk, &entry);
    }
    return false;
}

static void on_scan(uv_fs_t *req)
{
    struct pm_walk *walk = req->data;
    ssize_t rc = req->result;

    walk->visiting = false;
    walk->listing = true;
    if (rc >= 0) {
        walk->counts.dirs++;
    } else if (walk->dir[0] == '\0') {
        walk->root_lost = true;
        failed(walk, (int)rc, walk->dir);
    } else if (rc != UV_ENOENT && rc != UV_ENOTDIR) {
        failed(walk, (int)rc, walk->dir);
    }
    if (rc < 0 || walk->cancelled) {
        finish_listing(walk);
    }
    pump(walk);
}

static void scan(struct pm_walk *walk)
{
    char *path = pm_walk_join(walk->root, walk->dir);
    int rc = UV_ENOMEM;
    walk->scan.data = walk;
    if (path != NULL) {
        rc = uv_fs_scandir(walk->opts.loop, &walk->scan, path, 0, on_scan);
    }
    walk->visiting = rc == 0;
    if (rc != 0) {
        failed(walk, rc, walk->dir);
    }
    free(path);
}

static void enter_work(uv_work_t *work)
{
    struct pm_walk *walk = work->data;
    walk->enter_result = walk->opts.enter(walk->opts.ctx, walk->enter_path);
}

static void enter_done(uv_work_t *work, int status)
{
    struct pm_walk *walk = work->data;
    (void)status; /* never cancelled */
    free(walk->enter_path);
    walk->enter_path = NULL;
    walk->visiting = false;
    if (!walk->cancelled) {
        walk->opts.entered(walk->opts.ctx, walk->dir, walk->enter_result);
        scan(walk);
    }
    pump(walk);
}

/* Takes the next directory from the stack: watched first, listed afterwards, so that what appears
 * between the two is seen by one or the other. */
static void visit(struct pm_walk *walk)
{
    free(walk->dir);
    walk->dir = walk->stack[--walk->stack_count];
    if (walk->opts.enter == NULL) {
        scan(walk);
        return;
    }
    walk->enter.data = walk;
    walk->enter_path = pm_walk_join(walk->root, walk->dir);
    if (walk->enter_path != NULL &&
        uv_queue_work(walk->opts.loop, &walk->enter, enter_work, enter_done) == 0) {
        walk->visiting = true;
        return;
    }
    free(walk->enter_path);
    walk->enter_path = NULL;
    no_memory(walk);
}

static void on_idle(uv_idle_t *idle)
{
    pump(idle->data);
}

/* Does what can be done now; whoever answers later calls again. */
static void pump(struct pm_walk *walk)
{
    bool more = false; /* names left although a stat could be started */

    if (walk->cancelled) {
        finish_listing(walk);
    } else if (walk->listing && !walk->held) {
        if (list_some(walk)) {
            finish_listing(walk);
        }
        more = walk->listing && walk->inflight < PM_WALK_INFLIGHT;
    }
    while (!walk->cancelled && !walk->held && !walk->visiting && !walk->listing &&
           walk->stack_count > 0) {
        visit(walk);
    }
    if (more) {
        uv_idle_start(&walk->idle, on_idle);
    } else {
        uv_idle_stop(&walk->idle);
    }
    if (!walk->visiting && !walk->listing && walk->inflight == 0 && !walk->closing &&
        (walk->stack_count == 0 || walk->cancelled)) {
        walk->closing = true;
        uv_close((uv_handle_t *)&walk->idle, on_closed);
    }
}

/* --- the module --- */

enum pm_code pm_walk_start(
    struct pm_walk **out, const struct pm_walk_opts *opts, struct pm_err *err)
{
    struct pm_walk *walk = calloc(1, sizeof *walk);
    *out = NULL;
    if (walk == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory to walk through \"%s\"", opts->root);
    }
    walk->opts = *opts;
    walk->opts.root = walk->opts.start = NULL; /* the caller's; not ours to keep */
    walk->root = pm_walk_join(opts->root, "");
    push(walk, pm_walk_join(opts->start, ""));
    if (walk->root == NULL || walk->stack_count == 0) {
        free_walk(walk);
        return pm_err_set(err, PM_ENOMEM, "no memory to walk through \"%s\"", opts->root);
    }
    uv_idle_init(opts->loop, &walk->idle);
    walk->idle.data = walk;
    uv_idle_start(&walk->idle, on_idle); /* nothing is called back from inside this call */
    *out = walk;
    return PM_OK;
}

void pm_walk_cancel(struct pm_walk *walk)
{
    walk->cancelled = true;
    if (!walk->closing) {
        uv_idle_start(&walk->idle, on_idle);
    }
}

void pm_walk_hold(struct pm_walk *walk, bool hold)
{
    walk->held = hold;
    if (!hold && !walk->closing) {
        uv_idle_start(&walk->idle, on_idle);
    }
}
