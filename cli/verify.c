/* pairmill verify: holds every output against the database. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bar.h"
#include "cli/cli.h"
#include "cli/verify_crew.h"
#include "cli/verify_repair.h"
#include "cli/verify_walk.h"
#include "common/printable.h"

static const struct pm_arg options[] = {
    {"workers", NULL, "N", "files hashed at once (default one per core)"},
    {"repair", NULL, NULL, "queue the pairs again whose files are missing or changed"},
    {"json", NULL, NULL, "one JSON object"},
    PM_CLI_ARGS_DB,
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

static const struct pm_help help = {
    "pairmill verify [--db FILE | --config FILE] [--workers N] [--repair] [--json]",
    "Hashes the outputs of all done pairs again and names what is missing, what is not as it was\n"
    "published, and what lies in the outputs that no done pair has put there (orphans). It may "
    "run\n"
    "beside the service. Nothing is moved or deleted, by --repair neither: it only queues pairs.",
    "exit code: 0 all as it should be, 1 could not work, 2 wrong usage, 3 something was found,\n"
    "           4 --repair: another process owns the database and cannot be asked",
    "  pairmill verify --db out/pairmill.db\n"
    "  pairmill verify --config /etc/pairmill/pairmill.conf --repair --json",
};

/* Everything of one call. */
struct verify {
    struct pm_conf *conf;
    struct pm_store *store;
    struct pm_verify_list list;
    struct pm_verify_walk walk;
    struct pm_findings findings, kept;
    struct pm_verify_sum sum;
    struct pm_bar bar;
    bool repair;
    int64_t unrecorded, requeued, elapsed_us;
};

/* --- what lies there without a done pair --- */

/* Whether path lies in the folder of a done pair: then checking the pair has told of it. */
static bool inside_known(const struct pm_verify_list *list, const char *path)
{
    char *folder = strdup(path);
    bool known = false;
    for (int up = 0; folder != NULL && !known && up < 2; up++) { /* a file, or one in crops/ */
        char *slash = strrchr(folder, '/');
        if (slash == NULL) {
            break;
        }
        *slash = '\0';
        known = pm_verify_list_done(list, folder);
    }
    free(folder);
    return known;
}

static enum pm_code judge_place(
    struct verify *self, const struct pm_verify_place *place, struct pm_err *err)
{
    switch (place->kind) {
    case PM_VERIFY_RESULT:
        if (!pm_verify_list_knows(&self->list, place->path)) {
            return pm_findings_add(&self->findings, PM_FINDING_ORPHAN, 0, place->path,
                "a result that no done pair has", err);
        }
        break;
    case PM_VERIFY_CLOSED:
        return pm_findings_add(&self->findings, PM_FINDING_UNREADABLE, 0, place->path,
            "the folder cannot be listed", err);
    case PM_VERIFY_STRAY:
        if (!pm_verify_list_done(&self->list, place->path) &&
            !inside_known(&self->list, place->path)) {
            return pm_findings_add(&self->findings, PM_FINDING_ORPHAN, 0, place->path,
                "not made by pairmill, or left of a result", err);
        }
        break;
    }
    return PM_OK;
}

/* First what is there, then what must be: what is published in between is known then. */
static enum pm_code find_orphans(struct verify *self, struct pm_err *err)
{
    struct pm_verify_list before = {0};
    enum pm_code rc = pm_verify_list_load(&before, self->store, err);

    self->walk = (struct pm_verify_walk){.db = self->conf->db,
        .not_into = {before.inputs, before.outputs},
        .not_into_count = before.source_count};
    for (size_t i = 0; rc == PM_OK && i < before.source_count; i++) {
        bool again = false;
        for (size_t k = 0; k < i; k++) {
            again = again || strcmp(before.outputs[k], before.outputs[i]) == 0;
        }
        rc = again ? PM_OK : pm_verify_walk(&self->walk, before.outputs[i], err);
    }
    pm_verify_list_clear(&before);
    if (rc == PM_OK) {
        rc = pm_verify_list_load(&self->list, self->store, err);
    }
    for (size_t i = 0; rc == PM_OK && i < self->walk.count; i++) {
        rc = judge_place(self, &self->walk.places[i], err);
    }
    return rc;
}

/* --- all of it --- */

static void show(void *ctx, const struct pm_verify_sum *sum, bool last)
{
    struct verify *self = ctx;
    struct pm_bar_state state = {.done = sum->pairs - sum->bad_pairs,
        .failed = sum->bad_pairs,
        .total = (int64_t)self->list.count};
    if (last) {
        pm_bar_finish(&self->bar, &state);
    } else {
        pm_bar_update(&self->bar, &state);
    }
}

static enum pm_code check(struct verify *self, struct pm_err *err)
{
    enum pm_code rc = pm_store_open_reader(&self->store, self->conf->db, err);
    if (rc == PM_OK) {
        rc = find_orphans(self, err);
    }
    for (size_t i = 0; i < self->list.count; i++) {
        self->unrecorded +=
            self->list.entries[i].folder != NULL && self->list.entries[i].record[0] == '\0';
    }
    if (rc == PM_OK) {
        rc = pm_verify_crew(&self->list, self->conf->db, self->conf->workers, &self->findings,
            &self->sum, show, self, err);
    }
    pm_bar_clear(&self->bar);
    if (rc == PM_OK && self->repair) {
        rc = pm_verify_repair(&self->list, self->conf, &self->requeued, &self->kept, err);
    }
    pm_findings_sort(&self->findings);
    return rc;
}

/* --- telling --- */

static void print_lines(const struct verify *self, FILE *to)
{
    char time[32];
    pm_findings_print(&self->findings, to);
    for (size_t i = 0; i < self->kept.count; i++) {
        fprintf(to, "not queued job %" PRId64 ": %s\n", self->kept.list[i].job_id,
            self->kept.list[i].what);
    }
    pm_bar_duration((double)self->elapsed_us / 1e6, time, sizeof time);
    fprintf(to, "%" PRId64 " pairs, %" PRId64 " files, %.1f MB in %s: ", self->sum.pairs,
        self->sum.files, (double)self->sum.bytes / 1e6, time);
    if (self->findings.count == 0) {
        fputs("all as published\n", to);
    } else {
        fprintf(to, "%zu missing, %zu changed, %zu orphans, %zu unreadable\n",
            pm_findings_of(&self->findings, PM_FINDING_MISSING),
            pm_findings_of(&self->findings, PM_FINDING_CHANGED),
            pm_findings_of(&self->findings, PM_FINDING_ORPHAN),
            pm_findings_of(&self->findings, PM_FINDING_UNREADABLE));
    }
    if (self->unrecorded > 0) {
        fprintf(to,
            "%" PRId64
            " pairs were made before the hash of pair.json was kept: for them it is taken "
            "as it is\n",
            self->unrecorded);
    }
    if (self->repair) {
        fprintf(to, "%" PRId64 " %s queued again\n", self->requeued,
            self->requeued == 1 ? "pair" : "pairs");
    } else if (self->sum.bad_pairs > 0) {
        fprintf(to, "%" PRId64 " %s damaged; --repair does them again\n", self->sum.bad_pairs,
            self->sum.bad_pairs == 1 ? "pair is" : "pairs are");
    }
}

static enum pm_code print_json(const struct verify *self, FILE *to, struct pm_err *err)
{
    struct pm_json json;
    enum pm_code rc;

    pm_json_init(&json, true);
    pm_json_begin_object(&json, NULL);
    pm_json_int(&json, "pairs", self->sum.pairs);
    pm_json_int(&json, "bad_pairs", self->sum.bad_pairs);
    pm_json_int(&json, "redone_meanwhile", self->sum.redone);
    pm_json_int(&json, "unrecorded", self->unrecorded);
    pm_json_int(&json, "files", self->sum.files);
    pm_json_int(&json, "bytes", self->sum.bytes);
    pm_json_int(&json, "elapsed_ms", self->elapsed_us / 1000);
    for (int kind = 0; kind < PM_FINDING_KINDS; kind++) {
        pm_json_int(&json, pm_finding_name((enum pm_finding_kind)kind),
            (int64_t)pm_findings_of(&self->findings, (enum pm_finding_kind)kind));
    }
    pm_findings_json(&self->findings, &json, "findings");
    if (self->repair) {
        pm_json_int(&json, "requeued", self->requeued);
        pm_findings_json(&self->kept, &json, "not_queued");
    }
    pm_json_end_object(&json);
    rc = pm_json_print(&json, to, err);
    pm_json_fini(&json);
    return rc;
}

/* --- the command --- */

static enum pm_code set_workers(
    struct pm_conf *conf, const struct pm_args *args, struct pm_err *err)
{
    const char *workers = pm_args_get(args, "workers");
    enum pm_code rc = PM_OK;
    if (workers != NULL) {
        rc = pm_conf_set(conf, "workers", workers, "--workers", err);
    }
    if (rc == PM_OK) {
        pm_conf_fill(conf);
    }
    return rc;
}

static enum pm_code verify(
    struct pm_cli *cli, struct verify *self, const struct pm_args *args, struct pm_err *err)
{
    const struct pm_clock *clock = pm_clock_real();
    int64_t start_us = pm_mono_us(clock);
    bool terminal = pm_bar_terminal(cli->err);
    enum pm_code rc = pm_cli_look(&self->conf, args, err);

    if (rc == PM_OK) {
        rc = set_workers(self->conf, args, err);
    }
    if (rc != PM_OK) {
        return rc;
    }
    self->repair = pm_args_has(args, "repair");
    pm_bar_init(&self->bar, cli->err, terminal, terminal && pm_bar_color(cli->err), 0, clock);
    rc = check(self, err);
    self->elapsed_us = pm_mono_us(clock) - start_us;
    if (rc == PM_OK && pm_args_has(args, "json")) {
        rc = print_json(self, cli->out, err);
    } else if (rc == PM_OK) {
        print_lines(self, cli->out);
    }
    return rc;
}

int pm_cli_verify(struct pm_cli *cli, int argc, char **argv)
{
    struct verify self = {.repair = false};
    struct pm_args args;
    struct pm_err err = {.text = ""};
    enum pm_code rc = pm_args_parse(&args, options, false, 0, argc, argv, &err);
    int code;

    if (rc == PM_OK && pm_args_has(&args, "help")) {
        pm_cli_help(cli, &help, options);
        return pm_cli_flush(cli);
    }
    pm_findings_init(&self.findings);
    pm_findings_init(&self.kept);
    if (rc == PM_OK) {
        rc = verify(cli, &self, &args, &err);
    }
    code = rc == PM_OK ? pm_cli_flush(cli) : pm_cli_fail(cli, &err);
    if (code == PM_EXIT_OK && self.findings.count > 0) {
        code = PM_EXIT_SOME_FAILED;
    }
    pm_store_close(self.store);
    pm_verify_walk_clear(&self.walk);
    pm_verify_list_clear(&self.list);
    pm_findings_fini(&self.kept);
    pm_findings_fini(&self.findings);
    pm_conf_unref(self.conf);
    return code;
}
