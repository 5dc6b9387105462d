#include "common/schema.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hash.h"
#include "common/sql.h"

struct kind {
    int64_t application_id;
    int64_t version; /* steps done */
    int64_t objects; /* tables, views ... of anybody */
};

int pm_schema_newest(void)
{
    int newest = 0;
    for (size_t i = 0; i < pm_sql_count; i++) {
        newest += strncmp(pm_sql[i].name, "schema/", 7) == 0;
    }
    return newest;
}

static enum pm_code read_kind(struct pm_store *store, struct kind *kind, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "schema_kind");
    bool row;
    enum pm_code rc = pm_query_step(query, &row, err);
    *kind = (struct kind){0};
    if (rc == PM_OK && row) {
        kind->application_id = pm_query_col_int(query, 0);
        kind->version = pm_query_col_int(query, 1);
        kind->objects = pm_query_col_int(query, 2);
    }
    pm_query_end(query);
    return rc;
}

static enum pm_code refuse_newer(struct pm_store *store, int64_t version, struct pm_err *err)
{
    return pm_err_set(err, PM_EVERSION,
        "database '%s' has schema %lld, made by a newer pairmill; this is %s with schema %d: "
        "use the newer program, or another database",
        pm_store_path(store), (long long)version, PM_VERSION, pm_schema_newest());
}

enum pm_code pm_schema_check_kind(struct pm_store *store, struct pm_err *err)
{
    struct kind kind;
    enum pm_code rc = read_kind(store, &kind, err);
    if (rc != PM_OK) {
        return rc;
    }
    if (kind.objects > 0 && kind.application_id != PM_STORE_APPLICATION_ID) {
        return pm_err_set(err, PM_EVERSION,
            "'%s' is a database, but not one of pairmill's: name another with --db",
            pm_store_path(store));
    }
    return kind.version > pm_schema_newest() ? refuse_newer(store, kind.version, err) : PM_OK;
}

enum pm_code pm_schema_check(struct pm_store *store, struct pm_err *err)
{
    struct kind kind;
    enum pm_code rc = read_kind(store, &kind, err);
    if (rc != PM_OK) {
        return rc;
    }
    if (kind.application_id != PM_STORE_APPLICATION_ID) {
        return pm_err_set(err, PM_EVERSION,
            "'%s' is not a pairmill database: name another with --db", pm_store_path(store));
    }
    if (kind.version > pm_schema_newest()) {
        return refuse_newer(store, kind.version, err);
    }
    if (kind.version < pm_schema_newest()) {
        return pm_err_set(err, PM_EVERSION,
            "database '%s' has the old schema %lld: start pairmilld (or pairmill run) once, which "
            "brings it to %d",
            pm_store_path(store), (long long)kind.version, pm_schema_newest());
    }
    return PM_OK;
}

static enum pm_code run_steps(struct pm_store *store, int from, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    for (int step = from + 1; rc == PM_OK && step <= pm_schema_newest(); step++) {
        char name[24];
        snprintf(name, sizeof name, "schema/%03d", step);
        rc = pm_store_script(store, name, err);
    }
    return rc;
}

/* The text of all views and triggers and the version of the program, in 16 digits. */
static enum pm_code fingerprint(char hex[17], struct pm_err *err)
{
    char *all = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&all, &size);
    if (to == NULL) {
        return pm_err_set(err, PM_ENOMEM, "views: out of memory");
    }
    fputs(PM_VERSION, to);
    for (size_t i = 0; i < pm_sql_count; i++) {
        if (strncmp(pm_sql[i].name, "views/", 6) == 0 ||
            strncmp(pm_sql[i].name, "triggers/", 9) == 0) {
            fputs(pm_sql[i].text, to);
        }
    }
    if (fclose(to) != 0) {
        free(all);
        return pm_err_set(err, PM_ENOMEM, "views: out of memory");
    }
    pm_hash_bytes(all, size, hex);
    free(all);
    return PM_OK;
}

static enum pm_code views_are(
    struct pm_store *store, const char *hex, bool *same, struct pm_err *err)
{
    struct pm_query *query = pm_query_start(store, "control_get");
    bool row;
    pm_query_text(query, ":name", "views");
    enum pm_code rc = pm_query_step(query, &row, err);
    *same = rc == PM_OK && row && strcmp(pm_query_col_text(query, 0, NULL), hex) == 0;
    pm_query_end(query);
    return rc;
}

static enum pm_code make_views(struct pm_store *store, struct pm_err *err)
{
    char hex[17];
    bool same = false;
    enum pm_code rc = fingerprint(hex, err);
    if (rc == PM_OK) {
        rc = views_are(store, hex, &same, err);
    }
    if (rc != PM_OK || same) {
        return rc;
    }
    for (size_t i = 0; rc == PM_OK && i < pm_sql_count; i++) {
        if (strncmp(pm_sql[i].name, "views/", 6) == 0 ||
            strncmp(pm_sql[i].name, "triggers/", 9) == 0) {
            rc = pm_store_script(store, pm_sql[i].name, err);
        }
    }
    if (rc == PM_OK) {
        struct pm_query *query = pm_query_start(store, "control_put");
        pm_query_text(query, ":name", "views");
        pm_query_text(query, ":value", hex);
        rc = pm_query_run(query, err);
    }
    return rc;
}

/* A copy of another run that got no further is replaced: the database itself is still whole. */
static enum pm_code back_up(struct pm_store *store, int64_t version, struct pm_err *err)
{
    char path[PATH_MAX];
    int length =
        snprintf(path, sizeof path, "%s.v%lld.bak", pm_store_path(store), (long long)version);
    if (length < 0 || (size_t)length >= sizeof path) {
        return pm_err_set(err, PM_ENAME, "path too long: '%.100s...'", path);
    }
    unlink(path);
    struct pm_query *query = pm_query_start(store, "schema_backup");
    pm_query_text(query, ":path", path);
    enum pm_code rc = pm_query_run(query, err);
    if (rc == PM_OK && chmod(path, 0640) != 0) {
        rc = pm_err_errno(err, errno, "chmod");
    }
    return rc == PM_OK ? PM_OK : pm_err_wrap(err, "copy the old database to '%s'", path);
}

static enum pm_code update_from(struct pm_store *store, int from, struct pm_err *err)
{
    enum pm_code rc = pm_store_begin(store, err);
    pm_store_tick(store);
    if (rc == PM_OK) {
        rc = run_steps(store, from, err);
    }
    if (rc == PM_OK) {
        rc = make_views(store, err);
    }
    pm_store_tick(store); /* writing the whole log to the disk is one long call */
    if (rc == PM_OK) {
        rc = pm_store_commit(store, err);
    }
    pm_store_rollback(store); /* nothing is left to roll back when the commit worked */
    return rc;
}

enum pm_code pm_schema_update(struct pm_store *store, struct pm_err *err)
{
    struct kind kind;
    enum pm_code rc = read_kind(store, &kind, err);
    if (rc == PM_OK && kind.version > pm_schema_newest()) {
        return refuse_newer(store, kind.version, err);
    }
    if (rc == PM_OK && kind.version > 0 && kind.version < pm_schema_newest()) {
        rc = back_up(store, kind.version, err);
    }
    if (rc == PM_OK) {
        rc = update_from(store, (int)kind.version, err);
    }
    return rc;
}
