/* bufpool: reuse, bounds, alignment, threads. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bufpool.h"

static void sizes_are_served_and_reused(void **state)
{
    (void)state;
    struct pm_bufpool *pool;
    assert_int_equal(pm_bufpool_new(&pool, (size_t)64 << 20, NULL), PM_OK);
    for (size_t bytes = 0; bytes < ((size_t)8 << 20); bytes = bytes * 5 / 3 + 1) {
        void *data = pm_bufpool_get(pool, bytes);
        assert_non_null(data);
        assert_int_equal((uintptr_t)data % 64, 0);
        memset(data, 1, bytes);
        pm_bufpool_put(pool, data, bytes);
        assert_ptr_equal(pm_bufpool_get(pool, bytes), data);
        pm_bufpool_put(pool, data, bytes);
    }
    pm_bufpool_free(pool);
}

static void a_nearly_equal_size_shares(void **state)
{
    (void)state;
    struct pm_bufpool *pool;
    assert_int_equal(pm_bufpool_new(&pool, (size_t)64 << 20, NULL), PM_OK);
    void *data = pm_bufpool_get(pool, 10000000);
    pm_bufpool_put(pool, data, 10000000);
    assert_ptr_equal(pm_bufpool_get(pool, 10000100), data);
    memset(data, 1, 10000100);
    pm_bufpool_put(pool, data, 10000100);
    pm_bufpool_free(pool);
}

static void keeps_no_more_than_told_and_drops_the_oldest(void **state)
{
    (void)state;
    enum { MIB = 1 << 20 };
    struct pm_bufpool *pool;
    void *data[3];
    assert_int_equal(pm_bufpool_new(&pool, 3 * MIB, NULL), PM_OK);
    for (int i = 0; i < 3; i++) {
        data[i] = pm_bufpool_get(pool, (size_t)(MIB + i * (MIB / 2)));
    }
    pm_bufpool_put(pool, data[0], MIB);
    pm_bufpool_put(pool, data[1], MIB + MIB / 2);
    assert_int_equal(pm_bufpool_kept(pool), 2 * MIB + MIB / 2);
    pm_bufpool_put(pool, data[2], 2 * MIB); /* 4.5 MiB: the first goes, then the second */
    assert_int_equal(pm_bufpool_kept(pool), 2 * MIB);
    data[0] = pm_bufpool_get(pool, 4 * MIB); /* too large to be kept: nobody is evicted for it */
    pm_bufpool_put(pool, data[0], 4 * MIB);
    assert_int_equal(pm_bufpool_kept(pool), 2 * MIB);
    assert_ptr_equal(pm_bufpool_get(pool, 2 * MIB), data[2]);
    assert_int_equal(pm_bufpool_kept(pool), 0);
    pm_bufpool_put(pool, data[2], 2 * MIB);
    pm_bufpool_free(pool);
}

struct counts {
    int taken, given;
};

static void *take_counted(void *ctx, size_t bytes)
{
    ((struct counts *)ctx)->taken++;
    return bytes > 100000 ? NULL : pm_bufpool_pages(bytes);
}

static void give_counted(void *ctx, void *data, size_t bytes)
{
    ((struct counts *)ctx)->given++;
    memset(data, 0, bytes);
    free(data);
}

/* Buffers come from the source and go back there, whichever way they leave the pool. */
static void special_memory_comes_from_its_source(void **state)
{
    struct counts counts = {0};
    const struct pm_bufsource source = {take_counted, give_counted, &counts};
    struct pm_bufpool *plain, *pool;
    void *data[3];
    (void)state;
    assert_int_equal(pm_bufpool_new(&plain, 0, NULL), PM_OK);
    assert_int_equal(pm_bufpool_new_from(&pool, 20000, &source, plain, NULL), PM_OK);
    assert_ptr_equal(pm_bufpool_plain(pool), plain);
    assert_ptr_equal(pm_bufpool_plain(plain), plain);
    assert_null(pm_bufpool_plain(NULL));
    assert_null(pm_bufpool_get(pool, 200000));
    for (int i = 0; i < 3; i++) {
        data[i] = pm_bufpool_get(pool, 8192);
        assert_int_equal((uintptr_t)data[i] % 4096, 0);
    }
    assert_int_equal(counts.taken, 4);
    for (int i = 0; i < 3; i++) {
        pm_bufpool_put(pool, data[i], 8192); /* the third is too many */
    }
    assert_int_equal(counts.given, 1);
    data[0] = pm_bufpool_get(pool, 30000); /* too large to be kept */
    pm_bufpool_put(pool, data[0], 30000);
    assert_int_equal(counts.given, 2);
    pm_bufpool_set_keep(pool, 10000);
    assert_int_equal(counts.given, 3);
    pm_bufpool_trim(pool);
    assert_int_equal(counts.given, 4);
    assert_int_equal(pm_bufpool_kept(pool), 0);
    data[0] = pm_bufpool_get(pool, 8192);
    pm_bufpool_put(pool, data[0], 8192);
    pm_bufpool_free(pool);
    assert_int_equal(counts.given, 5);
    assert_int_equal(counts.taken, 6);
    pm_bufpool_free(plain);
}

static void works_without_a_pool(void **state)
{
    (void)state;
    void *data = pm_bufpool_get(NULL, 12345);
    assert_non_null(data);
    assert_int_equal((uintptr_t)data % 64, 0);
    pm_bufpool_put(NULL, data, 12345);
    pm_bufpool_put(NULL, NULL, 5);
    pm_bufpool_free(NULL);
    assert_null(pm_bufpool_get(NULL, SIZE_MAX - 3));
}

static void *churn(void *ctx)
{
    struct pm_bufpool *pool = ctx;
    for (size_t i = 0; i < 2000; i++) {
        size_t bytes = 100 + i % 7 * 5000;
        unsigned char *data = pm_bufpool_get(pool, bytes);
        memset(data, (int)i, bytes);
        for (size_t k = 0; k < bytes; k += 99) {
            if (data[k] != (unsigned char)i) {
                return data; /* somebody else wrote into ours */
            }
        }
        pm_bufpool_put(pool, data, bytes);
    }
    return NULL;
}

static void threads_never_share_a_buffer(void **state)
{
    (void)state;
    struct pm_bufpool *pool;
    pthread_t threads[4];
    assert_int_equal(pm_bufpool_new(&pool, 40000, NULL), PM_OK);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn, pool), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_true(pm_bufpool_kept(pool) <= 40000);
    pm_bufpool_free(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_served_and_reused),
        cmocka_unit_test(a_nearly_equal_size_shares),
        cmocka_unit_test(keeps_no_more_than_told_and_drops_the_oldest),
        cmocka_unit_test(special_memory_comes_from_its_source),
        cmocka_unit_test(works_without_a_pool),
        cmocka_unit_test(threads_never_share_a_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
