/* rivals: eight beside an answer; in grey images eight more, where a mosaic's colours meet again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "worker/align/rivals.h"

static int ring(const struct pm_candidate *rival, int dy, int dx)
{
    int y = abs(rival->dy - dy), x = abs(rival->dx - dx);
    return y > x ? y : x;
}

static void assert_all_differ(const struct pm_candidate *rivals, int n)
{
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i; j++) {
            assert_false(rivals[i].dy == rivals[j].dy && rivals[i].dx == rivals[j].dx);
        }
    }
}

static void colour_has_those_beside(void **state)
{
    (void)state;
    struct pm_candidate rivals[PM_RIVALS_MOST];
    assert_int_equal(pm_rivals_of(3, 5, -7, rivals), 8);
    assert_all_differ(rivals, 8);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(ring(&rivals[i], 5, -7), 1);
    }
}

static void grey_has_those_of_the_next_period_too(void **state)
{
    (void)state;
    struct pm_candidate rivals[PM_RIVALS_MOST];
    assert_int_equal(pm_rivals_of(1, -3, 40, rivals), 16);
    assert_all_differ(rivals, 16);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(ring(&rivals[i], -3, 40), i < 8 ? 1 : 2);
        assert_true(i < 8 || ((rivals[i].dy + 3) % 2 == 0 && (rivals[i].dx - 40) % 2 == 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(colour_has_those_beside),
        cmocka_unit_test(grey_has_those_of_the_next_period_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
