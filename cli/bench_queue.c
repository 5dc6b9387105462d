#include "cli/bench_queue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_fill.h"
#include "cli/bench_machine.h"
#include "cli/scratch.h"
#include "common/clock.h"
#include "common/json.h"

#define JOBS_MAX 100000000L
#define BATCH_SCENES 50 /* sighted in one transaction, as a walk's batches are */
#define WAL_PAGES 1000  /* the ledger's own mark for a checkpoint */
#define PARTS 10
#define ROWS 50 /* of views that list jobs: a screenful */

static const struct pm_arg options[] = {
    {"jobs", NULL, "N", "how many (default 1000000; rounded up to whole scenes of 100)"},
    {"dir", NULL, "DIR", "where the database is made (default $TMPDIR or /tmp); 2.5 KB a job"},
    {"json", NULL, NULL, "one JSON object instead of tables"},
    PM_CLI_ARGS_HELP,
    {NULL, NULL, NULL, NULL},
};

static const struct pm_help help = {
    "pairmill bench queue [--jobs N] [--dir DIR] [--json]",
    "Fills a queue of its own with jobs, claims and ends them all, by tenths, and asks every view "
    "on\nthe way. Times a job must not grow with the number of jobs; a view must answer within "
    "100 ms.",
    NULL,
    "  pairmill bench queue\n"
    "  pairmill bench queue --jobs 100000 --dir /data/scratch",
};

/* What people ask: each public view, and shapes that need an index. */
static const char *const questions[] = {"show_progress", "show_throughput", "show_eta",
    "show_results", "show_failures", "show_unpaired", "show_stage_timings", "show_method_stats",
    "show_cache_stats", "show_scenes", "show_slowest", "show_workers", "show_quarantine",
    "show_stale", "show_health", "bench_count_results", "bench_count_failures",
    "bench_count_unpaired", "show_count_stale", "bench_one_scene", "bench_one_target",
    "bench_one_job", "bench_one_map", "bench_slowest_results", "bench_worst_results"};
#define QUESTIONS (sizeof questions / sizeof questions[0])

/* CPU time a job of each tenth, us: what the disk and other programs take is not the queue's. */
struct part {
    double us[PARTS];
    long done, total; /* jobs */
    int count;        /* of us */
    int64_t since_us; /* of this thread's CPU clock */
    long since;       /* jobs */
};

struct queue_bench {
    long jobs;
    struct pm_scratch scratch;
    char db[600];
    char recipe[17];
    struct pm_conf *conf;
    struct pm_store *store;
    struct pm_seen seen;
    struct part enqueue, finish;
    double half_ms[QUESTIONS], all_ms[QUESTIONS];
};

static void part_begin(struct part *part, long total)
{
    *part = (struct part){.total = total, .since_us = pm_thread_cpu_us()};
}

static void part_add(struct part *part, long jobs)
{
    part->done += jobs;
    if (part->count < PARTS && part->done * PARTS >= part->total * (part->count + 1)) {
        int64_t now_us = pm_thread_cpu_us();
        part->us[part->count++] =
            (double)(now_us - part->since_us) / (double)(part->done - part->since);
        part->since_us = now_us;
        part->since = part->done;
    }
}

static enum pm_code checkpoint(struct queue_bench *bench, struct pm_err *err)
{
    int pages;
    if (pm_store_wal_pages(bench->store) <= WAL_PAGES) {
        return PM_OK;
    }
    return pm_store_checkpoint(bench->store, false, &pages, err);
}

static enum pm_code enqueue(struct queue_bench *bench, struct pm_err *err)
{
    enum pm_code rc = PM_OK;

    part_begin(&bench->enqueue, bench->jobs);
    for (long scene = 0; scene * PM_FILL_JOBS < bench->jobs && rc == PM_OK;) {
        long left = bench->jobs / PM_FILL_JOBS - scene;
        long batch =
            bench->jobs / PM_FILL_JOBS / (2L * PARTS); /* a tenth is two batches at least */
        int n;
        batch = batch < 1 ? 1 : batch < BATCH_SCENES ? batch : BATCH_SCENES;
        n = (int)(left < batch ? left : batch);
        rc = pm_fill_scenes(
            bench->store, &bench->seen, (int)scene, n, pm_wall_us(pm_clock_real()), err);
        if (rc == PM_OK) {
            rc = checkpoint(bench, err);
        }
        part_add(&bench->enqueue, (long)n * PM_FILL_JOBS);
        scene += n;
    }
    return rc;
}

/* Until `jobs` of them are ended. */
static enum pm_code finish(struct queue_bench *bench, long jobs, struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    int n = 1;

    while (bench->finish.done < jobs && n > 0 && rc == PM_OK) {
        rc = pm_fill_round(bench->store, bench->recipe, pm_wall_us(pm_clock_real()), &n, err);
        if (rc == PM_OK) {
            rc = checkpoint(bench, err);
        }
        part_add(&bench->finish, n);
    }
    return rc;
}

static bool take_row(void *ctx, const struct pm_column *columns, int count)
{
    (void)ctx;
    (void)columns;
    (void)count;
    return true;
}

/* Wall time of the second of two askings, ms, with a connection of their own as people have: the
 * first brings the pages into memory. */
static enum pm_code ask(const char *db, const char *question, double *ms, struct pm_err *err)
{
    const struct pm_param limit = {.name = ":limit", .type = PM_INT, .integer = ROWS};
    struct pm_store *reader = NULL;
    enum pm_code rc = pm_store_open_reader(&reader, db, err);
    bool lists = strcmp(question, "show_results") == 0 || strcmp(question, "show_failures") == 0 ||
                 strcmp(question, "show_unpaired") == 0 || strcmp(question, "show_stale") == 0 ||
                 strcmp(question, "show_scenes") == 0 || strcmp(question, "show_quarantine") == 0;

    for (int i = 0; i < 2 && rc == PM_OK; i++) {
        int64_t start = pm_mono_us(pm_clock_real());
        rc = pm_store_read(reader, question, &limit, lists ? 1 : 0, take_row, NULL, err);
        *ms = (double)(pm_mono_us(pm_clock_real()) - start) / 1000;
    }
    pm_store_close(reader);
    return rc;
}

static enum pm_code ask_all(struct queue_bench *bench, double ms[QUESTIONS], struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    for (size_t i = 0; i < QUESTIONS && rc == PM_OK; i++) {
        rc = ask(bench->db, questions[i], &ms[i], err);
    }
    return rc;
}

static enum pm_code open_all(struct queue_bench *bench, struct pm_err *err)
{
    int64_t now_us = pm_wall_us(pm_clock_real());
    enum pm_code rc = pm_conf_new(&bench->conf, err);

    if (rc == PM_OK) {
        rc = pm_store_open(&bench->store, bench->db, err);
    }
    if (rc == PM_OK) {
        rc = pm_conf_add_source(bench->conf, PM_FILL_SOURCE, bench->scratch.path, "/output", err);
    }
    if (rc == PM_OK) {
        pm_conf_recipe(bench->conf, bench->recipe, NULL, 0);
        rc = pm_queue_configure(bench->store, bench->conf, now_us, err);
    }
    return rc;
}

static enum pm_code measure(struct queue_bench *bench, struct pm_err *err)
{
    enum pm_code rc = open_all(bench, err);

    if (rc == PM_OK) {
        rc = enqueue(bench, err);
    }
    part_begin(&bench->finish, bench->jobs);
    if (rc == PM_OK) {
        rc = finish(bench, bench->jobs / 2, err);
    }
    if (rc == PM_OK) {
        rc = ask_all(bench, bench->half_ms, err);
    }
    bench->finish.since_us = pm_thread_cpu_us(); /* the asking was not its work */
    if (rc == PM_OK) {
        rc = finish(bench, bench->jobs, err);
    }
    if (rc == PM_OK) {
        bench->conf->crop_size /= 2; /* everything is stale now */
        rc = pm_queue_configure(bench->store, bench->conf, pm_wall_us(pm_clock_real()), err);
    }
    return rc == PM_OK ? ask_all(bench, bench->all_ms, err) : rc;
}

static void print_part(const char *what, const struct part *part, FILE *to)
{
    fprintf(to, "| %-13s |", what);
    for (int i = 0; i < part->count; i++) {
        fprintf(to, " %5.1f |", part->us[i]);
    }
    fprintf(to, " %.2f |\n", part->us[part->count - 1] / part->us[0]);
}

static void print(const struct queue_bench *bench, FILE *to)
{
    struct pm_machine machine;

    pm_machine_look(&machine);
    fprintf(to, "%ld jobs; %s, %d cores, load %.1f\n\nCPU time a job, us, by tenths of the jobs:\n",
        bench->jobs, machine.cpu, machine.cores, pm_machine_load());
    fputs("| what          |", to);
    for (int i = 1; i <= PARTS; i++) {
        fprintf(to, " %4d%% |", i * 100 / PARTS);
    }
    fputs(" last / first |\n|:--|", to);
    for (int i = 0; i <= PARTS; i++) {
        fputs("--:|", to);
    }
    fputc('\n', to);
    print_part("enqueue", &bench->enqueue, to);
    print_part("claim and end", &bench->finish, to);
    fprintf(to, "\nWall time of a question, ms, first %d rows of lists of jobs:\n", ROWS);
    fputs("| question | half done | all done, all stale |\n|:--|--:|--:|\n", to);
    for (size_t i = 0; i < QUESTIONS; i++) {
        const char *name = questions[i];
        fprintf(to, "| %s | %.2f | %.2f |\n", strncmp(name, "show_", 5) == 0 ? name + 5 : name + 6,
            bench->half_ms[i], bench->all_ms[i]);
    }
}

static void json_part(struct pm_json *json, const char *key, const struct part *part)
{
    pm_json_begin_array(json, key);
    for (int i = 0; i < part->count; i++) {
        pm_json_double(json, NULL, part->us[i]);
    }
    pm_json_end_array(json);
}

static enum pm_code print_json(const struct queue_bench *bench, FILE *to, struct pm_err *err)
{
    struct pm_json json;
    enum pm_code rc;

    pm_json_init(&json, true);
    pm_json_begin_object(&json, NULL);
    pm_json_int(&json, "jobs", bench->jobs);
    json_part(&json, "enqueue_cpu_us", &bench->enqueue);
    json_part(&json, "claim_and_end_cpu_us", &bench->finish);
    pm_json_begin_array(&json, "questions");
    for (size_t i = 0; i < QUESTIONS; i++) {
        pm_json_begin_object(&json, NULL);
        pm_json_string(&json, "name", questions[i]);
        pm_json_double(&json, "half_done_ms", bench->half_ms[i]);
        pm_json_double(&json, "all_done_ms", bench->all_ms[i]);
        pm_json_end_object(&json);
    }
    pm_json_end_array(&json);
    pm_json_end_object(&json);
    rc = pm_json_print(&json, to, err);
    pm_json_fini(&json);
    return rc;
}

static void tear_down(struct queue_bench *bench)
{
    pm_store_close(bench->store);
    pm_seen_fini(&bench->seen);
    pm_conf_unref(bench->conf);
    pm_scratch_remove(&bench->scratch);
}

static enum pm_code parse_jobs(const char *text, long *jobs, struct pm_err *err)
{
    char *end = NULL;

    *jobs = 1000000;
    if (text == NULL) {
        return PM_OK;
    }
    errno = 0;
    *jobs = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || *jobs < 1 || *jobs > JOBS_MAX) {
        return pm_err_set(
            err, PM_EUSAGE, "--jobs %s: it takes a number from 1 to %ld", text, JOBS_MAX);
    }
    *jobs = (*jobs + PM_FILL_JOBS - 1) / PM_FILL_JOBS * PM_FILL_JOBS;
    return PM_OK;
}

int pm_cli_bench_queue(struct pm_cli *cli, int argc, char **argv)
{
    struct queue_bench bench = {0};
    struct pm_args args;
    struct pm_err err;
    enum pm_code rc = pm_args_parse(&args, options, false, 0, argc, argv, &err);

    if (rc == PM_OK && pm_args_has(&args, "help")) {
        pm_cli_help(cli, &help, options);
        return pm_cli_flush(cli);
    }
    if (rc == PM_OK) {
        rc = parse_jobs(pm_args_get(&args, "jobs"), &bench.jobs, &err);
    }
    if (rc == PM_OK) {
        rc = pm_scratch_make(&bench.scratch, pm_args_get(&args, "dir"), &err);
    }
    if (rc == PM_OK) {
        snprintf(bench.db, sizeof bench.db, "%s/pairmill.db", bench.scratch.path);
        rc = measure(&bench, &err);
    }
    if (rc == PM_OK && pm_args_has(&args, "json")) {
        rc = print_json(&bench, cli->out, &err);
    } else if (rc == PM_OK) {
        print(&bench, cli->out);
    }
    tear_down(&bench);
    return rc == PM_OK ? pm_cli_flush(cli) : pm_cli_fail(cli, &err);
}
