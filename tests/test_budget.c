/* budget: admission, order, limits, cancelling. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/budget.h"

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void counts_what_is_held(void **state)
{
    (void)state;
    struct pm_budget *budget;
    assert_int_equal(pm_budget_new(&budget, 100, NULL), PM_OK);
    assert_int_equal(pm_budget_acquire(budget, 60, NULL), PM_OK);
    assert_int_equal(pm_budget_acquire(budget, 40, NULL), PM_OK);
    assert_int_equal(pm_budget_used(budget), 100);
    pm_budget_release(budget, 70);
    assert_int_equal(pm_budget_acquire(budget, 0, NULL), PM_OK);
    assert_int_equal(pm_budget_used(budget), 30);
    assert_int_equal(pm_budget_peak(budget), 100);
    pm_budget_release(budget, 30);
    pm_budget_free(budget);
    pm_budget_free(NULL);
}

static void says_what_to_raise(void **state)
{
    (void)state;
    struct pm_budget *budget;
    struct pm_err err;
    assert_int_equal(pm_budget_new(&budget, (size_t)512 << 20, NULL), PM_OK);
    assert_int_equal(pm_budget_acquire(budget, ((size_t)700 << 20) + 1, &err), PM_ETOOBIG);
    assert_string_equal(err.text, "needs 701 MiB of memory, of memory_max only 512 MiB are there "
                                  "for pairs: raise memory_max");
    assert_int_equal(pm_budget_used(budget), 0);
    pm_budget_free(budget);
}

struct waiter {
    struct pm_budget *budget;
    size_t bytes;
    atomic_int *turn;
    int got_turn; /* -1: refused */
    enum pm_code rc;
    pthread_t thread;
};

static void *wait_in_line(void *ctx)
{
    struct waiter *self = ctx;
    self->rc = pm_budget_acquire(self->budget, self->bytes, NULL);
    if (self->rc == PM_OK) {
        self->got_turn = atomic_fetch_add(self->turn, 1);
        pm_budget_release(self->budget, self->bytes);
    }
    return NULL;
}

/* The big one came first: small ones that would fit must not overtake it. */
static void serves_in_order_of_arrival(void **state)
{
    (void)state;
    struct pm_budget *budget;
    atomic_int turn = 0;
    struct waiter waiters[4];
    assert_int_equal(pm_budget_new(&budget, 100, NULL), PM_OK);
    assert_int_equal(pm_budget_acquire(budget, 50, NULL), PM_OK);
    for (int i = 0; i < 4; i++) {
        waiters[i] = (struct waiter){
            .budget = budget, .bytes = i == 0 ? 100 : 10, .turn = &turn, .got_turn = -1};
        pthread_create(&waiters[i].thread, NULL, wait_in_line, &waiters[i]);
        nap_ms(30); /* lets it get into line */
    }
    assert_int_equal(atomic_load(&turn), 0);
    pm_budget_release(budget, 50);
    for (int i = 0; i < 4; i++) {
        pthread_join(waiters[i].thread, NULL);
        assert_int_equal(waiters[i].rc, PM_OK);
    }
    assert_int_equal(waiters[0].got_turn, 0);
    pm_budget_free(budget);
}

static void cancel_wakes_everybody_for_good(void **state)
{
    (void)state;
    struct pm_budget *budget;
    atomic_int turn = 0;
    struct waiter waiters[3];
    struct pm_err err;
    assert_int_equal(pm_budget_new(&budget, 100, NULL), PM_OK);
    assert_int_equal(pm_budget_acquire(budget, 100, NULL), PM_OK);
    for (int i = 0; i < 3; i++) {
        waiters[i] = (struct waiter){.budget = budget, .bytes = 20, .turn = &turn, .got_turn = -1};
        pthread_create(&waiters[i].thread, NULL, wait_in_line, &waiters[i]);
    }
    nap_ms(30);
    pm_budget_cancel(budget);
    for (int i = 0; i < 3; i++) {
        pthread_join(waiters[i].thread, NULL);
        assert_int_equal(waiters[i].rc, PM_ECANCELED);
    }
    pm_budget_release(budget, 100);
    assert_int_equal(pm_budget_acquire(budget, 1, &err), PM_ECANCELED);
    assert_int_equal(pm_code_fate(err.code), PM_FATE_REQUEUE);
    assert_int_equal(pm_budget_used(budget), 0);
    pm_budget_free(budget);
}

static atomic_size_t held;

static void *hammer(void *ctx)
{
    struct pm_budget *budget = ctx;
    for (size_t i = 0; i < 3000; i++) {
        size_t bytes = 1 + (i * 37) % 60;
        if (pm_budget_acquire(budget, bytes, NULL) != PM_OK ||
            atomic_fetch_add(&held, bytes) + bytes > 100) {
            return ctx;
        }
        atomic_fetch_sub(&held, bytes);
        pm_budget_release(budget, bytes);
    }
    return NULL;
}

static void never_more_than_the_total(void **state)
{
    (void)state;
    struct pm_budget *budget;
    pthread_t threads[4];
    assert_int_equal(pm_budget_new(&budget, 100, NULL), PM_OK);
    for (int i = 0; i < 4; i++) {
        pthread_create(&threads[i], NULL, hammer, budget);
    }
    for (int i = 0; i < 4; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_true(pm_budget_peak(budget) <= 100);
    assert_int_equal(pm_budget_used(budget), 0);
    pm_budget_free(budget);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_is_held),
        cmocka_unit_test(says_what_to_raise),
        cmocka_unit_test(serves_in_order_of_arrival),
        cmocka_unit_test(cancel_wakes_everybody_for_good),
        cmocka_unit_test(never_more_than_the_total),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
