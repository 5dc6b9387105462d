#include "common/descriptors.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

/* More than the most workers can need; the hard limit may be a billion. */
#define MANY 65536

void pm_descriptors_fill(void)
{
    for (int fd = 0; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0) {
            /* The lowest that is free, which is this one; the wrong way round, so that using it
             * stays an error. */
            int got = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
            if (got != fd && got > STDERR_FILENO) {
                close(got);
            }
        }
    }
}

void pm_descriptors_allow_many(void)
{
    struct rlimit limit;
    rlim_t wanted;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return;
    }
    wanted = limit.rlim_max < MANY ? limit.rlim_max : MANY;
    if (limit.rlim_cur < wanted) {
        limit.rlim_cur = wanted;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}
