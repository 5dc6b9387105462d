/*
 * kit: what the fuzz targets share: the checks, a file to be read, a gauge of the heap, dice.
 * A target is one file fuzz_X.c with LLVMFuzzerTestOneInput, and perhaps a mutator of its own.
 * libFuzzer drives it in `make fuzz`, main.c everywhere else.
 * Owns: one memfd for the whole run. Threads: one. Memory: none of the input's.
 * Errors: a check that fails says so and aborts: that is the finding.
 */
#ifndef PM_TESTS_FUZZ_KIT_H
#define PM_TESTS_FUZZ_KIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The names are libFuzzer's. A target returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Changes data in place, up to max_size bytes; returns the new size. Not every target has one. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed);
/* libFuzzer's own mutation of bytes; main.c has a plain one. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);

_Noreturn void pm_fuzz_failed(const char *file, int line, const char *what);
#define PM_FUZZ_CHECK(condition)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            pm_fuzz_failed(__FILE__, __LINE__, #condition);                                        \
        }                                                                                          \
    } while (0)

/* Begin and end one input: fails when it took more than CPU_S_MAX seconds of CPU (not of the clock:
 * other work on the machine must not make a finding). */
void pm_fuzz_begin(void);
void pm_fuzz_end(void);

/* A file that holds exactly these bytes; valid until the next call. */
const char *pm_fuzz_file(const uint8_t *data, size_t size);

/* Tells libFuzzer that something new was seen, as it cannot look into the libraries: digits and
 * file names in text do not count. */
void pm_fuzz_saw(const char *text);

/* Most heap bytes held at once since pm_fuzz_heap_begin(), beyond what was held then; 0 where the
 * build cannot tell (no AddressSanitizer). */
void pm_fuzz_heap_begin(void);
size_t pm_fuzz_heap_peak(void);

/* Dice. */
struct pm_fuzz_dice {
    uint64_t state;
};
uint32_t pm_fuzz_roll(struct pm_fuzz_dice *dice, uint32_t sides); /* 0 .. sides-1 */
/* Sizes and offsets at which readers go wrong; near: one that is right here. */
uint64_t pm_fuzz_odd_number(struct pm_fuzz_dice *dice, uint64_t near);

#endif
