#include "cli/summary.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bar.h"
#include "common/store.h"

enum { FAILURES_SHOWN = 3 }; /* of each reason */

/* Sums over the sources of a configuration. */
struct sums {
    const struct pm_conf *conf;
    int64_t waiting, ignored;
};

static const struct pm_column *find(const struct pm_column *columns, int count, const char *name)
{
    static const struct pm_column none = {.type = PM_NULL, .text = ""};
    for (int i = 0; i < count; i++) {
        if (strcmp(columns[i].name, name) == 0) {
            return &columns[i];
        }
    }
    return &none;
}

static bool add_source(void *ctx, const struct pm_column *columns, int count)
{
    struct sums *sums = ctx;
    const char *name = find(columns, count, "source")->text;
    for (int i = 0; i < sums->conf->source_count; i++) {
        if (strcmp(sums->conf->sources[i].name, name) == 0) {
            sums->waiting += find(columns, count, "waiting")->integer;
            sums->ignored += find(columns, count, "ignored")->integer;
        }
    }
    return true;
}

static struct sums sum_up(const struct pm_conf *conf, struct pm_store *store)
{
    struct sums sums = {.conf = conf};
    struct pm_err ignored; /* a number that cannot be had is 0 */
    pm_store_read(store, "show_progress", NULL, 0, add_source, &sums, &ignored);
    return sums;
}

/* Failures by reason. An unknown code counts with the last. */
struct reasons {
    int64_t count[PM_CODE_COUNT + 1];
    char *shown[PM_CODE_COUNT + 1][FAILURES_SHOWN]; /* lines; NULL: out of memory */
};

static bool add_failure(void *ctx, const struct pm_column *columns, int count)
{
    struct reasons *reasons = ctx;
    int code = (int)pm_code_from_name(find(columns, count, "code")->text);
    int64_t n = reasons->count[code]++;
    if (n < FAILURES_SHOWN) {
        char *line = NULL;
        if (asprintf(&line, "%s (gt %s): %s: %s", find(columns, count, "target_path")->text,
                find(columns, count, "gt_path")->text, find(columns, count, "stage")->text,
                find(columns, count, "message")->text) < 0) {
            line = NULL;
        }
        reasons->shown[code][n] = line;
    }
    return true;
}

static void print_reasons(struct reasons *reasons, FILE *to)
{
    for (int code = 0; code <= PM_CODE_COUNT; code++) {
        int64_t n = reasons->count[code];
        if (n == 0) {
            continue;
        }
        fprintf(to, "  %" PRId64 " x %s, %s:\n", n, pm_code_name((enum pm_code)code),
            pm_code_text((enum pm_code)code));
        for (int i = 0; i < FAILURES_SHOWN && i < n; i++) {
            const char *line = reasons->shown[code][i];
            fprintf(to, "    %s\n", line != NULL ? line : "(out of memory)");
            free(reasons->shown[code][i]);
        }
        if (n > FAILURES_SHOWN) {
            fprintf(to, "    and %" PRId64 " more: pairmill failures\n", n - FAILURES_SHOWN);
        }
    }
}

static enum pm_code print_failures(struct pm_store *store, FILE *to, struct pm_err *err)
{
    struct reasons *reasons = calloc(1, sizeof *reasons);
    enum pm_code rc;
    if (reasons == NULL) {
        return pm_err_set(err, PM_ENOMEM, "out of memory");
    }
    rc = pm_store_read(store, "show_failures", NULL, 0, add_failure, reasons, err);
    print_reasons(reasons, to);
    fputs("  a file that changes is tried again by itself, the others after pairmill retry\n", to);
    free(reasons);
    return rc;
}

static void print_done(const struct pm_summary *summary, FILE *to)
{
    const struct pm_counts *counts = summary->counts;
    fprintf(to, "done      %" PRId64 " of %" PRId64 " pairs", counts->done, counts->total);
    if (summary->before > 0) {
        fprintf(to, ", %" PRId64 " were finished before", summary->before);
    }
    fprintf(to, "\nfailed    %" PRId64 "\n", counts->failed + counts->quarantined);
}

static bool print_one_place(void *ctx, const struct pm_column *columns, int count)
{
    int64_t pairs = find(columns, count, "pairs")->integer;
    if (pairs > 0) {
        fprintf(ctx,
            "elsewhere %" PRId64 " of them: they lie where an earlier run put them, as %s; "
            "--overwrite makes them here\n",
            pairs, find(columns, count, "example")->text);
    }
    return true;
}

static bool print_one_stale(void *ctx, const struct pm_column *columns, int count)
{
    int64_t pairs = find(columns, count, "pairs")->integer;
    if (pairs > 0) {
        fprintf(ctx,
            "stale     %" PRId64 " of them were made with other settings; after "
            "pairmill retry --stale a run makes them again\n",
            pairs);
    }
    return true;
}

/* What is done stays done, also when this run was told other settings. */
static enum pm_code print_stale(struct pm_store *store, FILE *to, struct pm_err *err)
{
    return pm_store_read(store, "show_count_stale", NULL, 0, print_one_stale, to, err);
}

/* What is done stays done, also when this run was told another output folder. */
static enum pm_code print_elsewhere(struct pm_store *store, FILE *to, struct pm_err *err)
{
    return pm_store_read(store, "summary_elsewhere", NULL, 0, print_one_place, to, err);
}

static void print_rest(const struct pm_summary *summary, const struct sums *sums, FILE *to)
{
    const struct pm_counts *counts = summary->counts;
    int64_t fresh = counts->done + counts->failed + counts->quarantined - summary->before;
    char time[32];

    if (counts->missing > 0) {
        fprintf(to, "missing   %" PRId64 " pairs whose files have gone\n", counts->missing);
    }
    fprintf(to, "skipped   %" PRId64 " files without a partner, %" PRId64 " that are no images\n",
        sums->waiting, sums->ignored);
    if (summary->elapsed_s < 60) {
        snprintf(time, sizeof time, "%.1fs", summary->elapsed_s);
    } else {
        pm_bar_duration(summary->elapsed_s, time, sizeof time);
    }
    fprintf(to, "time      %s", time);
    if (fresh > 0 && summary->elapsed_s > 0) {
        pm_bar_rate((double)fresh * 60 / summary->elapsed_s, time, sizeof time);
        fprintf(to, ", %s pairs a minute", time);
    }
    fputc('\n', to);
}

enum pm_code pm_summary_print(const struct pm_summary *summary, FILE *to, struct pm_err *err)
{
    const struct pm_conf *conf = summary->conf;
    struct pm_store *store = NULL;
    enum pm_code rc = pm_store_open_reader(&store, conf->db, err);
    struct sums sums;

    if (rc != PM_OK) {
        return rc;
    }
    sums = sum_up(conf, store);
    print_done(summary, to);
    if (summary->counts->failed + summary->counts->quarantined > 0) {
        rc = print_failures(store, to, err);
    }
    print_rest(summary, &sums, to);
    if (rc == PM_OK) {
        rc = print_elsewhere(store, to, err);
    }
    if (rc == PM_OK) {
        rc = print_stale(store, to, err);
    }
    for (int i = 0; i < conf->source_count; i++) {
        fprintf(to, "outputs   %s\n", conf->sources[i].output);
    }
    fprintf(to, "database  %s\n", conf->db);
    pm_store_close(store);
    return rc;
}

void pm_summary_nothing(const struct pm_conf *conf, struct pm_err *err)
{
    struct pm_store *store = NULL;
    struct sums sums = {0};
    const char *input = conf->sources[0].input;
    if (pm_store_open_reader(&store, conf->db, err) == PM_OK) {
        sums = sum_up(conf, store);
    }
    pm_store_close(store);
    pm_err_set(err, PM_ENOENT,
        "no pairs in %s (%" PRId64 " images without a partner, %" PRId64
        " files that are no images); expected are SCENE/gt/FILE and SCENE/FILE below it, where "
        "SCENE is any folder that holds gt/",
        input, sums.waiting, sums.ignored);
}
