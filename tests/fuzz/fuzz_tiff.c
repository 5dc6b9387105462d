/* fuzz_tiff: TIFF files, changed where TIFF readers go wrong: in the directory's entries. */
#include <string.h>

#include "tests/fuzz/imagekit.h"
#include "tests/fuzz/kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    pm_fuzz_begin();
    pm_fuzz_image(data, size);
    pm_fuzz_end();
    return 0;
}

/* A directory as it lies in the file. */
struct dir {
    uint8_t *data;
    size_t size, max_size;
    bool big, swapped;  /* BigTIFF; other byte order than the host's */
    size_t at;          /* of its count */
    size_t first;       /* of its first entry */
    size_t entry_bytes; /* 12 or 20 */
    uint32_t count;     /* of entries that lie in the file */
};

static uint64_t get(const struct dir *dir, size_t at, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        value |= (uint64_t)dir->data[at + (dir->swapped ? n - 1 - i : i)] << 8 * i;
    }
    return value;
}

static void put(struct dir *dir, size_t at, size_t n, uint64_t value)
{
    for (size_t i = 0; i < n; i++) {
        dir->data[at + (dir->swapped ? n - 1 - i : i)] = (uint8_t)(value >> 8 * i);
    }
}

static bool find_dir(struct dir *dir)
{
    size_t word = 4, count_bytes = 2;
    uint64_t at, count;

    if (dir->size < 32 || (memcmp(dir->data, "II", 2) != 0 && memcmp(dir->data, "MM", 2) != 0)) {
        return false;
    }
    dir->swapped = dir->data[0] == 'M';
    dir->big = get(dir, 2, 2) == 43;
    word = dir->big ? 8 : 4;
    count_bytes = dir->big ? 8 : 2;
    at = get(dir, word, word);
    if (at > dir->size - 16) {
        return false;
    }
    dir->at = (size_t)at;
    count = get(dir, dir->at, count_bytes);
    dir->first = dir->at + count_bytes;
    dir->entry_bytes = dir->big ? 20 : 12;
    dir->count = (uint32_t)(count < (dir->size - dir->first) / dir->entry_bytes
                                ? count
                                : (dir->size - dir->first) / dir->entry_bytes);
    return dir->count > 0;
}

/* The tags the reader looks at, and some that libtiff does. */
static const uint16_t tags[] = {254, 255, 256, 257, 258, 259, 262, 266, 269, 270, 273, 274, 277,
    278, 279, 280, 281, 282, 284, 290, 297, 301, 306, 317, 318, 320, 322, 323, 324, 325, 330, 332,
    338, 339, 340, 341, 347, 400, 512, 513, 514, 519, 521, 529, 530, 531, 532, 700, 32995, 32996,
    32997, 33432, 34377, 34665, 34675, 34853, 37724, 50706, 65000};

static void change_field(struct dir *dir, struct pm_fuzz_dice *dice, size_t entry)
{
    static const uint16_t small[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 17, 24, 32, 33, 64,
        5, 7, 8, 32773, 32946, 34925, 50000, 50001, 50002};
    size_t word = dir->big ? 8 : 4;
    size_t value = entry + 4 + word;

    switch (pm_fuzz_roll(dice, 8)) {
    case 0:
        put(dir, entry, 2, tags[pm_fuzz_roll(dice, sizeof tags / sizeof tags[0])]);
        break;
    case 1:
        put(dir, entry + 2, 2, pm_fuzz_roll(dice, 20));
        break;
    case 2:
        put(dir, entry + 4, word, pm_fuzz_odd_number(dice, get(dir, entry + 4, word)));
        break;
    case 3: /* an offset: perhaps right at, or over, the end */
        put(dir, value, word, dir->size - pm_fuzz_roll(dice, 64));
        break;
    case 4: /* or the directory itself, or the header */
        put(dir, value, word, pm_fuzz_roll(dice, 2) ? dir->at : pm_fuzz_roll(dice, 16));
        break;
    case 5:
        put(dir, value, word, pm_fuzz_odd_number(dice, get(dir, value, word)));
        break;
    default: /* a 16-bit value that means something */
        put(dir, value, 2, small[pm_fuzz_roll(dice, sizeof small / sizeof small[0])]);
        break;
    }
}

static void shuffle_entries(struct dir *dir, struct pm_fuzz_dice *dice)
{
    size_t n = dir->entry_bytes;
    size_t a = dir->first + pm_fuzz_roll(dice, dir->count) * n;
    size_t b = dir->first + pm_fuzz_roll(dice, dir->count) * n;
    uint8_t kept[20];

    memcpy(kept, dir->data + a, n);
    switch (pm_fuzz_roll(dice, 3)) {
    case 0: /* swap */
        memcpy(dir->data + a, dir->data + b, n);
        memcpy(dir->data + b, kept, n);
        break;
    case 1: /* twice, in place of another */
        memcpy(dir->data + b, kept, n);
        break;
    default: /* the value of one, the tag of another */
        memcpy(dir->data + b + 2, kept + 2, n - 2);
        break;
    }
}

/* How many there are, what comes next, where it begins. */
static void change_frame(struct dir *dir, struct pm_fuzz_dice *dice)
{
    size_t word = dir->big ? 8 : 4, count_bytes = dir->big ? 8 : 2;
    size_t next = dir->first + dir->count * dir->entry_bytes;

    switch (pm_fuzz_roll(dice, 4)) {
    case 0:
        put(dir, dir->at, count_bytes, pm_fuzz_odd_number(dice, dir->count));
        break;
    case 1: /* one entry less, so that the tag is missing */
        put(dir, dir->at, count_bytes, dir->count - 1);
        break;
    case 2: /* a loop */
        if (next + word <= dir->size) {
            put(dir, next, word, pm_fuzz_roll(dice, 2) ? dir->at : pm_fuzz_odd_number(dice, 8));
        }
        break;
    default:
        put(dir, word, word, pm_fuzz_odd_number(dice, dir->at));
        break;
    }
}

/* An array an entry points at: strip offsets and counts, bits per sample, tables of JPEG. */
static void change_array(struct dir *dir, struct pm_fuzz_dice *dice, size_t entry)
{
    static const uint8_t sizes[] = {1, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 1, 1, 8, 8, 8};
    size_t word = dir->big ? 8 : 4;
    uint64_t type = get(dir, entry + 2, 2), count = get(dir, entry + 4, word);
    uint64_t n = type < sizeof sizes ? sizes[type] : 1;
    uint64_t at = get(dir, entry + 4 + word, word);

    if (count == 0 || count > dir->size || at > dir->size) {
        return;
    }
    at += n * pm_fuzz_roll(dice, (uint32_t)count);
    if (count * n > word && at + n <= dir->size) {
        put(dir, (size_t)at, (size_t)n, pm_fuzz_odd_number(dice, get(dir, (size_t)at, (size_t)n)));
    }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned seed)
{
    struct pm_fuzz_dice dice = {.state = seed * 2654435761u + 1};
    struct dir dir = {.data = data, .size = size, .max_size = max_size};

    if (pm_fuzz_roll(&dice, 4) == 0 || !find_dir(&dir)) {
        return LLVMFuzzerMutate(data, size, max_size);
    }
    for (uint32_t k = pm_fuzz_roll(&dice, 3) + 1; k > 0 && find_dir(&dir); k--) {
        size_t entry = dir.first + pm_fuzz_roll(&dice, dir.count) * dir.entry_bytes;
        switch (pm_fuzz_roll(&dice, 8)) {
        case 0:
            shuffle_entries(&dir, &dice);
            break;
        case 1:
            change_frame(&dir, &dice);
            break;
        case 2:
        case 3:
            change_array(&dir, &dice, entry);
            break;
        default:
            change_field(&dir, &dice, entry);
            break;
        }
    }
    return size;
}
