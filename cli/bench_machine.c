#include "cli/bench_machine.h"

#include <fcntl.h>
#include <malloc.h>
#include <math.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/printable.h"

static void cpu_name(char *out, size_t size)
{
    char line[256];
    FILE *file = fopen("/proc/cpuinfo", "r");

    snprintf(out, size, "unknown CPU");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *value = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && value != NULL) {
            value += 1 + strspn(value + 1, " \t");
            pm_printable(out, size, value, strcspn(value, "\n"));
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

void pm_machine_look(struct pm_machine *machine)
{
    cpu_set_t set;
    time_t now = (time_t)(pm_wall_us(pm_clock_real()) / 1000000);
    struct tm tm;

    cpu_name(machine->cpu, sizeof machine->cpu);
    machine->cores = sched_getaffinity(0, sizeof set, &set) == 0
                         ? CPU_COUNT(&set)
                         : (int)sysconf(_SC_NPROCESSORS_ONLN);
    gmtime_r(&now, &tm);
    strftime(machine->utc, sizeof machine->utc, "%Y-%m-%dT%H:%MZ", &tm);
}

double pm_machine_load(void)
{
    double load;
    return getloadavg(&load, 1) == 1 ? load : (double)NAN;
}

/* Kilobytes of a line of /proc/self/status, in bytes; -1: there is none. */
static int64_t status_bytes(const char *key)
{
    char line[256];
    int64_t bytes = -1;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && bytes < 0 && fgets(line, sizeof line, file) != NULL) {
        long long kb;
        if (strncmp(line, key, strlen(key)) == 0 && sscanf(line + strlen(key), "%lld", &kb) == 1) {
            bytes = kb * 1024;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return bytes;
}

int64_t pm_machine_reset_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    bool done;
    malloc_trim(0);
    done = fd >= 0 && write(fd, "5", 1) == 1; /* proc(5): 5 sets VmHWM to VmRSS */
    if (fd >= 0) {
        close(fd);
    }
    return done ? status_bytes("VmRSS:") : -1;
}

int64_t pm_machine_peak(void)
{
    return status_bytes("VmHWM:");
}
