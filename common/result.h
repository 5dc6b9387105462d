/*
 * result: the words in which a pair and what became of it travel between queue, worker and people.
 * Owns: nothing; plain records, the strings inside a job belong to the record.
 * Threads: a record has one owner at a time. Memory: pm_job_clear(), pm_result_clear().
 * Errors: none.
 */
#ifndef PM_COMMON_RESULT_H
#define PM_COMMON_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/rect.h"

/* How a shift is searched. The names are those of --alignment_method and the method column. */
enum pm_method {
    PM_METHOD_AUTO,
    PM_METHOD_ORIGINAL,
    PM_METHOD_BRUTEFORCE,
    PM_METHOD_FFT,
    PM_METHOD_HIERARCHICAL,
    PM_METHOD_GPU,
    PM_METHOD_COUNT
};
const char *pm_method_name(enum pm_method method);
enum pm_method pm_method_from_name(const char *name); /* PM_METHOD_COUNT when unknown */

/* What a person should know about a shift; bits, so that a result can carry several. */
enum pm_flag {
    PM_FLAG_AMBIGUOUS = 1 << 0,        /* flat, periodic or too dark: the image cannot decide */
    PM_FLAG_NO_OVERLAP_MATCH = 1 << 1, /* the two do not show the same scene */
    PM_FLAG_NOT_TRANSLATION = 1 << 2,  /* rotation, scale or parallax */
    PM_FLAG_GAIN_DRIFT = 1 << 3,       /* the brightness ratio varies over the frame */
    PM_FLAG_SHIFT_AT_LIMIT = 1 << 4,   /* the best shift lies on the edge of the search range */
    PM_FLAG_NON_FINITE = 1 << 5,       /* NaN or infinite samples were left out */
    PM_FLAG_ALPHA_DROPPED = 1 << 6     /* an alpha channel was left out */
};
#define PM_FLAG_COUNT 7
const char *pm_flag_name(int bit_index); /* "ambiguous" for 0 */

/* Where tiles of the overlap lie, on a grid of at most PM_MAP_TILES. Stored by the million, so it
 * is coarse: 24 megapixels make 12 x 8 tiles of 512 px. */
#define PM_MAP_TILES 160
struct pm_tile_map {
    int rows, columns;       /* 0: not measured, or no tile fits */
    double y0, x0, pitch_px; /* centre of the first tile in gt, px; from one centre to the next */
    float dy[PM_MAP_TILES];  /* px, row by row: the tile's own gt[y+dy, x+dx] = target[y, x]; */
    float dx[PM_MAP_TILES];  /* NaN: nothing in the tile that decides */
    float weight[PM_MAP_TILES]; /* 0..1 */
};

/* What one translation leaves over, from the tiles. NaN: the image cannot tell. Errors are standard
 * errors. */
struct pm_warp {
    int tiles;                               /* that have a weight */
    double rotation_deg, rotation_error_deg; /* gt's scene lies turned by this against target's,
                                                counterclockwise as seen on a screen */
    double scale, scale_error;               /* size of gt's scene / size of target's */
    double parallax_px, parallax_error_px;   /* one tile in ten lies farther than this from where
                                                translation, rotation and scale put it: depth,
                                                movement, lens, noise of the tiles */
};

/* What an alignment says. Sign: gt[y+dy, x+dx] = target[y, x]. */
struct pm_shift {
    int dy, dx;            /* px */
    double loss;           /* mean gain-matched linear L1, full scale 1, trimmed overlap; NaN: not
                              computed yet */
    double gain;           /* mean(gt) / mean(target), whole images, all channels */
    enum pm_method method; /* the one that ran, never AUTO */
    const char *backend;   /* constant text: "plain", "avx2", "avx512", "cuda" */
    const char *fallback;  /* constant text: why the asked method did not run; NULL: it did */
    double confidence;     /* 0..1 */
    double sub_dy, sub_dx; /* px; residual beyond dy, dx; NaN: not measured */
    unsigned flags;        /* enum pm_flag bits */
    double elapsed_ms;     /* search and confidence */
    double loss_ms;        /* the full-image loss */
    int64_t evaluations;   /* shifts whose L1 was taken at any level */
    double sub_dy_error, sub_dx_error; /* px; standard errors of sub_dy, sub_dx; NaN: unknown */
    double second_peak; /* 0..1: how deep the second best place is, of the best's; 0: there is none;
                           NaN: not measured, or the best has no depth */
    int channels;       /* how many of the next there are: 1 or 3; 0: unknown */
    double channel_gain[3]; /* mean(gt) / mean(target) of one channel, whole images as gain is; NaN:
                               not both means are positive */
    struct pm_warp warp;
    struct pm_tile_map map;
};
/* Nothing measured: NaN wherever that means so, otherwise 0. */
void pm_shift_init(struct pm_shift *shift);

/* The state of a file when it was queued; a change means a new revision of the input. */
struct pm_stamp {
    int64_t size;     /* bytes */
    int64_t mtime_ns; /* since the epoch */
    int64_t inode;    /* for noticing a replacement while reading; not part of the identity */
};

/* One pair to be done. Paths and names are bytes as the file system has them, NUL-terminated. */
struct pm_job {
    int64_t id;
    int attempt;                 /* 1 at the first claim */
    char *scene;                 /* path below the input; "." for the input itself */
    char *gt_path, *target_path; /* to open */
    size_t
        root_bytes; /* how much of either is the source's input; below it links are not followed */
    char *output;   /* the source's output folder */
    char *
        taken_by; /* input of another source whose result has this pair's place there; NULL: none */
    struct pm_stamp gt, target;
    int64_t gt_image, target_image; /* ids; equal gt_image means the same gt file and revision */
};
void pm_job_clear(struct pm_job *job);

/* The steps a worker takes, in order; the names are the stage column. */
enum pm_step {
    PM_STEP_DECODE,
    PM_STEP_GAIN,
    PM_STEP_ALIGN,
    PM_STEP_MASK,
    PM_STEP_CROP,
    PM_STEP_PUBLISH,
    PM_STEP_COUNT
};
const char *pm_step_name(enum pm_step step);

struct pm_timing {
    int64_t wall_us, cpu_us;
    int64_t bytes; /* read, looked at or written; what mb_per_s divides */
    bool ran;
};

/* One window of the overlap. */
struct pm_crop {
    struct pm_rect rect; /* in the overlap */
    double valid;        /* usable share, 0..1 */
    bool written;        /* false: below crop_min_valid */
};

/* What became of one job. */
struct pm_result {
    int64_t job_id;
    int worker;
    enum pm_code code;
    enum pm_step step; /* where it failed; meaningless when code is PM_OK */
    char message[768]; /* one line; empty when code is PM_OK */
    struct pm_shift shift;
    struct pm_overlap overlap;
    double mask_mean; /* usable share of the overlap */
    struct pm_crop *crops;
    size_t crop_count, crops_written;
    char *output_dir;                  /* where it was published */
    char gt_hash[17], target_hash[17]; /* XXH3-64 of the file bytes, hex */
    char recipe[17]; /* XXH3-64 of the settings that shape a result, hex (conf.h) */
    char record[17]; /* XXH3-64 of the published pair.json, hex; "": nothing was published */
    struct pm_timing timing[PM_STEP_COUNT];
    int64_t started_us, finished_us; /* UTC */
    bool gt_cached;                  /* the decoded gt came from the cache */
};
void pm_result_clear(struct pm_result *result);

#endif
