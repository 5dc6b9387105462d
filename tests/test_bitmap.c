/* bitmap: opening and counting against plain loops over single pixels. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "tests/lib/workerkit.h"
#include "worker/bitmap.h"

static int get(const struct pm_bitmap *map, int x, int y)
{
    if (x < 0 || y < 0 || x >= map->w || y >= map->h) {
        return 0;
    }
    return (int)(pm_bitmap_row(map, y)[x / 64] >> (x % 64) & 1);
}

static void put(struct pm_bitmap *map, int x, int y)
{
    pm_bitmap_row(map, y)[x / 64] |= (uint64_t)1 << (x % 64);
}

static void make(struct pm_bitmap *map, int w, int h, double share, uint64_t seed)
{
    struct pm_err err;
    assert_int_equal(pm_bitmap_init(map, w, h, NULL, &err), PM_OK);
    for (int i = 0; i < w * h; i++) {
        if (kit_random(&seed) < share) {
            put(map, i % w, i / w);
        }
    }
}

static int cross(const struct pm_bitmap *map, int x, int y, int all)
{
    int sum = get(map, x, y) + get(map, x - 1, y) + get(map, x + 1, y) + get(map, x, y - 1) +
              get(map, x, y + 1);
    return all ? sum == 5 : sum > 0;
}

static void naive_open(const struct pm_bitmap *in, struct pm_bitmap *out)
{
    struct pm_bitmap eroded;
    make(&eroded, in->w, in->h, 0, 1);
    make(out, in->w, in->h, 0, 1);
    for (int i = 0; i < in->w * in->h; i++) {
        if (cross(in, i % in->w, i / in->w, 1)) {
            put(&eroded, i % in->w, i / in->w);
        }
    }
    for (int i = 0; i < in->w * in->h; i++) {
        if (cross(&eroded, i % in->w, i / in->w, 0)) {
            put(out, i % in->w, i / in->w);
        }
    }
    pm_bitmap_fini(&eroded);
}

static void opening_equals_the_plain_one(void **state)
{
    static const int sizes[][2] = {
        {1, 1}, {2, 3}, {3, 3}, {5, 1}, {63, 9}, {64, 9}, {65, 9}, {128, 4}, {130, 31}, {7, 64}};
    static const double shares[] = {0, 0.5, 0.9, 0.98, 1.1};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (size_t j = 0; j < sizeof shares / sizeof shares[0]; j++) {
            struct pm_bitmap map, want;
            struct pm_err err;
            make(&map, sizes[i][0], sizes[i][1], shares[j], 7 + i);
            naive_open(&map, &want);
            assert_int_equal(pm_bitmap_open(&map, &err), PM_OK);
            assert_memory_equal(
                map.words, want.words, pm_bitmap_bytes(map.w, map.h)); /* no stray bits either */
            pm_bitmap_fini(&map);
            pm_bitmap_fini(&want);
        }
    }
}

/* RAWNIND.md 2.6: an all-ones mask loses exactly its corners. */
static void a_full_mask_loses_its_corners(void **state)
{
    struct pm_bitmap map;
    struct pm_err err;
    (void)state;
    make(&map, 100, 50, 1.1, 1);
    assert_int_equal(pm_bitmap_open(&map, &err), PM_OK);
    assert_int_equal(pm_bitmap_count(&map, (struct pm_rect){0, 0, 100, 50}), 5000 - 4);
    assert_false(get(&map, 0, 0) || get(&map, 99, 0) || get(&map, 0, 49) || get(&map, 99, 49));
    pm_bitmap_fini(&map);
}

static void counts_are_those_of_the_window(void **state)
{
    struct pm_bitmap map;
    (void)state;
    make(&map, 200, 20, 0.5, 3);
    for (int x = 0; x < 200; x += 13) {
        for (int w = 0; w <= 200 - x; w += 7) {
            int64_t want = 0;
            for (int i = 0; i < w * 9; i++) {
                want += get(&map, x + i % w, 4 + i / w);
            }
            assert_int_equal(pm_bitmap_count(&map, (struct pm_rect){x, 4, w, 9}), want);
        }
    }
    pm_bitmap_fini(&map);
}

static void and_keeps_what_both_have(void **state)
{
    struct pm_bitmap a, b;
    (void)state;
    make(&a, 70, 5, 0.5, 1);
    make(&b, 70, 5, 0.5, 2);
    int64_t want = 0;
    for (int i = 0; i < 350; i++) {
        want += get(&a, i % 70, i / 70) && get(&b, i % 70, i / 70);
    }
    pm_bitmap_and(&a, &b);
    assert_int_equal(pm_bitmap_count(&a, (struct pm_rect){0, 0, 70, 5}), want);
    assert_true(want > 0);
    pm_bitmap_fini(&a);
    pm_bitmap_fini(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_equals_the_plain_one),
        cmocka_unit_test(a_full_mask_loses_its_corners),
        cmocka_unit_test(counts_are_those_of_the_window),
        cmocka_unit_test(and_keeps_what_both_have),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
