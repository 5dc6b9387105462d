#include "daemon/settle.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PROBE_MAX_US 500000 /* writers pause for less; a person does not notice it */
#define FIRST_BUCKETS 64
#define FIRST_KNOWN 1024
#define KNOWN_SPARE 4096 /* remembered states worth less than the trouble of dropping them */

enum where { IN_PROBE, IN_QUIET, ASKED };

struct pm_settle_entry {
    struct pm_settle_entry *chain;       /* the next of this bucket */
    struct pm_settle_entry *prev, *next; /* neighbours in the queue of `where` */
    uint64_t hash, seq;
    int64_t since_us; /* PROBE: the last event; QUIET: when stamp was first seen */
    struct pm_stamp stamp;
    enum where where;
    bool stamped; /* stamp means something */
    bool touched; /* an event came while it was being asked for */
    char path[];
};

struct queue {
    struct pm_settle_entry *head, *tail;
};

/* States that settled, as hashes in an open-addressing table; 0 is empty. A collision only lets a
 * file pass that should have waited once more. */
struct known {
    uint64_t *slots;
    size_t size, count; /* size is a power of two, at most 3/4 used */
};

struct pm_settle {
    int64_t settle_us;
    struct pm_settle_entry **buckets;
    size_t bucket_count, count; /* a power of two; entries */
    struct queue queue[2];      /* PROBE and QUIET, each ordered by since_us */
    uint64_t next_seq, mark_seq;
    size_t marked; /* entries with seq < mark_seq */
    struct known known;
};

/* FNV-1a; names are short and nobody gains by making two collide. */
static uint64_t hash_bytes(uint64_t hash, const void *data, size_t n)
{
    const unsigned char *p = data;
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ p[i]) * 0x100000001b3u;
    }
    return hash;
}

static uint64_t hash_path(const char *path)
{
    return hash_bytes(0xcbf29ce484222325u, path, strlen(path));
}

static uint64_t hash_state(uint64_t path_hash, const struct pm_stamp *stamp)
{
    uint64_t hash = path_hash;
    hash = hash_bytes(hash, &stamp->size, sizeof stamp->size);
    hash = hash_bytes(hash, &stamp->mtime_ns, sizeof stamp->mtime_ns);
    hash = hash_bytes(hash, &stamp->inode, sizeof stamp->inode);
    hash ^= hash >> 32;
    return hash == 0 ? 1 : hash;
}

static bool same_stamp(const struct pm_stamp *a, const struct pm_stamp *b)
{
    return a->size == b->size && a->mtime_ns == b->mtime_ns && a->inode == b->inode;
}

/* --- remembered states --- */

static size_t known_slot(const struct known *known, uint64_t state)
{
    size_t i = (size_t)state & (known->size - 1);
    while (known->slots[i] != 0 && known->slots[i] != state) {
        i = (i + 1) & (known->size - 1);
    }
    return i;
}

static bool known_has(const struct known *known, uint64_t state)
{
    return known->size != 0 && known->slots[known_slot(known, state)] == state;
}

static bool known_grow(struct known *known)
{
    struct known bigger = {.size = known->size == 0 ? FIRST_KNOWN : known->size * 2};
    bigger.slots = calloc(bigger.size, sizeof *bigger.slots);
    if (bigger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < known->size; i++) {
        if (known->slots[i] != 0) {
            bigger.slots[known_slot(&bigger, known->slots[i])] = known->slots[i];
        }
    }
    bigger.count = known->count;
    free(known->slots);
    *known = bigger;
    return true;
}

/* Out of memory only means that this state has to settle once more after the next walk. */
static void known_add(struct known *known, uint64_t state)
{
    size_t slot;
    if (known->count >= known->size / 4 * 3 && !known_grow(known)) {
        return;
    }
    slot = known_slot(known, state);
    if (known->slots[slot] == 0) {
        known->slots[slot] = state;
        known->count++;
    }
}

static void known_clear(struct known *known)
{
    free(known->slots);
    *known = (struct known){0};
}

/* --- entries --- */

static void unlink_entry(struct pm_settle *self, struct pm_settle_entry *entry)
{
    struct queue *queue;
    if (entry->where == ASKED) {
        return;
    }
    queue = &self->queue[entry->where];
    *(entry->prev != NULL ? &entry->prev->next : &queue->head) = entry->next;
    *(entry->next != NULL ? &entry->next->prev : &queue->tail) = entry->prev;
    entry->prev = entry->next = NULL;
    entry->where = ASKED;
}

/* To the end of a queue: now_us is never before the since_us of who is there already. */
static void enqueue(
    struct pm_settle *self, struct pm_settle_entry *entry, enum where where, int64_t now_us)
{
    struct queue *queue = &self->queue[where];
    unlink_entry(self, entry);
    entry->where = where;
    entry->since_us = now_us;
    entry->touched = false;
    entry->prev = queue->tail;
    entry->next = NULL;
    *(queue->tail != NULL ? &queue->tail->next : &queue->head) = entry;
    queue->tail = entry;
}

static struct pm_settle_entry *find(const struct pm_settle *self, const char *path, uint64_t hash)
{
    struct pm_settle_entry *entry = self->buckets[hash & (self->bucket_count - 1)];
    while (entry != NULL && (entry->hash != hash || strcmp(entry->path, path) != 0)) {
        entry = entry->chain;
    }
    return entry;
}

/* Without memory for it the chains get longer, no more. */
static void grow_buckets(struct pm_settle *self)
{
    size_t count = self->bucket_count * 2;
    struct pm_settle_entry **buckets = calloc(count, sizeof(struct pm_settle_entry *));
    if (buckets == NULL) {
        return;
    }
    for (size_t i = 0; i < self->bucket_count; i++) {
        for (struct pm_settle_entry *entry = self->buckets[i], *next; entry != NULL; entry = next) {
            next = entry->chain;
            entry->chain = buckets[entry->hash & (count - 1)];
            buckets[entry->hash & (count - 1)] = entry;
        }
    }
    free(self->buckets);
    self->buckets = buckets;
    self->bucket_count = count;
}

static struct pm_settle_entry *add(struct pm_settle *self, const char *path, uint64_t hash)
{
    size_t size = strlen(path) + 1;
    struct pm_settle_entry *entry = malloc(sizeof *entry + size);
    if (entry == NULL) {
        return NULL;
    }
    if (self->count >= self->bucket_count) {
        grow_buckets(self);
    }
    *entry = (struct pm_settle_entry){.hash = hash, .where = ASKED, .seq = self->next_seq++};
    memcpy(entry->path, path, size);
    entry->chain = self->buckets[hash & (self->bucket_count - 1)];
    self->buckets[hash & (self->bucket_count - 1)] = entry;
    self->count++;
    return entry;
}

static void forget(struct pm_settle *self, struct pm_settle_entry *entry)
{
    struct pm_settle_entry **link = &self->buckets[entry->hash & (self->bucket_count - 1)];
    unlink_entry(self, entry);
    while (*link != entry) {
        link = &(*link)->chain;
    }
    *link = entry->chain;
    self->count--;
    if (entry->seq < self->mark_seq) {
        self->marked--;
    }
    free(entry);
}

/* --- the module --- */

enum pm_code pm_settle_new(struct pm_settle **out, int64_t settle_us, struct pm_err *err)
{
    struct pm_settle *self = calloc(1, sizeof *self);
    *out = NULL;
    if (self == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for settling files");
    }
    self->settle_us = settle_us;
    self->bucket_count = FIRST_BUCKETS;
    self->buckets = calloc(self->bucket_count, sizeof(struct pm_settle_entry *));
    if (self->buckets == NULL) {
        free(self);
        return pm_err_set(err, PM_ENOMEM, "no memory for settling files");
    }
    *out = self;
    return PM_OK;
}

void pm_settle_free(struct pm_settle *settle)
{
    if (settle == NULL) {
        return;
    }
    for (size_t i = 0; i < settle->bucket_count; i++) {
        for (struct pm_settle_entry *entry = settle->buckets[i], *next; entry != NULL;
             entry = next) {
            next = entry->chain;
            free(entry);
        }
    }
    free(settle->buckets);
    known_clear(&settle->known);
    free(settle);
}

void pm_settle_set_time(struct pm_settle *settle, int64_t settle_us)
{
    settle->settle_us = settle_us;
}

enum pm_code pm_settle_touch(
    struct pm_settle *settle, const char *path, int64_t now_us, struct pm_err *err)
{
    uint64_t hash = hash_path(path);
    struct pm_settle_entry *entry = find(settle, path, hash);
    if (entry != NULL && entry->where == ASKED) {
        entry->touched = true;
        return PM_OK;
    }
    if (entry == NULL) {
        entry = add(settle, path, hash);
        if (entry == NULL) {
            return pm_err_set(err, PM_ENOMEM, "no memory for settling files");
        }
    }
    entry->stamped = false;
    enqueue(settle, entry, IN_PROBE, now_us);
    return PM_OK;
}

static void restart(struct pm_settle *self, struct pm_settle_entry *entry,
    const struct pm_stamp *stamp, int64_t now_us)
{
    entry->stamp = *stamp;
    entry->stamped = true;
    enqueue(self, entry, IN_QUIET, now_us);
}

enum pm_code pm_settle_saw(struct pm_settle *settle, const char *path, const struct pm_stamp *stamp,
    int64_t now_us, enum pm_settle_verdict *verdict, struct pm_err *err)
{
    uint64_t hash = hash_path(path);
    uint64_t state = hash_state(hash, stamp);
    struct pm_settle_entry *entry = find(settle, path, hash);

    *verdict = PM_SETTLE_WAIT;
    if (entry != NULL) {
        bool news = !entry->stamped || !same_stamp(&entry->stamp, stamp);
        if (entry->where != ASKED && news) {
            restart(settle, entry, stamp, now_us);
        }
        return PM_OK;
    }
    if (settle->settle_us <= 0 || known_has(&settle->known, state)) {
        known_add(&settle->known, state);
        *verdict = PM_SETTLE_SETTLED;
        return PM_OK;
    }
    entry = add(settle, path, hash);
    if (entry == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for settling files");
    }
    restart(settle, entry, stamp, now_us);
    return PM_OK;
}

/* How long after since_us the head of a queue is due. A tenth: see many writes as one. */
static int64_t delay_us(const struct pm_settle *self, enum where where)
{
    int64_t probe_us = self->settle_us / 10;
    if (where == IN_QUIET) {
        return self->settle_us;
    }
    return probe_us < PROBE_MAX_US ? probe_us : PROBE_MAX_US;
}

struct pm_settle_entry *pm_settle_ask(struct pm_settle *settle, int64_t now_us)
{
    for (enum where where = IN_PROBE; where <= IN_QUIET; where++) {
        struct pm_settle_entry *entry = settle->queue[where].head;
        if (entry != NULL && now_us - entry->since_us >= delay_us(settle, where)) {
            unlink_entry(settle, entry);
            return entry;
        }
    }
    return NULL;
}

const char *pm_settle_path(const struct pm_settle_entry *entry)
{
    return entry->path;
}

/* An event that came meanwhile makes the answer worthless. */
static bool overtaken(struct pm_settle *self, struct pm_settle_entry *entry, int64_t now_us)
{
    assert(entry->where == ASKED);
    if (!entry->touched) {
        return false;
    }
    entry->stamped = false;
    enqueue(self, entry, IN_PROBE, now_us);
    return true;
}

enum pm_settle_verdict pm_settle_answer(struct pm_settle *settle, struct pm_settle_entry *entry,
    const struct pm_stamp *stamp, int64_t now_us)
{
    if (overtaken(settle, entry, now_us)) {
        return PM_SETTLE_WAIT;
    }
    if (settle->settle_us > 0 && (!entry->stamped || !same_stamp(&entry->stamp, stamp))) {
        restart(settle, entry, stamp, now_us);
        return PM_SETTLE_WAIT;
    }
    known_add(&settle->known, hash_state(entry->hash, stamp));
    forget(settle, entry);
    return PM_SETTLE_SETTLED;
}

bool pm_settle_drop(struct pm_settle *settle, struct pm_settle_entry *entry, int64_t now_us)
{
    if (overtaken(settle, entry, now_us)) {
        return false;
    }
    forget(settle, entry);
    return true;
}

int64_t pm_settle_next_us(const struct pm_settle *settle)
{
    int64_t next_us = INT64_MAX;
    for (enum where where = IN_PROBE; where <= IN_QUIET; where++) {
        const struct pm_settle_entry *entry = settle->queue[where].head;
        if (entry != NULL && entry->since_us + delay_us(settle, where) < next_us) {
            next_us = entry->since_us + delay_us(settle, where);
        }
    }
    return next_us;
}

size_t pm_settle_count(const struct pm_settle *settle)
{
    return settle->count;
}

void pm_settle_mark(struct pm_settle *settle)
{
    settle->mark_seq = settle->next_seq;
    settle->marked = settle->count;
}

size_t pm_settle_marked(const struct pm_settle *settle)
{
    return settle->marked;
}

void pm_settle_each_marked(
    const struct pm_settle *settle, void (*each)(void *ctx, const char *path), void *ctx)
{
    for (size_t i = 0; i < settle->bucket_count; i++) {
        for (const struct pm_settle_entry *entry = settle->buckets[i]; entry != NULL;
             entry = entry->chain) {
            if (entry->seq < settle->mark_seq) {
                each(ctx, entry->path);
            }
        }
    }
}

void pm_settle_trim(struct pm_settle *settle, size_t files)
{
    if (settle->known.count > 2 * files + KNOWN_SPARE) {
        known_clear(&settle->known);
    }
}
