/* service: the real loop, ledger, ingest, pool and socket; only the work on a pair is a double. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "daemon/control.h"
#include "daemon/service.h"
#include "tests/lib/shell.h"
#include "tests/lib/tmpdir.h"
#include "worker/worker.h"

/* --- the double: pairs are "done" by being counted --- */

static struct {
    atomic_int runs, running, canceled, sweeps;
    atomic_bool block;  /* pairs wait until this is false */
    atomic_bool obey;   /* and give up when abandoned */
    atomic_bool hang;   /* pairs wait for hang.over, using no CPU */
    atomic_bool reject; /* every target called bad.tif is no image */
} work;

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over;
} hang = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void hang_if_asked(void)
{
    pthread_mutex_lock(&hang.lock);
    while (atomic_load(&work.hang) && !hang.over) {
        pthread_cond_wait(&hang.changed, &hang.lock);
    }
    pthread_mutex_unlock(&hang.lock);
}

struct pm_worker {
    struct pm_worker_env env;
};

enum pm_code pm_worker_new(
    struct pm_worker **out, int index, const struct pm_worker_env *env, struct pm_err *err)
{
    (void)index;
    *out = malloc(sizeof **out);
    if (*out == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory");
    }
    (*out)->env = *env;
    return PM_OK;
}

void pm_worker_free(struct pm_worker *worker)
{
    free(worker);
}

enum pm_code pm_worker_sweep(const char *output, struct pm_err *err)
{
    (void)output;
    (void)err;
    atomic_fetch_add(&work.sweeps, 1);
    return PM_OK;
}

void pm_worker_run(struct pm_worker *worker, const struct pm_conf *conf, const struct pm_job *job,
    struct pm_result *result)
{
    bool given_up = false;
    (void)conf;
    atomic_fetch_add(&work.running, 1);
    atomic_store(worker->env.step, PM_STEP_ALIGN);
    hang_if_asked();
    while (atomic_load(&work.block) && !given_up) {
        usleep(1000);
        given_up = atomic_load(&work.obey) && atomic_load(worker->env.abandon);
    }
    result->job_id = job->id;
    result->code = given_up ? PM_ECANCELED : PM_OK;
    result->step = PM_STEP_ALIGN;
    if (strstr(job->target_path, "bad.tif") != NULL) {
        result->code = PM_EFORMAT;
        snprintf(result->message, sizeof result->message, "\"%s\" is no image", job->target_path);
    }
    result->shift = (struct pm_shift){.method = PM_METHOD_FFT, .backend = "plain", .gain = 1};
    result->output_dir = strdup(job->output);
    strcpy(result->gt_hash, "0000000000000000");
    strcpy(result->target_hash, "0000000000000000");
    pm_conf_recipe(conf, result->recipe, NULL, 0);
    result->started_us = result->finished_us = pm_wall_us(worker->env.clock);
    atomic_fetch_add(given_up ? &work.canceled : &work.runs, 1);
    atomic_fetch_sub(&work.running, 1);
}

/* --- the rig --- */

struct rig {
    char *dir, *file;
    const char *settle_s;
    struct pm_conf *conf;
    struct pm_service_opts opts;
    struct pm_service_end end;
    struct pm_err err;
    int step; /* of the test's own story */
    int ticks, lasts;
    pthread_t thread;
    bool threaded;
    enum pm_code answer;
    char status[2048];
    int notify_fd;
};

static void write_conf(struct rig *rig, const char *more)
{
    char text[4096];
    snprintf(text, sizeof text,
        "[pairmill]\ndb = %s/state/p.db\nworkers = 2\nsettle_s = %s\nmemory_max = 64M\n%s\n"
        "[cache]\ncache_bytes = 1M\n[source a]\ninput = %s/in\noutput = %s/out\n",
        rig->dir, rig->settle_s, more, rig->dir, rig->dir);
    pm_tmpdir_write(rig->dir, "p.conf", text);
}

static void load_conf(struct rig *rig)
{
    pm_conf_unref(rig->conf);
    if (pm_conf_new(&rig->conf, &rig->err) != PM_OK ||
        pm_conf_load(rig->conf, rig->file, &rig->err) != PM_OK ||
        pm_conf_check(rig->conf, true, &rig->err) != PM_OK) {
        fail_msg("%s", rig->err.text);
    }
}

static enum pm_code run(struct rig *rig, void (*tick)(void *, const struct pm_counts *, bool))
{
    enum pm_code rc;
    load_conf(rig);
    rig->opts.tick = tick;
    rig->opts.tick_ctx = rig;
    rig->step = 0;
    rc = pm_service_run(rig->conf, &rig->opts, &rig->end, &rig->err);
    if (rig->threaded) {
        pthread_join(rig->thread, NULL);
        rig->threaded = false;
    }
    return rc;
}

static void make_pairs(struct rig *rig, int targets)
{
    pm_tmpdir_write(rig->dir, "in/s/gt/g.tif", "x");
    for (int i = 0; i < targets; i++) {
        char name[64];
        snprintf(name, sizeof name, "in/s/t%d.tif", i);
        pm_tmpdir_write(rig->dir, name, "x");
    }
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    memset(&work, 0, sizeof work);
    rig->dir = pm_tmpdir_make();
    rig->file = pm_tmpdir_path(rig->dir, "p.conf");
    rig->notify_fd = -1;
    rig->settle_s = "0";
    pm_tmpdir_folder(rig->dir, "in");
    write_conf(rig, "");
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    pm_conf_unref(rig->conf);
    free(rig->file);
    pm_tmpdir_remove(rig->dir);
    free(rig);
    return 0;
}

/* --- once --- */

static void counting_tick(void *ctx, const struct pm_counts *counts, bool last)
{
    struct rig *rig = ctx;
    (void)counts;
    assert_int_equal(rig->lasts, 0); /* nothing comes after the last */
    rig->ticks++;
    rig->lasts += last;
}

static void once_does_all_and_ends(void **state)
{
    struct rig *rig = *state;
    char *sock = pm_tmpdir_path(rig->dir, "state/p.db.sock");
    make_pairs(rig, 30);
    pm_tmpdir_write(rig->dir, "in/s/bad.tif", "x");
    pm_tmpdir_write(rig->dir, "in/s/readme.txt", "x");
    rig->opts.once = true;
    assert_int_equal(run(rig, counting_tick), PM_OK);
    assert_int_equal(rig->end.counts.done, 30);
    assert_int_equal(rig->end.counts.failed, 1);
    assert_int_equal(rig->end.counts.queued + rig->end.counts.running, 0);
    assert_false(rig->end.interrupted);
    assert_int_equal(work.runs, 31);
    assert_int_equal(work.sweeps, 1);
    assert_int_equal(rig->lasts, 1);
    assert_int_not_equal(access(sock, F_OK), 0);
    free(sock);

    assert_int_equal(run(rig, NULL), PM_OK); /* what is done stays done */
    assert_int_equal(rig->end.counts.done, 30);
    assert_int_equal(work.runs, 31);

    rig->opts.overwrite = true;
    assert_int_equal(run(rig, NULL), PM_OK);
    assert_int_equal(rig->end.counts.done, 30);
    assert_int_equal(work.runs, 62);
}

static void empty_folder_ends_at_once(void **state)
{
    struct rig *rig = *state;
    rig->opts.once = true;
    assert_int_equal(run(rig, NULL), PM_OK);
    assert_int_equal(rig->end.counts.total, 0);
}

static void another_owner_is_named(void **state)
{
    struct rig *rig = *state;
    struct pm_ledger *ledger;
    char pid[32];
    load_conf(rig);
    assert_int_equal(pm_ledger_open(&ledger, rig->conf, pm_clock_real(), &rig->err), PM_OK);
    assert_int_equal(run(rig, NULL), PM_EOWNED);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    assert_non_null(strstr(rig->err.text, pid));
    pm_ledger_close(ledger);
    rig->opts.once = true;
    assert_int_equal(run(rig, NULL), PM_OK);
}

static void unusable_output_is_told(void **state)
{
    struct rig *rig = *state;
    load_conf(rig);
    pm_tmpdir_write(rig->dir, "out", "a file in the way");
    rig->opts.once = true;
    assert_true(pm_service_run(rig->conf, &rig->opts, &rig->end, &rig->err) != PM_OK);
    assert_non_null(strstr(rig->err.text, "out"));
}

/* --- the end by signals --- */

static void term_when_running(void *ctx, const struct pm_counts *counts, bool last)
{
    struct rig *rig = ctx;
    (void)last;
    (void)counts;
    if (rig->step == 0 && atomic_load(&work.running) == 2) {
        rig->step = 1;
        kill(getpid(), SIGTERM);
    } else if (rig->step == 1) { /* a tick later: let them finish */
        atomic_store(&work.block, false);
    }
}

static void term_drains(void **state)
{
    struct rig *rig = *state;
    make_pairs(rig, 40);
    atomic_store(&work.block, true);
    assert_int_equal(run(rig, term_when_running), PM_OK);
    assert_true(rig->end.interrupted);
    assert_int_equal(rig->end.counts.done, 2); /* what ran, no more */
    assert_int_equal(rig->end.counts.queued, 38);
    assert_int_equal(rig->end.counts.running, 0);
    rig->opts.once = true; /* and nothing was lost */
    assert_int_equal(run(rig, NULL), PM_OK);
    assert_int_equal(rig->end.counts.done, 40);
    assert_int_equal(work.runs, 40);
}

static void term_twice(void *ctx, const struct pm_counts *counts, bool last)
{
    struct rig *rig = ctx;
    (void)counts;
    if (!last && rig->step < 2 && atomic_load(&work.running) == 2) {
        rig->step++;
        kill(getpid(), rig->step == 1 ? SIGINT : SIGTERM);
    }
}

static void second_signal_abandons(void **state)
{
    struct rig *rig = *state;
    make_pairs(rig, 4);
    atomic_store(&work.block, true);
    atomic_store(&work.obey, true);
    assert_int_equal(run(rig, term_twice), PM_OK); /* drain_timeout is far longer than patience */
    assert_int_equal(work.canceled, 2);
    assert_int_equal(rig->end.counts.queued, 4);
    assert_int_equal(rig->end.counts.done, 0);
}

static void term_once(void *ctx, const struct pm_counts *counts, bool last)
{
    struct rig *rig = ctx;
    (void)counts;
    if (!last && rig->step == 0 && atomic_load(&work.running) == 2) {
        rig->step = 1;
        kill(getpid(), SIGTERM);
    }
}

static void drain_timeout_abandons(void **state)
{
    struct rig *rig = *state;
    make_pairs(rig, 4);
    write_conf(rig, "drain_timeout_s = 1\n");
    atomic_store(&work.block, true);
    atomic_store(&work.obey, true);
    assert_int_equal(run(rig, term_once), PM_OK);
    assert_int_equal(work.canceled, 2);
    assert_int_equal(rig->end.counts.queued, 4);
}

/* A worker stuck for good is left behind; its pair is queued, and the next run does it. */
static void stuck_worker_is_cut_off(void **state)
{
    struct rig *rig = *state;
    make_pairs(rig, 3);
    atomic_store(&work.block, true);
    assert_int_equal(run(rig, term_twice), PM_OK);
    assert_int_equal(rig->end.counts.queued, 3);
    assert_int_equal(rig->end.counts.running, 0);
    atomic_store(&work.block, false); /* too late: those threads may not touch anything */
    while (atomic_load(&work.running) > 0) {
        usleep(1000);
    }
    rig->opts.once = true;
    assert_int_equal(run(rig, NULL), PM_OK);
    assert_int_equal(rig->end.counts.done, 3);
}

/* --- as a service --- */

static void arriving(void *ctx, const struct pm_counts *counts, bool last)
{
    struct rig *rig = ctx;
    if (last) {
        return;
    }
    if (rig->step == 0) {
        rig->step = 1;
        pm_tmpdir_write(rig->dir, "in/new/scene/t1.tif", "x");
        pm_tmpdir_write(rig->dir, "in/new/scene/t2.tif", "x");
    } else if (rig->step == 1 && counts->waiting == 2) { /* no gt yet: nothing to do */
        rig->step = 2;
        pm_tmpdir_write(rig->dir, "in/new/scene/gt/g.tif", "x");
    } else if (rig->step == 2 && counts->done == 2) {
        rig->step = 3;
        kill(getpid(), SIGTERM);
    }
}

static void files_arrive_in_any_order(void **state)
{
    struct rig *rig = *state;
    rig->settle_s = "0.05";
    write_conf(rig, "");
    assert_int_equal(run(rig, arriving), PM_OK);
    assert_int_equal(rig->step, 3);
    assert_int_equal(work.runs, 2);
}

/* Bad settings change nothing; good ones bring a second source. */
static void reloading(void *ctx, const struct pm_counts *counts, bool last)
{
    struct rig *rig = ctx;
    if (last) {
        return;
    }
    if (rig->step == 0) {
        rig->step = 1;
        pm_tmpdir_write(rig->dir, "p.conf", "[pairmill]\nnonsense = 1\n");
        kill(getpid(), SIGHUP);
        make_pairs(rig, 2);
    } else if (rig->step == 1 && counts->done == 2) { /* still at work */
        char more[1024];
        rig->step = 2;
        pm_tmpdir_write(rig->dir, "in2/s/gt/g.tif", "x");
        pm_tmpdir_write(rig->dir, "in2/s/t.tif", "x");
        snprintf(more, sizeof more, "[source b]\ninput = %s/in2\noutput = %s/out2\n[pairmill]\n",
            rig->dir, rig->dir);
        write_conf(rig, more);
        kill(getpid(), SIGHUP);
    } else if (rig->step == 2 && counts->done == 3) {
        rig->step = 3;
        kill(getpid(), SIGTERM);
    }
}

static void reload_keeps_or_takes(void **state)
{
    struct rig *rig = *state;
    rig->opts.config_path = rig->file;
    assert_int_equal(run(rig, reloading), PM_OK);
    assert_int_equal(rig->step, 3);
    assert_int_equal(work.runs, 3);
}

static void *steer(void *arg)
{
    struct rig *rig = arg;
    char *db = pm_tmpdir_path(rig->dir, "state/p.db");
    struct pm_err err;
    rig->answer = pm_control_pause(db, NULL, true, &err);
    if (rig->answer == PM_OK) {
        rig->answer = pm_control_rescan(db, &err);
    }
    if (rig->answer == PM_OK) {
        rig->answer = pm_control_status(db, rig->status, sizeof rig->status, &err);
    }
    if (rig->answer == PM_OK) {
        rig->answer = pm_control_pause(db, "a", true, &err);
    }
    if (rig->answer == PM_OK) {
        rig->answer = pm_control_pause(db, NULL, false, &err);
    }
    if (rig->answer == PM_OK) {
        rig->answer = pm_control_pause(db, "a", false, &err);
    }
    free(db);
    kill(getpid(), SIGTERM);
    return NULL;
}

static void start_steering(void *ctx, const struct pm_counts *counts, bool last)
{
    struct rig *rig = ctx;
    (void)counts;
    if (!last && !rig->threaded) {
        rig->threaded = true;
        assert_int_equal(pthread_create(&rig->thread, NULL, steer, rig), 0);
    }
}

static void steered_from_outside(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(run(rig, start_steering), PM_OK);
    assert_int_equal(rig->answer, PM_OK);
    assert_non_null(strstr(rig->status, "\"paused\":true"));
    assert_non_null(strstr(rig->status, "\"state\":\"working\""));
    assert_int_equal(rig->status[strlen(rig->status) - 1], '}');
}

/* --- what systemd is told --- */

/* A socket as systemd's, and its answer to WatchdogSec. */
static void listen_as_systemd(struct rig *rig, const char *watchdog_us)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s/n", rig->dir);
    rig->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(rig->notify_fd, (const struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    setenv("WATCHDOG_USEC", watchdog_us, 1);
}

static void stop_listening(struct rig *rig)
{
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    close(rig->notify_fd);
}

/* All it was told since the last call, a bar behind each; the next call overwrites it. */
static const char *heard(struct rig *rig)
{
    static char text[16384];
    size_t used = 0;
    ssize_t n;
    text[0] = '\0';
    while (used + 2 < sizeof text &&
           (n = recv(rig->notify_fd, text + used, sizeof text - used - 2, MSG_DONTWAIT)) > 0) {
        used += (size_t)n;
        text[used++] = '|';
        text[used] = '\0';
    }
    return text;
}

/* Whether the stock shell's answer is this. */
static bool shown(const char *db, const char *sql, const char *answer)
{
    return strcmp(pm_shell_ask(db, "-readonly", sql), answer) == 0;
}

/* A worker that hangs in its step, on a thread that uses no CPU: it is shown as such, and systemd
 * is not told that all is well until it goes on. */
static void hang_and_go_on(void *ctx, const struct pm_counts *counts, bool last)
{
    struct rig *rig = ctx;
    char *db = pm_tmpdir_path(rig->dir, "state/p.db");
    if (last) {
        free(db);
        return;
    }
    if (rig->step == 0) {
        (void)heard(rig); /* a full socket would stop whoever tells */
    }
    if (rig->step == 0 && shown(db,
                              "select state = 'hangs' and stage = 'align' from workers "
                              "where job_id is not null limit 1",
                              "1")) {
        rig->step = 1;
        (void)heard(rig); /* forget what came before */
        rig->ticks = 0;
    } else if (rig->step == 1 &&
               ++rig->ticks == 12) { /* 3 s: it would be told every third of 2 s */
        const char *text = heard(rig);
        assert_null(strstr(text, "WATCHDOG=1"));
        assert_non_null(strstr(text, "STATUS="));
        rig->step = 2;
        pthread_mutex_lock(&hang.lock);
        hang.over = true;
        pthread_cond_broadcast(&hang.changed);
        pthread_mutex_unlock(&hang.lock);
    } else if (rig->step == 2 && counts->done == 1 && strstr(heard(rig), "WATCHDOG=1") != NULL) {
        rig->step = 3;
        kill(getpid(), SIGTERM);
    }
    free(db);
}

static void a_hung_worker_is_shown_and_withholds_the_watchdog(void **state)
{
    struct rig *rig = *state;
    make_pairs(rig, 1);
    hang.over = false;
    atomic_store(&work.hang, true);
    listen_as_systemd(rig, "2000000");
    assert_int_equal(run(rig, hang_and_go_on), PM_OK);
    stop_listening(rig);
    assert_int_equal(rig->step, 3);
    assert_int_equal(work.runs, 1);
}

static void told_enough(void *ctx, const struct pm_counts *counts, bool last)
{
    struct rig *rig = ctx;
    (void)counts;
    if (!last && ++rig->step == 4) {
        kill(getpid(), SIGTERM);
    }
}

static void systemd_is_told(void **state)
{
    struct rig *rig = *state;
    listen_as_systemd(rig, "60000000");
    assert_int_equal(run(rig, told_enough), PM_OK);
    const char *text = heard(rig);
    stop_listening(rig);
    const char *ready = strstr(text, "READY=1|");
    assert_non_null(ready);
    /* Before it only that the start goes on; everything else once all is up. */
    assert_non_null(strstr(ready, "|WATCHDOG=1|"));
    assert_non_null(strstr(ready, "|STATUS=0 queued, 0 running"));
    assert_non_null(strstr(ready, "|STOPPING=1|"));
    assert_true(strstr(text, "WATCHDOG=1") > ready);
    assert_ptr_equal(strstr(text, "EXTEND_TIMEOUT_USEC=120000000|"), text);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(once_does_all_and_ends),
        TEST(empty_folder_ends_at_once), TEST(another_owner_is_named),
        TEST(unusable_output_is_told), TEST(term_drains), TEST(second_signal_abandons),
        TEST(drain_timeout_abandons), TEST(files_arrive_in_any_order), TEST(reload_keeps_or_takes),
        TEST(steered_from_outside), TEST(systemd_is_told),
        TEST(a_hung_worker_is_shown_and_withholds_the_watchdog), TEST(stuck_worker_is_cut_off)};
#undef TEST
    pm_log_init(PM_LOG_ERR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
