#include "cli/findings.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/printable.h"

const char *pm_finding_name(enum pm_finding_kind kind)
{
    static const char *const names[PM_FINDING_KINDS] = {
        "missing", "changed", "orphan", "unreadable"};
    return names[kind];
}

void pm_findings_init(struct pm_findings *findings)
{
    *findings = (struct pm_findings){.count = 0};
    pthread_mutex_init(&findings->lock, NULL);
}

void pm_findings_clear(struct pm_findings *findings)
{
    for (size_t i = 0; i < findings->count; i++) {
        free(findings->list[i].path);
    }
    findings->count = 0;
}

void pm_findings_fini(struct pm_findings *findings)
{
    pm_findings_clear(findings);
    free(findings->list);
    pthread_mutex_destroy(&findings->lock);
}

/* lock is held. False: out of memory. */
static bool reserve(struct pm_findings *findings, size_t more)
{
    if (findings->count + more <= findings->cap) {
        return true;
    }
    size_t cap = (findings->count + more) * 2 + 16;
    struct pm_finding *grown = realloc(findings->list, cap * sizeof *grown);
    if (grown == NULL) {
        return false;
    }
    findings->list = grown;
    findings->cap = cap;
    return true;
}

enum pm_code pm_findings_add(struct pm_findings *findings, enum pm_finding_kind kind,
    int64_t job_id, const char *path, const char *what, struct pm_err *err)
{
    struct pm_finding finding = {
        .kind = kind, .job_id = job_id, .path = strdup(path), .what = what};
    pthread_mutex_lock(&findings->lock);
    bool room = finding.path != NULL && reserve(findings, 1);
    if (room) {
        findings->list[findings->count++] = finding;
    }
    pthread_mutex_unlock(&findings->lock);
    if (!room) {
        free(finding.path);
        return pm_err_set(err, PM_ENOMEM, "no memory for the list of findings");
    }
    return PM_OK;
}

enum pm_code pm_findings_take(
    struct pm_findings *findings, struct pm_findings *from, struct pm_err *err)
{
    pthread_mutex_lock(&findings->lock);
    bool room = reserve(findings, from->count);
    if (room && from->count > 0) {
        memcpy(findings->list + findings->count, from->list, from->count * sizeof *from->list);
        findings->count += from->count;
        from->count = 0;
    }
    pthread_mutex_unlock(&findings->lock);
    pm_findings_clear(from);
    return room ? PM_OK : pm_err_set(err, PM_ENOMEM, "no memory for the list of findings");
}

static int by_path(const void *a, const void *b)
{
    const struct pm_finding *x = a;
    const struct pm_finding *y = b;
    int order = strcmp(x->path, y->path);
    return order != 0 ? order : (x->job_id > y->job_id) - (x->job_id < y->job_id);
}

void pm_findings_sort(struct pm_findings *findings)
{
    if (findings->count > 0) {
        qsort(findings->list, findings->count, sizeof *findings->list, by_path);
    }
}

size_t pm_findings_of(const struct pm_findings *findings, enum pm_finding_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < findings->count; i++) {
        n += findings->list[i].kind == kind;
    }
    return n;
}

void pm_findings_print(const struct pm_findings *findings, FILE *to)
{
    for (size_t i = 0; i < findings->count; i++) {
        const struct pm_finding *finding = &findings->list[i];
        char path[4096];
        pm_printable(path, sizeof path, finding->path, strlen(finding->path));
        fprintf(to, "%-10s %s%s%s", pm_finding_name(finding->kind), path,
            path[0] != '\0' ? ": " : "", finding->what);
        if (finding->job_id != 0) {
            fprintf(to, " (job %" PRId64 ")", finding->job_id);
        }
        fputc('\n', to);
    }
}

void pm_findings_json(const struct pm_findings *findings, struct pm_json *json, const char *key)
{
    pm_json_begin_array(json, key);
    for (size_t i = 0; i < findings->count; i++) {
        const struct pm_finding *finding = &findings->list[i];
        pm_json_begin_object(json, NULL);
        pm_json_string(json, "kind", pm_finding_name(finding->kind));
        pm_json_name(json, "path", finding->path);
        if (finding->job_id != 0) {
            pm_json_int(json, "job_id", finding->job_id);
        } else {
            pm_json_null(json, "job_id");
        }
        pm_json_string(json, "what", finding->what);
        pm_json_end_object(json);
    }
    pm_json_end_array(json);
}
