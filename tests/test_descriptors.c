/* descriptors: what is closed gets a place-holder that cannot be used, what is open is left alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
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

static void places_are_held(void **state)
{
    int status = 0;
    pid_t child = fork();
    (void)state;
    if (child == 0) {
        _exit(closed_ones_are_filled());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(places_are_held)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
