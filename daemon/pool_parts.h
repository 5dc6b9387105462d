/*
 * pool_parts: what the files of the pool share; for them only.
 * Owns, threads, memory, errors: see pool.h; each field says which thread or lock it belongs to.
 */
#ifndef PM_DAEMON_POOL_PARTS_H
#define PM_DAEMON_POOL_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "common/budget.h"
#include "common/bufpool.h"
#include "common/cache.h"
#include "daemon/pool.h"
#include "worker/worker.h"

struct pm_gpu;

/* What is remembered of a worker between two samples. */
struct pm_pool_look {
    int64_t job_id, cpu_us;
    int step;
    int64_t job_since_us;  /* when this job was first seen */
    int64_t step_since_us; /* when this step was first seen */
    int64_t moved_us;      /* when the step or the CPU time last changed */
    int64_t told_us;       /* when the ledger last heard of it */
    bool hung;             /* at the last sample */
};

struct pm_pool_thread {
    struct pm_pool *pool;
    pthread_t id;
    bool started;
    int index;
    atomic_int step;        /* enum pm_step; -1 idle */
    _Atomic int64_t job_id; /* 0: none */
    atomic_bool ended;
    struct pm_gpu *gpu;          /* worker 0, on its thread only; NULL: none wanted */
    struct pm_bufpool *gpu_pool; /* the gpu's; NULL: there is none */
    bool gpu_lost;               /* told */
    int64_t gpu_unfit;           /* pairs that did not fit, as told */
    int64_t gpu_pairs;           /* it had been asked for at gpu_used_us */
    int64_t gpu_used_us;
    struct pm_pool_look look; /* pm_pool_sample() only */
};

/* Life: running -> stopping (claimed jobs not started go back) -> abandoned (running ones, too) ->
 * all ended, joined, freed; or cut off: threads that never end keep the pool alive for good. */
struct pm_pool {
    struct pm_pool_opts opts;
    char *wisdom_path;
    struct pm_cache *cache;
    struct pm_budget *budget;
    struct pm_bufpool *buffers;
    size_t keep_bytes; /* of them, between two pairs */
    struct pm_pool_thread *threads;
    int count;             /* threads there are */
    int planned;           /* threads there should be; fixed before the first starts */
    int64_t cache_told_us; /* pm_pool_sample() only */
    atomic_int busy;
    atomic_bool stop, abandon;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct pm_conf *conf;
    bool cut_off;  /* nobody may touch the ledger or ended() any more */
    int in_ledger; /* threads that are using the ledger or ended() right now */
};

/* The settings now in force; the caller gives the reference back. */
struct pm_conf *pm_pool_conf(struct pm_pool *pool);
/* Between these two the ledger exists. False: cut off, and the other is not to be called. */
bool pm_pool_ledger_begin(struct pm_pool *pool);
void pm_pool_ledger_end(struct pm_pool *pool);
/* Waits a second before the next try, or less when the pool is stopped. */
void pm_pool_pause(struct pm_pool *pool);

/* What a worker's thread runs; arg: its struct pm_pool_thread. */
void *pm_pool_thread_main(void *arg);

/* On the worker's own thread. Without a GPU, or when it does not work, this is a worker like the
 * others. */
void pm_pool_gpu_open(struct pm_pool_thread *self);
/* Between jobs: its end is told, and memory it has not needed for long is given back. How long to
 * wait for jobs until the next look, us; 0: for ever. */
int64_t pm_pool_gpu_look_after(struct pm_pool_thread *self);

#endif
