#include "cli/bench_scale.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_measure.h"
#include "common/bufpool.h"
#include "common/clock.h"
#include "worker/align/align.h"

#define POOL_BYTES ((size_t)64 << 20) /* a thread: both levels of 100-megapixel images, twice */

struct shared {
    const struct pm_scale_job *job;
    struct pm_bufpool *pool; /* one for all, as the workers of a service have it */
    pthread_mutex_t lock;    /* guards warm and go */
    pthread_cond_t changed;
    int warm; /* threads that are ready to start */
    bool go;
    int64_t start_us; /* set before go */
};

struct thread {
    pthread_t id;
    struct shared *shared;
    const struct pm_bench_pair *pair;
    int64_t end_us;
    int done; /* searches that count */
    enum pm_code rc;
    struct pm_err err;
};

static enum pm_code search(struct thread *self, struct pm_aligner *aligner)
{
    const struct pm_scale_job *job = self->shared->job;
    struct pm_shift shift;
    return pm_bench_search(
        aligner, self->shared->pool, self->pair, job->conf, job->method, false, &shift, &self->err);
}

/* Says that this thread is warm, and waits until all are. */
static void line_up(struct shared *shared)
{
    pthread_mutex_lock(&shared->lock);
    shared->warm++;
    pthread_cond_broadcast(&shared->changed);
    while (!shared->go) {
        pthread_cond_wait(&shared->changed, &shared->lock);
    }
    pthread_mutex_unlock(&shared->lock);
}

static bool enough(const struct thread *self)
{
    const struct pm_scale_job *job = self->shared->job;
    double elapsed_s = (double)(self->end_us - self->shared->start_us) / 1e6;
    return self->done >= job->repeat && elapsed_s >= job->at_least_s;
}

static void *work(void *arg)
{
    struct thread *self = arg;
    struct pm_aligner *aligner = NULL;

    self->rc = pm_aligner_new(&aligner, NULL, &self->err);
    if (self->rc == PM_OK) {
        self->rc = search(self, aligner);
    }
    line_up(self->shared);
    do {
        self->rc = self->rc == PM_OK ? search(self, aligner) : self->rc;
        self->end_us = pm_mono_us(pm_clock_real());
        self->done++;
    } while (self->rc == PM_OK && !enough(self));
    pm_aligner_free(aligner);
    return NULL;
}

/* How many could be started; those wait in line_up(). */
static int start_all(struct thread *threads, struct shared *shared)
{
    const struct pm_scale_job *job = shared->job;
    for (int i = 0; i < job->workers; i++) {
        threads[i].shared = shared;
        threads[i].pair = &job->pairs[(size_t)i % job->pair_count];
        if (pthread_create(&threads[i].id, NULL, work, &threads[i]) != 0) {
            return i;
        }
    }
    return job->workers;
}

/* Lets all go at once. */
static void let_go(struct shared *shared, int started)
{
    pthread_mutex_lock(&shared->lock);
    while (shared->warm < started) {
        pthread_cond_wait(&shared->changed, &shared->lock);
    }
    shared->start_us = pm_mono_us(pm_clock_real());
    shared->go = true;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
}

static enum pm_code run_all(
    struct thread *threads, struct shared *shared, double *pairs_per_s, struct pm_err *err)
{
    const struct pm_scale_job *job = shared->job;
    int started = start_all(threads, shared);
    int64_t end_us = 0;
    double done = 0;
    enum pm_code rc = PM_OK;

    let_go(shared, started);
    for (int i = 0; i < started; i++) {
        pthread_join(threads[i].id, NULL);
        done += threads[i].done;
        end_us = threads[i].end_us > end_us ? threads[i].end_us : end_us;
        if (threads[i].rc != PM_OK && rc == PM_OK) {
            rc = pm_err_set(err, threads[i].rc, "%s on %s: %.600s", pm_method_name(job->method),
                threads[i].pair->name, threads[i].err.text);
        }
    }
    if (rc == PM_OK && started < job->workers) {
        rc = pm_err_set(err, PM_ENOMEM, "cannot start thread %d of %d", started + 1, job->workers);
    }
    *pairs_per_s = done * 1e6 / (double)(end_us - shared->start_us + 1);
    return rc;
}

enum pm_code pm_bench_scale(const struct pm_scale_job *job, double *pairs_per_s, struct pm_err *err)
{
    struct shared shared = {.job = job};
    struct thread *threads = calloc((size_t)job->workers, sizeof *threads);
    enum pm_code rc;

    if (threads == NULL) {
        return pm_err_set(err, PM_ENOMEM, "out of memory");
    }
    rc = pm_bufpool_new(&shared.pool, POOL_BYTES * (size_t)job->workers, err);
    if (rc == PM_OK) {
        pthread_mutex_init(&shared.lock, NULL);
        pthread_cond_init(&shared.changed, NULL);
        rc = run_all(threads, &shared, pairs_per_s, err);
        pthread_cond_destroy(&shared.changed);
        pthread_mutex_destroy(&shared.lock);
    }
    pm_bufpool_free(shared.pool);
    free(threads);
    return rc;
}
