/* gpu_kernels: each stage of the plugin by itself against plain C: what later stages would forgive
 * (a proposal off by a pixel, a bound too wide) is seen here. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bufpool.h"
#include "tests/lib/fakegpu.h"
#include "worker/align/fftplans.h"
#include "worker/align/prep_levels.h"
#include "worker/align/zncc.h"
#include "worker/gpu/gpuload.h"
#include "worker/kernels/lossmap.h"

#define W 131
#define H 75
#define RANGE 13

struct fixture {
    const struct fake_control *fake;
    const struct pm_cuda_api *api;
    struct pm_cuda *cuda;
    struct pm_cuda_status status;
    struct fakegpu_pair pair;
};

/* A device with room for a pair that was drawn for it. */
static void open_device(struct fixture *f, enum pm_sample sample, int channels, int factor)
{
    const struct pm_cuda_opts opts = {.deadline_ms = 60000,
        .chunk_bytes = 4096,
        .luma_px = (uint32_t)(W * H / (factor * factor) + 1)};
    const struct pm_synth spec = {.w = W,
        .h = H,
        .channels = channels,
        .sample = sample,
        .dy = -4,
        .dx = 6,
        .gain = 1.5,
        .photon = 0.01,
        .read = 0.02,
        .seed = 77};
    struct pm_cuda_info info;
    struct pm_cuda_shape shape;
    struct pm_err err;

    f->fake = fakegpu_control();
    f->fake->reset(21, 1);
    fakegpu_pair_make(&f->pair, &spec);
    assert_int_equal(pm_gpu_load(fakegpu_path(), FAKEGPU_DRIVER, &f->api, &err), PM_OK);
    assert_int_equal(f->api->open(&f->cuda, &opts, &info, &f->status), PM_CUDA_OK);
    shape = (struct pm_cuda_shape){.w = W,
        .h = H,
        .channels = channels,
        .sample = (int)sample,
        .pitch = f->pair.gt->stride,
        .range_dy = RANGE,
        .range_dx = RANGE};
    assert_int_equal(f->api->begin(f->cuda, &shape, &f->status), PM_CUDA_OK);
}

/* factor: of luma. */
static void begin(struct fixture *f, enum pm_sample sample, int channels, int factor)
{
    uint64_t total;
    open_device(f, sample, channels, factor);
    for (int which = 0; which < 2; which++) {
        const struct pm_image *image = which == PM_CUDA_GT ? f->pair.gt : f->pair.target;
        double mean = pm_prep_mean(which == PM_CUDA_GT ? f->pair.gt_prep : f->pair.target_prep);
        for (int y = 0; y < H; y += 9) { /* in pieces, as a decoder would */
            int end = y + 9 < H ? y + 9 : H;
            assert_int_equal(
                f->api->upload(f->cuda, which, pm_image_row(image, y), y, end, mean, &f->status),
                PM_CUDA_OK);
        }
        assert_int_equal(f->api->reduce(f->cuda, which, &f->status), PM_CUDA_OK);
    }
    for (int which = 0; which < 2; which++) {
        assert_int_equal(f->api->total(f->cuda, which, &total, &f->status), PM_CUDA_OK);
    }
}

static void end(struct fixture *f)
{
    f->api->close(f->cuda);
    fakegpu_pair_free(&f->pair);
    if (f->fake->violations() != 0) {
        print_error("violation: %s\n", f->fake->violation());
    }
    assert_int_equal(f->fake->violations(), 0);
    assert_int_equal(f->fake->live(), 0);
}

/* Every shift's score is that of zncc.c; both are float correlations, so nearly. */
static void compare_scores(int factor)
{
    const int range = (RANGE + factor - 1) / factor;
    struct fixture f;
    struct pm_cuda_peak peaks[64];
    struct pm_fftplans *plans = NULL;
    struct pm_zncc *zncc = NULL;
    struct pm_err err;
    float *luma;
    size_t stride;
    int count = 0;

    begin(&f, PM_U16, 3, factor);
    assert_int_equal(f.api->search(f.cuda, peaks, 64, &count, &f.status), PM_CUDA_OK);
    assert_int_equal(pm_fftplans_new(&plans, NULL, &err), PM_OK);
    assert_int_equal(pm_zncc_new(&zncc, &err), PM_OK);
    assert_int_equal(pm_zncc_size(zncc, plans, W / factor, H / factor, range, range, &err), PM_OK);
    luma = pm_zncc_gt(zncc, &stride);
    pm_prep_luma(f.pair.gt_prep, f.pair.gt, factor, luma, stride);
    luma = pm_zncc_target(zncc, &stride);
    pm_prep_luma(f.pair.target_prep, f.pair.target, factor, luma, stride);
    pm_zncc_run(zncc);
    assert_true(count > 0);
    assert_int_equal(peaks[0].dy, -4);
    assert_int_equal(peaks[0].dx, 6);
    for (int i = 0; i < count; i++) {
        int at_y = peaks[i].dy / factor, at_x = peaks[i].dx / factor;
        double score = pm_zncc_score(zncc, at_y, at_x);
        assert_true(fabs(score - (double)peaks[i].score) < 1e-4);
        assert_true(i == 0 || peaks[i].score <= peaks[i - 1].score);
        for (int k = 0; k < 9; k++) { /* and it is a peak */
            int dy = at_y - 1 + k / 3, dx = at_x - 1 + k % 3;
            if (abs(dy) <= range && abs(dx) <= range) {
                assert_true(pm_zncc_score(zncc, dy, dx) < score + 1e-4);
            }
        }
    }
    pm_zncc_free(zncc);
    pm_fftplans_free(plans);
    end(&f);
}

static void test_scores(void **state)
{
    (void)state;
    compare_scores(1);
    compare_scores(2);
}

static uint64_t sum_of(const struct pm_image *image)
{
    uint64_t sum = 0;
    for (int y = 0; y < H; y++) {
        const uint16_t *row = pm_image_row(image, y);
        for (int i = 0; i < W * image->channels; i++) {
            sum += row[i];
        }
    }
    return sum;
}

/* Two images in pinned memory are put on their way, band by band, without anybody waiting for the
 * device: it has done nothing yet, and all there is to do has been given to it. */
static void test_nobody_waits(void **state)
{
    struct fixture f;
    size_t bytes;
    void *pages[2];
    uint64_t total[2];
    long before;
    (void)state;

    open_device(&f, PM_U16, 3, 1);
    bytes = f.pair.gt->bytes;
    before = f.fake->done();
    for (int which = 0; which < 2; which++) {
        pages[which] = pm_bufpool_pages(bytes);
        assert_non_null(pages[which]);
        memcpy(pages[which], which == PM_CUDA_GT ? f.pair.gt->data : f.pair.target->data, bytes);
        assert_int_equal(f.api->pin(f.cuda, pages[which], bytes, &f.status), PM_CUDA_OK);
        assert_int_equal(
            f.api->upload(f.cuda, which, pages[which], 0, H, 0.5, &f.status), PM_CUDA_OK);
        assert_int_equal(f.api->reduce(f.cuda, which, &f.status), PM_CUDA_OK);
    }
    assert_int_equal(f.fake->done(), before);
    assert_true(f.fake->launches() > 2 * (long)(bytes / 4096)); /* for each band */
    for (int which = 0; which < 2; which++) {
        assert_int_equal(f.api->total(f.cuda, which, &total[which], &f.status), PM_CUDA_OK);
        assert_int_equal(f.api->unpin(f.cuda, pages[which], &f.status), PM_CUDA_OK);
        free(pages[which]);
    }
    assert_true(total[0] == sum_of(f.pair.gt));
    assert_true(total[1] == sum_of(f.pair.target));
    end(&f);
}

static uint64_t plain_l1(
    const struct fixture *f, int dy, int dx, int step, uint32_t gm, uint32_t tm)
{
    struct pm_overlap o = pm_overlap_trimmed(W, H, dy, dx);
    uint64_t sum = 0;
    for (int y = o.target_y; y < o.target_y + o.h; y++) {
        const uint16_t *g = pm_image_row(f->pair.gt, y + dy);
        const uint16_t *t = pm_image_row(f->pair.target, y);
        for (int i = o.target_x * 3; i < (o.target_x + o.w) * 3 && y % step == 0; i++) {
            int64_t d = (int64_t)g[i + dx * 3] * gm - (int64_t)t[i] * tm;
            sum += (uint64_t)llabs(d);
        }
    }
    return sum;
}

static void test_integer_l1(void **state)
{
    static const int steps[] = {1, 3};
    static const int at[][2] = {{-4, 6}, {0, 0}, {13, -13}, {-12, 11}};
    struct fixture f;
    (void)state;
    begin(&f, PM_U16, 3, 1);
    for (size_t s = 0; s < 2; s++) {
        for (size_t a = 0; a < 4; a++) {
            struct pm_cuda_l1 l1 = {.dy = at[a][0],
                .dx = at[a][1],
                .row_step = steps[s],
                .gt_mul = 21845,
                .target_mul = 32768};
            for (int i = 0; i < PM_CUDA_SPAN; i++) {
                struct pm_overlap o = pm_overlap_trimmed(W, H, l1.dy - 2 + i, l1.dx - 2 + i);
                l1.row_from[i] = o.target_y;
                l1.row_to[i] = o.target_y + o.h;
                l1.column_from[i] = o.target_x;
                l1.column_to[i] = o.target_x + o.w;
            }
            assert_int_equal(f.api->l1(f.cuda, &l1, &f.status), PM_CUDA_OK);
            for (int k = 0; k < 25; k++) {
                assert_int_equal(l1.sum[k / 5][k % 5],
                    plain_l1(&f, l1.dy - 2 + k / 5, l1.dx - 2 + k % 5, steps[s], 21845, 32768));
            }
        }
    }
    end(&f);
}

/* The bounds are those of lossmap's plain variant, bit for bit: seen through the histogram of the
 * lower ones and the list of pixels whose upper one reaches a value. */
static void compare_bounds(enum pm_sample sample, int channels)
{
    const struct pm_lossmap_ops *ops = pm_lossmap_ops_of(PM_CPU_PLAIN);
    static uint32_t bins[PM_CUDA_BINS], want[PM_CUDA_BINS], list[W * H];
    static struct pm_lossmap map;
    struct pm_cuda_mask mask = {.gt_x = 6,
        .target_y = 4,
        .w = W - 6,
        .h = H - 4,
        .gain = 1.47f,
        .list_max = W * H,
        .gather_from = 0.05f,
        .bins = bins,
        .list = list};
    struct fixture f;
    size_t pixel;
    uint32_t reached = 0;

    begin(&f, sample, channels, 1);
    pixel = (size_t)channels * pm_sample_bytes(sample);
    assert_int_equal(f.api->bounds(f.cuda, &mask, &f.status), PM_CUDA_OK);
    assert_int_equal(mask.unknown, 0);
    assert_int_equal(f.api->gather(f.cuda, &mask, &f.status), PM_CUDA_OK);
    memset(want, 0, sizeof want);
    for (int y = 0; y < mask.h; y++) {
        const char *g = pm_image_row(f.pair.gt, y), *t = pm_image_row(f.pair.target, y + 4);
        ops->chunk(sample, g + 6 * pixel, t, mask.w, channels, mask.gain, &map);
        for (int x = 0; x < mask.w; x++) {
            uint32_t bits = 0;
            if (map.lower[x] > 0) {
                memcpy(&bits, &map.lower[x], sizeof bits);
            }
            want[bits >> PM_CUDA_BIN_SHIFT]++;
            if (map.upper[x] >= mask.gather_from) {
                bool found = false;
                for (uint32_t i = 0; i < mask.list_count && !found; i++) {
                    found = list[i] == (uint32_t)(y * mask.w + x);
                }
                assert_true(found);
                reached++;
            }
        }
    }
    assert_int_equal(mask.list_count, reached);
    for (int y = 3; y < mask.h; y += 9) { /* to the last bit: exactly at the bound of a pixel */
        const char *g = pm_image_row(f.pair.gt, y), *t = pm_image_row(f.pair.target, y + 4);
        ops->chunk(sample, g + 6 * pixel, t, mask.w, channels, mask.gain, &map);
        for (int x = 5; x < mask.w; x += 60) {
            bool found = false;
            mask.gather_from = map.upper[x];
            assert_int_equal(f.api->gather(f.cuda, &mask, &f.status), PM_CUDA_OK);
            for (uint32_t i = 0; i < mask.list_count && !found; i++) {
                found = list[i] == (uint32_t)(y * mask.w + x);
            }
            assert_true(found);
            mask.gather_from = nextafterf(map.upper[x], 1e9f);
            assert_int_equal(f.api->gather(f.cuda, &mask, &f.status), PM_CUDA_OK);
            for (uint32_t i = 0; i < mask.list_count; i++) {
                assert_true(list[i] != (uint32_t)(y * mask.w + x));
            }
        }
    }
    assert_memory_equal(bins, want, sizeof want);
    end(&f);
}

static void test_bounds(void **state)
{
    (void)state;
    compare_bounds(PM_U16, 3);
    compare_bounds(PM_U8, 1);
    compare_bounds(PM_F16, 3);
    compare_bounds(PM_F32, 1);
}

/* Stages in the wrong order, rows in the wrong order: refused, and nothing is harmed. */
static void test_order(void **state)
{
    struct fixture f;
    struct pm_cuda_peak peak;
    uint64_t total;
    int count;
    (void)state;
    begin(&f, PM_U8, 1, 1);
    assert_int_equal(f.api->upload(f.cuda, PM_CUDA_TARGET, f.pair.gt->data, 5, 6, 0.5, &f.status),
        PM_CUDA_FAILED);
    assert_int_equal(
        f.api->upload(f.cuda, PM_CUDA_TARGET, f.pair.gt->data, 0, 6, 0.5, &f.status), PM_CUDA_OK);
    assert_int_equal(f.api->search(f.cuda, &peak, 1, &count, &f.status), PM_CUDA_FAILED);
    assert_int_equal(f.api->reduce(f.cuda, PM_CUDA_TARGET, &f.status), PM_CUDA_FAILED);
    assert_int_equal(f.api->total(f.cuda, PM_CUDA_TARGET, &total, &f.status), PM_CUDA_FAILED);
    assert_int_equal(f.api->trim(f.cuda, &f.status), PM_CUDA_OK);
    assert_int_equal(f.fake->memory_used(), 0);
    assert_int_equal(f.api->search(f.cuda, &peak, 1, &count, &f.status), PM_CUDA_FAILED);
    end(&f);
}

/* gpu_memory_max is kept to before anything is taken. */
static void test_memory_max(void **state)
{
    const struct pm_cuda_opts opts = {.deadline_ms = 60000, .memory_max = 300000};
    const struct pm_cuda_shape small = {
        .w = 64, .h = 8, .channels = 1, .pitch = 64, .range_dy = 1, .range_dx = 1};
    struct pm_cuda_shape large = small;
    struct pm_cuda_status status;
    struct pm_cuda_info info;
    struct pm_cuda *cuda;
    const struct pm_cuda_api *api;
    struct pm_err err;
    (void)state;
    fakegpu_control()->reset(2, 0);
    large.h = 4000;
    assert_int_equal(pm_gpu_load(fakegpu_path(), FAKEGPU_DRIVER, &api, &err), PM_OK);
    assert_int_equal(api->open(&cuda, &opts, &info, &status), PM_CUDA_OK);
    assert_int_equal(api->begin(cuda, &large, &status), PM_CUDA_NOMEM);
    assert_int_equal(fakegpu_control()->memory_used(), 0);
    assert_non_null(strstr(status.text, "of device memory"));
    assert_int_equal(api->begin(cuda, &small, &status), PM_CUDA_NOMEM); /* bins alone are 256 KiB */
    api->close(cuda);
    assert_int_equal(fakegpu_control()->live(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scores),
        cmocka_unit_test(test_nobody_waits),
        cmocka_unit_test(test_integer_l1),
        cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_memory_max),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
