/* fuzz_png: PNG files, changed chunk by chunk, with the checksums set right again. */
#include <string.h>

#include <zlib.h>

#include "tests/fuzz/imagekit.h"
#include "tests/fuzz/kit.h"

#define SIGNATURE 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pm_fuzz_begin();
    pm_fuzz_image(data, size);
    pm_fuzz_end();
    return 0;
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void put32(uint8_t *at, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        at[i] = (uint8_t)(value >> (24 - 8 * i));
    }
}

/* The n-th chunk's place: 4 bytes length, 4 type, data, 4 checksum. 0: there are not so many. */
static size_t chunk_at(const uint8_t *data, size_t size, uint32_t n)
{
    size_t at = SIGNATURE;
    while (at + 12 <= size && get32(data + at) <= size - at - 12) {
        if (n-- == 0) {
            return at;
        }
        at += get32(data + at) + 12;
    }
    return 0;
}

static void mend_checksums(uint8_t *data, size_t size)
{
    size_t at;
    for (uint32_t n = 0; (at = chunk_at(data, size, n)) != 0; n++) {
        uint32_t length = get32(data + at);
        put32(data + at + 8 + length, (uint32_t)crc32(0, data + at + 4, length + 4));
    }
}

/* Copies a chunk to before another, or takes it away. */
static size_t move_chunk(
    uint8_t *data, size_t size, size_t max_size, size_t from, size_t to, bool away)
{
    static uint8_t kept[4096];
    size_t n = get32(data + from) + 12;
    if (away) {
        memmove(data + from, data + from + n, size - from - n);
        return size - n;
    }
    if (n > sizeof kept || size + n > max_size) {
        return size;
    }
    memcpy(kept, data + from, n);
    memmove(data + to + n, data + to, size - to);
    memcpy(data + to, kept, n);
    return size + n;
}

/* The data of a chunk, by libFuzzer's own means; it may grow. */
static size_t change_data(uint8_t *data, size_t size, size_t max_size, size_t at)
{
    static uint8_t part[8192];
    size_t length = get32(data + at);
    size_t rest = size - at - 8 - length;
    size_t most = max_size - (size - length);
    size_t now;

    if (length > sizeof part) {
        return size;
    }
    memcpy(part, data + at + 8, length);
    now = LLVMFuzzerMutate(part, length, most < sizeof part ? most : sizeof part);
    memmove(data + at + 8 + now, data + at + 8 + length, rest);
    memcpy(data + at + 8, part, now);
    put32(data + at, (uint32_t)now);
    return size - length + now;
}

static size_t change_chunk(
    uint8_t *data, size_t size, size_t max_size, struct pm_fuzz_dice *dice, uint32_t count)
{
    static const char types[][5] = {"IHDR", "PLTE", "IDAT", "IEND", "tRNS", "cHRM", "gAMA", "iCCP",
        "sBIT", "sRGB", "tEXt", "zTXt", "iTXt", "bKGD", "hIST", "pHYs", "sPLT", "tIME", "eXIf",
        "acTL", "abCd", "ABCD"};
    static const uint8_t header[] = {0, 1, 2, 3, 4, 6, 8, 16, 255};
    size_t at = chunk_at(data, size, pm_fuzz_roll(dice, count));
    size_t other = chunk_at(data, size, pm_fuzz_roll(dice, count));

    switch (pm_fuzz_roll(dice, 8)) {
    case 0:
        memcpy(data + at + 4, types[pm_fuzz_roll(dice, sizeof types / sizeof types[0])], 4);
        return size;
    case 1:
        put32(data + at, (uint32_t)pm_fuzz_odd_number(dice, get32(data + at)));
        return size;
    case 2: /* width or height */
        put32(data + 16 + 4 * pm_fuzz_roll(dice, 2),
            (uint32_t)pm_fuzz_odd_number(dice, get32(data + 16)));
        return size;
    case 3: /* bits, colour, compression, filter, interlace */
        data[24 + pm_fuzz_roll(dice, 5)] = header[pm_fuzz_roll(dice, sizeof header)];
        return size;
    case 4:
        return move_chunk(data, size, max_size, at, other, false);
    case 5:
        return move_chunk(data, size, max_size, at, other, true);
    default:
        return change_data(data, size, max_size, at);
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    struct pm_fuzz_dice dice = {.state = seed * 2654435761u + 1};
    uint32_t count = 0;

    while (size > 40 && chunk_at(data, size, count) != 0) {
        count++;
    }
    if (count == 0 || pm_fuzz_roll(&dice, 6) == 0) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    size = change_chunk(data, size, max_size, &dice, count);
    if (pm_fuzz_roll(&dice, 10) != 0) {
        mend_checksums(data, size);
    }
    return size;
}
