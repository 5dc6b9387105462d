#include "tests/fuzz/kit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* The largest input takes a few ms in a sanitizer build: a hundred times that is a bomb. */
#define CPU_S_MAX 10.0
#define FEATURES 4096

/* libFuzzer counts what is not zero here as covered code; the section's name makes it so. */
__attribute__((section("__libfuzzer_extra_counters"), used)) static uint8_t features[FEATURES];

static double began_s;

_Noreturn void pm_fuzz_failed(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

static double cpu_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void pm_fuzz_begin(void)
{
    began_s = cpu_s();
}

void pm_fuzz_end(void)
{
    PM_FUZZ_CHECK(cpu_s() - began_s <= CPU_S_MAX);
}

const char *pm_fuzz_file(const uint8_t *data, size_t size)
{
    static char path[64];
    static int fd = -1;
    if (fd < 0) {
        fd = memfd_create("fuzz", MFD_CLOEXEC);
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    }
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size) {
        perror("memfd");
        exit(1);
    }
    return path;
}

void pm_fuzz_saw(const char *text)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '/') { /* the path, which holds a descriptor's number */
            while (c[1] != '\0' && strchr(" :", c[1]) == NULL) {
                c++;
            }
        } else if (*c < '0' || *c > '9') {
            hash = (hash ^ (unsigned char)*c) * 16777619u;
        }
    }
    features[hash % FEATURES] = 1;
}

/* ---- the heap ---- */

/* AddressSanitizer's; absent in other builds. */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
    void (*on_free)(const volatile void *)) __attribute__((weak));
size_t __sanitizer_get_allocated_size(const volatile void *) __attribute__((weak));

static struct {
    bool installed;
    int64_t held, held_at_begin, peak;
} heap;

static void on_malloc(const volatile void *at, size_t size)
{
    heap.held += at != NULL ? (int64_t)size : 0;
    heap.peak = heap.held > heap.peak ? heap.held : heap.peak;
}

static void on_free(const volatile void *at)
{
    heap.held -= at != NULL ? (int64_t)__sanitizer_get_allocated_size(at) : 0;
}

void pm_fuzz_heap_begin(void)
{
    if (!heap.installed && __sanitizer_install_malloc_and_free_hooks != NULL) {
        __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free);
        heap.installed = true;
    }
    heap.held_at_begin = heap.peak = heap.held;
}

size_t pm_fuzz_heap_peak(void)
{
    return heap.peak > heap.held_at_begin ? (size_t)(heap.peak - heap.held_at_begin) : 0;
}

/* ---- dice ---- */

uint32_t pm_fuzz_roll(struct pm_fuzz_dice *dice, uint32_t sides)
{
    dice->state = dice->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice->state >> 33) % sides;
}

uint64_t pm_fuzz_odd_number(struct pm_fuzz_dice *dice, uint64_t near)
{
    static const uint64_t odd[] = {0, 1, 2, 3, 7, 8, 15, 16, 17, 255, 256, 1000, 32767, 32768,
        65535, 65536, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x100000000,
        0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff};
    switch (pm_fuzz_roll(dice, 4)) {
    case 0:
        return near + pm_fuzz_roll(dice, 5) - 2;
    case 1:
        return near << pm_fuzz_roll(dice, 4) >> pm_fuzz_roll(dice, 4);
    case 2:
        return pm_fuzz_roll(dice, 64);
    default:
        return odd[pm_fuzz_roll(dice, sizeof odd / sizeof odd[0])];
    }
}
