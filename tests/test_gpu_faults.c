/* gpu_faults: every call of CUDA's and cuFFT's fails once, for good, or later by itself. Whatever
 * fails, the pair's answer is the CPU's, nothing is left on the device, and the double has seen no
 * misuse; a lost or hanging device is never used again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"
#include "tests/lib/fakegpu.h"

struct fixture {
    const struct fake_control *fake;
    struct fakegpu_pair pair;
    struct pm_bufpool *pool;  /* of the gpu at hand */
    struct pm_mask_scan scan; /* the CPU's */
    struct pm_bitmap mask;
    struct pm_shift shift;
};

static int group_set_up(void **state)
{
    static struct fixture f;
    const struct pm_synth spec = {.w = 72,
        .h = 41,
        .channels = 1,
        .sample = PM_U16,
        .dy = 2,
        .dx = -3,
        .gain = 1.4,
        .photon = 0.004,
        .read = 0.02,
        .seed = 9};
    f.fake = fakegpu_control();
    fakegpu_pair_make(&f.pair, &spec);
    f.shift = fakegpu_find(&f.pair, PM_METHOD_FFT, NULL, 0);
    f.scan = fakegpu_scan(&f.pair, f.shift.dy, f.shift.dx);
    fakegpu_mask_on_cpu(&f.scan, &f.mask);
    *state = &f;
    return 0;
}

static int group_tear_down(void **state)
{
    struct fixture *f = *state;
    pm_bitmap_fini(&f->mask);
    fakegpu_pair_free(&f->pair);
    return 0;
}

/* A worker's way through a pair, the CPU doing what the GPU does not; the answers are compared. */
static void do_pair(struct fixture *f, struct pm_gpu *gpu)
{
    struct pm_shift shift;
    struct pm_mask_scan scan;
    struct pm_bitmap mask = {0};
    struct pm_err err;

    fakegpu_pair_move(&f->pair, f->pool);
    shift = fakegpu_find(&f->pair, PM_METHOD_GPU, gpu, 1);
    scan = fakegpu_scan(&f->pair, shift.dy, shift.dx);
    assert_int_equal(shift.dy, f->shift.dy);
    assert_int_equal(shift.dx, f->shift.dx);
    assert_int_equal(pm_bitmap_init(&mask, scan.overlap.w, scan.overlap.h, NULL, &err), PM_OK);
    if (!pm_gpu_mask(gpu, &scan, &mask)) {
        pm_bitmap_fini(&mask);
        fakegpu_mask_on_cpu(&scan, &mask);
    }
    assert_true(fakegpu_same_bits(scan.loss, f->scan.loss));
    assert_true(fakegpu_same_bits(scan.threshold, f->scan.threshold));
    assert_true(fakegpu_same_mask(&mask, &f->mask));
    pm_bitmap_fini(&mask);
    pm_gpu_end_pair(gpu);
    fakegpu_pair_move(&f->pair, NULL);
}

/* Of one image: the second pair's lies where the first one's was. */
static struct pm_gpu *open_gpu(struct fixture *f, uint32_t deadline_ms)
{
    struct pm_gpu_opts opts = fakegpu_opts();
    struct pm_gpu *gpu = NULL;
    struct pm_err err;
    opts.deadline_ms = deadline_ms != 0 ? deadline_ms : opts.deadline_ms;
    assert_int_equal(pm_gpu_open(&gpu, &opts, &err), PM_OK);
    assert_int_equal(pm_gpu_pool(gpu, 1 << 20, NULL, &f->pool, &err), PM_OK);
    return gpu;
}

/* Two pairs of one gt from opening to closing, the given call failing. Whether it was noticed. */
static bool run_with_failure(struct fixture *f, long at, int mode, int order)
{
    struct pm_gpu *gpu;
    struct pm_gpu_counts counts;
    bool noticed;

    f->fake->reset((uint64_t)at + 1, order);
    f->fake->fail_at(at, mode);
    gpu = open_gpu(f, 0);
    do_pair(f, gpu);
    do_pair(f, gpu);
    pm_gpu_trim(gpu);
    counts = pm_gpu_counts(gpu);
    noticed = !pm_gpu_alive(gpu) || counts.failures + counts.refused + counts.unpinned > 0;
    if (pm_gpu_alive(gpu) && mode == FAKE_ONCE && at <= f->fake->calls()) {
        int64_t before = pm_gpu_counts(gpu).masks; /* it is as good as before */
        do_pair(f, gpu);
        assert_true(pm_gpu_counts(gpu).masks > before);
    }
    pm_gpu_close(gpu);
    if (f->fake->violations() != 0 || f->fake->live() != 0) {
        print_error("call %ld (%s), mode %d: %ld left, %s\n", at, f->fake->call_name(at), mode,
            f->fake->live(), f->fake->violation());
    }
    assert_int_equal(f->fake->violations(), 0);
    assert_int_equal(f->fake->live(), 0);
    return noticed;
}

/* Calls made by two pairs from opening to the end, and those of giving all back and closing. */
static void count_calls(struct fixture *f, long *working, long *closing)
{
    struct pm_gpu *gpu;
    f->fake->reset(1, FAKE_EAGER);
    gpu = open_gpu(f, 0);
    do_pair(f, gpu);
    do_pair(f, gpu);
    assert_int_equal(pm_gpu_counts(gpu).masks, 2);
    assert_int_equal(pm_gpu_counts(gpu).kept, 1);
    assert_int_equal(pm_gpu_times(gpu).staged_bytes, f->pair.gt->bytes);
    *working = f->fake->calls();
    pm_gpu_trim(gpu);
    pm_gpu_close(gpu);
    *closing = f->fake->calls() - *working;
}

/* Under sanitizers, and in the everyday suite, every call of a first stretch and then a sample;
 * GPU_FAULTS=all takes every one (make gpu-faults). */
static long next_call(long at)
{
    const char *all = getenv("GPU_FAULTS");
    long step = FAKEGPU_SHORT ? 61 : 17;
    return all != NULL || (at < 20 && !FAKEGPU_SHORT) ? at + 1 : at + step;
}

static void test_every_call_fails(void **state)
{
    static const char *const modes[] = {"once", "for good", "later by itself"};
    struct fixture *f = *state;
    long working, closing, tried = 0;
    count_calls(f, &working, &closing);
    for (int mode = FAKE_ONCE; mode <= FAKE_ASYNC; mode++) {
        for (long at = 1; at <= working + closing; at = next_call(at)) {
            bool noticed = run_with_failure(f, at, mode, (int)at % FAKE_ORDERS);
            tried++;
            /* A poisoned call that puts nothing on a stream strikes the next one that does. */
            if (!noticed && at <= working - (mode == FAKE_ASYNC ? 8 : 0)) {
                print_error("call %ld (%s) failing %s went unnoticed\n", at, f->fake->call_name(at),
                    modes[mode]);
                fail();
            }
        }
    }
    print_message(
        "%ld failures tried; %ld calls of two pairs, %ld of closing\n", tried, working, closing);
}

/* What is lost stays lost: no further call but releases, and `lost` says so. */
static void test_a_lost_device_is_left_alone(void **state)
{
    struct fixture *f = *state;
    struct pm_gpu *gpu;
    long calls;
    f->fake->reset(5, FAKE_LAZY);
    gpu = open_gpu(f, 0);
    do_pair(f, gpu);
    assert_false(pm_gpu_lost(gpu));
    f->fake->fail_name("cudaLaunchKernelExC", FAKE_STICKY);
    do_pair(f, gpu);
    assert_true(pm_gpu_lost(gpu));
    assert_string_equal(pm_gpu_refusal(gpu), "the GPU is off");
    assert_non_null(strstr(pm_gpu_state(gpu), "off: cudaLaunchKernelExC: "));
    calls = f->fake->calls();
    do_pair(f, gpu);
    pm_gpu_trim(gpu);
    assert_int_equal(f->fake->calls(), calls);
    pm_gpu_close(gpu);
    assert_int_equal(f->fake->live(), 0);
}

/* Failures that pass one by one, but keep coming. */
static void test_three_failures_in_a_row(void **state)
{
    struct fixture *f = *state;
    struct pm_gpu *gpu;
    f->fake->reset(5, FAKE_EAGER);
    gpu = open_gpu(f, 0);
    for (int i = 0; i < 3; i++) {
        assert_true(pm_gpu_alive(gpu));
        f->fake->fail_name("cufftExecR2C", FAKE_ONCE);
        do_pair(f, gpu);
    }
    assert_false(pm_gpu_alive(gpu));
    pm_gpu_close(gpu);
    assert_int_equal(f->fake->live(), 0);
}

/* A device that never answers: the deadline ends the wait, nothing is freed under its hands, and
 * the CPU has done the pair. Last, since what it held stays. */
static void test_a_hanging_device(void **state)
{
    struct fixture *f = *state;
    struct pm_gpu *gpu;
    long calls;
    f->fake->reset(5, FAKE_LAZY);
    gpu = open_gpu(f, 20);
    f->fake->hang(1);
    do_pair(f, gpu);
    assert_true(pm_gpu_lost(gpu));
    assert_string_equal(pm_gpu_state(gpu), "off: the device has not answered for 20 ms");
    calls = f->fake->calls();
    pm_gpu_close(gpu);
    assert_int_equal(f->fake->calls(), calls);
    assert_int_equal(f->fake->violations(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_call_fails),
        cmocka_unit_test(test_a_lost_device_is_left_alone),
        cmocka_unit_test(test_three_failures_in_a_row),
        cmocka_unit_test(test_a_hanging_device),
    };
    pm_log_init(PM_LOG_ERR, 0);
    return cmocka_run_group_tests(tests, group_set_up, group_tear_down);
}
