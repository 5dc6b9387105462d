#include "common/descriptors.h"

#include <fcntl.h>
#include <unistd.h>

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
