/*
 * pm_cuda: the C ABI between pairmill and its CUDA plugin, pairmill-cuda.so. The plugin exports one
 * function, pm_cuda_plugin(); what it returns is a table of functions.
 *
 * How a pair goes through it (names are the table's):
 *
 *     decode (CPU) -> upload gt, target --copy stream--> pixels on the device   gt stays for the
 *     (in pinned memory, else in         band by band    |                      next target
 *      chunks through pinned buffers)                    |
 *          each band: its sum, its luma  <---------------+
 *          reduce: spectrum, border sums <---------------+   cuFFT R2C
 *                  (the gt's while the target still      |
 *                   comes; total() waits for both)       |
 *          search: cross power, cuFFT C2R, normalise over each shift's own overlap, local maxima
 *                                                        |    proposals: float, never decide
 *          l1:     integer L1 of 5x5 shifts, one pass <--+    walks each proposal downhill
 *                                                        |
 *     confirm + quality (CPU, worker/align) decide dy, dx <- the one judge every method has
 *                                                        |
 *          loss:   the reported loss, bit for bit the double sums of worker/kernels/l1.h
 *          mask:   float bounds per pixel (worker/kernels/lossmap.h, bit for bit); the few pixels
 *                  they leave open are settled by the CPU's doubles; then opening, exposure
 *
 * So a float result of the device is only ever a proposal or a proven bound; what is reported is
 * either an exact integer, an IEEE double computed in the CPU's own order, or decided by the CPU.
 *
 * Owns: a struct pm_cuda owns one stream for work, one for copies, and all device memory.
 * Threads: one; the thread that opened it makes every other call. Memory: pinned PM_CUDA_PINNED
 * bytes on the host; on the device at most memory_max. Errors: below; a call that fails leaves its
 * outputs undefined and the next pair starts afresh.
 *
 * Plain C and C++; no type of CUDA's appears, so that the main programs never see a CUDA header.
 */
#ifndef PM_WORKER_GPU_PM_CUDA_H
#define PM_WORKER_GPU_PM_CUDA_H

#include <stddef.h>
#include <stdint.h>

#define PM_CUDA_ABI 2u /* grows with every change below */

#define PM_CUDA_CHUNK ((size_t)4 << 20) /* bytes copied at a time */
#define PM_CUDA_CHUNKS 4                /* pinned buffers they go through, and one for results */
#define PM_CUDA_PINNED (PM_CUDA_CHUNK * (PM_CUDA_CHUNKS + 1))
#define PM_CUDA_PINS 8       /* buffers of the caller's pinned at a time */
#define PM_CUDA_SPAN 5       /* l1 looks at SPAN x SPAN shifts */
#define PM_CUDA_BINS 65536   /* of the bound histogram: the top 16 bits below the sign */
#define PM_CUDA_BIN_SHIFT 15 /* float bits below those */

/* What to do about it; the text says what happened. */
enum pm_cuda_code {
    PM_CUDA_OK,
    PM_CUDA_FAILED,  /* this pair only: do it on the CPU */
    PM_CUDA_NOMEM,   /* not enough device or pinned memory for this pair: the same */
    PM_CUDA_CROWDED, /* too many pixels for the exact list: the same, and nothing is wrong */
    PM_CUDA_NONE,    /* open: no driver, no device, too old */
    PM_CUDA_DEAD,    /* the context is lost or hangs: never call anything but close again */
};

struct pm_cuda_status {
    int code;       /* enum pm_cuda_code */
    char text[256]; /* one line: which call said what; "" when OK */
};

struct pm_cuda_info {
    char name[256];      /* of the device */
    int major, minor;    /* compute capability */
    int driver, runtime; /* as CUDA numbers them: 13000 is 13.0 */
    int processors;
    uint64_t memory_bytes, free_bytes;
};

struct pm_cuda_opts {
    int device;
    uint64_t memory_max;  /* bytes on the device at most; 0: what is free less a reserve */
    uint32_t deadline_ms; /* the longest wait for the device before it counts as hanging */
    /* For tests, which have small images; 0: as they are. */
    uint32_t chunk_bytes; /* copied at a time: PM_CUDA_CHUNK */
    uint32_t luma_px;     /* luma of more pixels is made coarser: 8 million */
};

/* The order is that of enum pm_sample. */
enum pm_cuda_sample { PM_CUDA_U8, PM_CUDA_U16, PM_CUDA_F16, PM_CUDA_F32 };

/* Of both images of a pair; a change of any field forgets what is on the device. */
struct pm_cuda_shape {
    int w, h;               /* px */
    int channels;           /* 1 or 3, interleaved */
    int sample;             /* enum pm_cuda_sample */
    uint64_t pitch;         /* bytes from row to row, on the host and on the device */
    int range_dy, range_dx; /* px: shifts to be searched */
};

enum pm_cuda_which { PM_CUDA_GT, PM_CUDA_TARGET };

/* A shift the search proposes, in px of the full image. */
struct pm_cuda_peak {
    int dy, dx;
    float score; /* -1..1 */
};

/* Integer sums of |gt * gt_mul - target * target_mul| over each shift's trimmed overlap
 * (RAWNIND.md 2.5), of every row_step-th row of the target. */
struct pm_cuda_l1 {
    int dy, dx; /* the middle one */
    int row_step;
    uint32_t gt_mul, target_mul;  /* integer samples: at most 32768 */
    float gt_scale, target_scale; /* float samples: to integers within +-2^29, clamped */
    /* Rows and columns of the target inside the trimmed overlap of the i-th dy, dx: [from, to). */
    int row_from[PM_CUDA_SPAN], row_to[PM_CUDA_SPAN], column_from[PM_CUDA_SPAN],
        column_to[PM_CUDA_SPAN];
    uint64_t sum[PM_CUDA_SPAN][PM_CUDA_SPAN];
};

/* The rows of an overlap, bit-equal to pm_l1_ops.exact. */
struct pm_cuda_rows {
    int gt_x, gt_y, target_x, target_y, w, h; /* px */
    double gain;
    double *sum;    /* h of them */
    int64_t *count; /* h of them */
};

struct pm_cuda_mask {
    /* in: the overlap, the gain of its target, and how much may be listed */
    int gt_x, gt_y, target_x, target_y, w, h; /* px */
    float gain;
    uint32_t list_max;
    /* in: a gt sample is overexposed from here on (integers), or not below it (floats) */
    uint32_t exposed_from;
    double exposed_limit;
    /* out of bounds(): lower bounds by their top bits, and pixels about which nothing is known */
    uint32_t *bins;
    uint32_t unknown;
    /* in of gather(): list every pixel whose upper bound is at least this */
    float gather_from;
    /* in of decide(): keep below this */
    double threshold;
    /* out of gather() and decide(): pixels (y * w + x), in no order; count can exceed list_max only
     * when the code is PM_CUDA_CROWDED */
    uint32_t *list;
    uint32_t list_count;
    /* out of decide() and in of finish(): rows of (w + 63) / 64 words, bit x % 64 of word x / 64 */
    uint64_t *words;
};

struct pm_cuda_times {
    double upload_ms, fft_ms, kernel_ms; /* device time since the last call of times() */
    uint64_t upload_bytes, staged_bytes; /* staged: of them copied by the host first */
};

struct pm_cuda; /* opaque */

struct pm_cuda_api {
    uint32_t abi;  /* PM_CUDA_ABI; first, whatever else changes */
    uint32_t size; /* of this struct */
    /* Fills info too. On any error *out is NULL and nothing is held. */
    int (*open)(struct pm_cuda **out, const struct pm_cuda_opts *opts, struct pm_cuda_info *info,
        struct pm_cuda_status *status);
    /* Releases everything, in any state; NULL is fine. After PM_CUDA_DEAD by a hang it leaves what
     * the device may still be using. */
    void (*close)(struct pm_cuda *cuda);
    /* Makes room for pairs of this shape; what is there already stays when the shape is the same.
     */
    int (*begin)(
        struct pm_cuda *cuda, const struct pm_cuda_shape *shape, struct pm_cuda_status *status);
    /* Gives all device memory and all pinned memory back; begin() makes it again. */
    int (*trim)(struct pm_cuda *cuda, struct pm_cuda_status *status);
    /* Pins memory of the caller's, which begins on a page and shares none: upload() then reads it
     * where it lies. Fails when it cannot or there are PM_CUDA_PINS already: nothing is wrong. */
    int (*pin)(struct pm_cuda *cuda, void *data, size_t bytes, struct pm_cuda_status *status);
    /* After this, also when it fails (but for PM_CUDA_DEAD), the memory is the caller's alone; what
     * is not pinned already is. close() does the same for all that is left. */
    int (*unpin)(struct pm_cuda *cuda, void *data, struct pm_cuda_status *status);
    /* Rows [y0, y1) as they lie in host memory; ascending, without gaps, from row 0. Luma is
     * less mean (full scale 1). Rows in pinned memory must stay as they are until total() has
     * returned, others may change at once. */
    int (*upload)(struct pm_cuda *cuda, int which, const void *rows, int y0, int y1, double mean,
        struct pm_cuda_status *status);
    /* After the last row: spectrum, border sums. Does not wait for them. */
    int (*reduce)(struct pm_cuda *cuda, int which, struct pm_cuda_status *status);
    /* Waits for what reduce() began. *total: the sum of all samples (integers) or of all sample
     * words (floats), to compare with the decoder's. */
    int (*total)(struct pm_cuda *cuda, int which, uint64_t *total, struct pm_cuda_status *status);
    /* The max highest local maxima, best first; *count says how many. */
    int (*search)(struct pm_cuda *cuda, struct pm_cuda_peak *peaks, int max, int *count,
        struct pm_cuda_status *status);
    int (*l1)(struct pm_cuda *cuda, struct pm_cuda_l1 *l1, struct pm_cuda_status *status);
    int (*loss)(struct pm_cuda *cuda, struct pm_cuda_rows *rows, struct pm_cuda_status *status);
    /* In this order; finish() takes words with the listed pixels settled and returns them opened
     * and without the overexposed. */
    int (*bounds)(struct pm_cuda *cuda, struct pm_cuda_mask *mask, struct pm_cuda_status *status);
    int (*gather)(struct pm_cuda *cuda, struct pm_cuda_mask *mask, struct pm_cuda_status *status);
    int (*decide)(struct pm_cuda *cuda, struct pm_cuda_mask *mask, struct pm_cuda_status *status);
    int (*finish)(struct pm_cuda *cuda, struct pm_cuda_mask *mask, struct pm_cuda_status *status);
    void (*times)(struct pm_cuda *cuda, struct pm_cuda_times *times);
};

#ifdef __cplusplus
extern "C" {
#endif
const struct pm_cuda_api *pm_cuda_plugin(void);
#ifdef __cplusplus
}
#endif

#endif
