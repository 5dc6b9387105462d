#include "cli/verify_crew.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "cli/verify_pair.h"

#define SHOW_NS 250000000
#define WORKERS_MAX 64

struct crew {
    struct pm_verify_list *list;
    const char *db;
    struct pm_findings *findings;

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    size_t next; /* entry */
    int running;
    struct pm_verify_sum sum;
    enum pm_code rc; /* the first error; everybody stops */
    struct pm_err err;
};

/* NULL: no more. */
static struct pm_verify_entry *take(struct crew *crew)
{
    struct pm_verify_entry *entry = NULL;
    pthread_mutex_lock(&crew->lock);
    if (crew->rc == PM_OK && crew->next < crew->list->count) {
        entry = &crew->list->entries[crew->next++];
    }
    pthread_mutex_unlock(&crew->lock);
    return entry;
}

/* Adds what the checker has counted, and begins its counting anew. */
static void tell(
    struct crew *crew, struct pm_verify_checker *checker, const struct pm_verify_entry *entry)
{
    pthread_mutex_lock(&crew->lock);
    crew->sum.pairs++;
    crew->sum.bad_pairs += entry->broken;
    crew->sum.files += checker->files;
    crew->sum.bytes += checker->bytes;
    crew->sum.redone += checker->redone;
    pthread_mutex_unlock(&crew->lock);
    checker->files = checker->bytes = checker->redone = 0;
}

static void end(struct crew *crew, enum pm_code rc, const struct pm_err *err)
{
    pthread_mutex_lock(&crew->lock);
    if (rc != PM_OK && crew->rc == PM_OK) {
        crew->rc = rc;
        crew->err = *err;
    }
    crew->running--;
    pthread_cond_signal(&crew->changed);
    pthread_mutex_unlock(&crew->lock);
}

static void *check_all(void *arg)
{
    struct crew *crew = arg;
    struct pm_verify_checker checker = {.findings = crew->findings};
    struct pm_verify_entry *entry;
    struct pm_err err = {.text = ""};
    enum pm_code rc = pm_store_open_reader(&checker.store, crew->db, &err);

    while (rc == PM_OK && (entry = take(crew)) != NULL) {
        rc = pm_verify_pair(&checker, entry, &err);
        tell(crew, &checker, entry);
    }
    pm_store_close(checker.store);
    end(crew, rc, &err);
    return NULL;
}

/* lock is held. */
static void wait_a_moment(struct crew *crew)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += SHOW_NS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&crew->changed, &crew->lock, &until);
}

static void watch(struct crew *crew,
    void (*show)(void *ctx, const struct pm_verify_sum *sum, bool last), void *ctx)
{
    pthread_mutex_lock(&crew->lock);
    while (crew->running > 0) {
        wait_a_moment(crew);
        struct pm_verify_sum sum = crew->sum;
        pthread_mutex_unlock(&crew->lock);
        if (show != NULL) {
            show(ctx, &sum, false);
        }
        pthread_mutex_lock(&crew->lock);
    }
    pthread_mutex_unlock(&crew->lock);
    if (show != NULL) {
        show(ctx, &crew->sum, true);
    }
}

enum pm_code pm_verify_crew(struct pm_verify_list *list, const char *db, int workers,
    struct pm_findings *findings, struct pm_verify_sum *sum,
    void (*show)(void *ctx, const struct pm_verify_sum *sum, bool last), void *ctx,
    struct pm_err *err)
{
    struct crew crew = {.list = list, .db = db, .findings = findings};
    pthread_t threads[WORKERS_MAX];
    int started = 0;

    pthread_mutex_init(&crew.lock, NULL);
    pthread_cond_init(&crew.changed, NULL);
    for (; started < workers && started < WORKERS_MAX; started++) {
        pthread_mutex_lock(&crew.lock);
        crew.running++;
        pthread_mutex_unlock(&crew.lock);
        int failed = pthread_create(&threads[started], NULL, check_all, &crew);
        if (failed != 0) {
            struct pm_err told;
            enum pm_code rc = pm_err_errno(&told, failed, "cannot start a thread");
            end(&crew, started == 0 ? rc : PM_OK, &told); /* some are enough */
            break;
        }
    }
    watch(&crew, show, ctx);
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i], NULL);
    }
    *sum = crew.sum;
    if (crew.rc != PM_OK) {
        *err = crew.err;
    }
    pthread_cond_destroy(&crew.changed);
    pthread_mutex_destroy(&crew.lock);
    return crew.rc;
}
