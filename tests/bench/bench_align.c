/*
 * bench_align: how long an alignment takes, beside the time of only reading both images from
 * memory. usage: bench_align [--size WxH] [--reps N] [--max-shift N] [--noise N] [GT.tif
 * TARGET.tif] One thread, images in memory. Prints the best and the median of N repetitions: stream
 * both images read once prep          the pass that makes sums and pyramid of both hierarchical,
 * fft   the search after it, confidence and flags included total         prep + hierarchical, and
 * its ratio to stream. With files also decode, decode with the prep's pass fused into it, and what
 * the alignment costs beyond the decoding then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench_stream.h"
#include "common/bufpool.h"
#include "common/clock.h"
#include "common/formats/reader.h"
#include "tests/lib/synth.h"
#include "worker/align/align.h"
#include "worker/align/prep_levels.h"
#include "worker/kernels/cpu.h"

#define MOST_REPS 100

struct bench {
    int w, h, reps, max_shift;
    double noise;
    const char *files[2];
    struct pm_image *images[2];
    struct pm_prep *preps[2];
    struct pm_bufpool *pool;
    struct pm_aligner *aligner;
};

static double now_ms(void)
{
    return (double)pm_mono_us(pm_clock_real()) / 1000;
}

static void check(enum pm_code rc, const struct pm_err *err)
{
    if (rc != PM_OK) {
        fprintf(stderr, "bench_align: %s\n", err->text);
        exit(1);
    }
}

static void run_stream(struct bench *b)
{
    volatile uint64_t sink = pm_stream_sum(b->images[0]->data, b->images[0]->bytes) +
                             pm_stream_sum(b->images[1]->data, b->images[1]->bytes);
    (void)sink;
}

static void run_prep(struct bench *b)
{
    struct pm_err err = {.code = PM_OK};

    for (int i = 0; i < 2; i++) {
        const struct pm_image *image = b->images[i];
        pm_prep_free(b->preps[i]);
        b->preps[i] = NULL;
        check(pm_prep_new_from(
                  &b->preps[i], image->w, image->h, image->channels, image->sample, b->pool, &err),
            &err);
        pm_prep_rows(b->preps[i], image, 0, image->h);
        pm_prep_finish(b->preps[i]);
    }
}

/* Both files decoded, hot in the page cache; with the prep's pass over the rows as they come, or
 * without. */
static void decode(struct bench *b, bool fused)
{
    struct pm_limits limits = {.max_pixels = 1000000000};
    struct pm_err err = {.code = PM_OK};

    for (int i = 0; i < 2; i++) {
        const struct pm_image *like = b->images[i];
        struct pm_prep *prep = NULL;
        struct pm_image *image = NULL;
        struct pm_row_sink sink;
        check(
            pm_prep_new_from(&prep, like->w, like->h, like->channels, like->sample, b->pool, &err),
            &err);
        sink = pm_prep_sink(prep);
        check(
            pm_image_read(b->files[i], &limits, b->pool, fused ? &sink : NULL, &image, &err), &err);
        if (fused) {
            pm_prep_finish(prep);
        }
        pm_image_free(image);
        pm_prep_free(prep);
    }
}

static void run_decode(struct bench *b)
{
    decode(b, false);
}

static void run_fused(struct bench *b)
{
    decode(b, true);
}

static struct pm_shift find(struct bench *b, enum pm_method method)
{
    struct pm_align_input gt = {b->images[0], b->preps[0]}, target = {b->images[1], b->preps[1]};
    struct pm_align_opts opts = {.method = method, .max_shift = b->max_shift, .quality = true};
    struct pm_err err = {.code = PM_OK};
    struct pm_shift shift;

    check(pm_align_find(b->aligner, &gt, &target, &opts, &shift, &err), &err);
    return shift;
}

static void run_hierarchical(struct bench *b)
{
    find(b, PM_METHOD_HIERARCHICAL);
}

static void run_fft(struct bench *b)
{
    find(b, PM_METHOD_FFT);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* Best time, ms. */
static double measure(struct bench *b, const char *name, void (*run)(struct bench *b))
{
    double times[MOST_REPS];

    run(b); /* first touch of buffers, plans */
    for (int i = 0; i < b->reps; i++) {
        double start = now_ms();
        run(b);
        times[i] = now_ms() - start;
    }
    qsort(times, (size_t)b->reps, sizeof times[0], by_value);
    printf("%-14s best %8.2f ms   median %8.2f ms\n", name, times[0], times[b->reps / 2]);
    return times[0];
}

static void load(struct bench *b)
{
    struct pm_limits limits = {.max_pixels = 1000000000};
    struct pm_err err = {.code = PM_OK};
    struct pm_synth spec = {.w = b->w,
        .h = b->h,
        .channels = 3,
        .sample = PM_U16,
        .dy = -57,
        .dx = 83,
        .gain = 1.7,
        .read = b->noise,
        .seed = 1};

    if (b->files[0] == NULL) {
        pm_synth_pair(&spec, &b->images[0], &b->images[1]);
        return;
    }
    for (int i = 0; i < 2; i++) {
        check(pm_image_read(b->files[i], &limits, NULL, NULL, &b->images[i], &err), &err);
    }
}

static void parse(struct bench *b, int argc, char **argv)
{
    int files = 0;

    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--size") == 0 && sscanf(value, "%dx%d", &b->w, &b->h) == 2) {
            i++;
        } else if (strcmp(argv[i], "--reps") == 0) {
            b->reps = atoi(value);
            i++;
        } else if (strcmp(argv[i], "--max-shift") == 0) {
            b->max_shift = atoi(value);
            i++;
        } else if (strcmp(argv[i], "--noise") == 0) {
            b->noise = atof(value);
            i++;
        } else if (argv[i][0] != '-' && files < 2) {
            b->files[files++] = argv[i];
        } else {
            fprintf(stderr, "usage: bench_align [--size WxH] [--reps N] [--max-shift N] "
                            "[--noise N] [GT.tif TARGET.tif]\n");
            exit(2);
        }
    }
    b->reps = b->reps < 1 ? 1 : b->reps > MOST_REPS ? MOST_REPS : b->reps;
}

int main(int argc, char **argv)
{
    struct bench b = {.w = 6000, .h = 4000, .reps = 15, .max_shift = 128, .noise = 0.01};
    struct pm_err err = {.code = PM_OK};
    struct pm_shift shift;
    double streamed, prepared, searched;

    parse(&b, argc, argv);
    load(&b);
    check(pm_bufpool_new(&b.pool, (size_t)1 << 30, &err), &err);
    check(pm_aligner_new(&b.aligner, NULL, &err), &err);
    printf("%dx%d, %d channels, %s, kernels: %s, max_shift %d\n", b.images[0]->w, b.images[0]->h,
        b.images[0]->channels, pm_sample_name(b.images[0]->sample), pm_cpu_name(pm_cpu_level()),
        b.max_shift);
    streamed = measure(&b, "stream", run_stream);
    prepared = measure(&b, "prep", run_prep);
    searched = measure(&b, "hierarchical", run_hierarchical);
    measure(&b, "fft", run_fft);
    if (b.files[1] != NULL) {
        double decoded = measure(&b, "decode", run_decode);
        double fused = measure(&b, "decode + prep", run_fused);
        printf("%-14s best %8.2f ms   = %.2f x stream beyond decode\n", "fused total",
            fused - decoded + searched, (fused - decoded + searched) / streamed);
    }
    shift = find(&b, PM_METHOD_HIERARCHICAL);
    printf("%-14s best %8.2f ms   = %.2f x stream (prep %.2f, search %.2f)\n", "total",
        prepared + searched, (prepared + searched) / streamed, prepared / streamed,
        searched / streamed);
    printf("shift %d %d  gain %.4f  confidence %.3f  residual %.3f %.3f  flags %u  evaluations "
           "%lld\n",
        shift.dy, shift.dx, shift.gain, shift.confidence, shift.sub_dy, shift.sub_dx, shift.flags,
        (long long)shift.evaluations);
    for (int i = 0; i < 2; i++) {
        pm_prep_free(b.preps[i]);
        pm_image_free(b.images[i]);
    }
    pm_aligner_free(b.aligner);
    pm_bufpool_free(b.pool);
    return 0;
}
