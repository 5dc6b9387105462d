/* blocks8: every block's mean as sample by sample, whatever the number of blocks and the values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "worker/kernels/blocks8.h"

#define SIDE PM_BLOCKS8_SIDE
#define MOST_BLOCKS 37
#define STRIDE (MOST_BLOCKS * SIDE + 5)

static double plain(const int16_t *a, const int16_t *b, int block)
{
    double sum = 0;
    for (int i = 0; i < SIDE * SIDE; i++) {
        int at = i / SIDE * STRIDE + block * SIDE + i % SIDE;
        sum += abs(a[at] - b[at]);
    }
    return sum / (SIDE * SIDE);
}

static void every_block_is_the_mean_of_its_own(void **state)
{
    (void)state;
    int16_t a[SIDE * STRIDE], b[SIDE * STRIDE];
    uint32_t random = 7;
    for (int round = 0; round < 60; round++) {
        int blocks = 1 + round % MOST_BLOCKS;
        float out[MOST_BLOCKS + 1];
        for (int i = 0; i < SIDE * STRIDE; i++) {
            random = random * 1664525 + 1013904223;
            /* every third round the largest difference there can be */
            a[i] = round % 3 == 0 ? PM_BLOCKS8_MOST : (int16_t)(random >> 20);
            b[i] = round % 3 == 0 ? 0 : (int16_t)(random >> 8 & PM_BLOCKS8_MOST);
        }
        out[blocks] = -1;
        pm_blocks8_row(a, b, STRIDE, blocks, out);
        for (int i = 0; i < blocks; i++) {
            assert_true((double)out[i] == plain(a, b, i));
        }
        assert_true(out[blocks] == -1.0f);
    }
}

static void k_by_k_values_are_joined(void **state)
{
    (void)state;
    enum { W = 5 * PM_BLOCKS8_JOIN_MOST + 3, H = PM_BLOCKS8_JOIN_MOST };
    static int16_t level[H * W];
    uint32_t random = 11;
    for (int i = 0; i < H * W; i++) {
        random = random * 1664525 + 1013904223;
        level[i] = (int16_t)(random >> 16);
    }
    for (int k = 1; k <= PM_BLOCKS8_JOIN_MOST; k *= 2) {
        int n = W / k;
        int32_t out[W + 1];
        out[n] = -7;
        pm_blocks8_join(level, W, k, n, out);
        for (int x = 0; x < n; x++) {
            int32_t sum = 0;
            for (int i = 0; i < k * k; i++) {
                sum += level[i / k * W + x * k + i % k];
            }
            assert_int_equal(out[x], sum);
        }
        assert_int_equal(out[n], -7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_block_is_the_mean_of_its_own),
        cmocka_unit_test(k_by_k_values_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
