/* Drives a target where there is no libFuzzer: every file named (or in a folder named), then N
 * mutations of each from a seed.
 * usage: fuzz_X [-n N] [-seed S] PATH...    a failing input is left in /tmp and named. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/kit.h"

#define INPUT_MAX ((size_t)256 << 10)

static unsigned long mutations, seed = 1, inputs;
static uint8_t input[INPUT_MAX];
static size_t input_size;
static struct pm_fuzz_dice plain_dice = {.state = 1};

__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size)
{
    for (uint32_t k = pm_fuzz_roll(&plain_dice, 4) + 1; k > 0 && size > 0; k--) {
        uint32_t at = pm_fuzz_roll(&plain_dice, (uint32_t)size);
        uint32_t n = pm_fuzz_roll(&plain_dice, 8) + 1;
        switch (pm_fuzz_roll(&plain_dice, 5)) {
        case 0:
            data[at] ^= (uint8_t)(1u << pm_fuzz_roll(&plain_dice, 8));
            break;
        case 1:
            data[at] = (uint8_t)pm_fuzz_roll(&plain_dice, 256);
            break;
        case 2: /* cut out */
            n = n < size - at ? n : (uint32_t)size - at;
            memmove(data + at, data + at + n, size - at - n);
            size -= n;
            break;
        case 3: /* double */
            n = n < size - at ? n : (uint32_t)size - at;
            if (size + n <= max_size) {
                memmove(data + at + n, data + at, size - at);
                size += n;
            }
            break;
        default: /* cut short */
            size = pm_fuzz_roll(&plain_dice, 8) == 0 ? at : size;
            break;
        }
    }
    return size;
}

__attribute__((weak)) size_t LLVMFuzzerCustomMutator(
    uint8_t *data, size_t size, size_t max_size, unsigned a_seed)
{
    plain_dice.state = a_seed;
    return LLVMFuzzerMutate(data, size, max_size);
}

/* What was being tried, for repeating it; only async-signal-safe calls. */
static void on_abort(int number)
{
    static char name[] = "/tmp/pairmill-fuzz-XXXXXX";
    int fd = mkstemp(name);
    if (fd >= 0 && write(fd, input, input_size) == (ssize_t)input_size) {
        static const char says[] = "the input is kept in ";
        (void)!write(2, says, sizeof says - 1);
        (void)!write(2, name, sizeof name - 1);
        (void)!write(2, "\n", 1);
    }
    signal(number, SIG_DFL);
    raise(number);
}

static void try_input(void)
{
    inputs++;
    LLVMFuzzerTestOneInput(input, input_size);
}

static void try_file(const char *path)
{
    static uint8_t sound[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    size_t size;

    if (file == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        exit(1);
    }
    size = fread(sound, 1, sizeof sound, file);
    fclose(file);
    memcpy(input, sound, size);
    input_size = size;
    try_input();
    plain_dice.state = seed;
    for (unsigned long i = 0; i < mutations; i++) {
        memcpy(input, sound, size);
        input_size = size;
        for (unsigned long k = 0; k <= i % 3; k++) {
            input_size = LLVMFuzzerCustomMutator(
                input, input_size, sizeof input, (unsigned)(seed * 1000003 + i * 3 + k));
        }
        try_input();
    }
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static void try_path(const char *path)
{
    struct dirent **names = NULL;
    int n = scandir(path, &names, NULL, by_name);

    if (n < 0) {
        try_file(path);
        return;
    }
    for (int i = 0; i < n; i++) {
        char file[4096];
        snprintf(file, sizeof file, "%s/%s", path, names[i]->d_name);
        if (names[i]->d_name[0] != '.') {
            try_file(file);
        }
        free(names[i]);
    }
    free(names);
}

int main(int argc, char **argv)
{
    signal(SIGABRT, on_abort);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-n") == 0 && i + 1 < argc) {
            mutations = strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "-seed") == 0 && i + 1 < argc) {
            seed = strtoul(argv[++i], NULL, 10);
        } else {
            try_path(argv[i]);
        }
    }
    printf("%lu inputs (-n %lu -seed %lu)\n", inputs, mutations, seed);
    return inputs > 0 ? 0 : 2;
}
