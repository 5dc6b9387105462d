/* suggest: near words are found, far ones are not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "common/suggest.h"

static const char *best_of(const char *word)
{
    static const char *const words[] = {"workers", "max_shift", "max_pixels", "retry", "fft"};
    struct pm_suggest suggest;
    pm_suggest_init(&suggest, word);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        pm_suggest_offer(&suggest, words[i]);
    }
    return suggest.best;
}

static void near_words_are_found(void **state)
{
    (void)state;
    assert_string_equal(best_of("wrokers"), "workers"); /* swapped */
    assert_string_equal(best_of("worker"), "workers");  /* dropped */
    assert_string_equal(best_of("workerss"), "workers");
    assert_string_equal(best_of("max-shift"), "max_shift"); /* - and _ are alike */
    assert_string_equal(best_of("max_shfit"), "max_shift");
    assert_string_equal(best_of("max_pixel"), "max_pixels");
    assert_string_equal(best_of("fff"), "fft");
    assert_string_equal(best_of("retyr"), "retry");
}

static void far_words_are_not(void **state)
{
    char longest[200];
    (void)state;
    assert_null(best_of("banana"));
    assert_null(best_of(""));
    assert_null(best_of("x"));
    memset(longest, 'w', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_null(best_of(longest));
}

static void the_nearest_wins_and_the_first_of_equals(void **state)
{
    struct pm_suggest suggest;
    (void)state;
    pm_suggest_init(&suggest, "abcdef");
    pm_suggest_offer(&suggest, "abcdxx");
    assert_string_equal(suggest.best, "abcdxx");
    assert_int_equal(suggest.distance, 2);
    pm_suggest_offer(&suggest, "abcdef");
    assert_string_equal(suggest.best, "abcdef");
    assert_int_equal(suggest.distance, 0);
    pm_suggest_offer(&suggest, "abcdeg");
    assert_string_equal(suggest.best, "abcdef");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(near_words_are_found),
        cmocka_unit_test(far_words_are_not),
        cmocka_unit_test(the_nearest_wins_and_the_first_of_equals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
