/* descriptors: what is closed gets a place-holder that cannot be used, what is open is left alone;
 * the limit goes up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/descriptors.h"

/* In a process of its own, which needs its own three. 0: as it should be. */
static int closed_ones_are_filled(void)
{
    char byte = 'x';
    int pipe_ends[2];
    if (pipe(pipe_ends) != 0 || dup2(pipe_ends[1], STDERR_FILENO) < 0) {
        return 1;
    }
    close(STDIN_FILENO);
    close(STDOUT_FILENO);
    pm_descriptors_fill();
    if (fcntl(STDIN_FILENO, F_GETFD) < 0 || fcntl(STDOUT_FILENO, F_GETFD) < 0) {
        return 2;
    }
    if (read(STDIN_FILENO, &byte, 1) >= 0 || errno != EBADF ||
        write(STDOUT_FILENO, &byte, 1) >= 0 || errno != EBADF) {
        return 3;
    }
    return write(STDERR_FILENO, &byte, 1) == 1 ? 0 : 4; /* still the pipe */
}

/* The same for the limit: raised to the hard one, never lowered. */
static int limit_is_raised(void)
{
    struct rlimit limit = {.rlim_cur = 40, .rlim_max = 50};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return 1;
    }
    pm_descriptors_allow_many();
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur != 50 || limit.rlim_max != 50) {
        return 2;
    }
    pm_descriptors_allow_many();
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur == 50 ? 0 : 3;
}

static void ends_well(int (*run)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        _exit(run());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void places_are_held(void **state)
{
    (void)state;
    ends_well(closed_ones_are_filled);
}

static void the_soft_limit_is_raised(void **state)
{
    (void)state;
    ends_well(limit_is_raised);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_are_held), cmocka_unit_test(the_soft_limit_is_raised)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
