/*
 * findings: what pairmill verify found, collected from several threads, told in order of paths.
 * Owns: the list and its texts. Threads: add from any; the rest from one, once nobody adds.
 * Memory: pm_findings_fini(). Errors: PM_ENOMEM.
 */
#ifndef PM_CLI_FINDINGS_H
#define PM_CLI_FINDINGS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/err.h"
#include "common/json.h"

enum pm_finding_kind {
    PM_FINDING_MISSING,    /* a done pair has it, the disk does not */
    PM_FINDING_CHANGED,    /* it is not what was published */
    PM_FINDING_ORPHAN,     /* no done pair has it */
    PM_FINDING_UNREADABLE, /* we may not look at it */
    PM_FINDING_KINDS
};

struct pm_finding {
    enum pm_finding_kind kind;
    int64_t job_id;   /* 0: nobody's */
    char *path;       /* bytes */
    const char *what; /* constant text */
};

struct pm_findings {
    pthread_mutex_t lock;
    struct pm_finding *list;
    size_t count, cap;
};

void pm_findings_init(struct pm_findings *findings);
void pm_findings_fini(struct pm_findings *findings);
enum pm_code pm_findings_add(struct pm_findings *findings, enum pm_finding_kind kind,
    int64_t job_id, const char *path, const char *what, struct pm_err *err);
/* Moves all of `from` here; `from` is empty afterwards, even on error. */
enum pm_code pm_findings_take(
    struct pm_findings *findings, struct pm_findings *from, struct pm_err *err);
void pm_findings_clear(struct pm_findings *findings);
void pm_findings_sort(struct pm_findings *findings);
size_t pm_findings_of(const struct pm_findings *findings, enum pm_finding_kind kind);

/* "missing", "changed", "orphan", "unreadable". */
const char *pm_finding_name(enum pm_finding_kind kind);
/* A line each. */
void pm_findings_print(const struct pm_findings *findings, FILE *to);
/* An array under key. */
void pm_findings_json(const struct pm_findings *findings, struct pm_json *json, const char *key);

#endif
