/* bench_stream: every word is read, by every variant. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "cli/bench_stream.h"

static void sums_are_right(void **state)
{
    static const char *const levels[] = {"plain", "avx2", "avx512"};
    size_t words = 8 * 1003;
    uint64_t *data = aligned_alloc(64, words * sizeof *data), want = 0;
    (void)state;
    assert_non_null(data);
    for (size_t i = 0; i < words; i++) {
        data[i] = i * 0x9e3779b97f4a7c15u;
    }
    for (size_t n = 0; n <= words; n += 8) {
        for (size_t level = 0; level < 3 && (n < 80 || n == words); level++) {
            setenv("PAIRMILL_CPU", levels[level], 1);
            assert_true(pm_stream_sum(data, n * sizeof *data) == want);
        }
        for (size_t i = n; i < n + 8 && i < words; i++) {
            want += data[i];
        }
    }
    unsetenv("PAIRMILL_CPU");
    free(data);
}

static void the_evictor_is_read_as_a_whole(void **state)
{
    struct pm_evictor evictor = {0};
    (void)state;
    assert_int_equal(pm_evictor_init(&evictor, NULL), PM_OK);
    assert_true(evictor.bytes >= (size_t)32 << 20);
    assert_true(pm_evict(&evictor) == evictor.bytes / 8 * 0x0101010101010101u);
    pm_evictor_free(&evictor);
    pm_evictor_free(&evictor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums_are_right),
        cmocka_unit_test(the_evictor_is_read_as_a_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
