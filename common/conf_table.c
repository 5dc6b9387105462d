#include "common/conf_table.h"

#include <limits.h>
#include <string.h>

#include "common/conf.h"
#include "common/formats/tiff.h"
#include "common/log.h"
#include "common/suggest.h"

#define BYTES_MAX 1e15 /* a petabyte: beyond any machine, exact in a double */

static const struct pm_choice profiles[] = {{"aligned", PM_PROFILE_ALIGNED, NULL},
    {"rawnind", 0, "is not in this version of pairmill"}, {NULL, 0, NULL}};
static const struct pm_choice methods[] = {{"auto", PM_METHOD_AUTO, NULL},
    {"original", PM_METHOD_ORIGINAL, NULL}, {"bruteforce", PM_METHOD_BRUTEFORCE, NULL},
    {"fft", PM_METHOD_FFT, NULL}, {"hierarchical", PM_METHOD_HIERARCHICAL, NULL},
    {"gpu", PM_METHOD_GPU, NULL}, {NULL, 0, NULL}};
static const struct pm_choice on_flags[] = {{"default", PM_ON_FLAG_DEFAULT, NULL},
    {"keep", PM_ON_FLAG_KEEP, NULL}, {"hold", PM_ON_FLAG_HOLD, NULL},
    {"fail", PM_ON_FLAG_FAIL, NULL}, {NULL, 0, NULL}};
static const struct pm_choice on_gpu_losses[] = {
    {"cpu", PM_ON_GPU_LOSS_CPU, NULL}, {"restart", PM_ON_GPU_LOSS_RESTART, NULL}, {NULL, 0, NULL}};
static const struct pm_choice compressions[] = {{"none", PM_COMPRESS_NONE, NULL},
    {"zstd", PM_COMPRESS_ZSTD, NULL}, {"deflate", PM_COMPRESS_DEFLATE, NULL}, {NULL, 0, NULL}};
static const struct pm_choice levels[] = {{"err", PM_LOG_ERR, NULL}, {"warn", PM_LOG_WARN, NULL},
    {"info", PM_LOG_INFO, NULL}, {"debug", PM_LOG_DEBUG, NULL}, {NULL, 0, NULL}};

/* The order is that of the sample file and of --help. */
static const struct pm_option options[] = {
#define AT(field) .offset = offsetof(struct pm_conf, field)
    {"pairmill", "db", NULL,
        "The database file; its lock and control socket lie beside it. When there is a single "
        "source, the default is pairmill.db in its output folder.",
        NULL, "", PM_OPTION_PATH, AT(db)},
    {"pairmill", "profile", NULL, "Which layout of outputs is written.", NULL, "aligned",
        PM_OPTION_CHOICE, AT(profile), .choices = profiles, .recipe = true},
    {"pairmill", "workers", "num_threads", "Threads that work on pairs; 0: one per core.",
        "threads", "0", PM_OPTION_INT, AT(workers), .min = 0, .max = 1024},
    {"pairmill", "memory_max", NULL,
        "Pixels all workers together may hold; 0: half of the memory there is.", "bytes", "0",
        PM_OPTION_SIZE, AT(memory_max), .min = 0, .max = BYTES_MAX},
    /* 500M: three times the largest camera sensor on sale (151 MP), and as 16-bit RGB 3 GB, so
     * that a forged header cannot ask for all memory. */
    {"pairmill", "max_pixels", NULL,
        "Images with more pixels are refused before anything is allocated.", "pixels", "500M",
        PM_OPTION_COUNT, AT(max_pixels), .min = 1, .max = 1e11},
    {"pairmill", "settle_s", NULL,
        "A file counts once it has not changed for this long. pairmill run uses 0.", "s", "5",
        PM_OPTION_REAL, AT(settle_s), .min = 0, .max = 86400},
    {"pairmill", "rescan_s", NULL, "Every folder is walked this often, beside the events.", "s",
        "300", PM_OPTION_INT, AT(rescan_s), .min = 1, .max = 604800},
    {"pairmill", "poll_s", NULL, "The same for folders that send no events (network drives).", "s",
        "60", PM_OPTION_INT, AT(poll_s), .min = 1, .max = 604800},
    {"pairmill", "watch", NULL, "Notice new files by inotify; no: by walking only.", NULL, "yes",
        PM_OPTION_BOOL, AT(watch)},
    {"pairmill", "max_attempts", NULL,
        "A pair that failed this often by errors that may pass, or that killed the process this "
        "often, is put in quarantine.",
        "attempts", "3", PM_OPTION_INT, AT(max_attempts), .min = 1, .max = 100},
    {"pairmill", "drain_timeout_s", NULL,
        "When stopped, running pairs get this long to finish; then they are queued again. Keep it "
        "below TimeoutStopSec of the unit.",
        "s", "30", PM_OPTION_INT, AT(drain_timeout_s), .min = 0, .max = 3600},
    {"pairmill", "min_free", NULL,
        "No pair is begun while an output's file system has less space free.", "bytes", "1G",
        PM_OPTION_SIZE, AT(min_free), .min = 0, .max = BYTES_MAX},

    {"align", "method", "alignment_method",
        "How shifts are searched. auto picks by size; original is the old greedy search, for "
        "comparison.",
        NULL, "auto", PM_OPTION_CHOICE, AT(method), .choices = methods, .recipe = true},
    {"align", "max_shift", NULL, "Shifts up to this far are searched, in each axis.", "px", "128",
        PM_OPTION_INT, AT(max_shift), .min = 0, .max = 4096, .recipe = true},
    /* `pairmill bench align`, u16 RGB, medium noise, +-128 px, AVX-512, medians of 15 (bruteforce:
     * of 3) on a 2-core EPYC VM with nothing beside it; ms:
     *
     *   side px   bruteforce    fft   hierarchical
     *       128           14    2.9             13
     *       256           71    1.5            5.5
     *       384            -    2.1            1.9
     *       512            -    3.4            4.5
     *       768            -    5.8            4.1
     *      1024            -    7.5            4.0
     *      2048            -     28            8.5
     *
     * So hierarchical wins from about 512 px. Below 256 px bruteforce costs more than fft, but no
     * more than a tenth of a second, and there a global answer needs no coarser level that a small
     * image hardly has. */
    {"align", "auto_bruteforce_below", NULL,
        "auto takes bruteforce for images whose shorter side is below this.", "px", "256",
        PM_OPTION_INT, AT(auto_bruteforce_below), .min = 0, .max = INT_MAX},
    {"align", "auto_hierarchical_from", NULL,
        "auto takes hierarchical for images whose shorter side is at least this, and fft between "
        "the two.",
        "px", "512", PM_OPTION_INT, AT(auto_hierarchical_from), .min = 0, .max = INT_MAX},
    {"align", "quality", NULL, "Also measure confidence, residual, tiles and flags.", NULL, "yes",
        PM_OPTION_BOOL, AT(quality), .recipe = true},
    {"align", "on_flag", NULL,
        "What becomes of a pair with a flag: keep its result, hold it back, or fail it. default: "
        "hold pairs that do not show the same scene, keep the others.",
        NULL, "default", PM_OPTION_CHOICE, AT(on_flag), .choices = on_flags, .recipe = true},

    {"mask", "loss_threshold", NULL,
        "A pixel is usable while its gamma-encoded difference, summed over the channels, is below "
        "this.",
        NULL, "0.4", PM_OPTION_REAL, AT(loss_threshold), .min = 1e-6, .max = 1e6, .recipe = true},
    {"mask", "loss_quantile", NULL,
        "The threshold is lowered to this quantile of the differences; 1: it is not.", NULL,
        "0.9999", PM_OPTION_REAL, AT(loss_quantile), .min = 0, .max = 1, .recipe = true},
    {"mask", "overexposure", NULL,
        "Ground truth samples at or above this share of full scale are unusable.", "full scale",
        "1", PM_OPTION_REAL, AT(overexposure), .min = 1e-6, .max = 1e6, .recipe = true},

    {"crop", "crop_size", NULL, "Side of the square windows cut from both images.", "px", "1024",
        PM_OPTION_INT, AT(crop_size), .min = 1, .max = 65536, .recipe = true},
    {"crop", "crop_stride", NULL,
        "From one window to the next; at most crop_size. Where only a smaller crop_size is set, "
        "this becomes three quarters of it.",
        "px", "768", PM_OPTION_INT, AT(crop_stride), .min = 1, .max = 65536, .recipe = true},
    {"crop", "crop_min_valid", NULL,
        "A window with a smaller usable share is listed, but not written.", "share", "0.5",
        PM_OPTION_REAL, AT(crop_min_valid), .min = 0, .max = 1, .recipe = true},
    {"crop", "crop_compression", NULL,
        "Of the crops' TIFF files. none is the fastest to write and to train from.", NULL, "none",
        PM_OPTION_CHOICE, AT(crop_compression), .choices = compressions, .recipe = true},

    {"cache", "cache_bytes", NULL,
        "Decoded ground truths kept for the next pair of theirs; never more than half of "
        "memory_max.",
        "bytes", "2G", PM_OPTION_SIZE, AT(cache_bytes), .min = 0, .max = BYTES_MAX},

    {"gpu", "gpu", NULL, "Use a GPU when there is one that works; else the CPU does it all.", NULL,
        "yes", PM_OPTION_BOOL, AT(gpu)},
    {"gpu", "gpu_device", NULL, "Which GPU, as CUDA counts them.", NULL, "0", PM_OPTION_INT,
        AT(gpu_device), .min = 0, .max = 63},
    /* A guess, not a measurement: below it a pair costs the CPU less than 30 ms. */
    {"gpu", "gpu_from", NULL,
        "auto takes gpu, on the worker that has one, for images whose shorter side is at least "
        "this.",
        "px", "2048", PM_OPTION_INT, AT(gpu_from), .min = 0, .max = INT_MAX},
    {"gpu", "gpu_memory_max", NULL,
        "GPU memory used at most; pairs that need more are done by the CPU. 0: all that is free "
        "but a sixteenth.",
        "bytes", "0", PM_OPTION_SIZE, AT(gpu_memory_max), .min = 0, .max = BYTES_MAX},
    {"gpu", "gpu_deadline_s", NULL, "A GPU that does not answer for this long is given up.", "s",
        "30", PM_OPTION_INT, AT(gpu_deadline_s), .min = 1, .max = 3600},
    {"gpu", "gpu_idle_s", NULL,
        "After so long without a pair for the GPU its memory, and what is pinned for it, is given "
        "back until the next one.",
        "s", "60", PM_OPTION_INT, AT(gpu_idle_s), .min = 1, .max = 86400},
    {"gpu", "gpu_on_loss", NULL,
        "When the GPU fails for good while it runs: cpu goes on without it, restart stops the "
        "service in order with exit code 1, so that systemd starts it afresh.",
        NULL, "cpu", PM_OPTION_CHOICE, AT(gpu_on_loss), .choices = on_gpu_losses},

    {"log", "log_level", NULL, "What is logged to stderr; info is one line a pair.", NULL, "info",
        PM_OPTION_CHOICE, AT(log_level), .choices = levels},
#undef AT
};

static const struct pm_option source_options[] = {
#define AT(field) .offset = offsetof(struct pm_source_conf, field)
    {NULL, "input", "input_dir",
        "The drop folder. A scene is any folder in it that holds gt/; every file beside gt/ is "
        "paired with every file in it. Nothing in it is ever changed.",
        NULL, "", PM_OPTION_PATH, AT(input)},
    {NULL, "output", "output_dir",
        "Where results go: one folder a pair. It may lie in the input folder, not around it.", NULL,
        "", PM_OPTION_PATH, AT(output)},
    {NULL, "priority", NULL, "Sources with a larger number go first; equals take turns.", NULL, "0",
        PM_OPTION_INT, AT(priority), .min = -1000, .max = 1000},
    {NULL, "pair_gt_gt", NULL, "Also pair every ground truth with every other of its scene.", NULL,
        "no", PM_OPTION_BOOL, AT(pair_gt_gt)},
    {NULL, "pair_self", NULL, "Also pair every ground truth with itself.", NULL, "no",
        PM_OPTION_BOOL, AT(pair_self)},
#undef AT
};

const struct pm_option *pm_conf_table(size_t *count)
{
    *count = sizeof options / sizeof options[0];
    return options;
}

const struct pm_option *pm_source_table(size_t *count)
{
    *count = sizeof source_options / sizeof source_options[0];
    return source_options;
}

int pm_option_find(
    const struct pm_option *table, size_t count, const char *section, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        bool here = section == NULL || strcmp(table[i].section, section) == 0;
        if (here && strcmp(table[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

void pm_option_suggest(
    const struct pm_option *table, size_t count, const char *section, struct pm_suggest *suggest)
{
    for (size_t i = 0; i < count; i++) {
        if (section == NULL || strcmp(table[i].section, section) == 0) {
            pm_suggest_offer(suggest, table[i].name);
        }
    }
}
