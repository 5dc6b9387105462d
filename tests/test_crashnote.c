/* crashnote: what a process writes that dies of a fault of its own, and that it dies of it still.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/result.h"
#include "daemon/crashnote.h"
#include "tests/lib/tmpdir.h"

/* A sanitizer turns some faults into an exit of its own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static int set_up(void **state)
{
    *state = pm_tmpdir_make();
    return 0;
}

static int tear_down(void **state)
{
    pm_tmpdir_remove(*state);
    return 0;
}

static void read_where_nothing_is(void)
{
    volatile char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)page[100];
}

static void call_abort(void)
{
    abort();
}

static void be_sent_one(void)
{
    kill(getpid(), SIGBUS);
    sleep(10); /* should another thread take it */
}

static int fill_the_stack(int depth)
{
    volatile char block[4096];
    block[depth % 4096] = (char)depth;
    return depth < 0 ? 0 : fill_the_stack(depth + 1) + block[17];
}

static void overflow(void)
{
    exit(fill_the_stack(1));
}

static void *be_worker(void *arg)
{
    static _Atomic int64_t job_id = 41;
    static atomic_int step = PM_STEP_MASK;
    void (*crash)(void);
    memcpy(&crash, arg, sizeof crash);
    pm_crashnote_thread(2, &job_id, &step);
    crash();
    return NULL;
}

/* What is in the file after a worker, all of whose signals are blocked as in the pool, did that. */
static char *note_of(const char *dir, void (*crash)(void), int *status)
{
    static char text[512];
    char *path = pm_tmpdir_path(dir, "lock");
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    free(path);
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        sigset_t all;
        signal(SIGSEGV, SIG_DFL); /* cmocka has handlers of its own */
        signal(SIGBUS, SIG_DFL);
        signal(SIGABRT, SIG_DFL);
        dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
        pm_crashnote_open(fd);
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, NULL);
        pthread_create(&thread, NULL, be_worker, &crash);
        pthread_join(thread, NULL);
        _exit(77);
    }
    assert_int_equal(waitpid(child, status, 0), child);
    memset(text, 0, sizeof text);
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    assert_true(n >= 0);
    close(fd);
    for (ssize_t i = 0; i < n; i++) {
        text[i] = text[i] == '\0' ? '.' : text[i]; /* the lines before it were never written */
    }
    return text;
}

static void a_workers_fault_is_noted_on_its_line(void **state)
{
    static const struct {
        void (*crash)(void);
        int number;
        const char *name;
    } cases[] = {{read_where_nothing_is, SIGSEGV, "SIGSEGV"}, {call_abort, SIGABRT, "SIGABRT"},
        {overflow, SIGSEGV, "SIGSEGV"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char expected[80];
        int status;
        const char *text = note_of(*state, cases[i].crash, &status);
        snprintf(expected, sizeof expected, "worker 2 job 41 step mask died of %s ", cases[i].name);
        assert_int_equal(strlen(text), 4 * PM_CRASHNOTE_LINE);
        assert_memory_equal(text + 3 * PM_CRASHNOTE_LINE, expected, strlen(expected));
        assert_int_equal(text[4 * PM_CRASHNOTE_LINE - 1], '\n');
        assert_true(SANITIZED || (WIFSIGNALED(status) && WTERMSIG(status) == cases[i].number));
    }
}

static void one_that_was_sent_blames_no_worker(void **state)
{
    int status;
    const char *text = note_of(*state, be_sent_one, &status);
    assert_memory_equal(text, "pid ", 4);
    assert_non_null(strstr(text, " died of SIGBUS "));
    assert_null(strstr(text, "worker"));
    assert_true(SANITIZED || (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS));
}

static void closing_puts_the_former_handling_back(void **state)
{
    struct sigaction now;
    (void)state;
    assert_int_equal(signal(SIGFPE, SIG_IGN) == SIG_ERR, 0);
    pm_crashnote_open(STDERR_FILENO);
    pm_crashnote_open(STDERR_FILENO); /* twice is once */
    sigaction(SIGFPE, NULL, &now);
    assert_true(now.sa_handler != SIG_IGN);
    pm_crashnote_close();
    pm_crashnote_close();
    sigaction(SIGFPE, NULL, &now);
    assert_true(now.sa_handler == SIG_IGN);
    pm_crashnote_thread(0, NULL, NULL);
    pm_crashnote_thread_end();
    pm_crashnote_thread_end();
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_folder(a_workers_fault_is_noted_on_its_line),
        with_folder(one_that_was_sent_blames_no_worker),
        with_folder(closing_puts_the_former_handling_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
