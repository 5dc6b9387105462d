/* A disk that stalls: the lock file cannot be written for as long as it pleases, and the loop's
 * calls come back all the same. The owner is a double, whose beat waits. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/lib/queuekit.h"

/* --- the double --- */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stalls, inside;
    int64_t last_job; /* what the file says of worker 0 */
    int last_step;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

enum pm_code pm_owner_open(struct pm_owner **out, const char *db_path, struct pm_err *err)
{
    (void)db_path;
    (void)err;
    *out = NULL;
    return PM_OK;
}

void pm_owner_close(struct pm_owner *owner)
{
    (void)owner;
}

void pm_owner_unsaved(struct pm_owner *owner)
{
    (void)owner;
}

bool pm_owner_was_unsaved(const struct pm_owner *owner)
{
    (void)owner;
    return false;
}

bool pm_owner_last_step(const struct pm_owner *owner, int64_t job_id, int *step)
{
    (void)owner;
    (void)job_id;
    (void)step;
    return false;
}

int pm_owner_deaths(const struct pm_owner *owner)
{
    (void)owner;
    return 0;
}

int pm_owner_kills(const struct pm_owner *owner, int64_t job_id)
{
    (void)owner;
    (void)job_id;
    return 0;
}

const char *pm_owner_last_signal(const struct pm_owner *owner, int64_t job_id)
{
    (void)owner;
    (void)job_id;
    return NULL;
}

void pm_owner_forget_former(struct pm_owner *owner)
{
    (void)owner;
}

void pm_owner_beat(struct pm_owner *owner, int worker, int64_t job_id, int step)
{
    (void)owner;
    (void)worker;
    pthread_mutex_lock(&disk.lock);
    disk.inside = true;
    pthread_cond_broadcast(&disk.changed);
    while (disk.stalls) {
        pthread_cond_wait(&disk.changed, &disk.lock);
    }
    disk.inside = false;
    disk.last_job = job_id;
    disk.last_step = step;
    pthread_mutex_unlock(&disk.lock);
}

/* --- the test --- */

static void *start_job(void *arg)
{
    struct pm_kit *kit = arg;
    pm_ledger_start(kit->ledger, 0, 7);
    return NULL;
}

static void *beat_job(void *arg)
{
    struct pm_kit *kit = arg;
    pm_ledger_beat(kit->ledger, 0, 7, PM_STEP_MASK);
    return NULL;
}

static void the_loop_does_not_wait_for_the_disk(void **state)
{
    static struct pm_kit kit;
    struct pm_gauges gauges = {.settling = 3};
    struct pm_cache_stats cache = {.hits = 1};
    struct pm_counts counts;
    pthread_t worker;
    pthread_t sampler;
    (void)state;
    pm_kit_init(&kit);
    pm_kit_store(&kit); /* the folder of the database, which the real owner makes */
    pm_store_close(kit.store);
    kit.store = NULL;
    pm_kit_ledger(&kit);
    pthread_mutex_lock(&disk.lock);
    disk.stalls = true;
    pthread_mutex_unlock(&disk.lock);
    assert_int_equal(pthread_create(&worker, NULL, start_job, &kit), 0);
    pthread_mutex_lock(&disk.lock);
    while (!disk.inside) {
        pthread_cond_wait(&disk.changed, &disk.lock);
    }
    pthread_mutex_unlock(&disk.lock);
    assert_int_equal(pthread_create(&sampler, NULL, beat_job, &kit), 0);
    alarm(60); /* would hang here, for ever */
    for (int i = 0; i < 100; i++) {
        gauges.settling = i;
        pm_ledger_gauges(kit.ledger, "lab", &gauges);
        pm_ledger_counts(kit.ledger, &counts);
        pm_ledger_cache(kit.ledger, "gt", &cache);
        assert_true(pm_ledger_alive(kit.ledger));
    }
    pm_kit_sight(&kit, "s/gt/g.tif", 1); /* nor does the ledger */
    alarm(0);
    pthread_mutex_lock(&disk.lock);
    disk.stalls = false;
    pthread_cond_broadcast(&disk.changed);
    pthread_mutex_unlock(&disk.lock);
    pthread_join(worker, NULL);
    pthread_join(sampler, NULL);
    assert_int_equal(disk.last_job, 7); /* the newest is written last */
    assert_int_equal(disk.last_step, PM_STEP_MASK);
    pm_kit_fini(&kit);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_loop_does_not_wait_for_the_disk)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
