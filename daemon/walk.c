#include "daemon/walk.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/listing.h"

/* Names judged in one go; the loop gets its turn before the next ones. Well under a millisecond. */
#define NAMES_AT_ONCE 1024

/* Entries of the open folder that are looked at in one go on a pool thread. */
struct batch {
    uv_work_t work;
    struct pm_walk *walk;
    size_t entry[PM_WALK_BATCH];
    struct stat st[PM_WALK_BATCH];
    int rc[PM_WALK_BATCH]; /* 0 or -errno */
    int count;
    bool used;
};

/* Life: visit (open, enter hook, names) -> list (batches of stats) -> next visit ... -> close idle
 * -> done(). A folder stays open until all that was to be seen in it has been seen. */
struct pm_walk {
    struct pm_walk_opts opts;
    char *root;
    size_t root_bytes;
    char **stack;
    size_t stack_count, stack_size;
    char *dir;        /* the directory being visited, below root */
    uv_work_t opener; /* opens and reads it */
    char *open_path;
    int open_rc, enter_rc; /* 0 or -errno; what the hook said */
    struct pm_listing listing;
    size_t next; /* the first entry not judged yet */
    struct batch batches[PM_WALK_BATCHES];
    int inflight;  /* batches in use */
    bool visiting; /* opener is under way */
    bool listing_open;
    bool held, cancelled, closing, root_lost;
    uv_idle_t idle; /* runs while there are more names than one go takes */
    struct pm_walk_counts counts;
    struct pm_err result;
};

static void pump(struct pm_walk *walk);

/* --- errors --- */

static void note(struct pm_walk *walk, int sys_errno, const char *rel)
{
    if (walk->result.code == PM_OK) {
        pm_err_errno(&walk->result, sys_errno, "\"%s%s%s\"", walk->root == NULL ? "" : walk->root,
            rel[0] == '\0' ? "" : "/", rel);
    }
}

/* It is there, but what it is, or what is in it, cannot be seen. */
static void unseen(struct pm_walk *walk, int rc, const char *rel)
{
    walk->counts.unseen++;
    note(walk, -rc, rel);
    if (walk->opts.unseen != NULL) {
        walk->opts.unseen(walk->opts.ctx, rel);
    }
}

static void no_memory(struct pm_walk *walk)
{
    walk->counts.lost++;
    note(walk, ENOMEM, walk->dir == NULL ? "" : walk->dir);
}

/* Gone since its name was read, or, what comes to the same, a link now. */
static bool went_away(int rc)
{
    return rc == -ENOENT || rc == -ENOTDIR || rc == -ELOOP;
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

static void close_listing(struct pm_walk *walk)
{
    if (walk->listing_open) {
        pm_listing_close(&walk->listing);
        walk->listing_open = false;
    }
}

/* --- what the entries of the open folder are --- */

static const char *name_of(const struct pm_walk *walk, size_t entry)
{
    return pm_listing_name(&walk->listing, entry);
}

static void judge_stat(
    struct pm_walk *walk, const char *name, const char *rel, const struct stat *st)
{
    if (S_ISREG(st->st_mode) && pm_walk_name(name) != PM_NAME_IMAGE) {
        walk->counts.ignored++; /* the listing did not tell what it was */
    } else if (S_ISREG(st->st_mode)) {
        struct pm_stamp stamp = pm_walk_stamp(st);
        walk->counts.files++;
        walk->opts.file(walk->opts.ctx, rel, &stamp);
    } else if (S_ISDIR(st->st_mode)) {
        push_dir(walk, rel);
    } else if (S_ISLNK(st->st_mode)) {
        walk->counts.links++;
    } else {
        walk->counts.special++;
    }
}

/* On a pool thread. */
static void look_work(uv_work_t *work)
{
    struct batch *batch = work->data;
    for (int i = 0; i < batch->count; i++) {
        batch->rc[i] = pm_listing_look(&batch->walk->listing, batch->entry[i], &batch->st[i]);
    }
}

static void look_done(uv_work_t *work, int status)
{
    struct batch *batch = work->data;
    struct pm_walk *walk = batch->walk;
    (void)status; /* never cancelled */

    for (int i = 0; i < batch->count && !walk->cancelled; i++) {
        const char *name = name_of(walk, batch->entry[i]);
        char *rel = pm_walk_join(walk->dir, name);
        if (rel == NULL) {
            no_memory(walk);
        } else if (batch->rc[i] == 0) {
            judge_stat(walk, name, rel, &batch->st[i]);
        } else if (!went_away(batch->rc[i])) {
            unseen(walk, batch->rc[i], rel);
        }
        free(rel);
    }
    batch->used = false;
    walk->inflight--;
    pump(walk);
}

static void look(struct pm_walk *walk, struct batch *batch)
{
    batch->walk = walk;
    batch->work.data = batch;
    if (uv_queue_work(walk->opts.loop, &batch->work, look_work, look_done) == 0) {
        batch->used = true;
        walk->inflight++;
    } else {
        no_memory(walk);
    }
}

/* --- the names of one directory --- */

/* A name whose type the file system tells with the listing needs no stat unless it is an image.
 * True: it does need one. */
static bool judge(struct pm_walk *walk, size_t entry)
{
    enum pm_name_kind kind = pm_walk_name(name_of(walk, entry));
    int type = pm_listing_type(&walk->listing, entry);

    if (kind == PM_NAME_HIDDEN) {
        walk->counts.hidden++;
    } else if (type == DT_LNK) {
        walk->counts.links++;
    } else if (type == DT_REG && kind == PM_NAME_OTHER) {
        walk->counts.ignored++;
    } else if (type == DT_DIR) {
        char *rel = pm_walk_join(walk->dir, name_of(walk, entry));
        if (rel == NULL) {
            no_memory(walk);
        } else {
            push_dir(walk, rel);
        }
        free(rel);
    } else if (type == DT_REG || type == DT_UNKNOWN) {
        return true;
    } else {
        walk->counts.special++;
    }
    return false;
}

static struct batch *free_batch(struct pm_walk *walk)
{
    for (int i = 0; i < PM_WALK_BATCHES; i++) {
        if (!walk->batches[i].used) {
            return &walk->batches[i];
        }
    }
    return NULL;
}

static void list_some(struct pm_walk *walk)
{
    struct batch *batch = free_batch(walk);
    for (int i = 0; i < NAMES_AT_ONCE && batch != NULL && walk->next < walk->listing.count;) {
        for (batch->count = 0;
             i < NAMES_AT_ONCE && batch->count < PM_WALK_BATCH && walk->next < walk->listing.count;
             i++, walk->next++) {
            if (judge(walk, walk->next)) {
                batch->entry[batch->count++] = walk->next;
            }
        }
        if (batch->count > 0) {
            look(walk, batch);
            batch = free_batch(walk);
        }
    }
}

/* On a pool thread. Watched first, listed afterwards, so that what appears between the two is seen
 * by one or the other. */
static void open_work(uv_work_t *work)
{
    struct pm_walk *walk = work->data;
    walk->open_rc = pm_listing_open(&walk->listing, walk->open_path, walk->root_bytes);
    if (walk->open_rc == 0 && walk->opts.enter != NULL) {
        walk->enter_rc = walk->opts.enter(walk->opts.ctx, walk->listing.fd);
    }
    if (walk->open_rc == 0) {
        walk->open_rc = pm_listing_read(&walk->listing);
    }
}

static void cannot_open(struct pm_walk *walk)
{
    close_listing(walk);
    if (walk->dir[0] == '\0') {
        walk->root_lost = true;
        note(walk, -walk->open_rc, "");
    } else if (walk->open_rc == -ENOMEM) {
        no_memory(walk);
    } else if (!went_away(walk->open_rc)) {
        unseen(walk, walk->open_rc, walk->dir);
    }
}

static void open_done(uv_work_t *work, int status)
{
    struct pm_walk *walk = work->data;
    (void)status; /* never cancelled */

    free(walk->open_path);
    walk->open_path = NULL;
    walk->visiting = false;
    walk->listing_open = walk->listing.fd >= 0;
    walk->next = 0;
    if (walk->listing_open && !walk->cancelled && walk->opts.enter != NULL) {
        walk->opts.entered(walk->opts.ctx, walk->dir, walk->enter_rc);
    }
    if (walk->open_rc != 0) {
        cannot_open(walk);
    } else {
        walk->counts.dirs++;
    }
    pump(walk);
}

/* Takes the next directory from the stack. */
static void visit(struct pm_walk *walk)
{
    free(walk->dir);
    walk->dir = walk->stack[--walk->stack_count];
    walk->opener.data = walk;
    walk->open_path = pm_walk_join(walk->root, walk->dir);
    walk->visiting = walk->open_path != NULL &&
                     uv_queue_work(walk->opts.loop, &walk->opener, open_work, open_done) == 0;
    if (!walk->visiting) {
        free(walk->open_path);
        walk->open_path = NULL;
        no_memory(walk);
    }
}

static void on_idle(uv_idle_t *idle)
{
    pump(idle->data);
}

/* Does what can be done now; whoever answers later calls again. */
static void pump(struct pm_walk *walk)
{
    bool more; /* names left although a look could be started */

    if (walk->listing_open && !walk->held && !walk->cancelled) {
        list_some(walk);
    }
    more = walk->listing_open && walk->next < walk->listing.count && !walk->cancelled;
    if (walk->inflight == 0 && !more) {
        close_listing(walk);
    }
    while (!walk->cancelled && !walk->held && !walk->visiting && !walk->listing_open &&
           walk->stack_count > 0) {
        visit(walk);
    }
    if (more && !walk->held && walk->inflight < PM_WALK_BATCHES) {
        uv_idle_start(&walk->idle, on_idle);
    } else {
        uv_idle_stop(&walk->idle);
    }
    if (!walk->visiting && !walk->listing_open && !walk->closing &&
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
    walk->listing.fd = -1;
    walk->root = pm_walk_join(opts->root, "");
    walk->root_bytes = strlen(opts->root);
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
