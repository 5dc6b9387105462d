/* gpu: what the device finds is what the CPU finds, on a double of CUDA; failures cost nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bufpool.h"
#include "common/log.h"
#include "tests/lib/fakegpu.h"

static struct pm_synth spec_of(int w, int h, int channels, enum pm_sample sample)
{
    return (struct pm_synth){.w = w,
        .h = h,
        .channels = channels,
        .sample = sample,
        .dy = 5,
        .dx = -7,
        .gain = 1.7,
        .photon = 0.002,
        .read = 0.01,
        .seed = (uint64_t)w + sample};
}

static struct pm_gpu *open_gpu(uint32_t luma_px)
{
    struct pm_gpu_opts opts = fakegpu_opts();
    struct pm_gpu *gpu = NULL;
    struct pm_err err;
    opts.luma_px = luma_px;
    assert_int_equal(pm_gpu_open(&gpu, &opts, &err), PM_OK);
    return gpu;
}

static void compare_shift(const struct fakegpu_pair *pair, struct pm_gpu *gpu, int64_t gt_key)
{
    struct pm_shift here = fakegpu_find(pair, PM_METHOD_FFT, NULL, 0);
    struct pm_shift there = fakegpu_find(pair, PM_METHOD_GPU, gpu, gt_key);
    double loss;

    if (there.fallback != NULL) {
        print_error("fell back: %s; %s\n", there.fallback, pm_gpu_state(gpu));
    }
    assert_null(there.fallback);
    assert_int_equal(there.method, PM_METHOD_GPU);
    assert_string_equal(there.backend, "cuda");
    assert_int_equal(there.dy, here.dy);
    assert_int_equal(there.dx, here.dx);
    assert_true(pm_gpu_loss(gpu, pair->gt, pair->target, pair->gain, there.dy, there.dx, &loss));
    assert_true(fakegpu_same_bits(
        loss, pm_align_loss(pair->gt, pair->target, pair->gain, here.dy, here.dx)));
}

static void compare_mask(const struct fakegpu_pair *pair, struct pm_gpu *gpu, int dy, int dx)
{
    struct pm_mask_scan here = fakegpu_scan(pair, dy, dx), there = here;
    struct pm_bitmap want = {0}, got = {0};
    struct pm_err err;

    fakegpu_mask_on_cpu(&here, &want);
    assert_int_equal(pm_bitmap_init(&got, here.overlap.w, here.overlap.h, NULL, &err), PM_OK);
    assert_true(pm_gpu_mask(gpu, &there, &got));
    assert_true(fakegpu_same_bits(here.threshold, there.threshold));
    assert_true(fakegpu_same_bits(here.loss, there.loss));
    assert_true(fakegpu_same_mask(&want, &got));
    pm_bitmap_fini(&want);
    pm_bitmap_fini(&got);
}

/* Sizes that are no multiple of anything, all sample types, luma as fine and coarser, in every
 * order the device may take. */
static void test_parity(void **state)
{
    const struct fake_control *fake = fakegpu_control();
    static const struct {
        int w, h, channels;
        enum pm_sample sample;
    } shapes[] = {{130, 101, 3, PM_U16}, {97, 140, 1, PM_U8}, {120, 77, 3, PM_F16},
        {64, 64, 1, PM_F32}, {301, 40, 3, PM_U8}, {96, 128, 1, PM_U16}};
    (void)state;
    for (size_t i = 0; i < (FAKEGPU_SHORT ? 2 : sizeof shapes / sizeof shapes[0]); i++) {
        struct pm_synth spec =
            spec_of(shapes[i].w, shapes[i].h, shapes[i].channels, shapes[i].sample);
        struct fakegpu_pair pair;
        struct pm_gpu *gpu;
        fakegpu_pair_make(&pair, &spec);
        fake->reset(i + 1, (int)(i % FAKE_ORDERS));
        gpu = open_gpu(i % 2 == 1 ? 3000 : 0);
        compare_shift(&pair, gpu, 0);
        compare_mask(&pair, gpu, 5, -7);
        compare_mask(&pair, gpu, 0, 0); /* any shift, also a wrong one: many rejected pixels */
        compare_mask(&pair, gpu, -8, 3);
        assert_int_equal(fake->violations(), 0);
        pm_gpu_close(gpu);
        fakegpu_pair_free(&pair);
    }
}

/* With this prep in place of one of the pair's. */
static void expect_distrust(
    struct fakegpu_pair *pair, struct pm_prep **place, struct pm_prep *other)
{
    struct pm_gpu *gpu = fakegpu_open();
    struct pm_prep *own = *place;
    *place = other;
    assert_string_equal(fakegpu_find(pair, PM_METHOD_GPU, gpu, 0).fallback, "the GPU is off");
    assert_non_null(strstr(pm_gpu_state(gpu), "not those that were sent"));
    assert_true(pm_gpu_lost(gpu));
    *place = own;
    pm_gpu_close(gpu);
}

/* What the decoder summed is not what the device summed: nothing from there is believed again. */
static void test_other_pixels_than_were_decoded(void **state)
{
    struct pm_synth spec = spec_of(80, 51, 1, PM_U16);
    struct fakegpu_pair pair, other;
    (void)state;
    fakegpu_pair_make(&pair, &spec);
    spec.seed++;
    fakegpu_pair_make(&other, &spec);
    expect_distrust(&pair, &pair.target_prep, other.target_prep);
    expect_distrust(&pair, &pair.gt_prep, other.gt_prep);
    fakegpu_pair_free(&pair);
    fakegpu_pair_free(&other);
}

static uint64_t image_bytes(const struct fakegpu_pair *pair)
{
    return pair->gt->bytes;
}

/* What was uploaded for a pair, and how much of it the host copied first. */
static void expect_sent(struct pm_gpu *gpu, uint64_t sent, uint64_t staged)
{
    struct pm_cuda_times times = pm_gpu_times(gpu);
    assert_int_equal(times.upload_bytes, sent);
    assert_int_equal(times.staged_bytes, staged);
}

/* Images in the gpu's own memory are read where they lie; a buffer that comes back is pinned still.
 * When nothing is wanted any more, all of it goes back. */
static void test_straight_from_pinned_memory(void **state)
{
    const struct fake_control *fake = fakegpu_control();
    struct pm_synth spec = spec_of(90, 41, 1, PM_U16);
    (void)state;
    for (int order = FAKEGPU_SHORT ? FAKE_ANY : FAKE_EAGER; order < FAKE_ORDERS; order++) {
        struct fakegpu_pair pair;
        struct pm_bufpool *pool;
        struct pm_err err;
        struct pm_gpu *gpu;
        fake->reset(31, order);
        gpu = fakegpu_open();
        assert_int_equal(pm_gpu_pool(gpu, 1 << 20, NULL, &pool, &err), PM_OK);
        fakegpu_pair_make(&pair, &spec);
        fakegpu_pair_move(&pair, pool);
        assert_true(fake->pinned_used() >= image_bytes(&pair));
        compare_shift(&pair, gpu, 3);
        expect_sent(gpu, 2 * image_bytes(&pair), image_bytes(&pair)); /* the gt lies elsewhere */
        fakegpu_pair_move(&pair, NULL);
        fakegpu_pair_move(&pair, pool); /* the same buffer */
        compare_shift(&pair, gpu, 3);
        expect_sent(gpu, image_bytes(&pair), 0);
        fakegpu_pair_move(&pair, NULL);
        pm_gpu_end_pair(gpu);
        assert_true(pm_gpu_holds(gpu));
        pm_gpu_trim(gpu);
        assert_false(pm_gpu_holds(gpu));
        assert_int_equal(fake->memory_used() + fake->pinned_used(), 0);
        compare_shift(&pair, gpu, 3); /* and it goes on */
        fakegpu_pair_free(&pair);
        assert_int_equal(pm_gpu_counts(gpu).unpinned, 0);
        pm_gpu_close(gpu);
        assert_int_equal(fake->violations() + fake->live(), 0);
    }
}

/* A pair is given up while the device may still read its image: the memory is let go of only then
 * when that is over. */
static void test_given_up_half_way(void **state)
{
    const struct fake_control *fake = fakegpu_control();
    struct pm_synth spec = spec_of(90, 41, 1, PM_U16);
    struct fakegpu_pair pair;
    struct pm_bufpool *pool;
    struct pm_gpu *gpu;
    struct pm_err err;
    (void)state;
    fake->reset(31, FAKE_LAZY);
    gpu = fakegpu_open();
    assert_int_equal(pm_gpu_pool(gpu, 0, NULL, &pool, &err), PM_OK);
    fakegpu_pair_make(&pair, &spec);
    for (int i = 0; i < 2; i++) {
        fakegpu_pair_move(&pair, pool);
        compare_shift(&pair, gpu, 3);
        fake->fail_name("cufftExecR2C", FAKE_ONCE); /* after the uploads */
        assert_non_null(fakegpu_find(&pair, PM_METHOD_GPU, gpu, 3).fallback);
        fakegpu_pair_move(&pair, NULL);
        assert_int_equal(fake->violations(), 0);
    }
    compare_shift(&pair, gpu, 3);
    fakegpu_pair_free(&pair);
    pm_gpu_close(gpu);
}

/* No more memory may be pinned, or too many buffers are: ordinary memory does as well. */
static void test_memory_that_cannot_be_pinned(void **state)
{
    const struct fake_control *fake = fakegpu_control();
    struct pm_synth spec = spec_of(80, 51, 1, PM_U16);
    struct fakegpu_pair pair;
    struct pm_gpu *gpu = fakegpu_open();
    struct pm_bufpool *pool;
    void *many[PM_CUDA_PINS];
    struct pm_err err;
    (void)state;
    fakegpu_pair_make(&pair, &spec);
    assert_int_equal(pm_gpu_pool(gpu, 0, NULL, &pool, &err), PM_OK);
    fake->set_pinnable(image_bytes(&pair) / 2);
    fakegpu_pair_move(&pair, pool);
    assert_int_equal(fake->pinned_used(), 0);
    assert_int_equal(pm_gpu_counts(gpu).unpinned, 1);
    compare_shift(&pair, gpu, 0);
    expect_sent(gpu, 2 * image_bytes(&pair), 2 * image_bytes(&pair));
    fake->set_pinnable((size_t)1 << 30);
    for (int i = 0; i < PM_CUDA_PINS; i++) {
        many[i] = pm_bufpool_get(pool, 10000);
    }
    fakegpu_pair_move(&pair, NULL);
    fakegpu_pair_move(&pair, pool);
    assert_int_equal(pm_gpu_counts(gpu).unpinned, 2);
    compare_shift(&pair, gpu, 0);
    pm_bufpool_put(pool, many[0], 10000);
    fakegpu_pair_move(&pair, NULL);
    fakegpu_pair_move(&pair, pool); /* there is room again */
    assert_int_equal(pm_gpu_counts(gpu).unpinned, 2);
    for (int i = 1; i < PM_CUDA_PINS; i++) {
        pm_bufpool_put(pool, many[i], 10000);
    }
    assert_int_equal(pm_gpu_counts(gpu).failures + pm_gpu_counts(gpu).refused, 0);
    fakegpu_pair_free(&pair);
    pm_gpu_close(gpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parity, fakegpu_set_up, fakegpu_tear_down),
        cmocka_unit_test_setup_teardown(
            test_other_pixels_than_were_decoded, fakegpu_set_up, fakegpu_tear_down),
        cmocka_unit_test_setup_teardown(
            test_straight_from_pinned_memory, fakegpu_set_up, fakegpu_tear_down),
        cmocka_unit_test_setup_teardown(test_given_up_half_way, fakegpu_set_up, fakegpu_tear_down),
        cmocka_unit_test_setup_teardown(
            test_memory_that_cannot_be_pinned, fakegpu_set_up, fakegpu_tear_down),
    };
    pm_log_init(PM_LOG_ERR, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
