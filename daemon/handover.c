#include "daemon/handover.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

struct pm_handover {
    struct pm_ledger *ledger;
    char *source_name;
    void (*wake)(void *ctx);
    void *ctx;
    struct pm_sighting *batch; /* each path is ours */
    size_t count, size;
    bool walk_waits; /* a walk's end is to be told after the batch */
    int64_t walk_since_us;
    bool muted;
    bool refused;     /* the last offer failed; logged once */
    atomic_bool busy; /* set here, cleared on the ledger's thread */
};

enum pm_code pm_handover_new(struct pm_handover **out, struct pm_ledger *ledger,
    const char *source_name, void (*wake)(void *ctx), void *ctx, struct pm_err *err)
{
    struct pm_handover *self = calloc(1, sizeof *self);
    *out = NULL;
    if (self != NULL) {
        self->source_name = strdup(source_name);
    }
    if (self == NULL || self->source_name == NULL) {
        free(self);
        return pm_err_set(err, PM_ENOMEM, "no memory for source \"%s\"", source_name);
    }
    self->ledger = ledger;
    self->wake = wake;
    self->ctx = ctx;
    atomic_init(&self->busy, false);
    *out = self;
    return PM_OK;
}

static void clear_batch(struct pm_handover *self)
{
    for (size_t i = 0; i < self->count; i++) {
        free((char *)self->batch[i].path);
    }
    self->count = 0;
}

void pm_handover_free(struct pm_handover *handover)
{
    if (handover != NULL) {
        clear_batch(handover);
        free(handover->batch);
        free(handover->source_name);
        free(handover);
    }
}

bool pm_handover_full(const struct pm_handover *handover)
{
    return handover->count >= PM_HANDOVER_BATCH;
}

static bool reserve(struct pm_handover *self)
{
    size_t size = self->size == 0 ? 64 : self->size * 2;
    struct pm_sighting *bigger;
    if (self->count < self->size) {
        return true;
    }
    bigger = realloc(self->batch, size * sizeof *bigger);
    if (bigger == NULL) {
        return false;
    }
    self->batch = bigger;
    self->size = size;
    return true;
}

enum pm_code pm_handover_add(struct pm_handover *handover, enum pm_sighting_kind kind,
    const char *path, const struct pm_stamp *stamp, struct pm_err *err)
{
    struct pm_sighting sighting = {.kind = kind};
    char *copy;
    if (handover->muted) {
        return PM_OK;
    }
    assert(kind != PM_SEEN || stamp != NULL);
    copy = strdup(path);
    if (copy == NULL || !reserve(handover)) {
        free(copy);
        return pm_err_set(err, PM_ENOMEM, "no memory to tell of \"%s\"", path);
    }
    sighting.path = copy;
    if (stamp != NULL) {
        sighting.stamp = *stamp;
    }
    handover->batch[handover->count++] = sighting;
    return PM_OK;
}

void pm_handover_walked(struct pm_handover *handover, int64_t since_us)
{
    if (!handover->muted) {
        handover->walk_waits = true;
        handover->walk_since_us = since_us;
    }
}

/* On the ledger's thread. Nothing of handover may be used after busy is cleared but what was read
 * before: the loop may free it once it sees the batch acknowledged. */
static void on_committed(void *arg)
{
    struct pm_handover *handover = arg;
    void (*wake)(void *ctx) = handover->wake;
    void *ctx = handover->ctx;
    atomic_store(&handover->busy, false);
    wake(ctx);
}

static enum pm_code offer(struct pm_handover *self, struct pm_err *err)
{
    enum pm_code rc;
    if (self->count > 0) {
        size_t n = self->count < PM_HANDOVER_BATCH ? self->count : PM_HANDOVER_BATCH;
        rc = pm_ledger_sight(
            self->ledger, self->source_name, self->batch, n, on_committed, self, err);
        for (size_t i = 0; rc == PM_OK && i < n; i++) {
            free((char *)self->batch[i].path);
        }
        if (rc == PM_OK) {
            self->count -= n;
            memmove(self->batch, self->batch + n, self->count * sizeof *self->batch);
        }
        return rc;
    }
    rc = pm_ledger_walked(
        self->ledger, self->source_name, self->walk_since_us, on_committed, self, err);
    if (rc == PM_OK) {
        self->walk_waits = false;
    }
    return rc;
}

void pm_handover_flush(struct pm_handover *handover)
{
    struct pm_err err = {.text = ""};
    if (handover->muted || atomic_load(&handover->busy) ||
        (handover->count == 0 && !handover->walk_waits)) {
        return;
    }
    /* Before the call: the answer may come while it is still running. */
    atomic_store(&handover->busy, true);
    if (offer(handover, &err) == PM_OK) {
        handover->refused = false;
        return;
    }
    atomic_store(&handover->busy, false);
    if (!handover->refused) {
        handover->refused = true;
        pm_log(PM_LOG_WARN, "source=%s event=handover_delayed message=\"%s\"",
            handover->source_name, err.text);
    }
}

void pm_handover_mute(struct pm_handover *handover)
{
    clear_batch(handover);
    handover->walk_waits = false;
    handover->muted = true;
}

bool pm_handover_busy(const struct pm_handover *handover)
{
    return atomic_load(&handover->busy);
}

bool pm_handover_idle(const struct pm_handover *handover)
{
    return handover->count == 0 && !handover->walk_waits && !pm_handover_busy(handover);
}
