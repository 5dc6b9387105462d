#include "tests/lib/clitest.h"

#include <assert.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/store.h"
#include "daemon/ledger.h"

void pm_clitest_open(struct pm_clitest *test)
{
    const char *tmp = getenv("TMPDIR");
    char path[192];
    FILE *file;

    *test = (struct pm_clitest){.out = NULL};
    snprintf(test->dir, sizeof test->dir, "%s/pm-clitest-XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert(mkdtemp(test->dir) != NULL);
    snprintf(test->db, sizeof test->db, "%s/p.db", test->dir);
    snprintf(test->conf, sizeof test->conf, "%s/p.conf", test->dir);
    snprintf(path, sizeof path, "%s/in", test->dir);
    assert(mkdir(path, 0755) == 0);
    file = fopen(test->conf, "w");
    assert(file != NULL);
    fprintf(file, "[pairmill]\ndb = p.db\n[source lab]\ninput = in\noutput = out\n");
    assert(fclose(file) == 0);
    pm_log_init(PM_LOG_ERR, 0);
}

/* The rest of a result is what a worker would have filled in. */
static void finish_job(struct pm_result *result, const struct pm_job *job)
{
    *result = (struct pm_result){.job_id = job->id, .worker = 0, .started_us = 1, .finished_us = 2};
    strcpy(result->gt_hash, "0123456789abcdef");
    strcpy(result->target_hash, "0123456789abcdef");
    strcpy(result->recipe, "0123456789abcdef");
    if (strstr(job->target_path, "c.tif") != NULL) {
        result->code = PM_EFORMAT;
        result->step = PM_STEP_DECODE;
        snprintf(result->message, sizeof result->message, "no TIFF at all");
        return;
    }
    result->shift = (struct pm_shift){.dy = 3,
        .dx = -4,
        .loss = 0.01,
        .gain = 2,
        .method = PM_METHOD_FFT,
        .backend = "plain",
        .confidence = 1};
    result->output_dir = strdup("/out/s");
    for (int i = 0; i < PM_STEP_COUNT; i++) {
        result->timing[i] = (struct pm_timing){1000 * (i + 1), 1000, 1 << 20, true};
    }
}

static void sight(struct pm_ledger *ledger, const char *const *paths, size_t count)
{
    struct pm_sighting sightings[8];
    assert(count <= 8);
    for (size_t i = 0; i < count; i++) {
        sightings[i] = (struct pm_sighting){PM_SEEN, paths[i], {1000, 1, (int64_t)i + 1}};
    }
    assert(pm_ledger_sight(ledger, "lab", sightings, count, NULL, NULL, NULL) == PM_OK);
}

static void work_off(struct pm_ledger *ledger)
{
    struct pm_job jobs[8];
    struct pm_result results[8];
    size_t count = 0;
    assert(pm_ledger_turn(ledger, 0, NULL, 0, jobs, 8, &count, NULL) == PM_OK);
    assert(count == 3);
    for (size_t i = 0; i < count; i++) {
        finish_job(&results[i], &jobs[i]);
        pm_job_clear(&jobs[i]);
    }
    pm_ledger_stop_claims(ledger);
    assert(pm_ledger_turn(ledger, 0, results, count, jobs, 8, &count, NULL) == PM_OK);
    assert(count == 0);
}

void pm_clitest_fill(struct pm_clitest *test)
{
    static const char *const first[] = {"s/gt/g.tif", "s/a.tif", "s/b.tif", "s/c.tif"};
    static const char *const later[] = {"s/d.tif", "t/lonely.tif"};
    struct pm_conf *conf = NULL;
    struct pm_ledger *ledger = NULL;
    assert(pm_conf_new(&conf, NULL) == PM_OK);
    assert(pm_conf_load(conf, test->conf, NULL) == PM_OK);
    assert(pm_conf_check(conf, true, NULL) == PM_OK);
    assert(pm_ledger_open(&ledger, conf, pm_clock_real(), NULL) == PM_OK);
    sight(ledger, first, 4);
    work_off(ledger);
    sight(ledger, later, 2);
    pm_ledger_close(ledger);
    pm_conf_unref(conf);
}

int pm_clitest_call(struct pm_clitest *test, int (*command)(struct pm_cli *cli, int, char **),
    const char *name, const char *line, ...)
{
    char text[1024], first[32];
    char *argv[64];
    int argc = 0, code;
    size_t out_size = 0, err_size = 0;
    va_list ap;

    free(test->out);
    free(test->err);
    test->out = test->err = NULL;
    va_start(ap, line);
    vsnprintf(text, sizeof text, line, ap);
    va_end(ap);
    snprintf(first, sizeof first, "%s", name);
    argv[argc++] = first;
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
        assert(argc < 63);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    struct pm_cli cli = {.command = name,
        .out = open_memstream(&test->out, &out_size),
        .err = open_memstream(&test->err, &err_size)};
    assert(cli.out != NULL && cli.err != NULL);
    code = command(&cli, argc, argv);
    fclose(cli.out);
    fclose(cli.err);
    return code;
}

struct asked {
    const char *state;
    int64_t sum;
};

static bool add_up(void *ctx, const struct pm_column *columns, int count)
{
    struct asked *asked = ctx;
    for (int i = 0; i < count; i++) {
        if (strcmp(columns[i].name, asked->state) == 0) {
            asked->sum += columns[i].integer;
        }
    }
    return true;
}

int64_t pm_clitest_count(const struct pm_clitest *test, const char *state)
{
    struct asked asked = {state, 0};
    struct pm_store *store = NULL;
    assert(pm_store_open_reader(&store, test->db, NULL) == PM_OK);
    assert(pm_store_read(store, "show_progress", NULL, 0, add_up, &asked, NULL) == PM_OK);
    pm_store_close(store);
    return asked.sum;
}

static int remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

void pm_clitest_close(struct pm_clitest *test)
{
    nftw(test->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(test->out);
    free(test->err);
}
