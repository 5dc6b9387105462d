#include "worker/kernels/blocks8.h"

#include <string.h>

#define SIDE PM_BLOCKS8_SIDE
#define AT_ONCE 8 /* blocks */

/* Sums down the columns first, which needs no sum across a vector until the end. */
static void some_blocks(
    const int16_t *restrict a, const int16_t *restrict b, size_t stride, int blocks, float *out)
{
    int16_t column[AT_ONCE * SIDE] = {0};

    for (size_t y = 0; y < SIDE; y++) {
        for (int x = 0; x < blocks * SIDE; x++) {
            int16_t d = (int16_t)(a[y * stride + (size_t)x] - b[y * stride + (size_t)x]);
            column[x] = (int16_t)(column[x] + (d < 0 ? -d : d));
        }
    }
    for (int i = 0; i < blocks; i++) {
        int sum = 0;
        for (int x = 0; x < SIDE; x++) {
            sum += column[i * SIDE + x];
        }
        out[i] = (float)sum / (SIDE * SIDE);
    }
}

void pm_blocks8_row(const int16_t *a, const int16_t *b, size_t stride, int blocks, float *out)
{
    int done = 0;

    for (; done + AT_ONCE <= blocks; done += AT_ONCE) {
        size_t at = (size_t)done * SIDE;
        some_blocks(a + at, b + at, stride, AT_ONCE, out + done);
    }
    if (done < blocks) {
        size_t at = (size_t)done * SIDE;
        some_blocks(a + at, b + at, stride, blocks - done, out + done);
    }
}

void pm_blocks8_join(const int16_t *level, size_t stride, int k, int n, int32_t *out)
{
    int32_t column[4 * PM_BLOCKS8_JOIN_MOST];
    int step = 4 * PM_BLOCKS8_JOIN_MOST / k; /* values of out at a time */

    for (int done = 0; done < n; done += step) {
        int now = n - done < step ? n - done : step;
        memset(column, 0, sizeof column);
        for (int y = 0; y < k; y++) {
            const int16_t *row = level + (size_t)y * stride + (size_t)done * (size_t)k;
            for (int x = 0; x < now * k; x++) {
                column[x] += row[x];
            }
        }
        for (int i = 0; i < now; i++) {
            int32_t sum = 0;
            for (int x = 0; x < k; x++) {
                sum += column[i * k + x];
            }
            out[done + i] = sum;
        }
    }
}
