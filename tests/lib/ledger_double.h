/*
 * ledger_double: the ledger's ingest calls, remembered instead of stored; for tests of what stands
 * before the ledger. Holds definitions: include it in one test program's only file, instead of
 * linking the ledger.
 * Owns: a list of lines, "+path", "-path" or "=path" (seen, gone, kept) for each sighting, "*" for
 * each complete walk. Threads: the test's. Memory: double_clear(). Errors: assert.
 */
#ifndef PM_TESTS_LIB_LEDGER_DOUBLE_H
#define PM_TESTS_LIB_LEDGER_DOUBLE_H

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/ledger.h"

struct double_told {
    char **lines;
    size_t count, size;
    size_t batches, largest;
    int64_t since_us;      /* of the last walk */
    struct pm_stamp stamp; /* of the last file seen */
    struct pm_gauges gauges;
    int gauges_told;
    bool hold;   /* keep answers until double_answer() */
    bool refuse; /* every call fails */
    void (*done)(void *ctx);
    void *ctx;
};

static struct double_told told;

static inline void double_add(char sign, const char *path)
{
    if (told.count == told.size) {
        told.size = told.size == 0 ? 64 : told.size * 2;
        told.lines = realloc(told.lines, told.size * sizeof(char *));
        assert(told.lines != NULL);
    }
    told.lines[told.count] = malloc(strlen(path) + 2);
    assert(told.lines[told.count] != NULL);
    sprintf(told.lines[told.count++], "%c%s", sign, path);
}

/* Forgets what was told, no more. */
static inline void double_forget(void)
{
    while (told.count > 0) {
        free(told.lines[--told.count]);
    }
}

static inline void double_clear(void)
{
    double_forget();
    free(told.lines);
    told = (struct double_told){0};
}

/* How often this line was told. */
static inline int double_count(const char *line)
{
    int count = 0;
    for (size_t i = 0; i < told.count; i++) {
        count += strcmp(told.lines[i], line) == 0;
    }
    return count;
}

static inline void double_answer(void)
{
    void (*done)(void *ctx) = told.done;
    told.done = NULL;
    if (done != NULL) {
        done(told.ctx);
    }
}

static inline enum pm_code double_take(
    void (*done)(void *ctx), void *ctx, struct pm_err *err, bool refused)
{
    if (refused) {
        return pm_err_set(err, PM_ENOMEM, "refused by the double");
    }
    assert(told.done == NULL); /* at most one batch under way */
    told.done = done;
    told.ctx = ctx;
    if (!told.hold) {
        double_answer();
    }
    return PM_OK;
}

enum pm_code pm_ledger_sight(struct pm_ledger *ledger, const char *source_name,
    const struct pm_sighting *sightings, size_t count, void (*done)(void *ctx), void *ctx,
    struct pm_err *err)
{
    (void)ledger;
    (void)source_name;
    for (size_t i = 0; !told.refuse && i < count; i++) {
        double_add("+-="[sightings[i].kind], sightings[i].path);
        told.stamp = sightings[i].kind == PM_SEEN ? sightings[i].stamp : told.stamp;
    }
    told.batches += !told.refuse;
    told.largest = count > told.largest ? count : told.largest;
    return double_take(done, ctx, err, told.refuse);
}

enum pm_code pm_ledger_walked(struct pm_ledger *ledger, const char *source_name, int64_t since_us,
    void (*done)(void *ctx), void *ctx, struct pm_err *err)
{
    (void)ledger;
    (void)source_name;
    if (!told.refuse) {
        double_add('*', "");
        told.since_us = since_us;
    }
    return double_take(done, ctx, err, told.refuse);
}

void pm_ledger_gauges(
    struct pm_ledger *ledger, const char *source_name, const struct pm_gauges *gauges)
{
    (void)ledger;
    (void)source_name;
    told.gauges = *gauges;
    told.gauges_told++;
}

#endif
