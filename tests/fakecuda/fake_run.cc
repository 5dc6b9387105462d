#include "fake_run.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdio.h>
#include <ucontext.h>

#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(FAKE_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

/* Under TSan this file is compiled without it (the Makefile defines FAKE_TSAN): what the scheduler
 * itself reads and writes must neither race with kernels nor order them. */
#define STACK_BYTES ((size_t)256 << 10)
#define SHARED_WORDS 6144 /* 48 KiB: what every device has */
#define THREADS_MAX 1024

/* The kernels' extern __shared__ array. A thread-local, so that under TSan, where every block runs
 * on a thread of its own, blocks share nothing but global memory. */
__thread pm_u64 pm_shared[SHARED_WORDS];

namespace
{

enum state { READY, AT_BARRIER, FINISHED };

/* swapcontext() makes a system call each time, which is most of a kernel's time here; jumps between
 * stacks that exist already do the same without. The sanitizers follow contexts only. */
#if defined(__SANITIZE_ADDRESS__) || defined(FAKE_TSAN)
#define JUMPS false
#else
#define JUMPS true
#endif

struct fiber {
    ucontext_t context;
    jmp_buf jump;
    bool begun;
    unsigned char *stack;
    int state;
    int barrier; /* line */
    unsigned thread;
    void *fake_stack; /* ASan's */
    void *tsan;
};

struct launch {
    fake_kernel kernel;
    const struct pm_kargs *args;
    unsigned blocks, threads;
    size_t shared_bytes;
};

struct block {
    const struct launch *launch;
    unsigned index;
    ucontext_t scheduler;
    jmp_buf scheduler_jump;
    void *scheduler_fake_stack;
    const void *scheduler_bottom;
    size_t scheduler_size;
    void *scheduler_tsan;
    fiber *current;
    bool broken; /* a barrier went wrong: fibers that wait are left where they are */
    volatile int done;
    int happens; /* its address stands for "before the block", "after a barrier" */
};

block *running;
std::vector<fiber *> &idle = *new std::vector<fiber *>(); /* still there when the last test ends */

uint64_t random_state = 1;

void shuffle(std::vector<int> &list)
{
    for (size_t i = list.size(); i > 1; i--) {
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        std::swap(list[i - 1], list[random_state % i]);
    }
}

block *the_block()
{
    return running;
}

void enter_fiber(block *b, fiber *f)
{
    b->current = f;
    if (JUMPS) {
        if (_setjmp(b->scheduler_jump) == 0) {
            if (f->begun) {
                _longjmp(f->jump, 1);
            }
            f->begun = true;
            setcontext(&f->context);
        }
        return;
    }
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&b->scheduler_fake_stack, f->stack, STACK_BYTES);
#endif
#if defined(FAKE_TSAN)
    __tsan_switch_to_fiber(f->tsan, __tsan_switch_to_fiber_no_sync);
#endif
    swapcontext(&b->scheduler, &f->context);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(b->scheduler_fake_stack, NULL, NULL);
#endif
}

void leave_fiber(bool for_good)
{
    block *b = running;
    fiber *f = b->current;
    (void)for_good;
    if (JUMPS) {
        if (_setjmp(f->jump) == 0) {
            _longjmp(b->scheduler_jump, 1);
        }
        return;
    }
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(
        for_good ? NULL : &f->fake_stack, b->scheduler_bottom, b->scheduler_size);
#endif
#if defined(FAKE_TSAN)
    __tsan_switch_to_fiber(b->scheduler_tsan, __tsan_switch_to_fiber_no_sync);
#endif
    swapcontext(&f->context, &b->scheduler);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(f->fake_stack, NULL, NULL);
#endif
}

void arrive()
{
#if defined(__SANITIZE_ADDRESS__)
    block *b = running;
    __sanitizer_finish_switch_fiber(NULL, &b->scheduler_bottom, &b->scheduler_size);
#endif
}

void set_state(int state, int line)
{
    running->current->state = state;
    running->current->barrier = line;
}

void acquire(block *b)
{
    (void)b;
#if defined(FAKE_TSAN)
    __tsan_acquire(&b->happens);
#endif
}

void release(block *b)
{
    (void)b;
#if defined(FAKE_TSAN)
    __tsan_release(&b->happens);
#endif
}

const struct launch *launch_of(block *b)
{
    return b->launch;
}

void fiber_main()
{
    arrive();
    block *b = the_block();
    acquire(b);
    const struct launch *l = launch_of(b);
    l->kernel(*l->args);
    release(b);
    set_state(FINISHED, 0);
    leave_fiber(true);
    abort();
}

fiber *take_fiber(unsigned thread)
{
    fiber *f;
    if (idle.empty()) {
        f = new fiber();
        f->stack = (unsigned char *)aligned_alloc(64, STACK_BYTES);
#if defined(FAKE_TSAN)
        f->tsan = __tsan_create_fiber(0); /* dear, so thread i of all blocks is one to TSan */
#endif
    } else {
        f = idle.back();
        idle.pop_back();
    }
    getcontext(&f->context);
    f->context.uc_stack.ss_sp = f->stack;
    f->context.uc_stack.ss_size = STACK_BYTES;
    f->context.uc_link = NULL;
    makecontext(&f->context, fiber_main, 0);
    f->state = READY;
    f->begun = false;
    f->thread = thread;
    f->fake_stack = NULL;
    return f;
}

void drop_fiber(fiber *f)
{
    if (f->state == FINISHED) {
        idle.push_back(f);
    } /* else its stack holds a thread that waits for ever */
}

void poison_shared(size_t bytes)
{
    unsigned char *all = (unsigned char *)pm_shared;
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(all, sizeof pm_shared);
#endif
    for (size_t i = 0; i < sizeof pm_shared; i++) {
        ((volatile unsigned char *)all)[i] = 0xFF;
    }
#if defined(__SANITIZE_ADDRESS__)
    __asan_poison_memory_region(all + bytes, sizeof pm_shared - bytes);
#endif
    (void)bytes;
}

/* Whether all that are left wait at one barrier; false: the block is broken or done. */
bool barrier_complete(std::vector<fiber *> &fibers)
{
    int waiting = 0, line = 0;
    bool same = true;
    for (fiber *f : fibers) {
        if (f->state == AT_BARRIER) {
            same = same && (waiting == 0 || f->barrier == line);
            line = f->barrier;
            waiting++;
        }
    }
    if (waiting == 0) {
        return false;
    }
    if (waiting != (int)fibers.size()) {
        fake_violate("block %u: %d of %zu threads at the barrier of line %d, the others are gone",
            running->index, waiting, fibers.size(), line);
        return false;
    }
    if (!same) {
        fake_violate("block %u: threads wait at two different barriers", running->index);
        return false;
    }
    for (fiber *f : fibers) {
        f->state = READY;
    }
    return true;
}

void run_block(block *b)
{
    std::vector<fiber *> fibers;
    std::vector<int> order;
    running = b;
    poison_shared(b->launch->shared_bytes);
    release(b); /* the shared memory is there, and poisoned, before every thread */
#if defined(FAKE_TSAN)
    b->scheduler_tsan = __tsan_get_current_fiber();
#endif
    for (unsigned t = 0; t < b->launch->threads; t++) {
        fibers.push_back(take_fiber(t));
        order.push_back((int)t);
    }
    do {
        shuffle(order);
        for (int i : order) {
            if (fibers[(size_t)i]->state == READY) {
                enter_fiber(b, fibers[(size_t)i]);
            }
        }
    } while (barrier_complete(fibers));
    for (fiber *f : fibers) {
        drop_fiber(f);
    }
    running = NULL;
}

#if defined(FAKE_TSAN)
void *block_thread(void *arg)
{
    block *b = (block *)arg;
    run_block(b);
    b->done = 1;
    return NULL;
}

/* Not joined: that would order one block's memory before the next one's. */
void run_apart(block *b)
{
    pthread_t id;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&id, &attr, block_thread, b) != 0) {
        abort();
    }
    while (!b->done) {
        sched_yield();
    }
    pthread_attr_destroy(&attr);
}
#endif

} // namespace

unsigned fake_thread_index()
{
    return running->current->thread;
}

unsigned fake_block_index()
{
    return running->index;
}

unsigned fake_block_size()
{
    return running->launch->threads;
}

unsigned fake_grid_size()
{
    return running->launch->blocks;
}

void fake_seed(uint64_t seed)
{
    random_state = seed * 0x9e3779b97f4a7c15u | 1;
}

void fake_barrier(int line)
{
    block *b = the_block();
    release(b);
    set_state(AT_BARRIER, line);
    leave_fiber(false);
    acquire(b);
}

void fake_run_kernel(fake_kernel kernel, const struct pm_kargs *args, unsigned blocks,
    unsigned threads, size_t shared_bytes)
{
    struct launch l = {kernel, args, blocks, threads, shared_bytes};
    std::vector<int> order;
    /* One `happens` a block: barriers of one say nothing about another. */
    std::vector<block *> all;
    if (blocks == 0 || threads == 0 || threads > THREADS_MAX ||
        shared_bytes > sizeof pm_shared) {
        fake_violate("a launch of %u blocks of %u threads and %zu bytes", blocks, threads,
            shared_bytes);
        return;
    }
    for (unsigned i = 0; i < blocks; i++) {
        order.push_back((int)i);
        all.push_back(new block());
    }
    shuffle(order);
    for (int i : order) {
        block *b = all[(size_t)i];
        b->launch = &l;
        b->index = (unsigned)i;
        release(b); /* what the host did comes before every thread */
#if defined(FAKE_TSAN)
        run_apart(b);
#else
        run_block(b);
#endif
    }
    for (block *b : all) {
        acquire(b); /* and every thread before what the host does next */
        delete b;
    }
}
