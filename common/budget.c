#include "common/budget.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct pm_budget {
    pthread_mutex_t mutex; /* guards all below */
    pthread_cond_t changed;
    size_t total_bytes; /* constant */
    size_t used_bytes, peak_bytes;
    uint64_t next_ticket;  /* the one the next arrival draws */
    uint64_t serve_ticket; /* the one whose turn it is: first come, first served */
    bool canceled;
};

enum pm_code pm_budget_new(struct pm_budget **out, size_t total_bytes, struct pm_err *err)
{
    struct pm_budget *budget = calloc(1, sizeof *budget);
    if (budget == NULL) {
        return pm_err_set(err, PM_ENOMEM, "no memory for a budget");
    }
    budget->total_bytes = total_bytes;
    pthread_mutex_init(&budget->mutex, NULL);
    pthread_cond_init(&budget->changed, NULL);
    *out = budget;
    return PM_OK;
}

void pm_budget_free(struct pm_budget *budget)
{
    if (budget == NULL) {
        return;
    }
    assert(budget->used_bytes == 0);
    pthread_cond_destroy(&budget->changed);
    pthread_mutex_destroy(&budget->mutex);
    free(budget);
}

/* Mutex held; bytes <= total. After a cancel the tickets mean nothing any more. */
static bool wait_for_turn(struct pm_budget *budget, size_t bytes)
{
    uint64_t ticket = budget->next_ticket++;
    while (!budget->canceled &&
           (ticket != budget->serve_ticket || bytes > budget->total_bytes - budget->used_bytes)) {
        pthread_cond_wait(&budget->changed, &budget->mutex);
    }
    return !budget->canceled;
}

/* Whole MiB, rounded up, so that raising memory_max to the number in the message is enough. */
static size_t mib_up(size_t bytes)
{
    return bytes / (1 << 20) + (bytes % (1 << 20) != 0);
}

enum pm_code pm_budget_acquire(struct pm_budget *budget, size_t bytes, struct pm_err *err)
{
    bool admitted;

    if (bytes > budget->total_bytes) {
        return pm_err_set(err, PM_ETOOBIG,
            "needs %zu MiB of memory, of memory_max only %zu MiB are there for pairs: raise "
            "memory_max",
            mib_up(bytes), budget->total_bytes >> 20);
    }
    pthread_mutex_lock(&budget->mutex);
    admitted = wait_for_turn(budget, bytes);
    if (admitted) {
        budget->serve_ticket++;
        budget->used_bytes += bytes;
        if (budget->used_bytes > budget->peak_bytes) {
            budget->peak_bytes = budget->used_bytes;
        }
        pthread_cond_broadcast(&budget->changed); /* the next in line may fit as well */
    }
    pthread_mutex_unlock(&budget->mutex);
    return admitted ? PM_OK : pm_err_set(err, PM_ECANCELED, "stopped while waiting for memory");
}

void pm_budget_release(struct pm_budget *budget, size_t bytes)
{
    pthread_mutex_lock(&budget->mutex);
    assert(bytes <= budget->used_bytes);
    budget->used_bytes -= bytes;
    pthread_cond_broadcast(&budget->changed);
    pthread_mutex_unlock(&budget->mutex);
}

void pm_budget_cancel(struct pm_budget *budget)
{
    pthread_mutex_lock(&budget->mutex);
    budget->canceled = true;
    pthread_cond_broadcast(&budget->changed);
    pthread_mutex_unlock(&budget->mutex);
}

size_t pm_budget_used(struct pm_budget *budget)
{
    pthread_mutex_lock(&budget->mutex);
    size_t bytes = budget->used_bytes;
    pthread_mutex_unlock(&budget->mutex);
    return bytes;
}

size_t pm_budget_peak(struct pm_budget *budget)
{
    pthread_mutex_lock(&budget->mutex);
    size_t bytes = budget->peak_bytes;
    pthread_mutex_unlock(&budget->mutex);
    return bytes;
}
