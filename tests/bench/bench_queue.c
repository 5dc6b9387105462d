/*
 * bench_queue [JOBS] [FOLDER]: a queue of a million jobs (default) in FOLDER (default: TMPDIR): CPU
 * time a job for enqueueing, and for claiming and ending, by tenths, which must be flat; then every
 * view, as the stock sqlite3 shell times it, half done and wholly done, which must stay below 100
 * ms.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/conf.h"
#include "tests/lib/queuefill.h"

#define LIMIT_MS 100.0

static const char *const questions[] = {"select * from progress", "select * from throughput",
    "select * from eta", "select * from results limit 50", "select * from failures limit 50",
    "select * from unpaired limit 50", "select * from stage_timings", "select * from method_stats",
    "select * from cache_stats", "select * from scenes limit 50", "select * from slowest",
    "select * from workers", "select * from quarantine limit 50", "select * from stale limit 50",
    "select * from health", "select count(*) from results", "select count(*) from failures",
    "select count(*) from unpaired", "select count(*) from stale", "select count(*) from scenes",
    "select * from results where scene = 'scene000007'",
    "select * from results where target_path = 'scene000007/noisy_07.tif'",
    "select * from results where job_id = 77",
    "select count(*) from results where scene = 'scene000007'",
    "select * from failures where code = 'EFORMAT' limit 50",
    "select count(*) from failures where code = 'EFORMAT'",
    "select * from failures where scene = 'scene000007'",
    "select * from unpaired where scene = 'scene000007'",
    "select * from results order by total_ms desc limit 50",
    "select * from results order by loss desc limit 50"};

/* Time of this thread: what the disk and other programs take is not the queue's. */
static double now_s(void)
{
    return (double)pm_thread_cpu_us() / 1e6;
}

/* Real time of the second of two runs, ms: the first brings the pages into memory. */
static double ask_ms(const char *db, const char *sql)
{
    char command[1024];
    char line[4096];
    double ms = -1;
    double seconds;
    snprintf(command, sizeof command,
        "printf '%%s\\n' \"%s;\" '.timer on' \"%s;\" | sqlite3 -batch -readonly '%s'", sql, sql,
        db);
    FILE *from = popen(command, "r");
    assert(from != NULL);
    while (fgets(line, sizeof line, from) != NULL) {
        if (sscanf(line, "Run Time: real %lf", &seconds) == 1) {
            ms = seconds * 1000;
        }
    }
    pclose(from);
    return ms;
}

static int ask_all(const char *db)
{
    int slow = 0;
    for (size_t i = 0; i < sizeof questions / sizeof questions[0]; i++) {
        double ms = ask_ms(db, questions[i]);
        bool bad = ms < 0 || ms >= LIMIT_MS;
        slow += bad;
        printf("  %7.1f ms %s %s\n", ms, bad ? "SLOW" : "    ", questions[i]);
    }
    return slow;
}

/* Prints a line for each tenth; the ratio of the last to the first is what counts. */
struct tenths {
    const char *what;
    long total, done, next;
    double started, first;
};

static void tenths_begin(struct tenths *t, const char *what, long total)
{
    *t = (struct tenths){.what = what, .total = total, .next = total / 10, .started = now_s()};
}

static void tenths_add(struct tenths *t, long n)
{
    long before = t->next - t->total / 10;
    t->done += n;
    if (t->done >= t->next) {
        double us = (now_s() - t->started) * 1e6 / (double)(t->done - before);
        t->first = t->first > 0 ? t->first : us;
        printf("  %s %3ld%%: %6.1f us a job, %.2f of the first tenth\n", t->what,
            t->done * 100 / t->total, us, us / t->first);
        t->next += t->total / 10;
        t->started = now_s();
    }
}

static void checkpoint(struct pm_store *store)
{
    int pages;
    if (pm_store_wal_pages(store) > 1000) {
        fill_check(pm_store_checkpoint(store, false, &pages, NULL), &(struct pm_err){0});
    }
}

static void enqueue(struct pm_store *store, struct pm_seen *seen, long jobs, int64_t now_us)
{
    struct tenths t;
    tenths_begin(&t, "enqueue", jobs);
    for (long scene = 0; scene * FILL_JOBS < jobs; scene += 50) {
        fill_scenes(store, seen, (int)scene, 50, now_us);
        checkpoint(store);
        tenths_add(&t, 50L * FILL_JOBS);
    }
}

static void process(struct pm_store *store, const char *recipe, long jobs)
{
    struct tenths t;
    int n;
    tenths_begin(&t, "claim and end", jobs);
    while (t.done < jobs && (n = fill_round(store, recipe, pm_wall_us(pm_clock_real()))) > 0) {
        checkpoint(store);
        tenths_add(&t, n);
    }
}

int main(int argc, char **argv)
{
    long jobs = argc > 1 ? atol(argv[1]) : 1000000;
    const char *folder = argc > 2 ? argv[2] : getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    char db[512];
    char input[512];
    char recipe[17];
    struct pm_conf *conf = NULL;
    struct pm_store *store = NULL;
    struct pm_seen seen = {0};
    struct pm_err err = {0};
    int64_t now_us = pm_wall_us(pm_clock_real());

    setvbuf(stdout, NULL, _IOLBF, 0);
    snprintf(db, sizeof db, "%s/bench_queue.%ld/pairmill.db", folder, (long)getpid());
    snprintf(input, sizeof input, "%s", folder);
    fill_check(pm_conf_new(&conf, &err), &err);
    fill_check(pm_store_open(&store, db, &err), &err);
    fill_check(pm_conf_add_source(conf, "lab", input, "/output", &err), &err);
    pm_conf_recipe(conf, recipe, NULL, 0);
    fill_check(pm_queue_configure(store, conf, now_us, &err), &err);

    printf("%ld jobs in %s\n", jobs, db);
    enqueue(store, &seen, jobs, now_us);
    process(store, recipe, jobs / 2);
    printf("half done, the writer open:\n");
    int slow = ask_all(db);
    process(store, recipe, jobs);
    conf->crop_size /= 2; /* everything is stale now */
    fill_check(pm_queue_configure(store, conf, now_us, &err), &err);
    printf("all done, and stale:\n");
    slow += ask_all(db);
    pm_store_close(store);
    pm_seen_fini(&seen);
    pm_conf_unref(conf);
    printf("%d questions took %.0f ms or more\n", slow, LIMIT_MS);
    return slow > 0;
}
