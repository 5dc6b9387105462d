#include "daemon/crashnote.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/result.h"

#define STACK_BYTES 32768 /* the registers of AVX-512 alone take 3 KiB of a handler's stack */

static const struct {
    int number;
    const char *name;
} faults[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGILL, "SIGILL"}, {SIGFPE, "SIGFPE"},
    {SIGABRT, "SIGABRT"}, {SIGSYS, "SIGSYS"}};
#define FAULTS (sizeof faults / sizeof faults[0])

static atomic_int note_fd = -1;
static atomic_bool written;
static struct sigaction before[FAULTS];

static _Thread_local struct {
    int worker; /* -1 none, set by thread(); the zero of other threads is told apart by job_id */
    const _Atomic int64_t *job_id;
    const atomic_int *step;
    void *stack;
    stack_t stack_before;
} here;

/* --- in the handler: nothing but what is safe there --- */

struct line {
    char text[PM_CRASHNOTE_LINE];
    size_t used;
};

static void add(struct line *line, const char *text)
{
    while (*text != '\0' && line->used < sizeof line->text - 1) {
        line->text[line->used++] = *text++;
    }
}

static void add_number(struct line *line, int64_t number)
{
    char digits[24];
    size_t at = sizeof digits - 1;
    digits[at] = '\0';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    add(line, digits + at);
}

/* mine: the fault is of this thread's own making. */
static void note(const char *signal_name, bool mine)
{
    struct line line = {.used = 0};
    int64_t job_id = mine && here.job_id != NULL ? atomic_load(here.job_id) : 0;
    if (job_id != 0) {
        int step = atomic_load(here.step);
        add(&line, "worker ");
        add_number(&line, here.worker);
        add(&line, " job ");
        add_number(&line, job_id);
        add(&line, " step ");
        add(&line, step >= 0 ? pm_step_name((enum pm_step)step) : "-");
    } else {
        add(&line, "pid ");
        add_number(&line, getpid());
    }
    add(&line, " died of ");
    add(&line, signal_name);
    while (line.used < sizeof line.text - 1) {
        line.text[line.used++] = ' ';
    }
    line.text[line.used] = '\n';
    atomic_store(&written, true);
    ssize_t size = pwrite(note_fd, line.text, sizeof line.text,
        job_id != 0 ? (off_t)(here.worker + 1) * PM_CRASHNOTE_LINE : 0);
    (void)size; /* nobody is left to be told */
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    int kept = errno;
    (void)context;
    for (size_t i = 0; i < FAULTS; i++) {
        if (faults[i].number == number) {
            /* kill(2) by somebody says nothing about the thread that happened to take it. */
            note(faults[i].name, info->si_code != SI_USER && info->si_code != SI_QUEUE);
            sigaction(number, &before[i], NULL);
        }
    }
    if (info->si_code <= 0) { /* was sent: does not come by itself once more */
        raise(number);
    }
    errno = kept;
}

/* --- outside of it --- */

void pm_crashnote_open(int fd)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    if (note_fd >= 0) {
        pm_crashnote_close();
    }
    note_fd = fd;
    atomic_store(&written, false);
    for (size_t i = 0; i < FAULTS; i++) {
        sigaction(faults[i].number, &action, &before[i]);
    }
}

void pm_crashnote_close(void)
{
    if (note_fd < 0) {
        return;
    }
    for (size_t i = 0; i < FAULTS; i++) {
        sigaction(faults[i].number, &before[i], NULL);
    }
    note_fd = -1;
}

bool pm_crashnote_written(void)
{
    return atomic_load(&written);
}

void pm_crashnote_thread(int worker, const _Atomic int64_t *job_id, const atomic_int *step)
{
    sigset_t set;
    stack_t stack = {.ss_size = STACK_BYTES};
    here.worker = worker;
    here.job_id = worker >= 0 ? job_id : NULL;
    here.step = step;
    here.stack = stack.ss_sp = malloc(STACK_BYTES);
    if (here.stack != NULL && sigaltstack(&stack, &here.stack_before) != 0) {
        free(here.stack);
        here.stack = NULL;
    }
    /* A fault whose signal is blocked kills without calling anybody. */
    sigemptyset(&set);
    for (size_t i = 0; i < FAULTS; i++) {
        sigaddset(&set, faults[i].number);
    }
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void pm_crashnote_thread_end(void)
{
    here.job_id = NULL;
    if (here.stack != NULL) {
        sigaltstack(&here.stack_before, NULL);
        free(here.stack);
        here.stack = NULL;
    }
}
