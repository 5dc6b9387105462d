/* pool: threads, claims, results, the end; doubles stand for the ledger's queue and for the work.
 */
#include <dlfcn.h>
#include <limits.h>
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
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/log.h"
#include "daemon/pool.h"
#include "tests/lib/fakegpu.h"
#include "tests/lib/looping.h"
#include "worker/worker.h"

#define JOBS_MAX 256

/* --- doubles --- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int queued;   /* jobs not claimed yet; ids count down from it */
    int total;    /* jobs there were */
    bool stopped; /* no more claims */
    int fail_turns;
    size_t largest_claim;
    int claims;         /* that gave jobs */
    int read_ahead;     /* targets */
    int told[JOBS_MAX]; /* results a job */
    enum pm_code code[JOBS_MAX];
    int beats, starts, unstarted; /* unstarted: run without a pm_ledger_start before */
    int64_t started[16];
    bool hangs[16]; /* as told last */
    /* the work */
    int running, most_running;
    bool block; /* jobs wait until this is false, or until abandoned when obeying */
    bool obey;  /* give up when abandoned */
    int spins;  /* how often job 2 did */
    int spins_wanted;
    bool spin; /* job 2 uses CPU time until this is false */
    int max_shift_seen;
    int workers_made, workers_freed;
    bool signals_open; /* a worker's thread would take SIGTERM */
    /* the GPU; NULL: the jobs use none */
    struct fakegpu_pair *pair;
    struct pm_fake_clock *clock;
    int64_t staged;               /* bytes the host copied before they were uploaded */
    int64_t wait_us;              /* of the last turn that waited for a while */
    size_t held_then, held_after; /* device and pinned memory in that turn, and in one for ever */
} fake = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void take_results(struct pm_result *results, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fake.told[results[i].job_id]++;
        fake.code[results[i].job_id] = results[i].code;
        pm_result_clear(&results[i]);
    }
    pthread_cond_broadcast(&fake.changed);
}

static size_t gpu_memory(void)
{
    const struct fake_control *gpu = fakegpu_control();
    return gpu->memory_used() + gpu->pinned_used();
}

/* Nothing is queued. True: the worker will not wait for ever, and its time passes at once. */
static bool times_out(int64_t wait_us)
{
    if (fake.pair == NULL) {
        return false;
    }
    if (wait_us == 0) {
        fake.held_after = gpu_memory();
        fake.pair = NULL;
        pthread_cond_broadcast(&fake.changed);
        return false;
    }
    fake.held_then = gpu_memory();
    fake.wait_us = wait_us;
    pm_fake_clock_pass(fake.clock, wait_us);
    return true;
}

enum pm_code pm_ledger_turn_within(struct pm_ledger *ledger, int worker, struct pm_result *results,
    size_t result_count, struct pm_job *jobs, size_t max, int64_t wait_us, size_t *count,
    struct pm_err *err)
{
    enum pm_code rc = PM_OK;
    (void)ledger;
    (void)worker;
    *count = 0;
    pthread_mutex_lock(&fake.lock);
    take_results(results, result_count);
    if (max > 0 && fake.fail_turns > 0) {
        fake.fail_turns--;
        rc = pm_err_set(err, PM_EDB, "turn failed by the double");
    } else if (max > 0 && fake.queued == 0 && times_out(wait_us)) {
        rc = pm_err_set(err, PM_ECANCELED, "no job came");
    } else if (max > 0) {
        while (fake.queued == 0 && !fake.stopped) {
            pthread_cond_wait(&fake.changed, &fake.lock);
        }
        while (!fake.stopped && *count < max && fake.queued > 0) {
            jobs[(*count)++] =
                (struct pm_job){.id = fake.queued--, .attempt = 1, .target_path = strdup("target")};
        }
    }
    if (*count > fake.largest_claim) {
        fake.largest_claim = *count;
    }
    fake.claims += *count > 0;
    pthread_mutex_unlock(&fake.lock);
    return rc;
}

void pm_ledger_counts(struct pm_ledger *ledger, struct pm_counts *counts)
{
    (void)ledger;
    pthread_mutex_lock(&fake.lock);
    *counts = (struct pm_counts){.ready = fake.queued};
    pthread_mutex_unlock(&fake.lock);
}

void pm_ledger_start(struct pm_ledger *ledger, int worker, int64_t job_id)
{
    (void)ledger;
    pthread_mutex_lock(&fake.lock);
    fake.starts++;
    fake.started[worker] = job_id;
    pthread_mutex_unlock(&fake.lock);
}

void pm_ledger_beat(struct pm_ledger *ledger, int worker, int64_t job_id, int step)
{
    (void)ledger;
    (void)worker;
    (void)job_id;
    (void)step;
    fake.beats++;
}

void pm_ledger_hangs(struct pm_ledger *ledger, int worker, bool hangs)
{
    (void)ledger;
    assert_int_not_equal(fake.hangs[worker], hangs); /* only what is news */
    fake.hangs[worker] = hangs;
}

void pm_ledger_cache(
    struct pm_ledger *ledger, const char *cache_name, const struct pm_cache_stats *stats)
{
    (void)ledger;
    (void)stats;
    assert_string_equal(cache_name, "gt");
}

struct pm_worker {
    int index;
    struct pm_worker_env env;
};

enum pm_code pm_worker_new(
    struct pm_worker **out, int index, const struct pm_worker_env *env, struct pm_err *err)
{
    sigset_t mask;
    (void)err;
    *out = malloc(sizeof **out);
    (*out)->index = index;
    (*out)->env = *env;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    pthread_mutex_lock(&fake.lock);
    fake.workers_made++;
    fake.signals_open |= sigismember(&mask, SIGTERM) == 0;
    pthread_mutex_unlock(&fake.lock);
    return PM_OK;
}

void pm_worker_free(struct pm_worker *worker)
{
    pthread_mutex_lock(&fake.lock);
    fake.workers_freed++;
    pthread_mutex_unlock(&fake.lock);
    free(worker);
}

void pm_worker_prefetch(const char *path, size_t root_bytes)
{
    (void)root_bytes;
    pthread_mutex_lock(&fake.lock);
    fake.read_ahead += strcmp(path, "target") == 0;
    pthread_mutex_unlock(&fake.lock);
}

void pm_worker_run(struct pm_worker *worker, const struct pm_conf *conf, const struct pm_job *job,
    struct pm_result *result)
{
    bool given_up = false;
    atomic_store(worker->env.step, PM_STEP_ALIGN);
    pthread_mutex_lock(&fake.lock);
    fake.unstarted += fake.started[worker->index] != job->id;
    fake.running++;
    fake.most_running = fake.running > fake.most_running ? fake.running : fake.most_running;
    fake.max_shift_seen = conf->max_shift;
    if (fake.pair != NULL) {
        fakegpu_pair_move(fake.pair, worker->env.gpu_pool);
        pm_gpu_times(worker->env.gpu); /* the self-test's */
        fakegpu_find(fake.pair, PM_METHOD_GPU, worker->env.gpu, 0);
        fake.staged = (int64_t)pm_gpu_times(worker->env.gpu).staged_bytes;
        pm_gpu_end_pair(worker->env.gpu);
        fakegpu_pair_move(fake.pair, NULL);
    }
    pthread_cond_broadcast(&fake.changed);
    while (fake.spin && job->id == 2) {
        fake.spins++;
        pthread_mutex_unlock(&fake.lock);
        pthread_mutex_lock(&fake.lock);
    }
    while (fake.block && !fake.obey) {
        pthread_cond_wait(&fake.changed, &fake.lock); /* without any CPU time */
    }
    while (fake.block && !given_up) {
        struct timespec soon;
        clock_gettime(CLOCK_REALTIME, &soon);
        soon.tv_nsec += 2000000;
        soon.tv_sec += soon.tv_nsec / 1000000000;
        soon.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&fake.changed, &fake.lock, &soon);
        given_up = atomic_load(worker->env.abandon);
    }
    fake.running--;
    pthread_mutex_unlock(&fake.lock);
    result->code = given_up ? PM_ECANCELED : PM_OK;
    result->shift.method = PM_METHOD_FFT;
}

/* --- the rig --- */

struct rig {
    struct pm_conf *conf;
    struct pm_fake_clock clock;
    struct pm_pool *pool;
    atomic_int ended;
};

static void on_ended(void *ctx)
{
    atomic_fetch_add(&((struct rig *)ctx)->ended, 1);
}

static void wait_for(bool (*holds)(struct rig *rig), struct rig *rig)
{
    for (int i = 0; i < 60000; i++) {
        bool held;
        pthread_mutex_lock(&fake.lock);
        held = holds(rig);
        pthread_mutex_unlock(&fake.lock);
        if (held) {
            return;
        }
        usleep(1000);
    }
    fail_msg("a condition never came true");
}

static bool all_told(struct rig *rig)
{
    int n = 0;
    (void)rig;
    for (int i = 1; i < JOBS_MAX; i++) {
        n += fake.told[i] > 0;
    }
    return n == fake.total;
}

static bool some_run(struct rig *rig)
{
    return fake.running == rig->conf->workers;
}

static bool none_busy(struct rig *rig)
{
    return pm_pool_busy(rig->pool) == 0;
}

static void queue(int jobs)
{
    pthread_mutex_lock(&fake.lock);
    fake.queued = fake.total = jobs;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
}

static void set(bool *flag, bool value)
{
    pthread_mutex_lock(&fake.lock);
    *flag = value;
    pthread_cond_broadcast(&fake.changed);
    pthread_mutex_unlock(&fake.lock);
}

static void open_pool(struct rig *rig, int workers)
{
    struct pm_pool_opts opts = {.conf = rig->conf,
        .clock = &rig->clock.clock,
        .wisdom_path = "w",
        .ended = on_ended,
        .ctx = rig};
    struct pm_err err;
    rig->conf->workers = workers;
    if (pm_pool_open(&rig->pool, &opts, &err) != PM_OK) {
        fail_msg("%s", err.text);
    }
}

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    pthread_mutex_lock(&fake.lock);
    memset(&fake.queued, 0, sizeof fake - offsetof(__typeof__(fake), queued));
    pthread_mutex_unlock(&fake.lock);
    assert_int_equal(pm_conf_new(&rig->conf, NULL), PM_OK);
    rig->conf->memory_max = 64 << 20;
    rig->conf->cache_bytes = 16 << 20;
    pm_fake_clock_init(&rig->clock);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    set(&fake.block, false);
    set(&fake.stopped, true);
    pm_pool_stop(rig->pool);
    wait_for(none_busy, rig);
    assert_true(pm_pool_close(rig->pool));
    assert_int_equal(fake.workers_made, fake.workers_freed);
    assert_int_equal(atomic_load(&rig->ended), fake.workers_made);
    pm_conf_unref(rig->conf);
    free(rig);
    return 0;
}

/* --- tests --- */

static void every_job_once(void **state)
{
    struct rig *rig = *state;
    queue(200);
    open_pool(rig, 3);
    assert_int_equal(pm_pool_busy(rig->pool), 3);
    wait_for(all_told, rig);
    for (int i = 1; i <= 200; i++) {
        assert_int_equal(fake.told[i], 1);
        assert_int_equal(fake.code[i], PM_OK);
    }
    assert_true(fake.largest_claim <= PM_POOL_CLAIM);
    assert_true(fake.largest_claim > 1);
    assert_int_equal(fake.starts, 200);
    assert_int_equal(fake.unstarted, 0);
    assert_int_equal(fake.read_ahead, 200 - fake.claims); /* all but the first of a claim */
    assert_false(fake.signals_open);
}

/* A short queue is shared: no worker takes all of it. */
static void short_queue_is_shared(void **state)
{
    struct rig *rig = *state;
    fake.block = true;
    queue(4);
    open_pool(rig, 4);
    wait_for(some_run, rig);
    assert_int_equal(fake.largest_claim, 1);
    set(&fake.block, false);
    wait_for(all_told, rig);
}

/* Results come one by one, not at the end of a claim. */
static bool first_told(struct rig *rig)
{
    (void)rig;
    return fake.told[JOBS_MAX - 1] == 1;
}

static void results_are_told_one_by_one(void **state)
{
    struct rig *rig = *state;
    queue(JOBS_MAX - 1);
    fake.block = true;
    open_pool(rig, 1);
    wait_for(some_run, rig);
    assert_int_equal(fake.largest_claim, PM_POOL_CLAIM);
    set(&fake.block, false);
    wait_for(first_told, rig);
}

static void stop_gives_unstarted_jobs_back(void **state)
{
    struct rig *rig = *state;
    int done = 0;
    int canceled = 0;
    queue(100);
    fake.block = true;
    open_pool(rig, 2);
    wait_for(some_run, rig);
    set(&fake.stopped, true);
    pm_pool_stop(rig->pool);
    set(&fake.block, false);
    wait_for(none_busy, rig);
    for (int i = 1; i <= 100; i++) {
        assert_true(fake.told[i] <= 1);
        done += fake.told[i] == 1 && fake.code[i] == PM_OK;
        canceled += fake.told[i] == 1 && fake.code[i] == PM_ECANCELED;
    }
    assert_int_equal(done, 2);                            /* what ran was finished */
    assert_int_equal(done + canceled, 100 - fake.queued); /* what was claimed came back */
    assert_int_equal(canceled, 2 * (int)fake.largest_claim - 2);
}

static void abandon_gives_running_jobs_up(void **state)
{
    struct rig *rig = *state;
    queue(2);
    fake.block = fake.obey = true;
    open_pool(rig, 2);
    wait_for(some_run, rig);
    set(&fake.stopped, true);
    pm_pool_abandon(rig->pool);
    wait_for(none_busy, rig);
    assert_int_equal(fake.code[1], PM_ECANCELED);
    assert_int_equal(fake.code[2], PM_ECANCELED);
}

static void failed_turn_is_tried_again(void **state)
{
    struct rig *rig = *state;
    fake.fail_turns = 1;
    queue(5);
    open_pool(rig, 1);
    wait_for(all_told, rig);
    for (int i = 1; i <= 5; i++) {
        assert_int_equal(fake.told[i], 1);
    }
}

static bool seen_77(struct rig *rig)
{
    (void)rig;
    return fake.max_shift_seen == 77;
}

static void reload_is_for_the_next_job(void **state)
{
    struct rig *rig = *state;
    struct pm_conf *next;
    assert_int_equal(pm_conf_new(&next, NULL), PM_OK);
    next->workers = 1;
    next->memory_max = rig->conf->memory_max;
    next->cache_bytes = 8 << 20;
    next->max_shift = 77;
    fake.block = true;
    queue(2);
    open_pool(rig, 1);
    wait_for(some_run, rig);
    pm_pool_reload(rig->pool, next);
    pm_conf_unref(next);
    assert_int_not_equal(fake.max_shift_seen, 77);
    set(&fake.block, false);
    wait_for(seen_77, rig);
}

#define S 1000000

static bool spun(struct rig *rig)
{
    (void)rig;
    return fake.spins >= fake.spins_wanted;
}

/* The worker may take a moment to come to rest; from then on it uses no CPU time. */
static void expect_hanging(struct rig *rig)
{
    for (int i = 0; i < 10000; i++) {
        pm_fake_clock_pass(&rig->clock, 31 * S);
        if (!pm_pool_sample(rig->pool, 30 * S)) {
            return;
        }
        usleep(1000);
    }
    fail_msg("never seen");
}

static void hanging_worker_is_seen(void **state)
{
    struct rig *rig = *state;
    fake.block = true;
    queue(1);
    open_pool(rig, 1);
    wait_for(some_run, rig);
    assert_true(pm_pool_sample(rig->pool, 30 * S)); /* first seen there */
    pm_fake_clock_pass(&rig->clock, 29 * S);
    assert_true(pm_pool_sample(rig->pool, 30 * S));
    assert_false(fake.hangs[0]);
    expect_hanging(rig);
    assert_true(fake.hangs[0]);
    assert_true(pm_pool_sample(rig->pool, 0)); /* nobody asks */
    set(&fake.block, false);
    wait_for(all_told, rig);
    assert_true(pm_pool_sample(rig->pool, 30 * S)); /* it moved */
    assert_false(fake.hangs[0]);
}

/* Job 1 may be waiting for memory that job 2 holds; job 2 is at work. */
static void waiting_for_another_is_no_hanging(void **state)
{
    struct rig *rig = *state;
    fake.block = fake.spin = true;
    queue(2);
    open_pool(rig, 2);
    wait_for(some_run, rig);
    assert_true(pm_pool_sample(rig->pool, 30 * S));
    for (int i = 0; i < 10; i++) {
        pm_fake_clock_pass(&rig->clock, 20 * S);
        pthread_mutex_lock(&fake.lock);
        fake.spins_wanted = fake.spins + 100;
        pthread_mutex_unlock(&fake.lock);
        wait_for(spun, rig); /* job 2 uses some CPU time */
        assert_true(pm_pool_sample(rig->pool, 30 * S));
    }
    set(&fake.spin, false); /* now both wait, and nobody is left to wait for */
    expect_hanging(rig);
}

/* Busy for ever is as bad. */
static void endless_step_is_seen(void **state)
{
    struct rig *rig = *state;
    fake.spin = true;
    queue(2);
    open_pool(rig, 1);
    wait_for(some_run, rig);
    assert_true(pm_pool_sample(rig->pool, 30 * S));
    pm_fake_clock_pass(&rig->clock, PM_POOL_STEP_MAX_US + S);
    assert_false(pm_pool_sample(rig->pool, 30 * S));
    set(&fake.spin, false);
}

static void idle_workers_are_sound(void **state)
{
    struct rig *rig = *state;
    int before;
    open_pool(rig, 2);
    assert_true(pm_pool_sample(rig->pool, 30 * S));
    before = fake.beats;
    pm_fake_clock_pass(&rig->clock, 3600 * (int64_t)S);
    assert_true(pm_pool_sample(rig->pool, 30 * S));
    assert_int_equal(fake.beats, before + 2);
}

static bool rests(struct rig *rig)
{
    (void)rig;
    return fake.pair == NULL;
}

/* The driver's library that pool.c asks for, by its name, and the double's plugin. */
static void plug_in_gpu(void)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s", fakegpu_path());
    snprintf(strrchr(path, '/'), 32, "/libcuda.so.1");
    assert_non_null(dlopen(path, RTLD_NOW | RTLD_GLOBAL));
    setenv("PAIRMILL_CUDA", fakegpu_path(), 1);
    fakegpu_control()->reset(1, 0);
}

/* Worker 0 has the GPU and its pinned memory. What that holds after a pair goes back when
 * gpu_idle_s have passed without another. */
static void gpu_memory_goes_back_when_idle(void **state)
{
    struct rig *rig = *state;
    const struct pm_synth spec = {
        .w = 80, .h = 70, .channels = 1, .sample = PM_U16, .gain = 1.2, .read = 0.01, .seed = 1};
    struct fakegpu_pair pair;
    plug_in_gpu();
    fakegpu_pair_make(&pair, &spec);
    fake.pair = &pair;
    fake.clock = &rig->clock;
    rig->conf->gpu = true;
    rig->conf->gpu_deadline_s = 60;
    rig->conf->gpu_idle_s = 20;
    queue(1);
    open_pool(rig, 1);
    wait_for(rests, rig);
    assert_int_equal(fake.told[1], 1);
    assert_int_equal(fake.staged, pair.gt->bytes); /* not the target's */
    assert_true(fake.held_then > PM_CUDA_PINNED + pair.target->bytes);
    assert_int_equal(fake.wait_us, 20 * S);
    assert_int_equal(fake.held_after, 0);
    assert_int_equal(fakegpu_control()->violations(), 0);
    fakegpu_pair_free(&pair);
    unsetenv("PAIRMILL_CUDA");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {TEST(every_job_once), TEST(short_queue_is_shared),
        TEST(results_are_told_one_by_one), TEST(stop_gives_unstarted_jobs_back),
        TEST(abandon_gives_running_jobs_up), TEST(failed_turn_is_tried_again),
        TEST(reload_is_for_the_next_job), TEST(hanging_worker_is_seen),
        TEST(waiting_for_another_is_no_hanging), TEST(endless_step_is_seen),
        TEST(idle_workers_are_sound), TEST(gpu_memory_goes_back_when_idle)};
#undef TEST
    pm_log_init(PM_LOG_ERR, 0);
    assert_true(pm_pool_close(NULL));
    return cmocka_run_group_tests(tests, NULL, NULL);
}
